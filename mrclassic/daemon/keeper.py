"""Keeps one night going: starts its process, ends one that hangs, and has it go on after a break.

Only the service's loop calls it, once a second and whenever something was heard.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from mrclassic import heartbeat, lease
from mrclassic.daemon import again, supervise
from mrclassic.daemon.log import event
from mrclassic.daemon.status import Job, Running, beat_file
from mrclassic.errors import MrClassicError
from mrclassic.home import Home
from mrclassic.store import Night, Store

# A night has the gate and the report after its minutes; what is still there after this long hangs.
_OVERDUE_FACTOR, _OVERDUE_SECONDS = 1.5, 900.0
# Between two looks at most so much counts as silence: a machine, or a container, that was stopped was not silent.
_LOOK_SECONDS = 5.0
_UNFINISHED = ("planned", "running", "interrupted", "failed")


class Keeper:
    """One night at a time. `command` says how one is started; `notice` tells the owner a sentence."""

    def __init__(
        self,
        home: Home,
        store: Store,
        command: Callable[[Job], Sequence[str]],
        notice: Callable[[str], None],
        grace: float,
        last: str | None,
    ) -> None:
        self._home, self._store, self._command, self._notice, self._grace = home, store, command, notice, grace
        self._child: supervise.Child | None = None
        self._children: set[int] = set()  # all that were started, by process
        self._ending: Literal["", "asked", "silent", "overdue", "given up"] = ""
        self._kill_at = self._again_at = float("inf")
        self._pulse: tuple[int, str] = (0, "")
        self._silence = self._worked = 0.0
        self._looked = time.monotonic()
        self.running: Running | None = None
        self.unfinished: Job | None = None
        self.waiting: str | None = None
        self.last = last

    @property
    def ending(self) -> bool:
        """Whether a night has been asked to end and is still there."""
        return self._child is not None and bool(self._ending)

    def start(self, job: Job) -> None:
        """Start a night, or go on with it where it has begun already; raises MrClassicError where that cannot be."""
        if self._child is not None:
            raise MrClassicError("A night is running already.")
        row = self._row(job)
        resume = (supervise.RESUME,) if row is not None and row.status in _UNFINISHED else ()
        self._pulse, self._silence, self._worked = heartbeat.pulse(beat_file(self._home)), 0.0, 0.0
        self._child = child = supervise.start(self._home, (*self._command(job), *resume))
        self._children.add(child.pid)
        self.running = Running(child.pid, child.started, str(child.log), job)
        self.unfinished = self.waiting = None
        sentence = f"The night goes on (process {child.pid})."
        if not resume:
            sentence = f"A night of {job.minutes:g} minutes has started ({job.why}, process {child.pid})."
        name = "night resumed" if resume else "night started"
        event(name, sentence, pid=child.pid, minutes=job.minutes, why=job.why, log=str(child.log), fails=job.fails)

    def give_up(self) -> bool:
        """Have the night save and end, and not go on by itself; whether there was one, running or to go on."""
        found = self._child is not None or self.unfinished is not None
        self.end("given up")
        if self._child is not None:
            self._ending = "given up"
        self.unfinished = self.waiting = None
        return found

    def end(self, why: Literal["asked", "silent", "overdue", "given up"] = "asked") -> None:
        """Ask the night to save and end; `look` kills it when its time is up."""
        if self._child is not None and not self._ending:
            self._ending, self._kill_at = why, time.monotonic() + self._grace
            self._child.ask()

    def hurry(self) -> None:
        """Do not wait for it any longer."""
        self._kill_at = 0.0

    def look(self, silent_seconds: float, may_start: bool) -> None:
        """See to what time brings: an end, a silence, the next try."""
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, _LOOK_SECONDS), now
        if self._child is None:
            if may_start and now >= self._again_at:
                self._go_on()
            return
        if (end := self._child.poll()) is not None:
            self._finish(end)
        elif not self._ending:
            self._judge(passed, silent_seconds)
        elif now > self._kill_at:
            self._child.kill()

    def _judge(self, passed: float, silent_seconds: float) -> None:
        """Whether what runs should go on running, after so many seconds more."""
        assert self.running is not None
        job = self.running.job
        if lease.awaited(self._home):  # it waits for the owner to leave the device
            if not again.in_time(job):
                self._notice("The night waited for the device until its time was over.")
                self.end("overdue")
            return
        self._worked += passed
        pulse = heartbeat.pulse(beat_file(self._home))
        self._silence = self._silence + passed if pulse == self._pulse else 0.0
        self._pulse = pulse
        if self._silence > silent_seconds:
            self._notice(f"The night gave no sign of life for {silent_seconds / 60:g} minutes and was ended.")
            self.end("silent")
        elif self._worked > job.minutes * 60 * _OVERDUE_FACTOR + _OVERDUE_SECONDS:
            self._notice("The night took far longer than its minutes and was ended.")
            self.end("overdue")

    def owe(self, job: Job) -> None:
        """Take over a night that an earlier service left unfinished; it goes on at the next look."""
        if again.in_time(job):
            self.unfinished, self._again_at, self.waiting = job, 0.0, "it goes on as soon as nights may start"
        else:
            self._notice("The last night was not finished in its time; it does not go on.")

    def close(self) -> None:
        """End what runs, and wait for it."""
        if self._child is not None:
            self.end()
            self._finish(self._child.stop(self._grace))

    def end_orphan(self, left: Running) -> None:
        """See to the night of a service that was killed: end it if it still runs, and go on with it."""
        if supervise.end_orphan(self._home, left.pid, self._grace):
            kept = supervise.kept(self._row(left.job))
            self._notice(f"A night of a service that was killed was still running; it was ended, and {kept}.")
        row = self._row(left.job)
        if row is None or row.status in _UNFINISHED:
            # Whatever ended both of them may have been the night's doing (memory, say): it counts as a failed try.
            what = again.after(left.job, -signal.SIGKILL)
            if isinstance(what, again.Break):
                self.owe(what.job)
            else:
                self._notice(f"The last night was cut short and does not go on: {what}.")

    def _go_on(self) -> None:
        job = self.unfinished
        self._again_at = float("inf")
        if job is None:
            return
        if not again.in_time(job):
            self.unfinished = self.waiting = None
            self._notice("The last night was not finished in its time; it does not go on.")
            return
        try:
            self.start(job)
        except MrClassicError as error:  # a full disk, say, or too many processes
            self._notice(str(error))
            self._break(again.after(job, 1))

    def _finish(self, end: supervise.Ended) -> None:
        assert self.running is not None
        job, why = self.running.job, self._ending
        self._child, self.running, self._ending = None, None, ""
        self._kill_at = float("inf")
        row = self._row(job)
        if end.code == -signal.SIGKILL and not why and lease.taken(self._home):
            end = replace(end, code=again.GAVE_WAY)  # by the mind, for which it did not let go soon enough
        code = 0 if row is not None and row.status == "done" else end.code
        self.last = end.sentence(row)
        level = logging.INFO if code in (0, again.GAVE_WAY) else logging.WARNING
        event("night ended", self.last, level=level, code=end.code, log=end.log, night=None if row is None else row.id)
        if why in ("overdue", "given up"):
            return
        if why == "asked" and (row is None or again.resumable(code)) and again.in_time(job):
            self._break(again.Break(job, 0.0, "it goes on as soon as nights may start"))
        else:
            self._break(again.after(job, code, hung=why == "silent", put_off=end.complaint))

    def _break(self, what: again.Break | str) -> None:
        if isinstance(what, again.Break):
            self.unfinished, self.waiting = what.job, what.why
            self._again_at = time.monotonic() + what.seconds
            event("night waits", f"The night is not finished; {what.why}.", seconds=what.seconds, fails=what.job.fails)
            return
        self.unfinished = self.waiting = None
        if what:
            self._notice(f"The night does not go on: {what}.")

    def _row(self, job: Job) -> Night | None:
        """The row of this night, closed if it was killed before it could do that; None if it has none (yet)."""
        try:
            last = self._store.nights.last()
            # Its own row, not that of a night in a shell: an earlier one, or one that came first while this one waited.
            if last is None or datetime.fromisoformat(last.started) < datetime.fromisoformat(job.begun):
                return None
            process = last.plan.get("process")
            if self._children and process is not None and process not in self._children:
                return None
            if last.status in ("planned", "running") and not supervise.any_alive(self._home):
                self._store.nights.finish(last.id, "interrupted", report_path=last.report, checkpoint=last.checkpoint)
            return self._store.nights.get(last.id)
        except MrClassicError as error:
            self._notice(str(error))
            return None
