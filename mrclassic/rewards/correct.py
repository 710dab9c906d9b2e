"""`correct`: 1 for a right answer, 0 for a wrong one; abstains where the verifier could not tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mrclassic.rewards.metadata import reward
from mrclassic.tasks.base import Checks, Item, Judgement, check_all

Completions = Sequence[Sequence[Mapping[str, str]]]


class Verifier:
    """The verifier of `task`, which judges a batch once, however many rewards ask about it."""

    def __init__(self, task: Checks) -> None:
        self.task = task
        self.judgements: Sequence[Judgement] = ()  # of the newest batch
        self._batch: tuple[list[Item], list[str]] | None = None

    def judge(self, items: Sequence[Item], completions: Completions) -> Sequence[Judgement]:
        """A judgement a completion."""
        batch = (list(items), texts_of(completions))
        if batch != self._batch:
            self._batch, self.judgements = None, ()
            self.judgements = check_all(self.task, *batch)
            self._batch = batch
        return self.judgements


@reward(range=(0, 1))
class Correct:
    """The verifier of a task as a reward; reads the column `item`."""

    decides = True

    def __init__(self, task: Checks | Verifier) -> None:
        self.verifier = task if isinstance(task, Verifier) else Verifier(task)

    @property
    def judgements(self) -> Sequence[Judgement]:
        return self.verifier.judgements

    def __call__(self, completions: Completions, item: Sequence[Item], **columns: Any) -> list[float | None]:
        return [judgement.reward for judgement in self.verifier.judge(item, completions)]


def texts_of(completions: Completions) -> list[str]:
    """The text of each completion."""
    return [completion[0]["content"] for completion in completions]
