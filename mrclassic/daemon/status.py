"""What the service says about itself: one JSON file that it replaces, and a lock that it holds while it lives.

The file alone proves nothing (a killed service leaves it behind); the lock alone says nothing. Read both through
`read`.
"""

from __future__ import annotations

import fcntl
import json
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from mrclassic import files
from mrclassic.home import Home

State = Literal["stopped", "waiting", "night", "paused", "stopping"]


@dataclass(frozen=True)
class Job:
    """A night to be held: its budget, what started it, when it first began, until when it may go on after a break, and
    how often it has failed."""

    minutes: float
    why: str
    begun: str
    until: str
    fails: int = 0


@dataclass(frozen=True)
class Running:
    """The night that is running: its process, since when, where it writes, and what it carries out."""

    pid: int
    started: str
    log: str
    job: Job


@dataclass(frozen=True)
class Status:
    """The service at a glance. Times are ISO 8601; `notices` are sentences, newest last.

    `unfinished` is a night that was cut short and goes on by itself; `waiting` says for what it waits.
    """

    state: State = "stopped"
    pid: int | None = None
    started: str | None = None
    paused: bool = False
    next_night: str | None = None
    night: Running | None = None
    unfinished: Job | None = None
    waiting: str | None = None
    last_night: str | None = None
    notices: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        return self.state != "stopped"


def lock_file(home: Home) -> Path:
    """Held exclusively by the service while it lives."""
    return home.run / "daemon.lock"


def status_file(home: Home) -> Path:
    """What the service last said."""
    return home.run / "daemon.json"


def beat_file(home: Home) -> Path:
    """Where the night that is running shows that it works (see `heartbeat`)."""
    return home.run / "night.beat"


def alive(home: Home) -> bool:
    """Whether a service runs for this home."""
    try:
        with lock_file(home).open("rb") as lock:
            # Shared, so that two who look do not take each other for the service.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def write(home: Home, status: Status) -> None:
    """Replace the file; a reader sees the old one or the new one, whole."""
    data = json.dumps(asdict(status), indent=1, ensure_ascii=False) + "\n"
    # To the disk: after a power cut it says which night was under way.
    files.replace(status_file(home), data.encode())


def last_words(home: Home) -> Status:
    """What the file says, whether or not the service that wrote it still lives; the default if it says nothing."""
    try:
        data: Any = json.loads(status_file(home).read_text(encoding="utf-8"))
        known = {field.name for field in fields(Status)}
        values = {key: value for key, value in data.items() if key in known}
        night, unfinished = values.get("night"), values.get("unfinished")
        values["night"] = Running(**{**night, "job": Job(**night["job"])}) if night else None
        values["unfinished"] = Job(**unfinished) if unfinished else None
        values["notices"] = tuple(values.get("notices", ()))
        return Status(**values)
    except (FileNotFoundError, ValueError, TypeError, AttributeError, KeyError):
        # Torn or foreign: it holds nothing that the next start would not say again.
        return Status()


def read(home: Home) -> Status:
    """The service now."""
    said = last_words(home)
    if alive(home):
        return said if said.running else replace(said, state="waiting")
    return replace(said, state="stopped", pid=None, next_night=None, night=None, waiting=None)


def sentence(status: Status) -> str:
    """What the service does now, in one sentence."""
    if not status.running:
        return "The service is not running."
    if status.state == "stopping":
        return "The service is stopping; a night that was running saves."
    if status.night is not None:
        return f"A night is running since {when(status.night.started)} ({status.night.job.why})."
    if status.paused:
        return "Nights are paused; `mrclassic daemon resume` lets them start again."
    if status.unfinished is not None:
        return f"A night is not finished: {status.waiting}."
    if status.next_night is not None:
        return f"The next night starts {when(status.next_night)}."
    return "The settings switch nights off (night.enabled)."


def when(text: str) -> str:
    """An ISO time as an owner says it, such as "Sat 21 Nov, 04:30"."""
    moment = datetime.fromisoformat(text).astimezone()
    return f"{moment:%a} {moment.day} {moment:%b, %H:%M}"
