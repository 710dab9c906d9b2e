"""EXP3.S: no assumption about how arms behave, only that what a draw taught can be told.

    share(arm) = gamma / K + (1 - gamma) w / sum(w),   w <- w exp(gamma r / (share K)) + e alpha / K sum(w)

r is what a group taught, in [0, 1], divided by the probability with which it was drawn, so that arms drawn seldom are
not thought poor; the second term lets an arm come back when things change (Auer et al., SIAM J. Comput. 32, 2002).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mrclassic.curricula.contract import Outcome
from mrclassic.curricula.core import Chooser, by_arm, proportions, softmax

GAMMA = 0.2
ALPHA = 0.001


class Exp3(Chooser):
    """Weights as logarithms. They begin as if one group of each arm had been seen; an unknown one is thought good."""

    kept = ("_log_weight",)

    def __init__(self, arms: Sequence[str], success: Mapping[str, float] | None = None) -> None:
        super().__init__(arms)
        known = success or {}
        self._log_weight = {arm: GAMMA * 4 * p * (1 - p) for arm in self._arms for p in (known.get(arm, 0.5),)}

    def report(self) -> Mapping[str, float]:
        return proportions(softmax(self._log_weight, 1.0), GAMMA)

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        count = len(self._arms)
        seen = 0
        for arm, found in by_arm(outcomes).items():
            seen += len(found)
            self._log_weight[arm] += sum(GAMMA * each.signal / each.draw.probability / count for each in found)
        weights = softmax(self._log_weight, 1.0)
        shared = math.e * ALPHA * seen / count * sum(weights.values())
        self._log_weight = {arm: math.log((weight + shared) / (1 + shared)) for arm, weight in weights.items()}
