"""What each curriculum is for: the arm that it goes to, and why."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping

import pytest
from examples import load

from mrclassic.curricula import BUILT_IN
from mrclassic.curricula.contract import Curriculum, Draw, Outcome
from mrclassic.curricula.exp3 import ALPHA, GAMMA, Exp3
from mrclassic.curricula.learning_progress import EVEN, LearningProgress
from mrclassic.curricula.prioritized_replay import ENOUGH, ITEMS, PrioritizedReplay
from mrclassic.curricula.staged import GROUPS, PRESENT, Staged
from mrclassic.curricula.thompson import Thompson

ARMS = ("a:1", "a:2", "a:3", "a:4")


def practise(it: Curriculum, scores: Mapping[str, float], updates: int = 20, since: int = 0, each: int = 2) -> None:
    """The same success at every update."""
    share = it.report()
    for step in range(since, since + updates):
        it.observe([Outcome(Draw(arm, share[arm]), score, step) for arm, score in scores.items() for _ in range(each)])


def favourite(it: Curriculum) -> str:
    shares = it.report()
    return max(shares, key=lambda arm: shares[arm])


@pytest.mark.parametrize("name", ["bandit", "thompson", "exp3"])
def test_success_near_one_half_is_practised_most(name: str) -> None:
    scores = dict(zip(ARMS, (1.0, 0.95, 0.45, 0.02), strict=True))
    it = BUILT_IN[name](ARMS, scores)
    practise(it, scores)
    assert favourite(it) == "a:3"
    assert it.report()["a:3"] > 0.5
    practise(it, {**scores, "a:3": 0.98, "a:4": 0.5}, 60, since=20)
    assert favourite(it) == "a:4", "it follows what the model learns"


# Staged.


def test_stages_go_up_with_success_and_back_without() -> None:
    it = Staged(ARMS)
    assert it.report() == {"a:1": 1.0, "a:2": 0.0, "a:3": 0.0, "a:4": 0.0}
    practise(it, {"a:1": 0.9}, GROUPS // 2 - 1)
    assert it.report()["a:1"] == 1.0, "not yet seen often enough"
    practise(it, {"a:1": 0.9}, 1)
    assert it.report()["a:2"] == PRESENT
    assert it.report()["a:1"] == pytest.approx(1 - PRESENT), "rehearsed"
    practise(it, {"a:1": 0.9, "a:2": 0.5})
    assert it.report()["a:2"] == PRESENT
    practise(it, {"a:2": 1.0})
    assert it.report()["a:3"] == PRESENT
    practise(it, {"a:3": 0.0}, GROUPS // 2)
    assert it.report()["a:2"] == PRESENT, "a step back"
    practise(it, {"a:2": 0.0, "a:1": 0.0}, 40)
    assert it.report()["a:1"] == 1.0, "and no further"


def test_the_last_stage_stays_and_what_is_known_is_skipped() -> None:
    it = Staged(ARMS, dict(zip(ARMS, (1.0, 0.8, 0.3, 0.9), strict=True)))
    assert it.report()["a:3"] == PRESENT
    it = Staged(ARMS, dict.fromkeys(ARMS, 1.0))
    practise(it, {"a:4": 1.0})
    assert it.report()["a:4"] == PRESENT


def test_tasks_have_stages_of_their_own_and_equal_shares() -> None:
    it = Staged(("a:1", "b:1", "a:2", "notes"), {"a:1": 0.9})
    assert it.report() == pytest.approx({"a:1": 0.25 / 3, "b:1": 1 / 3, "a:2": 0.75 / 3, "notes": 1 / 3})


# Learning progress.


def test_what_rises_or_falls_is_practised_and_what_stands_still_or_jumps_about_is_not() -> None:
    it = LearningProgress(ARMS)
    rng = random.Random(3)
    for step in range(20):
        scores = (0.2 + step * 0.02, 0.9 - step * 0.02, 0.99, rng.random())
        it.observe([Outcome(Draw(arm, 0.25), score, step) for arm, score in zip(ARMS, scores, strict=True)])
    shares = it.report()
    assert shares["a:1"] == pytest.approx(shares["a:2"])
    assert shares["a:1"] > 0.35
    assert shares["a:3"] == pytest.approx(EVEN / 4)
    assert shares["a:4"] < shares["a:1"] / 2


def test_what_was_hardly_tried_is_as_interesting_as_the_best() -> None:
    it = LearningProgress(ARMS)
    for step in range(20):
        it.observe([Outcome(Draw("a:1", 0.25), 0.02 * step, step), Outcome(Draw("a:2", 0.25), 0.5, step)])
    shares = it.report()
    assert shares["a:3"] == shares["a:4"] == pytest.approx(shares["a:1"])
    assert shares["a:2"] == pytest.approx(EVEN / 4)


def test_a_gain_that_is_known_stands_for_the_slope() -> None:
    it = LearningProgress(("book", "notes"))
    for step in range(6):
        it.observe([Outcome(Draw("book", 0.5), 0.9, step, gain=0.1), Outcome(Draw("notes", 0.5), 0.1, step, gain=0.7)])
    assert it.report()["notes"] == pytest.approx(EVEN / 2 + (1 - EVEN) * 0.7 / 0.8)


# Thompson, EXP3.


def test_what_little_is_known_of_is_tried_and_much_that_is_known_is_believed() -> None:
    shares = Thompson(ARMS[:2], {"a:1": 0.5}).report()
    assert shares["a:2"] > 0.1, "nothing is known of it"
    it = Thompson(ARMS[:2], {"a:1": 0.5})
    practise(it, {"a:1": 0.5, "a:2": 0.9})
    assert it.report()["a:1"] > 0.9


def test_a_draw_of_small_probability_counts_for_more() -> None:
    it = Exp3(ARMS)
    it.observe([Outcome(Draw("a:1", 0.8), 0.5, 0), Outcome(Draw("a:2", 0.2), 0.5, 0)])
    weights = {"a:1": GAMMA / 0.8 / 4, "a:2": GAMMA / 0.2 / 4, "a:3": 0.0, "a:4": 0.0}
    # The formula as it is printed, with weights that are no logarithms.
    plain = {arm: math.exp(GAMMA + value) for arm, value in weights.items()}
    shared = 2 * math.e * ALPHA / 4 * sum(plain.values())
    total = sum(plain.values()) + 4 * shared
    wanted = {arm: GAMMA / 4 + (1 - GAMMA) * (value + shared) / total for arm, value in plain.items()}
    assert it.report() == pytest.approx(wanted)


# Prioritized replay.


def test_items_that_taught_something_come_again_and_by_their_names() -> None:
    it = PrioritizedReplay(ARMS)
    rng = random.Random(1)
    for step in range(ENOUGH):
        drawn = it.propose(4, rng)
        it.observe([Outcome(draw, 0.5 if draw.arm == "a:2" else 0.0, step) for draw in drawn])
    items = it.state_dict()["items"]
    assert len({name for _, name, *_ in items}) == len(items)
    drawn = it.propose(400, random.Random(7))
    again = [draw for draw in drawn if any(draw.item == name and draw.arm == arm for arm, name, *_ in items)]
    assert 0.4 < len(again) / 400 < 0.6
    assert Counter(draw.arm for draw in again).most_common(1)[0][0] == "a:2"
    assert all(draw.item for draw in drawn)


def test_it_remembers_only_so_much_and_what_taught_most() -> None:
    it = PrioritizedReplay(ARMS)
    for step in range(10):
        it.observe([Outcome(Draw("a:1", 0.25, f"{step}.{at}"), at / 200, step) for at in range(100)])
    items = it.state_dict()["items"]
    assert len(items) == ITEMS
    assert min(priority for _, _, priority, _ in items) > 0.8
    it.observe([Outcome(Draw("a:1", 0.25), 0.5, 11), Outcome(Draw("a:1", 0.25, "x"), math.nan, 11)])
    assert it.state_dict()["items"] == items, "what has no name cannot come again"


# The examples.


def test_leitner_asks_what_goes_well_later_and_what_goes_badly_at_once() -> None:
    it = load("leitner").curriculum(ARMS[:2], {})
    for step in range(4):
        it.observe([Outcome(Draw("a:1", 0.5), 1.0, step), Outcome(Draw("a:2", 0.5), 0.1, step)])
    assert it.report() == pytest.approx({"a:1": 0.05, "a:2": 0.95})
    it.observe([Outcome(Draw("a:2", 0.5), 0.1, 40)])
    assert it.report() == pytest.approx({"a:1": 0.5, "a:2": 0.5}), "due again"
    it.observe([Outcome(Draw("a:1", 0.5), 0.2, 41)])
    assert it.state_dict()["box"]["a:1"] == 0


def test_what_slips_goes_where_most_was_lost() -> None:
    it = load("what_slips").curriculum(ARMS, dict.fromkeys(ARMS, 0.9))
    assert set(it.report().values()) == {0.25}
    practise(it, {"a:1": 0.9, "a:2": 0.3}, 5)
    assert favourite(it) == "a:2"
    practise(it, {"a:2": 0.9}, 30, since=5)
    assert it.state_dict()["recent"]["a:2"] == pytest.approx(0.9, abs=0.01)
