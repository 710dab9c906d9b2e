"""`correct`: 1 for a right answer, 0 for a wrong one; abstains where the verifier could not tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mrclassic.tasks.base import Item, Task


class Correct:
    """The verifier of `task` as a reward; reads the column `item`."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __call__(
        self, completions: Sequence[Sequence[Mapping[str, str]]], item: Sequence[Item], **columns: Any
    ) -> list[float | None]:
        verdicts = (self.task.check(one, text[0]["content"]) for one, text in zip(item, completions, strict=True))
        return [{"right": 1.0, "wrong": 0.0}.get(verdict) for verdict in verdicts]
