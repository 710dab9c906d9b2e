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

from mrclassic.bounds import LONGEST, SHORTEST
from mrclassic.daemon import again, schedule, supervise
from mrclassic.daemon.keeper import Keeper
from mrclassic.daemon.log import event, logged
from mrclassic.daemon.process import alone, signals
from mrclassic.daemon.status import Job, State, Status, last_words, sentence, write
from mrclassic.daemon.systemd import Manager
from mrclassic.errors import MrClassicError
from mrclassic.home import Home
from mrclassic.settings import Settings
from mrclassic.store import Request, Store

_STOP, _DUE, _LATE = b"s", b"d", b"l"
_NOTICES_KEPT = 10
# Wall and steady clock part by more than this: the machine slept, or somebody set the clock.
_JUMP_SECONDS = 2.0


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
    manager = Manager()
    with alone(home), logged(home), Store.open(home) as store:
        service = _Service(home, settings, store, manager, command, poll, grace, reload)
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
        manager: Manager,
        command: Sequence[str] | None,
        poll: float,
        grace: float,
        reload: Callable[[], Settings] | None,
    ) -> None:
        self._home, self._settings, self._store, self._manager = home, settings, store, manager
        self._command, self._poll, self._reload = command, poll, reload
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._before = before = last_words(home)
        self._status = Status("waiting", os.getpid(), _now(), before.paused)
        self._written: Status | None = None
        self._unwritable = False
        self._keeper = Keeper(home, store, self._night, self._notice, grace, before.last_night)
        self._stopping = False
        # Acted upon, but perhaps not yet noted in a store that could not be written: never act twice.
        self._answers: dict[int, dict[str, object]] = {}
        self._drift = _drift()
        self._stamp = self._settings_stamp()
        self._served: datetime | None = None  # the last due moment that was heard, should the clock come by it again
        self._schedule = self._scheduled()

    def serve(self) -> int:
        """The loop."""
        with signals(lambda: self._tell(_STOP)):
            self._take_over()
            self._schedule.start()
            event("service started", f"The service is running for {self._home.root}.", pid=os.getpid())
            self._look()
            self._manager.ready()
            while not (self._stopping and self._keeper.running is None):
                # While a night is being ended, its end is worth noticing soon.
                self._hear(min(self._poll, 0.05 if self._keeper.ending else self._poll))
                self._look()
        event("service stopped", "The service has stopped.")
        return 0

    def close(self) -> None:
        """Leave nothing behind: no thread, no child, and a status that says so."""
        self._manager.stopping()
        self._schedule.stop()
        self._keeper.close()
        self._publish(replace(self._composed(), state="stopped", pid=None, next_night=None))
        os.close(self._reader)
        os.close(self._writer)

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
            else:
                self._due()

    def _look(self) -> None:
        """Everything that has to be looked at rather than heard."""
        self._manager.alive()
        silent = self._settings.night.silent_minutes * 60
        self._keeper.look(silent, may_start=not self._stopping and not self._status.paused)
        if not self._stopping:
            self._requests()
            self._settings_changed()
            self._clock_set()
        self._publish(self._composed())

    def _stop(self) -> None:
        if self._stopping:  # asked twice: whoever asks means it
            self._keeper.hurry()
            return
        self._stopping = True
        self._manager.stopping()
        saving = "; the night is saving" if self._keeper.running else ""
        event("service stopping", f"The service is stopping{saving}.")
        self._keeper.end()

    def _clock_set(self) -> None:
        """The machine slept, or its clock was set: what the scheduler waits for is looked at by the clock of now."""
        passed = _drift() - self._drift
        if abs(passed) <= _JUMP_SECONDS:
            return
        self._drift += passed
        ahead = "ahead (the machine slept, or its clock was set)" if passed > 0 else "back"
        event("clock", f"The clock has gone {abs(passed):.0f} seconds {ahead}.", seconds=passed)
        if passed > 0:
            self._schedule.look_again()
        else:
            self._schedule_anew()  # else its next night stays in a future that was a mistake

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
            self._notice("Paused: no night starts until `mrclassic daemon resume`.", logging.INFO)
            self._keeper.end()
            return {"paused": True, "night_ended": self._keeper.running is not None}
        if request.kind == "resume":
            self._status = replace(self._status, paused=False)
            self._notice("Resumed: nights start as the settings say.", logging.INFO)
            return {"paused": False}
        if request.kind == "stop":
            return {"night_ended": self._keeper.give_up()}
        if request.kind == "night":
            return self._requested_night(request)
        return {"error": f"The service knows no request {request.kind}."}

    def _requested_night(self, request: Request) -> dict[str, object]:
        age = datetime.now(UTC) - datetime.fromisoformat(request.created)
        if age > timedelta(hours=self._settings.night.misfire_hours):
            return {"started": False, "error": "The request was too old when the service read it."}
        minutes = request.payload.get("minutes", self._settings.night.minutes)
        if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not SHORTEST <= minutes <= LONGEST:
            return {"started": False, "error": f"{minutes!r} is no number of minutes for a night."}
        # One that waits to go on is what the owner wants to go on now.
        problem = self._start(self._keeper.unfinished or self._job("a request", float(minutes)))
        return {"started": problem is None, **({} if problem is None else {"error": problem})}

    # The night

    def _night(self, job: Job) -> Sequence[str]:
        return self._command or supervise.night_command(self._home, job.minutes, self._settings.device)

    def _job(self, why: str, minutes: float, due: datetime | None = None) -> Job:
        until = again.window_end(due or datetime.now(UTC), minutes, self._settings.night.misfire_hours)
        return Job(minutes, why, _now(), until)

    def _start(self, job: Job) -> str | None:
        """Start a night; return a sentence where that was not possible."""
        try:
            self._keeper.start(job)
        except MrClassicError as error:
            self._notice(str(error))
            return str(error)
        return None

    def _due(self) -> None:
        """The scheduler says that a night is due."""
        due = schedule.last_due(self._settings.night)
        if due is None or due.at == self._served:
            return
        self._served = due.at
        if self._status.paused:
            self._notice("The night was left out: the service is paused.")
        else:
            self._start(self._job("the schedule", due.minutes, due.at))

    def _take_over(self) -> None:
        """Go on where an earlier service ended, or was ended; else make up for a night that nobody started."""
        before = self._before
        if before.night is not None:
            self._keeper.end_orphan(before.night)
        elif before.unfinished is not None:
            self._keeper.owe(before.unfinished)
        if self._status.paused or self._keeper.unfinished is not None:
            return
        night = self._settings.night
        try:
            last = self._store.nights.last()
        except MrClassicError as error:
            self._notice(str(error))
            return
        due = schedule.missed(night, None if last is None else datetime.fromisoformat(last.started))
        if due is None:
            return
        if schedule.still_in_time(night, due.at):
            self._notice(f"The night of {due.at:%A %H:%M} was missed while the service was not running; it starts now.")
            self._start(self._job("a missed night", due.minutes, due.at))
        else:
            self._notice(f"The night of {due.at:%A %H:%M} was missed: the service was not running.")

    # Settings and schedule

    def _scheduled(self) -> schedule.Schedule:
        return schedule.Schedule(self._settings.night, lambda: self._tell(_DUE), lambda: self._tell(_LATE))

    def _schedule_anew(self) -> None:
        self._schedule.stop()
        self._schedule = self._scheduled()
        self._schedule.start()

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
            self._schedule_anew()
            self._notice("The settings changed; the schedule follows them.", logging.INFO)

    # Words

    def _notice(self, sentence: str, level: int = logging.WARNING) -> None:
        """Log a sentence and show it in the status; the same one again and again is said once an hour."""
        line = f"{datetime.now().astimezone():%Y-%m-%d %H:%M} {sentence}"
        if self._status.notices:
            last = self._status.notices[-1]
            if last.endswith(sentence) and last[: len("2026-11-20 04")] == line[: len("2026-11-20 04")]:
                return
        event("notice", sentence, level=level)
        self._status = replace(self._status, notices=(*self._status.notices, line)[-_NOTICES_KEPT:])

    def _composed(self) -> Status:
        """The status as it is now."""
        keeper = self._keeper
        due = None if self._status.paused else schedule.next_due(self._settings.night)
        state: State = "paused" if self._status.paused else "waiting"
        if keeper.running is not None:
            state = "night"
        if self._stopping:
            state = "stopping"
        return replace(
            self._status,
            state=state,
            next_night=None if due is None else due.at.isoformat(),
            night=keeper.running,
            unfinished=keeper.unfinished,
            waiting=keeper.waiting,
            last_night=keeper.last,
        )

    def _publish(self, status: Status) -> None:
        self._status = status
        if status == self._written:
            return
        self._manager.status(sentence(status))
        try:
            write(self._home, status)
            self._written, self._unwritable = status, False
        except OSError as error:
            if not self._unwritable:  # once, or a full disk would fill the log every second
                self._unwritable = True
                event("status", f"The status cannot be written: {error.strerror or error}.", level=logging.WARNING)


def _drift() -> float:
    return time.time() - time.monotonic()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
