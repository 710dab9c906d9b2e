"""The gate's error rates, on simulated nights of the size of real ones: the bars themselves."""

from __future__ import annotations

import pytest

from mrclassic.lab import catalogue, gate
from mrclassic.lab.gate import NIGHTS, PLANTED, Simulated, planted, practised_at, simulate, usual, with_earned
from mrclassic.night.gate import HALF_LEARNT, SuiteScores, half_learnt
from mrclassic.night.judging import EARNED, ENOUGH, OLD
from mrclassic.tasks import arithmetic

# A hatched `tiny`: what it can do of each level, and the held-out items there are.
TINY = {
    f"arithmetic:{level}": (score, len(arithmetic.held_out(level)))
    for level, score in zip(arithmetic.levels, (1.0, 1.0, 0.23, 0.05, 0.0), strict=True)
}
SUITES, TARGET = practised_at(usual(TINY, 472), 0.45)


def test_equal_checkpoints_are_seldom_promoted() -> None:
    assert simulate(SUITES, 1).rate <= 0.05


def test_a_gain_of_five_points_is_found() -> None:
    assert simulate(planted(SUITES, TARGET, gain=PLANTED), 2).rate >= 0.80


def test_a_loss_of_five_points_is_refused() -> None:
    gaining = with_earned(planted(SUITES, TARGET, gain=2 * PLANTED))
    for name in (OLD, "arithmetic:2", "earned"):
        lost = simulate(planted(gaining, name, loss=PLANTED), 3, NIGHTS // 2)
        assert 1 - lost.rate >= 0.95, name


@pytest.mark.parametrize("items", [EARNED, 600, 300, 100])
def test_a_loss_of_what_was_promoted_for_is_refused_with_few_items_too(items: int) -> None:
    """Of a short night all that there are (`EARNED`); of a level that has no more, the guard is the surer."""
    earned = Simulated("earned", "target", 0.45, items // 3, items - items // 3, 0.2, held=True, loss=PLANTED)
    target = next(suite for suite in planted(SUITES, TARGET, gain=2 * PLANTED) if suite.name == TARGET)
    assert 1 - simulate([target, earned], 4, NIGHTS // 2).rate >= 0.95
    assert half_learnt(items) >= half_learnt(ENOUGH) == HALF_LEARNT


def test_simulated_items_flip_as_often_as_said() -> None:
    import numpy as np

    suite = Simulated("level", "target", 0.45, 0, 100_000, 0.2)
    assert suite.judging >= ENOUGH
    drawn = np.random.default_rng(1).standard_normal((2, suite.judging))

    def flips(scores: SuiteScores) -> float:
        return sum(a != b for a, b in zip(scores.parent, scores.child, strict=True)) / suite.judging

    whole, half = gate.scores(suite, drawn, 1.0, False), gate.scores(suite, drawn, 0.5, False)
    assert abs(flips(whole) - 0.2) < 0.01
    assert flips(half) < flips(whole)
    assert abs(sum(whole.child) / suite.judging - 0.45) < 0.01
    assert abs(sum(half.child) / suite.judging - 0.45) < 0.01


def test_the_findings_say_what_was_simulated() -> None:
    found = gate.findings(usual({"arithmetic:2": (1.0, 600), "arithmetic:3": (0.25, 600)}, 60), nights=3)
    assert [finding.held for finding in found].count(None) == 1
    assert all(" of 3 " in finding.words for finding in found)
    assert catalogue.get("gate").load() is gate
