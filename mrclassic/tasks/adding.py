"""Putting a dataset where the task of that name finds it: all rows are tried first, and it is there whole or not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from mrclassic.errors import Refused, UsageError
from mrclassic.tasks import catalogue, rows, sources
from mrclassic.tasks.dataset import Dataset, Loaded, by_number, files, load
from mrclassic.tasks.listing import SOURCE

_SHOWN = 10  # faults


@dataclass(frozen=True)
class Added:
    """What is there now: good rows by level (to practise on, held out), and the rows passed over, a sentence each."""

    task: str
    folder: Path
    levels: Mapping[str, tuple[int, int]]
    faults: tuple[str, ...]

    @property
    def rows(self) -> int:
        """All good rows."""
        return sum(train + held_out for train, held_out in self.levels.values())


def add(name: str, given: Sequence[Path], home: Path, say: Callable[[str], None], *, sure: bool = False) -> Added:
    """Copy the files `given` into `home/name/`; without any, fetch the published ones.

    Raises UsageError where no row is good, Refused where some are not or the task has files already, unless `sure`.
    """
    task = _task(name)
    target = home / name
    if files(target) and not sure:
        raise Refused(f"The task {name} has files in {target} already; --yes puts these in their place.")
    with _beside(home, name) as new:
        if given:
            _copy(given, new)
            note = ", ".join(str(path.absolute()) for path in given)
        else:
            sources.fetch(name, new, say)
            note = "; ".join(source.words for source in sources.SOURCES[name])
        loaded = _load(task, new, say, sure)
        (new / SOURCE).write_text(f"{note}\n", encoding="utf-8")
        _swap(new, target)
    order = sorted(loaded.levels, key=by_number)
    levels = {level: (len(loaded.levels[level].train), len(loaded.levels[level].held_out)) for level in order}
    return Added(name, target, levels, loaded.faults)


def _task(name: str) -> Dataset:
    if name not in catalogue.BUILT_IN and not catalogue.may_be_called(name):
        raise UsageError(f"A task cannot be called {name!r}; use small letters, digits, - and _, and not gym.")
    if name == "documents":
        raise UsageError("What your notes say is added by `mrclassic data add FILE`.")
    task = catalogue.make(name, None)
    if not isinstance(task, Dataset):
        raise UsageError(f"The task {name} makes its own questions; give your rows another name.")
    return task


def _copy(given: Sequence[Path], new: Path) -> None:
    for path in given:
        if not path.name.endswith(rows.ENDINGS):
            raise UsageError(f"Cannot tell what {path} holds; name files that end in {', '.join(rows.ENDINGS)}.")
        if (new / path.name).exists():
            raise UsageError(f"Two of the files are called {path.name}; rename one.")
        try:
            shutil.copyfile(path, new / path.name)
        except FileNotFoundError as error:
            raise UsageError(f"There is no file {path}.") from error
        except IsADirectoryError as error:
            raise UsageError(f"{path} is a folder; name the files in it.") from error


def _load(task: Dataset, new: Path, say: Callable[[str], None], sure: bool) -> Loaded:
    loaded = load(task, files(new))
    for fault in loaded.faults[:_SHOWN]:
        say(fault)
    if len(loaded.faults) > _SHOWN:
        say(f"... and {len(loaded.faults) - _SHOWN:,} more.")
    if loaded.faults and not sure:
        raise Refused(
            f"Rows that cannot be used: {len(loaded.faults):,} (see above); mend them, or leave them out with --yes."
        )
    return loaded


@contextmanager
def _beside(home: Path, name: str) -> Iterator[Path]:
    """A new folder beside the others, under a name that no task can have; gone afterwards unless it was renamed."""
    home.mkdir(parents=True, exist_ok=True)
    new = Path(mkdtemp(prefix=f".{name}-", dir=home))
    try:
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _swap(new: Path, target: Path) -> None:
    old = new.with_name(f"{new.name}-old")
    if target.is_dir():
        target.rename(old)
    try:
        new.rename(target)
    except OSError:
        if old.is_dir():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
