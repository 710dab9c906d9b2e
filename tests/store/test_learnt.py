"""What waits to be learnt, by the manifests of real checkpoints."""

from __future__ import annotations

from pathlib import Path

import babies
import pytest

from mrclassic import book
from mrclassic.book import Entry, Turn
from mrclassic.home import Home
from mrclassic.model import checkpoint, manifest
from mrclassic.store import Checkpoint, Store, learnt

ENTRIES = [Entry((Turn(question, "Quite."),)) for question in ("one", "two", "three")]


@pytest.fixture
def lineage(home: Home, store: Store) -> dict[str, Path]:
    """A book of three entries; `first` knows one of them, `second`, its child in use, knows two."""
    for entry in ENTRIES:
        book.put(home.book, entry)
    folders = {}
    for count, (name, parent) in enumerate((("first", None), ("second", "first")), start=1):
        folders[name] = home.checkpoints / name
        known = tuple(entry.hash for entry in ENTRIES[:count])
        checkpoint.save(babies.baby(), folders[name], parent=parent, book=known)
        store.checkpoints.add(Checkpoint(name, name, parent, status="promoted"))
        store.checkpoints.use(name)
    return folders


def waiting(store: Store, home: Home) -> list[str]:
    return [entry.turns[0].user for entry in learnt.waiting(store, home)]


def test_what_the_checkpoint_in_use_was_not_trained_on_waits(
    home: Home, store: Store, lineage: dict[str, Path]
) -> None:
    assert learnt.MANIFEST == manifest.NAME
    assert waiting(store, home) == ["three"]
    store.checkpoints.use("first")
    assert waiting(store, home) == ["two", "three"]


@pytest.mark.parametrize("damage", ["no manifest", "half a manifest", "half the weights", "no folder"])
def test_of_a_damaged_checkpoint_the_parent_counts(
    home: Home, store: Store, lineage: dict[str, Path], damage: str
) -> None:
    folder = lineage["second"]
    if damage == "no folder":
        folder.rename(folder.with_name("moved away"))
    elif damage == "no manifest":
        (folder / manifest.NAME).unlink()
    else:
        file = folder / (manifest.WEIGHTS if "weights" in damage else manifest.NAME)
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert waiting(store, home) == ["two", "three"]


def test_with_nothing_that_can_be_read_everything_waits(home: Home, store: Store, lineage: dict[str, Path]) -> None:
    for folder in lineage.values():
        (folder / manifest.NAME).unlink()
    assert waiting(store, home) == ["one", "two", "three"]


def test_without_a_model_everything_waits(home: Home, store: Store) -> None:
    assert waiting(store, home) == []
    book.put(home.book, ENTRIES[0])
    assert waiting(store, home) == ["one"]
