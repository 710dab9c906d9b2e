"""A night that was cut short, and what it goes on with: the book and the settings as they were when it began, its plan,
and the states of its stages under `runs/night-N`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mrclassic.home import Home
from mrclassic.settings import Settings
from mrclassic.store import Night, Store

_CUT = ("planned", "running", "interrupted", "failed")
# What a night computes depends on these; the rest may change in the middle of it.
_SECTIONS = {"dtype", "book", "training", "practice", "gate"}


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
    present = store.checkpoints.in_use()
    if present is None or present.id != row.plan["wanted"]:
        return None, f"{given_up}: another checkpoint has come into use; another one begins."
    return row, ""


def sweep(home: Home, store: Store, but: int) -> None:
    """Close every night that was killed, and remove what those before `but` kept."""
    for row in store.nights.list():
        if row.id != but and row.status in ("planned", "running"):  # this one holds the lock: no other can be running
            store.nights.finish(row.id, "interrupted", report_path=row.report, checkpoint=row.checkpoint)
    for each in home.runs.glob("night-*"):
        if each != folder(home, but):
            shutil.rmtree(each, ignore_errors=True)
