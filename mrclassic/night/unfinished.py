"""A night that was cut short, and what it goes on with: the book and the settings as they were when it began, its plan,
and the states of its stages under `runs/night-N`; there too the time that it has worked, without its pauses."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mrclassic import files
from mrclassic.home import Home
from mrclassic.settings import Settings
from mrclassic.store import Night, Store

_CUT = ("planned", "running", "interrupted", "failed")
_CLOCK = "clock.json"
# What a night computes depends on these; the rest may change in the middle of it.
_SECTIONS = {"dtype", "book", "training", "practice", "taste", "gate"}


def folder(home: Home, night: int) -> Path:
    """Where a night keeps what it needs to go on."""
    return home.runs / f"night-{night}"


def settings_of(settings: Settings) -> dict[str, Any]:
    """The settings that a night takes with it."""
    return settings.model_dump(mode="json", include=_SECTIONS)


def settings_then(settings: Settings, plan: Mapping[str, Any]) -> Settings:
    """The settings now, with those of the night whose plan is `plan`."""
    return Settings.model_validate({**settings.model_dump(mode="json"), **plan["settings"]})


def find(home: Home, store: Store) -> tuple[Night | None, str]:
    """The latest night, if it was cut short and can be gone on with; else why not, as a sentence."""
    row = store.nights.last()
    if row is None or row.status not in _CUT or "settings" not in row.plan:
        return None, "No night was cut short; another one begins."
    given_up = f"Night {row.id} was cut short and is given up"
    if not (folder(home, row.id) / "book.txt").exists():
        return None, f"{given_up}: what it needs to go on is not there; another one begins."
    if not _leads(store, row.plan["wanted"]):
        return None, f"{given_up}: another checkpoint has come into use; another one begins."
    return row, ""


def _leads(store: Store, wanted: str) -> bool:
    """Whether the model in use is `wanted`, or came of it (by a lesson, say) with as many weights: then what the night
    learns can be carried over."""
    present = store.checkpoints.in_use()
    if present is None:
        return False
    found = next((row for row in store.checkpoints.lineage(present.id) if row.id == wanted), None)
    return found is not None and found.parameters == present.parameters


def clock_in(folder: Path, begun: float) -> float:
    """Count time from `begun` (of the monotonic clock) on; returns the seconds worked before. Of a process that was
    killed they count up to the last thing that it kept in `folder`."""
    path = folder / _CLOCK
    before, since = _read_clock(path)
    if since is not None:
        last = max(each.stat().st_mtime for each in folder.rglob("*") if each.is_file())
        before += max(0.0, last - since)
    _write_clock(path, before, time.time() - (time.monotonic() - begun))
    return before


def clock_out(folder: Path, worked: float) -> None:
    """It pauses, after so many seconds of work in all."""
    _write_clock(folder / _CLOCK, worked, None)


def _read_clock(path: Path) -> tuple[float, float | None]:
    """Seconds worked before, and since when (of the calendar's clock) a process counts that has not paused."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        return float(facts["worked"]), None if facts["since"] is None else float(facts["since"])
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or spoilt
        return 0.0, None


def _write_clock(path: Path, worked: float, since: float | None) -> None:
    with suppress(OSError):  # only a count: a disk that is full ends the night where it would lose work
        files.replace(path, json.dumps({"worked": worked, "since": since}).encode())


def sweep(home: Home, store: Store, but: int) -> None:
    """Close every night that was killed, and remove what those before `but` kept."""
    for row in store.nights.list():
        if row.id != but and row.status in ("planned", "running"):  # this one holds the lock: no other can be running
            store.nights.finish(row.id, "interrupted", report_path=row.report, checkpoint=row.checkpoint)
    for each in home.runs.glob("night-*"):
        if each != folder(home, but):
            shutil.rmtree(each, ignore_errors=True)
