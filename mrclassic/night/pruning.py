"""Which checkpoints stay on the disk. A night makes one or two, and a year of them would fill it.

Kept are whatever is in use, the golden one, what `model undo` leads to and the newest (three each), what was imported,
what a run or a night that can go on stands on, and the one whose states the learned taste reads. Of the others only the
row in the store stays: what it was, where it came from and what was measured of it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mrclassic.errors import MrClassicError
from mrclassic.home import Home
from mrclassic.model.manifest import CorruptCheckpoint, manifest
from mrclassic.store import Checkpoint, Store, tasting

KEPT = 3
_CUT = ("planned", "interrupted", "paused", "failed")  # what can be gone on with, while its folder is there
_RECENT = 20  # runs and nights that are looked at; older ones are not gone on with
_GOING = ".going."  # a checkpoint loses its name first, so that none is ever there by half
_STALE = 3600.0  # seconds after which a hidden folder is no save that is under way


@dataclass(frozen=True)
class Pruned:
    """The checkpoints whose files were removed, and how many bytes that freed."""

    removed: tuple[str, ...]
    freed: int


def prune(home: Home, store: Store, *, keep: int = KEPT, only_say: bool = False) -> Pruned:
    """Remove the files of all checkpoints but those that are `kept`; with `only_say` none is touched."""
    removed: list[str] = []
    freed = 0
    with store.transaction():  # meanwhile nothing else comes into use
        stays = kept(home, store, keep)
        gone = [row for row in store.checkpoints.list() if row.id not in stays and _here(home, row).is_dir()]
        going = []
        for row in gone:
            removed.append(row.id)
            freed += _size(_here(home, row))
            if not only_say:
                going.append(_here(home, row).rename(home.checkpoints / f"{_GOING}{row.id}"))
    for folder in () if only_say else (*going, *_left_over(home)):
        shutil.rmtree(folder, ignore_errors=True)
    return Pruned(tuple(removed), freed)


def after_session(home: Home, store: Store, say: Callable[[str], None]) -> None:
    """Prune, where a failure is worth a word and no more."""
    try:
        done = prune(home, store)
    except (OSError, MrClassicError) as error:
        say(f"Old checkpoints could not be removed: {error}")
        return
    if done.removed:
        say(f"Removed {len(done.removed)} old checkpoints, {done.freed / 2**20:,.0f} MiB.")


def kept(home: Home, store: Store, keep: int) -> set[str]:
    """The ids of those that stay."""
    checkpoints = store.checkpoints
    rows = checkpoints.list()
    pointed = {row.id for row in (checkpoints.in_use(), checkpoints.golden()) if row is not None}
    former = [row.id for row in checkpoints.former() if _here(home, row).is_dir()]
    newest = [row.id for row in rows if _here(home, row).is_dir()]
    stays = {*pointed, *former[:keep], *newest[:keep], *(row.id for row in rows if _imported(home, row))}
    for run in store.runs.list(limit=_RECENT):
        if run.status == "running" or (run.status in _CUT and (home.runs / f"run-{run.id}").exists()):
            stays |= {each for each in (run.parent_checkpoint, run.checkpoint) if each}
    for night in store.nights.list(limit=_RECENT):
        if night.status == "running" or (night.status in _CUT and (home.runs / f"night-{night.id}").exists()):
            stays |= {str(each) for each in (night.checkpoint, night.plan.get("wanted")) if each}
    taste = tasting.standing(store, home).evidence
    return stays | ({taste.checkpoint} if taste is not None and taste.checkpoint else set())


def _here(home: Home, row: Checkpoint) -> Path:
    return home.checkpoints / row.path


def _imported(home: Home, row: Checkpoint) -> bool:
    """Whether the owner brought it here: nobody could make it again."""
    try:
        return manifest(_here(home, row)).method == "import"
    except CorruptCheckpoint:
        return False


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _left_over(home: Home) -> list[Path]:
    """What a pruning or a save that was killed has left behind."""
    hidden = [path for path in home.checkpoints.glob(".*") if path.is_dir()]
    old = time.time() - _STALE
    return [path for path in hidden if path.name.startswith(_GOING) or path.stat().st_mtime < old]
