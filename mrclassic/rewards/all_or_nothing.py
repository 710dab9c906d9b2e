"""`all_or_nothing`: 1 for a right answer in the right form, else 0: `format` as a gate, which pays for nothing by half.

With it, and a curriculum from two people to six, a model of half a billion parameters kept learning knights and knaves
where shares for form had led it astray.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mrclassic.rewards.correct import Completions, Correct
from mrclassic.rewards.format import Format
from mrclassic.rewards.metadata import reward
from mrclassic.tasks.base import Item


@reward(range=(0, 1))
class AllOrNothing(Correct):
    """`correct` where `format` holds; abstains where the verifier could not tell."""

    def __call__(self, completions: Completions, item: Sequence[Item], **columns: Any) -> list[float | None]:
        right = super().__call__(completions, item)
        formed = Format(self.verifier)(completions, item)
        return [None if value is None else value * form for value, form in zip(right, formed, strict=True)]
