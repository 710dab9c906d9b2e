"""The default curriculum: shares, opening and closing of levels, and a state that goes through JSON."""

from __future__ import annotations

import json
import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.curricula.bandit import CLOSE, MASTERED, OPEN, Bandit
from mrclassic.curricula.contract import Curriculum, Draw, Outcome
from mrclassic.curricula.uniform import Uniform

ARMS = ("a:1", "a:2", "a:3", "a:4")
SUCCESS = st.dictionaries(st.sampled_from(ARMS), st.floats(0, 1))
HISTORY = st.lists(st.tuples(st.sampled_from(ARMS), st.floats(0, 1) | st.just(math.nan)), max_size=40)


def feed(chooser: Curriculum, history: list[tuple[str, float]]) -> None:
    for step, (arm, success) in enumerate(history):
        chooser.observe([Outcome(Draw(arm, 0.25), success, step)])


def practise(chooser: Curriculum, arm: str, success: float, times: int = 12) -> None:
    feed(chooser, [(arm, success)] * times)


def opened(chooser: Curriculum) -> set[str]:
    return {arm for arm, share in chooser.report().items() if share > 0}


@settings(max_examples=300, deadline=None)
@given(success=SUCCESS, history=HISTORY)
def test_shares_are_a_distribution_over_the_open_levels(success: dict[str, float], history: list) -> None:
    chooser = Bandit(ARMS, success)
    feed(chooser, history)
    shares = chooser.report()
    assert list(shares) == list(ARMS) == list(chooser.arms())
    assert sum(shares.values()) == pytest.approx(1.0)
    assert all(0 <= share <= 1 for share in shares.values())
    count = len(opened(chooser))
    assert opened(chooser) == set(ARMS[:count])
    assert all(shares[arm] >= 0.1 / count - 1e-12 for arm in ARMS[:count])


@settings(max_examples=100, deadline=None)
@given(success=SUCCESS, history=HISTORY, n=st.integers(0, 30), seed=st.integers())
def test_draws_are_a_function_of_state_and_source_and_state_goes_through_json(
    success: dict[str, float], history: list, n: int, seed: int
) -> None:
    chooser = Bandit(ARMS, success)
    feed(chooser, history)
    other = Bandit(ARMS)
    other.load_state_dict(json.loads(json.dumps(chooser.state_dict())))
    assert other.report() == chooser.report()
    assert other.propose(n, random.Random(seed)) == (draws := chooser.propose(n, random.Random(seed)))
    assert len(draws) == n
    assert all(draw.probability == chooser.report()[draw.arm] for draw in draws)
    feed(chooser, history)
    feed(other, history)
    assert other.state_dict() == chooser.state_dict()


def test_a_state_that_was_taken_does_not_change_afterwards() -> None:
    chooser = Bandit(ARMS)
    state = chooser.state_dict()
    before = json.dumps(state)
    practise(chooser, "a:1", 0.9)
    assert json.dumps(state) == before
    chooser.load_state_dict(state)
    practise(chooser, "a:1", 0.9)
    assert json.dumps(state) == before


def test_levels_open_when_the_one_below_is_learnt_and_close_when_it_is_lost() -> None:
    chooser = Bandit(ARMS)
    assert opened(chooser) == {"a:1"}
    practise(chooser, "a:1", OPEN - 0.05)
    assert opened(chooser) == {"a:1"}
    practise(chooser, "a:1", 0.95)
    assert opened(chooser) == {"a:1", "a:2"}
    practise(chooser, "a:2", 0.8)
    assert opened(chooser) == {"a:1", "a:2", "a:3"}
    practise(chooser, "a:1", CLOSE + 0.1)  # worse, but not lost: what is open stays open
    assert opened(chooser) == {"a:1", "a:2", "a:3"}
    practise(chooser, "a:1", CLOSE - 0.1)
    assert opened(chooser) == {"a:1"}
    practise(chooser, "a:1", 0.95)  # what was learnt above is still known
    assert opened(chooser) == {"a:1", "a:2", "a:3"}


def test_what_is_known_before_the_first_draw_decides_where_it_begins() -> None:
    shares = Bandit(ARMS, {"a:1": 1.0, "a:2": 0.8, "a:3": 0.45}).report()
    assert max(shares, key=shares.get) == "a:3"  # type: ignore[arg-type]
    assert shares["a:1"] >= 0.15  # mastered: replayed
    assert shares["a:4"] == 0


def test_the_level_at_the_edge_is_practised_most() -> None:
    chooser = Bandit(ARMS, {"a:1": 0.99, "a:2": 0.9, "a:3": 0.75, "a:4": 0.1})
    for arm, success in zip(ARMS, (0.99, 0.85, 0.5, 0.02), strict=True):
        practise(chooser, arm, success, 30)
    shares = chooser.report()
    assert max(shares, key=shares.get) == "a:3"  # type: ignore[arg-type]
    drawn = Counter(draw.arm for draw in chooser.propose(4000, random.Random(1)))
    assert all(abs(drawn[arm] / 4000 - shares[arm]) < 0.04 for arm in ARMS)


def test_mastered_levels_are_never_forgotten() -> None:
    chooser = Bandit(ARMS, dict.fromkeys(ARMS[:3], MASTERED + 0.05))
    shares = chooser.report()
    assert all(shares[arm] >= 0.05 for arm in ARMS)


def test_groups_that_nobody_could_judge_count_for_nothing() -> None:
    chooser = Bandit(ARMS, {"a:1": 0.9})
    before = chooser.state_dict()
    practise(chooser, "a:1", math.nan)
    assert chooser.state_dict() == before


def test_even_shares_are_the_control() -> None:
    chooser = Uniform(ARMS)
    assert sum(chooser.report().values()) == pytest.approx(1.0)
    drawn = Counter(draw.arm for draw in chooser.propose(4000, random.Random(1)))
    assert all(abs(drawn[arm] / 4000 - 0.25) < 0.04 for arm in ARMS)
    practise(chooser, "a:1", 1.0)
    assert chooser.propose(9, random.Random(3)) == chooser.propose(9, random.Random(3))
    chooser.load_state_dict(chooser.state_dict())
    assert chooser.accept(Outcome(Draw("a:1", 0.25), 0.5, 0)) == "keep"
