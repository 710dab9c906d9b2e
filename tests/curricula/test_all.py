"""What holds for every curriculum, built in or an example: shares, draws, memory, and an empty history."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from examples import load
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.curricula import BUILT_IN, Builder, build
from mrclassic.curricula.contract import Curriculum, Draw, Outcome
from mrclassic.errors import UsageError

EXAMPLES = ("leitner", "what_slips")
BUILDERS: Mapping[str, Builder] = {**BUILT_IN, **{name: load(name).curriculum for name in EXAMPLES}}
ARMS = ("a:1", "a:2", "a:3", "notes", "b:1")
SCORE = st.floats(0, 1)
SEEN = st.tuples(
    st.floats(-0.5, 1.5) | st.just(math.nan),  # several rewards together may leave [0, 1]
    st.none() | st.floats(0, 0.5),
    st.none() | st.floats(-1, 1),
)
HISTORY = st.lists(st.lists(SEEN, max_size=6), max_size=12)  # of the draws of each update
KNOWN = st.dictionaries(st.sampled_from(ARMS), SCORE)


def live(it: Curriculum, history: Sequence[Sequence[tuple]], seed: int = 0, since: int = 0) -> list[Draw]:
    """As training has it: draws, then what became of them. Returns all draws."""
    every = []
    for step, seen in enumerate(history, since):
        drawn = it.propose(len(seen), random.Random(seed + step))
        outcomes = [Outcome(draw, success, step, *more) for draw, (success, *more) in zip(drawn, seen, strict=True)]
        assert {it.accept(each) for each in outcomes} <= {"keep", "redraw"}
        it.observe(outcomes)
        every += drawn
    return every


# The builders are made once for the module: they have no state.
every = pytest.mark.parametrize("name", sorted(BUILDERS))


@every
@settings(max_examples=25, deadline=None)
@given(known=KNOWN, history=HISTORY, seed=st.integers(0, 2**32))
def test_shares_are_a_distribution_and_draws_follow_them(name: str, known: dict, history: list, seed: int) -> None:
    it = BUILDERS[name](ARMS, known)
    live(it, history, seed)
    shares = it.report()
    assert list(shares) == list(ARMS) == list(it.arms())
    assert sum(shares.values()) == pytest.approx(1.0)
    assert all(math.isfinite(share) and 0 <= share <= 1 + 1e-12 for share in shares.values())
    drawn = it.propose(7, random.Random(seed))
    assert len(drawn) == 7
    assert all(draw.arm in ARMS and 0 < draw.probability <= 1 + 1e-12 for draw in drawn)
    assert all(draw.probability == pytest.approx(shares[draw.arm]) for draw in drawn)
    assert it.report() == shares, "proposing changes nothing"


@every
@settings(max_examples=25, deadline=None)
@given(known=KNOWN, first=HISTORY, then=HISTORY, seed=st.integers(0, 2**32))
def test_a_resumed_run_goes_on_as_if_it_had_never_stopped(
    name: str, known: dict, first: list, then: list, seed: int
) -> None:
    it, other = BUILDERS[name](ARMS, known), BUILDERS[name](ARMS, {})
    live(it, first, seed)
    words = json.dumps(it.state_dict(), allow_nan=False)
    other.load_state_dict(json.loads(words))
    assert json.dumps(other.state_dict()) == words
    assert list(other.report().items()) == list(it.report().items())
    assert live(other, then, seed, len(first)) == live(it, then, seed, len(first))
    assert other.state_dict() == it.state_dict()
    assert json.dumps(it.state_dict(), allow_nan=False)


@every
def test_a_state_that_was_taken_does_not_change_afterwards(name: str) -> None:
    it = BUILDERS[name](ARMS, {})
    live(it, [[(0.4, None, None)] * 6] * 8)
    state = it.state_dict()
    words = json.dumps(state)
    live(it, [[(0.9, 0.3, None)] * 6] * 8, since=8)
    assert json.dumps(state) == words
    it.load_state_dict(state)
    live(it, [[(0.9, 0.3, None)] * 6] * 8, since=8)
    assert json.dumps(state) == words


@every
@pytest.mark.parametrize("arms", [("only",), ("a:1", "a:2"), ARMS])
def test_nothing_seen_and_nothing_known_is_no_trouble(name: str, arms: tuple[str, ...]) -> None:
    it = BUILDERS[name](arms, {})
    it.observe([])
    assert it.propose(0, random.Random(0)) == []
    assert {draw.arm for draw in it.propose(20, random.Random(0))} <= set(arms)
    before = it.report()
    it.observe([Outcome(draw, math.nan, 1, 0.0) for draw in it.propose(20, random.Random(0))])
    assert it.report() == before, "groups that nobody could judge count for nothing"


@every
def test_draws_come_as_often_as_the_shares_say(name: str) -> None:
    it = BUILDERS[name](ARMS, {"a:1": 0.9, "a:2": 0.5})
    live(it, [[(0.6, None, None)] * 5] * 20)
    drawn = Counter(draw.arm for draw in it.propose(4000, random.Random(1)))
    assert all(abs(drawn[arm] / 4000 - share) < 0.04 for arm, share in it.report().items())


@every
def test_groups_that_teach_nothing_are_drawn_again(name: str) -> None:
    it = BUILDERS[name](ARMS, {})
    draw = Draw("a:1", 0.2)
    told = [it.accept(Outcome(draw, success, 3)) for success in (0.0, 1.0, math.nan, 0.5)]
    assert told == ["redraw", "redraw", "redraw", "keep"]
    assert it.accept(Outcome(draw, 0.5, 3, spread=0.0)) == "redraw", "all were paid one half"
    assert it.accept(Outcome(draw, 1.1, 3, spread=0.1)) == "keep"


def test_an_unknown_one_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean staged"):
        build("stagged", ARMS, {})
    assert build("exp3", ARMS, {"a:1": 0.5, "of another task": 0.5}).arms() == ARMS
