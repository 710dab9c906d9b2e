"""The default curriculum: practise where success is near one half, because there the answers of a group differ most.

    share(arm) = 10% uniform + 15% on mastered arms + 75% softmax(Q / tau),   Q <- 0.7 Q + 0.3 * 4p(1-p)

p is a group's success. 4p(1-p) is 1 at one half and 0 at both ends: it is the variance that a group-relative update
learns from. Each task is a ladder of its own: a level opens when the one below it exceeds 0.70, and everything above
closes again when it falls below 0.30.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mrclassic.curricula.contract import Outcome
from mrclassic.curricula.core import Chooser, by_arm, ladders, mean, softmax

UNIFORM, REPLAY, TAU, MEMORY = 0.10, 0.15, 0.2, 0.7
OPEN, CLOSE, MASTERED = 0.70, 0.30, 0.90


class Bandit(Chooser):
    """Over `arms` such as `arithmetic:2`, those of a task in order of difficulty; `success` is what is known of each
    before the first draw."""

    kept = ("_success", "_value", "_open")

    def __init__(self, arms: Sequence[str], success: Mapping[str, float] | None = None) -> None:
        super().__init__(arms)
        self._success = {arm: float((success or {}).get(arm, 0.0)) for arm in self._arms}
        self._value = {arm: 4 * p * (1 - p) for arm, p in self._success.items()}
        self._ladders = ladders(self._arms)
        self._open = dict.fromkeys(self._ladders, 1)  # levels that may be drawn, from the bottom
        self._update_open()

    def report(self) -> Mapping[str, float]:
        opened = [arm for task, ladder in self._ladders.items() for arm in ladder[: self._open[task]]]
        soft = softmax({arm: self._value[arm] for arm in opened}, TAU)
        total = sum(soft.values())
        mastered = [arm for arm in opened if self._success[arm] >= MASTERED]
        replay = REPLAY if mastered else 0.0
        shares = dict.fromkeys(self._arms, 0.0)
        for arm in opened:
            shares[arm] = UNIFORM / len(opened) + (1 - UNIFORM - replay) * soft[arm] / total
        for arm in mastered:
            shares[arm] += replay / len(mastered)
        return shares

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        for arm, found in by_arm(outcomes).items():
            # The mean of 4p(1-p) over groups, not 4p(1-p) of their mean, is what an update learns from.
            self._value[arm] = MEMORY * self._value[arm] + (1 - MEMORY) * mean([each.signal for each in found])
            known = [each.success for each in found if not math.isnan(each.success)]
            if known:
                self._success[arm] = MEMORY * self._success[arm] + (1 - MEMORY) * mean(known)
        self._update_open()

    def _update_open(self) -> None:
        for task, ladder in self._ladders.items():
            opened = self._open[task]
            while opened < len(ladder) and self._success[ladder[opened - 1]] > OPEN:
                opened += 1
            fallen = (place for place, arm in enumerate(ladder[: opened - 1]) if self._success[arm] < CLOSE)
            self._open[task] = next(fallen, opened - 1) + 1
