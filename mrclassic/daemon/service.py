"""`mrclassic daemon run`: one loop in one thread that starts, watches and ends the nights.

Everything that can happen arrives at the loop: a due night and a signal through a pipe, so that they are noticed at
once; requests of the app and the shell through the store, once a second. The scheduler's thread and the signal
handlers only write a byte.
"""

from __future__ import annotations

import logging
import os
import select
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mrclassic.daemon import schedule, supervise
from mrclassic.daemon.process import LOG, alone, logged, signals
from mrclassic.daemon.status import Running, State, Status, last_words, write
from mrclassic.errors import MrClassicError
from mrclassic.home import Home
from mrclassic.settings import Settings
from mrclassic.store import Night, Request, Store

_STOP, _DUE, _LATE = b"s", b"d", b"l"
_NOTICES_KEPT = 10
# Wall and steady clock part by more than this: the machine slept, or somebody set the clock.
_JUMP_SECONDS = 2.0
# A night has the gate and the report after its minutes; what is still there after this long hangs.
_OVERDUE_FACTOR, _OVERDUE_SECONDS = 1.5, 900.0


def run(
    home: Home,
    settings: Settings,
    *,
    command: Sequence[str] | None = None,
    poll: float = 1.0,
    grace: float = supervise.GRACE_SECONDS,
    reload: Callable[[], Settings] | None = None,
) -> int:
    """Serve `home` until SIGTERM, SIGINT or SIGHUP; returns 0. Must be called from the main thread.

    `command` replaces the night that is started; `reload` reads the settings again when their file has changed.
    Raises Refused where a service already runs for this home.
    """
    with alone(home), logged(home), Store.open(home) as store:
        service = _Service(home, settings, store, command, poll, grace, reload)
        try:
            return service.serve()
        finally:
            service.close()


class _Service:
    def __init__(
        self,
        home: Home,
        settings: Settings,
        store: Store,
        command: Sequence[str] | None,
        poll: float,
        grace: float,
        reload: Callable[[], Settings] | None,
    ) -> None:
        self._home, self._settings, self._store = home, settings, store
        self._command, self._poll, self._grace, self._reload = command, poll, grace, reload
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        before = last_words(home)
        self._status = Status("waiting", os.getpid(), _now(), before.paused, last_night=before.last_night)
        self._orphan = before.night
        self._written: Status | None = None
        self._child: supervise.Child | None = None
        self._kill_at = self._overdue_at = float("inf")
        self._stopping = False
        # Acted upon, but perhaps not yet noted in a store that could not be written: never act twice.
        self._answers: dict[int, dict[str, object]] = {}
        self._drift = _drift()
        self._stamp = self._settings_stamp()
        self._schedule = self._scheduled()

    def serve(self) -> int:
        """The loop."""
        with signals(lambda: self._tell(_STOP)):
            self._end_orphan()
            self._catch_up()
            self._schedule.start()
            LOG.info("The service is running for %s.", self._home.root)
            while True:
                self._look()
                if self._stopping and self._child is None:
                    break
                # While a night is being ended, its end is worth noticing soon.
                self._hear(min(self._poll, 0.05 if self._ending else self._poll))
        LOG.info("The service has stopped.")
        return 0

    def close(self) -> None:
        """Leave nothing behind: no thread, no child, and a status that says so."""
        self._schedule.stop()
        if self._child is not None:
            self._finish(self._child.stop(self._grace))
        self._publish(replace(self._status, state="stopped", pid=None, next_night=None, night=None))
        os.close(self._reader)
        os.close(self._writer)

    @property
    def _ending(self) -> bool:
        return self._kill_at < float("inf")

    # What arrives

    def _tell(self, word: bytes) -> None:
        """Called from signal handlers and the scheduler's thread."""
        try:
            os.write(self._writer, word)
        except BlockingIOError:
            return  # thousands of unread words: one more says nothing new

    def _hear(self, seconds: float) -> None:
        ready, _, _ = select.select([self._reader], [], [], seconds)
        for word in os.read(self._reader, 512) if ready else b"":
            if word == ord(_STOP):
                self._stop()
            elif self._stopping:
                continue
            elif word == ord(_LATE):
                self._notice("A night was left out: its time had passed by more than the grace of the settings.")
            elif self._status.paused:
                self._notice("The night was left out: the service is paused.")
            else:
                self._start("the schedule", self._settings.night.minutes)

    def _look(self) -> None:
        """Everything that has to be looked at rather than heard."""
        if self._child is not None and (end := self._child.poll()) is not None:
            self._finish(end)
        if self._child is not None:
            if time.monotonic() > self._overdue_at:
                self._overdue_at = float("inf")
                self._notice("The night took far longer than its minutes and was ended.")
                self._end()
            if time.monotonic() > self._kill_at:
                self._child.kill()
        if not self._stopping:
            self._requests()
            self._settings_changed()
        if abs((drift := _drift()) - self._drift) > _JUMP_SECONDS:
            self._drift = drift
            self._schedule.look_again()
        self._say()

    def _stop(self) -> None:
        if self._stopping:  # asked twice: whoever asks means it
            self._kill_at = 0.0
            return
        self._stopping = True
        LOG.info("The service is stopping%s.", "; the night is saving" if self._child else "")
        self._end()

    # Requests through the store

    def _requests(self) -> None:
        try:
            for request in self._store.requests.pending():
                if request.id not in self._answers:
                    self._answers[request.id] = self._answer(request)
                self._store.requests.done(request.id, self._answers[request.id])
                del self._answers[request.id]
        except MrClassicError as error:
            # A disk that is full now may not be tomorrow, and the schedule goes on meanwhile.
            self._notice(str(error))

    def _answer(self, request: Request) -> dict[str, object]:
        if request.kind == "pause":
            self._status = replace(self._status, paused=True)
            self._notice("Paused: no night starts until `mrclassic daemon resume`.")
            self._end()
            return {"paused": True, "night_ended": self._child is not None}
        if request.kind == "resume":
            self._status = replace(self._status, paused=False)
            self._notice("Resumed: nights start as the settings say.")
            return {"paused": False}
        if request.kind == "night":
            return self._requested_night(request)
        return {"error": f"The service knows no request {request.kind}."}

    def _requested_night(self, request: Request) -> dict[str, object]:
        age = datetime.now(UTC) - datetime.fromisoformat(request.created)
        if age > timedelta(hours=self._settings.night.misfire_hours):
            return {"started": False, "error": "The request was too old when the service read it."}
        minutes = request.payload.get("minutes", self._settings.night.minutes)
        if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 < minutes < 10_000:
            return {"started": False, "error": f"{minutes!r} is no number of minutes for a night."}
        problem = self._start("a request", float(minutes))
        return {"started": problem is None, **({} if problem is None else {"error": problem})}

    # The night

    def _start(self, why: str, minutes: float) -> str | None:
        """Start a night; return a sentence where that was not possible."""
        if self._child is not None:
            problem = "A night is running already."
        else:
            command = self._command or supervise.night_command(self._home, minutes, self._settings.device)
            try:
                self._child = supervise.start(self._home, command)
            except MrClassicError as error:
                problem = str(error)
            else:
                self._overdue_at = time.monotonic() + minutes * 60 * _OVERDUE_FACTOR + _OVERDUE_SECONDS
                LOG.info("A night of %g minutes has started (%s, process %d).", minutes, why, self._child.pid)
                child = self._child
                self._status = replace(self._status, night=Running(child.pid, child.started, str(child.log), why))
                self._say()
                return None
        self._notice(problem)
        return problem

    def _end(self) -> None:
        """Ask the night to save and end; `_look` kills it when its time is up."""
        if self._child is not None and not self._ending:
            self._child.ask()
            self._kill_at = time.monotonic() + self._grace

    def _finish(self, end: supervise.Ended) -> None:
        self._child = None
        self._kill_at = self._overdue_at = float("inf")
        sentence = end.sentence(self._row(end.started))
        self._status = replace(self._status, night=None, last_night=sentence)
        LOG.log(logging.INFO if end.code == 0 else logging.WARNING, sentence)

    def _row(self, started: str) -> Night | None:
        """The row of the night that ended, closed if it was killed before it could do that; None if it has none."""
        try:
            last = self._store.nights.last()
            # Its own row, not that of an earlier night in a shell.
            if last is None or datetime.fromisoformat(last.started) < datetime.fromisoformat(started):
                return None
            if last.status in ("planned", "running"):
                self._store.nights.finish(last.id, "interrupted")
            return self._store.nights.get(last.id)
        except MrClassicError as error:
            self._notice(str(error))
            return None

    def _end_orphan(self) -> None:
        if self._orphan is not None and supervise.end_orphan(self._home, self._orphan.pid, self._grace):
            left = supervise.kept(self._row(self._orphan.started))
            self._notice(f"A night of a service that was killed was still running; it was ended, and {left}.")

    def _catch_up(self) -> None:
        """A night that was due while no service ran is made up for within the grace, and reported after it."""
        if self._status.paused:
            return
        last = self._store.nights.last()
        night = self._settings.night
        due = schedule.missed(night, None if last is None else datetime.fromisoformat(last.started))
        if due is None:
            return
        if schedule.still_in_time(night, due):
            self._notice(f"The night of {due:%A %H:%M} was missed while the service was not running; it starts now.")
            self._start("a missed night", night.minutes)
        else:
            self._notice(f"The night of {due:%A %H:%M} was missed: the service was not running.")

    # Settings and schedule

    def _scheduled(self) -> schedule.Schedule:
        return schedule.Schedule(self._settings.night, lambda: self._tell(_DUE), lambda _: self._tell(_LATE))

    def _settings_stamp(self) -> tuple[int, int] | None:
        try:
            found = self._home.settings_file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def _settings_changed(self) -> None:
        stamp = self._settings_stamp()
        if self._reload is None or stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            settings = self._reload()
        except MrClassicError as error:
            self._notice(f"The settings changed and cannot be used, the old ones stay: {error}")
            return
        if settings != self._settings:
            self._settings = settings
            self._schedule.stop()
            self._schedule = self._scheduled()
            self._schedule.start()
            self._notice("The settings changed; the schedule follows them.")

    # Words

    def _notice(self, sentence: str) -> None:
        """Log a sentence and show it in the status; the same one again and again is said once an hour."""
        line = f"{datetime.now().astimezone():%Y-%m-%d %H:%M} {sentence}"
        if self._status.notices:
            last = self._status.notices[-1]
            if last.endswith(sentence) and last[: len("2026-11-20 04")] == line[: len("2026-11-20 04")]:
                return
        LOG.warning(sentence)
        self._status = replace(self._status, notices=(*self._status.notices, line)[-_NOTICES_KEPT:])

    def _say(self) -> None:
        """Write the status if it differs from what was last written."""
        due = None if self._status.paused else schedule.next_due(self._settings.night)
        state: State = "paused" if self._status.paused else "waiting"
        if self._child is not None:
            state = "night"
        if self._stopping:
            state = "stopping"
        self._publish(replace(self._status, state=state, next_night=None if due is None else due.isoformat()))

    def _publish(self, status: Status) -> None:
        self._status = status
        if status == self._written:
            return
        try:
            write(self._home, status)
            self._written = status
        except OSError as error:
            LOG.warning("The status cannot be written: %s.", error.strerror or error)


def _drift() -> float:
    return time.time() - time.monotonic()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
