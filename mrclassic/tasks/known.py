"""Questions whose answers are kept, as a domain of self-play: facts cannot be computed, so a question counts if it is
one of those that are known. One that belongs to the held-out split is refused, in whatever spelling."""

from __future__ import annotations

import re
from collections.abc import Callable

from mrclassic.tasks.base import Item, Refusal
from mrclassic.tasks.dataset import Dataset

_LONGEST = 2_000  # characters of a question that is read


class Known:
    """The questions of a dataset, by what `normal` makes of them: questions of which that is the same are one."""

    def __init__(self, task: Dataset, normal: Callable[[str], str]) -> None:
        self._normal = normal
        levels = task.loaded.levels.values()
        self._held_out = {normal(item.question) for level in levels for item in level.held_out}
        self._kept = {normal(item.question): item for level in levels for item in level.train}

    def parse(self, question: str) -> Item | Refusal:
        """The item of that question, as it is kept."""
        asked = self._normal(question[: _LONGEST + 1])
        if not asked or len(question) > _LONGEST:
            return Refusal("unparsable", "it asks nothing, or too much")
        if asked in self._held_out:
            return Refusal("held-out", "the question belongs to the held-out split")
        return self._kept.get(asked) or Refusal("invalid", "nobody here knows the answer")


def skeleton(question: str) -> str:
    """A question in free words with its numbers and names blotted out."""
    first, space, rest = question.partition(" ")
    return re.sub(r"\d+", "D", first + space + re.sub(r"\b[A-Z][\w'’-]*(?: [A-Z][\w'’-]*)*", "X", rest))
