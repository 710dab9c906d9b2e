"""Thompson sampling: an arm is drawn as often as it is likely to be the one to practise.

What is known of an arm's success is a Beta distribution over the right and wrong answers that were counted, older ones
for less. The arm to practise is the one whose success lies nearest to one half; the share of an arm is the probability
of that, and 5% are spread evenly (Thompson 1933; discounted because the model learns: arXiv 1707.09727).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from mrclassic.curricula.contract import Outcome
from mrclassic.curricula.core import Chooser, by_arm, mean, proportions

EVEN = 0.05
MEMORY = 0.8  # of the counts, at each update that has seen the arm
KNOWN = 4.0  # answers that what was known before counts for
ANSWERS = 4.0  # independent answers that a group counts for: those to one question are alike
SAMPLES = 200  # from the distributions; the same numbers whenever they are asked for


class Thompson(Chooser):
    """Counts of right and wrong answers of each arm; `success` is where they begin."""

    kept = ("_right", "_wrong")

    def __init__(self, arms: Sequence[str], success: Mapping[str, float] | None = None) -> None:
        super().__init__(arms)
        known = success or {}
        self._right = {arm: KNOWN * known.get(arm, 0.0) for arm in self._arms}
        self._wrong = {arm: KNOWN * (1 - known[arm]) if arm in known else 0.0 for arm in self._arms}

    def report(self) -> Mapping[str, float]:
        rng = random.Random(0)
        best = dict.fromkeys(self._arms, 0.0)
        for _ in range(SAMPLES):
            drawn = {arm: rng.betavariate(1 + self._right[arm], 1 + self._wrong[arm]) for arm in self._arms}
            best[min(drawn, key=lambda arm: abs(drawn[arm] - 0.5))] += 1
        return proportions(best, EVEN)

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        for arm, found in by_arm(outcomes).items():
            # A gain has no right and wrong: what took most off the loss counts as nearest to one half.
            p = mean([_within(each.success) if each.gain is None else each.signal / 2 for each in found])
            answers = ANSWERS * len(found)
            self._right[arm] = MEMORY * self._right[arm] + answers * p
            self._wrong[arm] = MEMORY * self._wrong[arm] + answers * (1 - p)


def _within(success: float) -> float:
    """Several rewards together may leave [0, 1]."""
    return max(0.0, min(1.0, success))
