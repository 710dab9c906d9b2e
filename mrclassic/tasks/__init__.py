"""What can be practised: the tasks by name, one module each."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from mrclassic.errors import UsageError
from mrclassic.tasks import arithmetic
from mrclassic.tasks.base import Task

TASKS: Mapping[str, Task] = {arithmetic.name: arithmetic}


def get(name: str) -> Task:
    """The task of that name; raises UsageError with the nearest one there is."""
    if name not in TASKS:
        raise UsageError(f"There is no task {name!r}; {_nearest(name, tuple(TASKS))}")
    return TASKS[name]


def select(words: str) -> tuple[Task, str | None]:
    """Read `NAME` or `NAME:LEVEL`; raises UsageError with the nearest task or level there is."""
    name, colon, level = words.partition(":")
    task = get(name)
    if not colon:
        return task, None
    if level not in task.levels:
        raise UsageError(f"The task {name} has no level {level!r}; {_nearest(level, task.levels)}")
    return task, level


def _nearest(given: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}."
