"""What can be practised, by name: the tasks that come with the program, and the owner's own in a folder of the home.

A built-in task reads the owner's files in `folder/NAME/` where there are any; every other folder or file in `folder`
is a task of its own. `gym:NAME` is a task of a library that may be installed (see `gym`). Nothing is imported or read
before it is asked for.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from mrclassic.errors import UsageError
from mrclassic.tasks import rows
from mrclassic.tasks.base import Task

# Where the task of that name is made: by a function of the folder with the owner's files, or None; or a module is it.
BUILT_IN = {
    "arithmetic": "mrclassic.tasks.arithmetic",
    "gsm8k": "mrclassic.tasks.gsm8k:task",
    "math": "mrclassic.tasks.math:task",
    "humaneval": "mrclassic.tasks.code:humaneval",
    "mbpp": "mrclassic.tasks.code:mbpp",
    "triviaqa": "mrclassic.tasks.trivia:task",
    "knights": "mrclassic.tasks.knights:task",
    "strings": "mrclassic.tasks.strings",
    "programs": "mrclassic.tasks.programs",
    "stories": "mrclassic.tasks.stories:task",
    "documents": "mrclassic.tasks.documents:task",
    "keyturn": "mrclassic.tasks.environments.keyturn:task",
    "guessing": "mrclassic.tasks.environments.guessing:task",
    "mastermind": "mrclassic.tasks.environments.mastermind:task",
    "twenty": "mrclassic.tasks.environments.twenty:task",
}
GYM = "gym"  # what the names of its tasks begin with
CONVERSATION = "conversation"  # made by whoever has a book (see there), and no task of an owner's or a plugin's
TAKEN = (*BUILT_IN, GYM, CONVERSATION)
_BESIDE = "documents"  # its files lie beside the folder of the tasks; without any it is not listed
NOTHING: Mapping[str, Task] = MappingProxyType({})
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def names(folder: Path | None = None) -> list[str]:
    """Every task but those of the gym: the built-in ones, then the owner's in `folder` (the home's)."""
    built_in = [name for name in BUILT_IN if name != _BESIDE or place(name, folder) is not None]
    return [*built_in, *sorted(_own(folder))]


def get(name: str, folder: Path | None = None, more: Mapping[str, Task] = NOTHING) -> Task:
    """The task of that name, or the one in `more` (those of plugins); raises UsageError with the nearest one there
    is."""
    if name.partition(":")[0] == GYM:
        from mrclassic.tasks import gym

        return gym.task(name.partition(":")[2])
    own = _own(folder)
    if name not in BUILT_IN and name in more:
        return more[name]
    if name not in BUILT_IN and name not in own:
        raise UsageError(f"There is no task {name!r}; {_nearest(name, [*names(folder), *more])}")
    return make(name, place(name, folder))


def place(name: str, folder: Path | None) -> Path | None:
    """Where the owner's files of that task are, if there are any."""
    if name not in BUILT_IN:
        return _own(folder).get(name)
    if folder is None:
        return None
    if name == _BESIDE:
        found = folder.parent / name
        return found if any(found.glob("*.jsonl")) else None
    return folder / name if (folder / name).is_dir() else None


def make(name: str, place: Path | None) -> Task:
    """The task of that name on the files in `place`."""
    module, _, function = BUILT_IN.get(name, "").partition(":")
    if not module:
        from mrclassic.tasks.own import Own

        return Own(name, place)
    found = import_module(module)
    made: Task = getattr(found, function)(place) if function else found
    return made


def select(words: str, folder: Path | None = None, more: Mapping[str, Task] = NOTHING) -> tuple[Task, str | None]:
    """Read `NAME` or `NAME:LEVEL`, or `gym:NAME` or `gym:NAME:LEVEL`; raises UsageError with the nearest task or level
    there is."""
    name, colon, level = words.partition(":")
    if name == GYM:
        inner, colon, level = level.partition(":")
        name = f"{GYM}:{inner}"
    task = get(name, folder, more)
    if not colon:
        return task, None
    if level not in task.levels:
        raise UsageError(f"The task {name} has no level {level!r}; {_nearest(level, task.levels)}")
    return task, level


def may_be_called(name: str) -> bool:
    """Whether a task of the owner's may have this name."""
    return name not in (GYM, CONVERSATION) and _NAME.fullmatch(name) is not None


def _own(folder: Path | None) -> dict[str, Path]:
    """The owner's tasks by name: folders first, then single files."""
    found: dict[str, Path] = {}
    for path in sorted(
        folder.iterdir() if folder is not None and folder.is_dir() else (), key=lambda path: path.is_file()
    ):
        name = path.name if path.is_dir() else path.name.partition(".")[0]
        if name not in BUILT_IN and may_be_called(name) and (path.is_dir() or path.name.endswith(rows.ENDINGS)):
            found.setdefault(name, path)
    return found


def _nearest(given: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}."
