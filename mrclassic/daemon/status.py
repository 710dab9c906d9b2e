"""What the service says about itself: one JSON file that it replaces, and a lock that it holds while it lives.

The file alone proves nothing (a killed service leaves it behind); the lock alone says nothing. Read both through
`read`.
"""

from __future__ import annotations

import fcntl
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from mrclassic.home import Home

State = Literal["stopped", "waiting", "night", "paused", "stopping"]


@dataclass(frozen=True)
class Running:
    """The night that is running: its process, since when, where it writes, and what started it."""

    pid: int
    started: str
    log: str
    why: str


@dataclass(frozen=True)
class Status:
    """The service at a glance. Times are ISO 8601; `notices` are sentences, newest last."""

    state: State = "stopped"
    pid: int | None = None
    started: str | None = None
    paused: bool = False
    next_night: str | None = None
    night: Running | None = None
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
    path = status_file(home)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(asdict(status), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(path)


def last_words(home: Home) -> Status:
    """What the file says, whether or not the service that wrote it still lives; the default if it says nothing."""
    try:
        data: Any = json.loads(status_file(home).read_text(encoding="utf-8"))
        known = {field.name for field in fields(Status)}
        values = {key: value for key, value in data.items() if key in known}
        night = values.get("night")
        values["night"] = Running(**night) if night else None
        values["notices"] = tuple(values.get("notices", ()))
        return Status(**values)
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        # Torn or foreign: it holds nothing that the next start would not say again.
        return Status()


def read(home: Home) -> Status:
    """The service now."""
    said = last_words(home)
    if alive(home):
        return said if said.running else replace(said, state="waiting")
    return replace(said, state="stopped", pid=None, next_night=None, night=None)
