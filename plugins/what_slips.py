"""A curriculum against forgetting: the further an arm has fallen below its best, the more it is practised.

    mrclassic night --now            with curriculum = "what_slips" under [practice] in mrclassic.toml

For a model that can do most of what it practises and is to keep it; while nothing has slipped, all arms are practised
alike. Recent success is a mean over about ten groups, so that a few hard questions are no fall.
"""

import math
from collections.abc import Mapping, Sequence

from mrclassic.curricula.contract import Curriculum, Outcome
from mrclassic.curricula.core import Chooser, proportions

MEMORY = 0.9
EVEN = 0.3  # of the draws, whatever has slipped


class WhatSlips(Chooser):
    """Over arms such as `arithmetic:2`; `success` is what is known of each before the first draw."""

    kept = ("_recent", "_best")

    def __init__(self, arms: Sequence[str], success: Mapping[str, float]) -> None:
        super().__init__(arms)
        self._recent = {arm: success.get(arm, 0.0) for arm in self._arms}
        self._best = dict(self._recent)

    def report(self) -> Mapping[str, float]:
        return proportions({arm: self._best[arm] - self._recent[arm] for arm in self._arms}, EVEN)

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        for each in outcomes:
            if not math.isnan(each.success):  # nobody could tell
                arm = each.draw.arm
                self._recent[arm] = MEMORY * self._recent[arm] + (1 - MEMORY) * each.success
                self._best[arm] = max(self._best[arm], self._recent[arm])


def curriculum(arms: Sequence[str], success: Mapping[str, float]) -> Curriculum:
    """What Mr. Classic calls."""
    return WhatSlips(arms, success)
