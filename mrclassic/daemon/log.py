"""The service's log: a line of JSON an event, in files that cannot grow without end, and the same in words."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from mrclassic.home import Home

LOG = logging.getLogger("mrclassic.daemon")
_BYTES, _OLD_FILES = 500_000, 3


def event(name: str, sentence: str, *, level: int = logging.INFO, **facts: object) -> None:
    """Log what happened: a name for programs, a sentence for people, and the facts."""
    LOG.log(level, "%s", sentence, extra={"event": name, "facts": facts})


def log_file(home: Home) -> Path:
    """The newest part of the log; older ones have a number after it."""
    return home.logs / "daemon.log"


@contextmanager
def logged(home: Home) -> Iterator[None]:
    """Within the block what is logged goes to the home's log too."""
    handler = RotatingFileHandler(log_file(home), maxBytes=_BYTES, backupCount=_OLD_FILES, encoding="utf-8")
    handler.setFormatter(_Lines())
    LOG.setLevel(logging.INFO)
    LOG.addHandler(handler)
    # What APScheduler warns of (a late job) we say ourselves, in a sentence.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    try:
        yield
    finally:
        LOG.removeHandler(handler)
        handler.close()


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "said"),
            "sentence": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def tail(home: Home, count: int) -> list[dict[str, Any]]:
    """The newest `count` events, oldest first; what is no event (a torn line) is left out."""
    events: list[dict[str, Any]] = []
    newest = log_file(home)
    for number in range(_OLD_FILES + 1):
        path = newest.with_name(f"{newest.name}.{number}") if number else newest
        if len(events) >= count or not path.exists():
            break
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        events = [found for line in lines if (found := _parsed(line)) is not None] + events
    return events[-count:]


def words(found: Mapping[str, Any]) -> str:
    """An event for people: the local time and the sentence, marked where it is a warning."""
    moment = datetime.fromisoformat(found["time"]).astimezone()
    mark = "" if found["level"] == "info" else "! "
    return f"{moment:%Y-%m-%d %H:%M:%S} {mark}{found['sentence']}"


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
        words(found)
    except (ValueError, TypeError, KeyError):
        return None
    return dict(found)
