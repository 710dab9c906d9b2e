"""Intervals against textbook values, a second implementation, and simulated coverage."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.stats import items_needed, paired_mean, paired_proportions, student_t, wilson

Z = NormalDist().inv_cdf(0.975)


@st.composite
def paired_counts(draw: st.DrawFn) -> tuple[int, int, int]:
    n = draw(st.integers(1, 3000))
    gained = draw(st.integers(0, n))
    return gained, draw(st.integers(0, n - gained)), n


def quartic(gained: int, lost: int, n: int) -> tuple[float, float]:
    """Tango's bounds without iteration: roots of a quartic (Yang, Sun & Hardin, Statistics in Medicine 32, 2013)."""
    g, d, s = Z * Z, gained - lost, gained + lost
    roots = np.roots(
        [
            n**2 * (n / g + 1) ** 2,
            -n * d * (n / g + 1) * (4 * n / g + 1),
            2 * n * d**2 * (3 * n / g + 2) / g - n**2 * (s / g + 1),
            n * d * (2 * s / g + 1) - d**3 * (4 * n / g + 1) / g,
            d**2 * (d**2 / g - s) / g,
        ]
    )
    real = sorted(root.real for root in roots if abs(root.imag) < 1e-6)
    return real[0], real[-1]


# Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3.
@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_textbook(right: int, n: int, low: float, high: float) -> None:
    assert wilson(right, n) == pytest.approx((low, high), abs=6e-5)


@given(st.integers(0, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_wilson_contains_the_estimate_and_is_symmetric(case: tuple[int, int], confidence: float) -> None:
    right, n = case
    low, high = wilson(right, n, confidence)
    assert 0 <= low <= high <= 1
    if n:
        assert low <= right / n <= high
    mirror = wilson(n - right, n, confidence)
    assert mirror == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(("right", "n"), [(-1, 3), (4, 3), (0, -1)])
def test_wilson_refuses_nonsense(right: int, n: int) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        wilson(right, n)


def test_a_confidence_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="confidence"):
        wilson(1, 2, 1.0)


# Cavo et al. (2012) as analysed in Fagerland, Lydersen & Laake, Statistical Analysis of Contingency Tables, chapter 8.
def test_tango_textbook() -> None:
    assert paired_proportions(6, 16, 161) == pytest.approx((-0.1240, -0.0054), abs=6e-5)


@given(paired_counts())
@settings(max_examples=200)
def test_tango_properties(case: tuple[int, int, int]) -> None:
    gained, lost, n = case
    low, high = paired_proportions(gained, lost, n)
    assert -1 <= low <= (gained - lost) / n + 1e-12
    assert (gained - lost) / n - 1e-12 <= high <= 1
    # The same pairs read the other way round give the mirrored interval.
    assert paired_proportions(lost, gained, n) == pytest.approx((-high, -low), abs=1e-9)
    # The bound is above 0 exactly when McNemar's test says so.
    if gained + lost:
        statistic = (gained - lost) / math.sqrt(gained + lost)
        if abs(statistic - Z) > 1e-6:
            assert (low > 0) == (statistic > Z)


@pytest.mark.parametrize(
    ("gained", "lost", "n"), [(40, 20, 160), (86, 150, 1600), (12, 1, 44), (0, 2, 450), (125, 75, 1000), (1, 7, 21)]
)
def test_tango_agrees_with_the_closed_form(gained: int, lost: int, n: int) -> None:
    assert paired_proportions(gained, lost, n) == pytest.approx(quartic(gained, lost, n), abs=1e-9)


@pytest.mark.parametrize("n", [1, 2, 20, 450, 100_000])
def test_tango_with_nothing_changed(n: int) -> None:
    edge = Z * Z / (n + Z * Z)
    assert paired_proportions(0, 0, n) == pytest.approx((-edge, edge), abs=1e-9)


@pytest.mark.parametrize(
    ("n", "gain", "loss"), [(50, 0.10, 0.10), (200, 0.10, 0.05), (500, 0.02, 0.02), (450, 0, 0.01)]
)
def test_tango_coverage(n: int, gain: float, loss: float) -> None:
    """Of 2,000 simulated comparisons about 95% contain the truth, and neither bound errs much more than 2.5%.

    The truth is counted by outcome, so that each table is computed once.
    """
    rng = np.random.default_rng(7)
    tables, counts = np.unique(rng.multinomial(n, [gain, loss, 1 - gain - loss], size=2000), axis=0, return_counts=True)
    truth = gain - loss
    below = above = 0
    for (gained, lost, _), count in zip(tables, counts, strict=True):
        low, high = paired_proportions(int(gained), int(lost), n)
        below += int(count) * (truth < low)
        above += int(count) * (truth > high)
    assert below / 2000 < 0.045
    assert above / 2000 < 0.045
    assert (below + above) / 2000 < 0.07


# Two-sided 95% points as printed in any table of Student's t.
@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.7062), (2, 4.3027), (5, 2.5706), (30, 2.0423), (120, 1.9799), (1000, 1.9623)]
)
def test_student_textbook(freedom: int, quantile: float) -> None:
    assert student_t(0.975, freedom) == pytest.approx(quantile, abs=6e-5)


def test_student_has_no_seam() -> None:
    assert student_t(0.975, 199) > student_t(0.975, 200) > student_t(0.975, 201) > Z
    assert student_t(0.975, 199) - student_t(0.975, 200) == pytest.approx(6.0e-5, rel=0.05)


# Student's own example (Biometrika 6, 1908): hours of sleep gained by ten patients with either of two drugs.
def test_paired_mean_textbook() -> None:
    differences = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    assert paired_mean(differences) == pytest.approx((0.7001, 2.4599), abs=6e-5)


def test_paired_mean_edges() -> None:
    assert paired_mean([0.1] * 7) == (0.1, 0.1)
    with pytest.raises(ValueError, match="at least two"):
        paired_mean([1.0])
    with pytest.raises(ValueError, match="finite"):
        paired_mean([1.0, math.nan])


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=50))
def test_paired_mean_contains_the_mean(values: list[float]) -> None:
    low, high = paired_mean(values)
    assert low - 1e-9 <= float(np.mean(values)) <= high + 1e-9


def test_items_needed() -> None:
    # A half-learnt skill needs many items to be guarded to three points; a book known by heart few.
    assert items_needed(0.2, 0.03) == 1745
    assert items_needed(0.02, 0.03) == 175
    assert items_needed(0.0, 0.03) == 1
    with pytest.raises(ValueError, match="plan"):
        items_needed(0.2, 0.0)
