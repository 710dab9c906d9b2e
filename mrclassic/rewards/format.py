"""`format`: 1 for an answer that stands where the task reads it, 0 otherwise, whether or not it is right.

A task may have a `slot`, a compiled pattern or a function of the text; otherwise its verifier says whether it found an
answer (every verifier reads a last line `ANSWER: x`, and what else is usual in its domain). Beside `correct` keep the
weight small: a reward for form alone shrank reasoning to a few dozen tokens, and a model that is paid for broken
answers gives them. As a gate, use `all_or_nothing`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mrclassic.rewards.correct import Completions, Verifier, texts_of
from mrclassic.rewards.metadata import reward
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import Checks, Item


@reward(weight=0.1, range=(0, 1))
class Format:
    """The form of a task's answers as a reward; reads the column `item`."""

    def __init__(self, task: Checks | Verifier) -> None:
        self.verifier = task if isinstance(task, Verifier) else Verifier(task)

    def __call__(self, completions: Completions, item: Sequence[Item], **columns: Any) -> list[float]:
        task = self.verifier.task
        slots = [_slot(task.tasks[each.meta["task"]] if isinstance(task, Arms) else task) for each in item]
        if None not in slots:
            return [float(_fits(slot, text)) for slot, text in zip(slots, texts_of(completions), strict=True)]
        judged = self.verifier.judge(item, completions)
        return [
            float(judgement.found if slot is None else _fits(slot, text))
            for slot, text, judgement in zip(slots, texts_of(completions), judged, strict=True)
        ]


def _slot(task: object) -> Any:
    return getattr(task, "slot", None)


def _fits(slot: Any, text: str) -> bool:
    return bool((slot.search if isinstance(slot, re.Pattern) else slot)(text.strip()))
