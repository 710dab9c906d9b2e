"""The gate's verdict on scores that could come from real nights. Its error rates are in tests/lab."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.night.gate import HALF_LEARNT, SuiteScores, judge


def share(right: int, n: int) -> tuple[float, ...]:
    """`right` of `n` items right, those first."""
    return (1.0,) * right + (0.0,) * (n - right)


def skill(gained: int = 100, lost: int = 20, n: int = 1000, name: str = "arithmetic") -> SuiteScores:
    """A target at 40%, of whose items some were gained and others lost."""
    known = int(0.4 * n)
    parent = share(known, n)
    child = (0.0,) * lost + (1.0,) * (known - lost + gained) + (0.0,) * (n - known - gained)
    return SuiteScores(name, "target", parent, child)


def recall(before: int = 450, after: int = 450, n: int = 450, golden: int | None = None) -> SuiteScores:
    return SuiteScores(
        "recall", "guard", share(before, n), share(after, n), None if golden is None else share(golden, n)
    )


def test_a_gain_with_nothing_lost_is_promoted() -> None:
    verdict = judge([skill(), recall()])
    assert verdict.promoted
    assert verdict.verdict == "promote"
    target, guard = verdict.suites
    assert (target.n, target.parent, target.child) == (1000, 0.4, 0.48)
    assert target.gain == pytest.approx(0.08)
    assert 0 < target.low < 0.08 < target.high
    assert guard.passed
    assert verdict.reasons[0] == target.reason
    assert "40.0% -> 48.0%, +8.0 points" in target.reason
    assert "no item got worse" in guard.reason


def test_recall_from_all_to_all_but_two_passes() -> None:
    assert judge([skill(), recall(450, 448)]).promoted


def test_recall_that_fell_is_refused_with_numbers() -> None:
    verdict = judge([skill(), recall(450, 430)])
    assert verdict.verdict == "keep"
    assert len(verdict.reasons) == 1
    assert "recall may have lost more than 3 points: 100.0% -> 95.6%, -4.4 points" in verdict.reasons[0]


def test_no_gain_is_kept_even_when_nothing_was_lost() -> None:
    verdict = judge([skill(gained=30, lost=20), recall()])
    assert verdict.verdict == "keep"
    assert "no more than chance" in verdict.reasons[0]


def test_no_target_is_no_gain() -> None:
    assert judge([recall()]).verdict == "keep"
    assert "Nothing was practised" in judge([]).reasons[0]


def test_small_losses_cannot_add_up_past_the_golden_checkpoint() -> None:
    verdict = judge([skill(), recall(440, 440, golden=450)])
    assert verdict.verdict == "keep"
    assert "golden" in verdict.reasons[0]
    guard = verdict.suites[1]
    assert guard.golden == 1.0
    assert guard.golden_low is not None
    assert guard.golden_low < -0.03
    assert judge([skill(), recall(448, 448, golden=450)]).promoted


@pytest.mark.parametrize("n", [1, 5, 20, 100])
def test_a_small_guard_without_a_change_passes(n: int) -> None:
    assert judge([skill(), SuiteScores("few", "guard", share(n, n), share(n, n))]).promoted
    assert judge([skill(), SuiteScores("few", "guard", share(0, n), share(n, n))]).promoted


def test_a_small_guard_with_a_loss_refuses() -> None:
    assert not judge([skill(), SuiteScores("few", "guard", share(20, 20), share(19, 20))]).promoted


def test_new_entries_of_the_book_need_no_statistics() -> None:
    lesson = SuiteScores("new entries", "target", (0.0,), (1.0,), census=True)
    assert judge([lesson, recall()]).promoted
    # The same single item as a sample of a skill proves nothing.
    assert not judge([SuiteScores("skill", "target", (0.0,), (1.0,)), recall()]).promoted


def test_a_target_that_got_worse_refuses_although_another_gained() -> None:
    verdict = judge([skill(), skill(gained=10, lost=100, name="codes"), recall()])
    assert verdict.verdict == "keep"
    assert verdict.reasons[0].startswith("codes got worse")
    # One that merely stood still does not.
    assert judge([skill(), skill(gained=20, lost=20, name="codes"), recall()]).promoted


def test_more_targets_need_more_confidence() -> None:
    one = skill(gained=75, lost=50)
    assert judge([one]).promoted
    assert not judge([one, *(skill(gained=20, lost=20, name=f"other {i}") for i in range(5))]).promoted


def test_real_valued_scores() -> None:
    rng = np.random.default_rng(3)
    before = rng.normal(-2.0, 0.5, 200)
    better = SuiteScores("text", "target", tuple(before), tuple(before + rng.normal(0.1, 0.2, 200)))
    verdict = judge([better])
    assert verdict.promoted
    assert "%" not in verdict.reasons[0]
    worse = SuiteScores("text", "guard", tuple(before), tuple(before - rng.normal(0.1, 0.2, 200)))
    assert not judge([skill(), worse]).promoted
    roomy = SuiteScores("text", "guard", worse.parent, worse.child, margin=0.2)
    assert judge([skill(), roomy]).promoted


@pytest.mark.parametrize(
    ("suite", "words"),
    [
        (SuiteScores("a", "target", (1.0,), (1.0, 0.0)), "1 scores of the parent, 2 of the child"),
        (SuiteScores("a", "guard", (1.0,), (1.0,), (1.0, 1.0)), "2 of the golden"),
        (SuiteScores("a", "target", (1.0,), (math.nan,)), "child's score of item 0 is nan"),
        (SuiteScores("a", "guard", (1.0,), (1.0,), (math.inf,)), "golden's score"),
        (SuiteScores("a", "target", (), ()), "no items"),
        (SuiteScores("a", "target", (0.5,), (0.6,)), "suite a: an interval .* at least two items"),
        (SuiteScores("a", "other", (1.0,), (1.0,)), "none of target, guard, watch"),  # type: ignore[arg-type]
        (SuiteScores("a", "guard", (1.0,), (1.0,), margin=-1.0), "margin"),
    ],
)
def test_what_cannot_be_judged_says_why(suite: SuiteScores, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        judge([suite])


def test_two_suites_of_one_name() -> None:
    with pytest.raises(ValueError, match="two suites are called recall"):
        judge([recall(), recall()])


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=80))
@settings(max_examples=60)
def test_the_verdict_does_not_depend_on_the_order_of_items(rows: list[tuple[bool, bool, bool]]) -> None:
    def suites(items: list[tuple[bool, bool, bool]]) -> list[SuiteScores]:
        parent, child, golden = (tuple(float(value) for value in column) for column in zip(*items, strict=True))
        return [SuiteScores("t", "target", parent, child), SuiteScores("g", "guard", parent, child, golden)]

    forward, backward = judge(suites(rows)), judge(suites(rows[::-1]))
    assert forward == backward
    # Promotion always rests on a target that gained and on no guard that failed.
    if forward.promoted:
        assert any(suite.passed for suite in forward.suites if suite.kind == "target")
        assert all(suite.passed for suite in forward.suites if suite.kind == "guard")


def test_a_skill_promoted_before_is_practised_further_but_not_at_any_price() -> None:
    other = skill(name="other")
    fell = skill(gained=85, lost=105, name="arithmetic")  # two points, which may still be chance
    assert judge([other, fell]).promoted
    verdict = judge([other, replace(fell, held=True)])
    assert not verdict.promoted
    assert "arithmetic may have lost more than 3 points" in verdict.reasons[0]
    assert [suite.lost for suite in verdict.suites] == [False, True]
    assert judge([other, replace(skill(), held=True)]).promoted


def test_a_guard_on_many_flips_may_have_a_bound_of_its_own() -> None:
    flips = SuiteScores("half-learnt", "guard", share(500, 1000), (0.0,) * 130 + (1.0,) * 500 + (0.0,) * 370)
    assert not judge([skill(), flips]).promoted, "with one item in four flipped, 95% reaches further than three points"
    assert judge([skill(), replace(flips, confidence=HALF_LEARNT)]).promoted
    lost = replace(flips, child=(0.0,) * 180 + (1.0,) * 450 + (0.0,) * 370, confidence=HALF_LEARNT)
    assert not judge([skill(), lost]).promoted
    with pytest.raises(ValueError, match="a confidence of 2"):
        judge([skill(), replace(flips, confidence=2.0)])


def test_a_watched_suite_refuses_only_what_is_beyond_chance_and_earns_nothing() -> None:
    gained = SuiteScores("skill", "target", (0.0,) * 400 + (1.0,) * 400, (0.0,) * 200 + (1.0,) * 600)
    flips = (0.0, 1.0) * 40
    noise = SuiteScores("half-learnt", "watch", flips, tuple(1.0 - score for score in flips))
    worse = SuiteScores("half-learnt", "watch", (1.0,) * 60 + (0.0,) * 20, (1.0,) * 20 + (0.0,) * 60)
    better = SuiteScores("half-learnt", "watch", worse.child, worse.parent)
    assert judge([gained, noise]).promoted
    assert not judge([gained, worse]).promoted
    assert not judge([better]).promoted  # nothing was practised: a lucky watch is no gain
