"""Intervals: how sure a measured score, or a difference between two models on the same items, can be.

All of them are two-sided at `confidence`, so that a lower bound alone errs with probability (1 - confidence) / 2.

- `wilson`: one proportion, k right of n (E. B. Wilson, JASA 22, 1927).
- `paired_proportions`: the difference of two proportions measured on the same items, by inverting the score test
  (T. Tango, Statistics in Medicine 17, 1998). Only the items that changed carry information about the difference;
  its bound is above 0 exactly when McNemar's test says so, and it stays sensible when nothing changed at all.
- `paired_mean`: the mean difference of real-valued scores, by Student's t on the differences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """A closed interval; `low <= high`."""

    low: float
    high: float


def wilson(right: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval for the proportion `right / n`; with no items at all, everything is possible: [0, 1].

    Raises ValueError unless 0 <= right <= n and 0 < confidence < 1.
    """
    if not 0 <= right <= n:
        raise ValueError(f"{right} right of {n} items is no proportion")
    z = _z(confidence)
    if n == 0:
        return Interval(0.0, 1.0)
    z2 = z * z
    middle = (right + z2 / 2) / (n + z2)
    half = z / (n + z2) * math.sqrt(right * (n - right) / n + z2 / 4)
    # At the ends the formula is exact but its floating point is not: 0 of n must include 0, n of n must include 1.
    low = 0.0 if right == 0 else max(0.0, middle - half)
    high = 1.0 if right == n else min(1.0, middle + half)
    return Interval(low, high)


def paired_proportions(gained: int, lost: int, n: int, confidence: float = 0.95) -> Interval:
    """Tango's score interval for (gained - lost) / n, where the same `n` items were judged right or wrong twice.

    `gained` items went from wrong to right, `lost` ones from right to wrong, the rest stayed as they were. Nothing
    changed gives +-z^2 / (n + z^2): with 100 items and 95%, a change of up to 3.7 points cannot be excluded.

    Raises ValueError unless n >= 1, the counts fit in n, and 0 < confidence < 1.
    """
    if n < 1 or gained < 0 or lost < 0 or gained + lost > n:
        raise ValueError(f"{gained} gained and {lost} lost do not fit into {n} items")
    z = _z(confidence)
    middle = (gained - lost) / n
    # The statistic falls as the supposed difference rises, so each bound lies between the estimate and an end.
    low = _cross(lambda delta: _tango(gained, lost, n, delta) - z, -1.0, middle)
    high = _cross(lambda delta: _tango(gained, lost, n, delta) + z, middle, 1.0)
    return Interval(low, high)


def paired_mean(differences: Sequence[float], confidence: float = 0.95) -> Interval:
    """Student's t interval for the mean of paired differences.

    Differences that are all alike have no spread to judge by, and the interval is that one value.

    Raises ValueError for fewer than two differences or a value that is not finite.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.size < 2:
        raise ValueError("an interval for real-valued scores needs at least two items")
    if not np.isfinite(values).all():
        raise ValueError("a score is not a finite number")
    _z(confidence)
    if np.all(values == values[0]):
        return Interval(float(values[0]), float(values[0]))
    mean = math.fsum(differences) / values.size
    half = student_t(0.5 + confidence / 2, values.size - 1) * float(values.std(ddof=1)) / math.sqrt(values.size)
    return Interval(mean - half, mean + half)


def student_t(probability: float, freedom: int) -> float:
    """The quantile of Student's t at `probability` in [0.5, 1), for a whole number of degrees of freedom.

    With t = sqrt(freedom) tan(a), the distribution up to t is the integral of cos(a)^(freedom - 1), which is smooth
    and is summed numerically. From 200 degrees on, the expansion around the normal quantile (Abramowitz & Stegun
    26.7.5) is exact to more digits than anyone reads.
    """
    if not 0.5 <= probability < 1 or freedom < 1:
        raise ValueError(f"no quantile of Student's t at {probability} with {freedom} degrees of freedom")
    if freedom >= 200:
        x = NormalDist().inv_cdf(probability)
        first = (x**3 + x) / 4
        second = (5 * x**5 + 16 * x**3 + 3 * x) / 96
        third = (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384
        return x + first / freedom + second / freedom**2 + third / freedom**3
    angles = np.linspace(0.0, math.pi / 2, 20_001)
    heights = np.cos(angles) ** (freedom - 1)
    area = np.concatenate([[0.0], np.cumsum((heights[1:] + heights[:-1]) / 2)])
    angle = float(np.interp((2 * probability - 1) * area[-1], area, angles))
    return math.sqrt(freedom) * math.tan(angle)


def items_needed(changing: float, margin: float, confidence: float = 0.95, power: float = 0.8) -> int:
    """How many items show that an unchanged model lost no more than `margin`, with probability `power`.

    `changing` is the share of items whose verdict differs between two equally good models (two greedy readings of
    one checkpoint after a little training: about 0.02 for a book known by heart, 0.2 for a half-learnt skill). Normal
    approximation: n = (z_confidence + z_power)^2 changing / margin^2. A guard with fewer items refuses good nights.
    """
    if not 0 <= changing <= 1 or margin <= 0:
        raise ValueError(f"a share of {changing} changing items and a margin of {margin} make no plan")
    reach = _z(confidence) + NormalDist().inv_cdf(power)
    return max(1, math.ceil(reach * reach * changing / (margin * margin)))


def _z(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def _tango(gained: int, lost: int, n: int, delta: float) -> float:
    """Tango's score statistic for the hypothesis that the true difference is `delta` (his equation 6)."""
    distance = gained - lost - n * delta
    # The probability of a lost item under the hypothesis, by restricted maximum likelihood: a quadratic's larger root.
    b = -gained - lost + (2 * n - gained + lost) * delta
    c = -lost * delta * (1 - delta)
    chance = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
    variance = n * (2 * chance + delta * (1 - delta))
    if variance <= 0:
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def _cross(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function changes its sign, by bisection to the last bits that matter."""
    for _ in range(60):
        middle = (low + high) / 2
        if falling(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
