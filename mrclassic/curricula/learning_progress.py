"""Practise what is changing: the share of an arm follows how fast its success rises, or falls.

    share(arm) = 20% uniform + 80% in proportion to max(0, |slope| - its standard error)

The slope is that of success over updates, by least squares over the last groups (teacher-student curriculum learning,
arXiv 1707.00183: a slope of either sign, so that what is being forgotten comes back). The standard error is taken off
because success near one half jumps about, and that is not progress. For what is read, whose gain is known draw by
draw, the recent mean gain stands for the slope.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mrclassic.curricula.contract import Outcome
from mrclassic.curricula.core import Chooser, by_arm, mean, proportions

EVEN = 0.2
WINDOW = 20  # updates of an arm
FEW = 4  # updates below which nothing can be told, and the arm is as interesting as the best one


class LearningProgress(Chooser):
    """Begins evenly: what is known before the first draw says nothing of what changes."""

    kept = ("_points", "_gains")

    def __init__(self, arms: Sequence[str], success: Mapping[str, float] | None = None) -> None:
        super().__init__(arms)
        self._points: dict[str, list[list[float]]] = {arm: [] for arm in self._arms}  # (step, success)
        self._gains: dict[str, list[float]] = {arm: [] for arm in self._arms}

    def report(self) -> Mapping[str, float]:
        found = {arm: self._progress(arm) for arm in self._arms}
        known = [each for each in found.values() if each is not None]
        most = max(known, default=0.0) or 1.0
        return proportions({arm: most if each is None else each for arm, each in found.items()}, EVEN)

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        for arm, found in by_arm(outcomes).items():
            gains = [each.gain for each in found if each.gain is not None]
            if gains:
                self._gains[arm] = [*self._gains[arm], mean(gains)][-FEW:]
            scores = [each.success for each in found if not math.isnan(each.success)]
            if scores:
                self._points[arm] = [*self._points[arm], [found[-1].step, mean(scores)]][-WINDOW:]

    def _progress(self, arm: str) -> float | None:
        """None where nothing can be told yet."""
        if self._gains[arm]:
            return max(0.0, mean(self._gains[arm]))
        return _certain_slope(self._points[arm]) if len(self._points[arm]) >= FEW else None


def _certain_slope(points: Sequence[Sequence[float]]) -> float:
    """The slope of a line through `points`, whatever its sign, less its standard error; 0 where that is all of it."""
    n = len(points)
    middle, level = mean([x for x, _ in points]), mean([y for _, y in points])
    across = sum((x - middle) ** 2 for x, _ in points)
    if across == 0:
        return 0.0
    slope = sum((x - middle) * (y - level) for x, y in points) / across
    left = sum((y - level - slope * (x - middle)) ** 2 for x, y in points)
    return max(0.0, abs(slope) - math.sqrt(left / (n - 2) / across))
