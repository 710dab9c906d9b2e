"""One stage after the other: two people, then three, then four; back again where it goes badly.

A task's arms are its stages in order. Most of the practice is the present stage, the rest rehearses those before it.
Recent success there decides: from UP on comes the next stage, at DOWN and below the one before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mrclassic.curricula.contract import Outcome
from mrclassic.curricula.core import Chooser, ladders, mean

PRESENT = 0.75  # share of the stage; the rest rehearses
UP, DOWN = 0.75, 0.15
GROUPS = 16  # that a decision rests on: a standard error of 3 points where each has sixteen answers


class Staged(Chooser):
    """Begins at the first stage that is not yet known well enough; tasks get equal shares."""

    kept = ("_at", "_recent")

    def __init__(self, arms: Sequence[str], success: Mapping[str, float] | None = None) -> None:
        super().__init__(arms)
        known = success or {}
        self._stages = ladders(self._arms)
        self._at: dict[str, int] = {}  # the present stage of each task
        for task, stages in self._stages.items():
            behind = (place for place, arm in enumerate(stages) if known.get(arm, 0.0) < UP)
            self._at[task] = next(behind, len(stages) - 1)
        self._recent: dict[str, list[float]] = {task: [] for task in self._stages}  # success at the present stage

    def report(self) -> Mapping[str, float]:
        shares = dict.fromkeys(self._arms, 0.0)
        for task, stages in self._stages.items():
            place = self._at[task]
            for arm in stages[:place]:
                shares[arm] = (1 - PRESENT) / place / len(self._stages)
            shares[stages[place]] = (PRESENT if place else 1.0) / len(self._stages)
        return shares

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        for task, stages in self._stages.items():
            place = self._at[task]
            here = [each.success for each in outcomes if each.draw.arm == stages[place]]
            recent = [*self._recent[task], *(success for success in here if not math.isnan(success))][-GROUPS:]
            self._recent[task] = recent
            if len(recent) < GROUPS:
                continue
            move = 1 if mean(recent) >= UP else -1 if mean(recent) <= DOWN else 0
            if 0 <= place + move < len(stages) and move:
                self._at[task], self._recent[task] = place + move, []
