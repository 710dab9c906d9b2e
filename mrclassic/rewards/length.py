"""`length`: a penalty for answers that run towards their limit, so that thinking longer is not the way to any reward.

Soft overlong punishment (DAPO, arXiv 2503.14476, equation 13): nothing up to 80% of the budget, then down in a straight
line to -1 at its end. It never rewards being short.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mrclassic.rewards.metadata import reward

SHARE = 0.2  # of the budget, at its end, over which the penalty grows


@reward(weight=0.5, range=(-1, 0))
def length(
    completion_ids: Sequence[Sequence[int]],
    max_new: int | Sequence[int] | None = None,
    max_completion_length: int | Sequence[int] | None = None,
    **columns: Any,
) -> list[float]:
    """The budget in tokens is `max_new`, or by TRL's name `max_completion_length`: one for all or one a completion."""
    budget = max_completion_length if max_new is None else max_new
    if budget is None:
        raise ValueError("the budget is not known: hand over max_new")
    budgets = [budget] * len(completion_ids) if isinstance(budget, int) else budget
    return [_penalty(len(ids), most) for ids, most in zip(completion_ids, budgets, strict=True)]


def _penalty(tokens: int, budget: int) -> float:
    room = SHARE * budget
    return -min(1.0, max(0.0, tokens - (budget - room)) / room) if room > 0 else -1.0
