"""The base of every task that lives in files: rows become items, by level, with a split that is never drawn.

The files are the owner's (a folder in the home), else the small sample that travels with the program. Rows of a file
called test*, or with a "split" other than "train", are held out. A level without such rows holds out one eighth,
chosen by a hash of the question, so that adding rows moves none from one side to the other.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from mrclassic import shipped
from mrclassic.errors import UsageError
from mrclassic.tasks import rows
from mrclassic.tasks.base import BadRow, Item, Judgement

ONE_LEVEL = "1"


@dataclass
class Level:
    """The items of a level: to practise on, and held out."""

    train: list[Item] = field(default_factory=list)
    held_out: list[Item] = field(default_factory=list)


@dataclass(frozen=True)
class Loaded:
    """What the files hold; `faults` are the rows that were passed over, a sentence each."""

    levels: Mapping[str, Level]
    faults: tuple[str, ...]


class Dataset(ABC):
    """A task on files. A kind of dataset says what a row is and how an answer is judged; nothing is read before use."""

    name: str
    about: str

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    @abstractmethod
    def row(self, data: Mapping[str, Any]) -> Item:
        """Read a row with the dataset's own field names; raises BadRow. `meta["level"]` places it."""

    @abstractmethod
    def check(self, item: Item, completion: str) -> Judgement:
        """Whether `completion` answers `item`."""

    def key(self, item: Item) -> str:
        """What makes two items the same: they never stand on both sides of the split."""
        return " ".join(item.question.split())

    def is_test(self, path: Path, data: Mapping[str, Any]) -> bool:
        """Whether a row of the file `path` says that it is held out."""
        split = data.get("split")
        return path.name.startswith("test") if split is None else split != "train"

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """Where the rows are."""
        return files(self.folder) or files(shipped_sample(self.name))

    @cached_property
    def loaded(self) -> Loaded:
        """Everything, read at first use; raises UsageError if no row can be used."""
        return load(self, self.files)

    @property
    def faults(self) -> tuple[str, ...]:
        """The rows that cannot be used, a sentence with file and line each."""
        return self.loaded.faults

    @cached_property
    def levels(self) -> tuple[str, ...]:
        """Those that the rows have: numbers first, smallest first, then names."""
        return tuple(sorted(self.loaded.levels, key=by_number))

    def sample(self, rng: random.Random, level: str) -> Item:
        """A training item of `level`."""
        items = self.loaded.levels[level].train
        if not items:
            raise UsageError(f"All rows of {self.name}:{level} are held out: there is nothing to practise on.")
        return rng.choice(items)

    def held_out(self, level: str, limit: int | None = None) -> Sequence[Item]:
        """The held-out items of `level` in a fixed mixed order; the first `limit` of them."""
        return self.loaded.levels[level].held_out[:limit]

    def size(self, level: str) -> tuple[int | None, int]:
        """How many items there are to practise on (None where they are made as they are drawn) and held out."""
        train = len(self.loaded.levels.get(level, Level()).train) if self.files else None
        return train, len(self.held_out(level))


def shipped_sample(name: str) -> Path:
    """The small file of that task that travels with the program, where there is one."""
    return shipped.folder("data") / "tasks" / f"{name}.jsonl"


def files(folder: Path | None) -> tuple[Path, ...]:
    """The data files in a folder, by name; a file stands for itself."""
    if folder is None or not folder.is_dir():
        return (folder,) if folder is not None and folder.is_file() else ()
    return tuple(sorted(path for path in folder.iterdir() if path.name.endswith(rows.ENDINGS) and path.is_file()))


def load(dataset: Dataset, paths: Sequence[Path]) -> Loaded:
    """Read rows into levels; raises UsageError where none can be used."""
    faults: list[str] = []
    items: dict[str, tuple[Item, str, bool]] = {}  # by key: the item, its level, whether it was put on the test side
    for path in paths:
        for line, data in rows.scan(path):
            try:
                if isinstance(data, BadRow):
                    raise data
                item = _item(dataset, data)
            except BadRow as bad:
                faults.append(f"{path.name} line {line}: {bad}.")
                continue
            key, test = dataset.key(item), dataset.is_test(path, data)
            if key not in items or test > items[key][2]:
                items[key] = (item, item.meta["level"], test)
    if not items:
        where = f"{', '.join(path.name for path in paths)} is empty." if paths else "it has no file."
        raise UsageError(f"The task {dataset.name} has no row that can be used: {(*faults, where)[0]}")
    marked = {level for _, level, test in items.values() if test}
    levels: dict[str, Level] = {}
    for key in sorted(items, key=_place):
        item, name, test = items[key]
        level = levels.setdefault(name, Level())
        held = test if name in marked else _place(key)[0] < 256 // 8
        (level.held_out if held else level.train).append(item)
    return Loaded(levels, tuple(faults))


def _item(dataset: Dataset, data: Mapping[str, Any]) -> Item:
    item = dataset.row(data)
    if not item.question.strip():
        raise BadRow("it has no question")
    return replace(item, meta={"task": dataset.name, **item.meta, "level": str(item.meta.get("level", ONE_LEVEL))})


def _place(key: str) -> bytes:
    """Where an item stands in the fixed mixed order."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def by_number(level: str) -> tuple[bool, float, str]:
    """Sorts levels: numbers by value, then names."""
    number = level.isdecimal() and len(level) < 10
    return not number, float(level) if number else 0.0, level


def text_of(data: Mapping[str, Any], *fields: str, default: str | None = None) -> str:
    """The first of `fields` that a row has, as text; raises BadRow where there is none and no default."""
    for field_ in fields:
        value = data.get(field_)
        if isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        if value is not None:
            raise BadRow(f'its "{field_}" is neither text nor a number')
    if default is None:
        raise BadRow(f'it has no "{fields[0]}"')
    return default
