"""Credit: the trace is the forward view, its ends are Monte-Carlo and the single step, and values are what they say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.training.credit import Walk, credit, grouped, news, remembered, returns, traced

NUMBER = st.floats(-5, 5, allow_nan=False)
SHARE = st.floats(0, 1, allow_nan=False)
TURNS = st.lists(st.tuples(NUMBER, NUMBER, st.integers(1, 4)), min_size=1, max_size=9)  # reward, value, tokens


def columns(turns: list) -> tuple[list[float], list[float], list[int]]:
    rewards, values, lengths = map(list, zip(*turns, strict=True))
    return rewards, values, lengths


def lambda_returns(rewards: list[float], values: list[float], gamma: float, fade: float) -> list[float]:
    """The forward view by its definition: of all n-step returns, each weighed by (1 - fade) fade^(n - 1), and the rest
    of the weight on the whole return (Sutton and Barto, 12.3)."""
    end = len(rewards)
    found = []
    for t in range(end):
        total = 0.0
        for n in range(1, end - t):
            steps = sum(gamma**k * rewards[t + k] for k in range(n)) + gamma**n * values[t + n]
            total += (1 - fade) * fade ** (n - 1) * steps
        whole = sum(gamma ** (k - t) * rewards[k] for k in range(t, end))
        found.append(total + fade ** (end - t - 1) * whole)
    return found


def of_turns(tokens: list[float], lengths: list[int]) -> list[float]:
    """The credit of each turn, whose tokens all have the same."""
    found, at = [], 0
    for length in lengths:
        assert len(set(tokens[at : at + length])) == 1
        found.append(tokens[at])
        at += length
    return found


@given(TURNS, SHARE, SHARE)
@settings(deadline=None)
def test_the_trace_is_the_forward_view(turns: list, gamma: float, fade: float) -> None:
    rewards, values, lengths = columns(turns)
    backward = of_turns(traced(news(rewards, values, gamma), lengths, gamma * fade, "turns"), lengths)
    forward = lambda_returns(rewards, values, gamma, fade)
    assert backward == pytest.approx([g - v for g, v in zip(forward, values, strict=True)], abs=1e-6)


@given(TURNS, SHARE)
def test_with_lambda_1_it_is_monte_carlo_and_with_0_the_news(turns: list, gamma: float) -> None:
    rewards, values, lengths = columns(turns)
    deltas = news(rewards, values, gamma)
    whole = of_turns(traced(deltas, lengths, gamma, "turns"), lengths)
    wanted = [found - value for found, value in zip(returns(rewards, gamma), values, strict=True)]
    assert whole == pytest.approx(wanted, abs=1e-9)
    assert of_turns(traced(deltas, lengths, 0.0, "turns"), lengths) == pytest.approx(deltas)


@given(TURNS, SHARE, SHARE)
def test_by_the_token_every_later_news_counts_by_its_distance(turns: list, gamma: float, fade: float) -> None:
    rewards, values, lengths = columns(turns)
    deltas, decay = news(rewards, values, gamma), gamma * fade
    ends = [sum(lengths[: at + 1]) - 1 for at in range(len(lengths))]
    wanted = [
        sum(delta * decay ** (end - token) for delta, end in zip(deltas, ends, strict=True) if end >= token)
        for token in range(sum(lengths))
    ]
    assert traced(deltas, lengths, decay, "tokens") == pytest.approx(wanted, abs=1e-6)
    if set(lengths) == {1}:
        assert traced(deltas, lengths, decay, "tokens") == pytest.approx(traced(deltas, lengths, decay, "turns"))


WALKS = st.lists(
    st.lists(st.tuples(NUMBER, st.integers(1, 3), st.sampled_from(["a", "b", None])), min_size=1, max_size=5),
    min_size=1,
    max_size=8,
).map(
    lambda rows: [
        Walk(at % 2, *map(tuple, zip(*row, strict=True)))
        for at, row in enumerate(rows)  # type: ignore[arg-type]
    ]
)


@given(WALKS, SHARE)
def test_a_value_is_what_the_others_found_and_never_hears_of_its_own(walks: list[Walk], gamma: float) -> None:
    values = grouped(walks, gamma)
    for place, walk in enumerate(walks):
        changed = [*walks]
        changed[place] = Walk(walk.group, tuple(r + 1 for r in walk.rewards), walk.lengths, walk.keys)
        again = grouped(changed, gamma)
        if len(set(walk.keys) - {None}) == sum(key is not None for key in walk.keys):  # it comes to no place twice
            assert again[place] == pytest.approx(values[place], abs=1e-9)


def test_values_by_hand() -> None:
    one, two, three = (
        Walk(0, (0.0, reward), (1, 1), ("start", key)) for reward, key in ((1.0, "won"), (1.0, "won"), (0.0, "lost"))
    )
    values = grouped([one, two, three], 1.0)
    # Of `one`: the others began with returns 1 and 0, and so did all others of that turn; at `won` stood one other.
    assert values[0] == pytest.approx([(1 + 0 + 0.5) / 3, (1 + 0.5) / 2])
    assert values[2] == pytest.approx([1.0, 1.0])  # nobody else was lost: the turn's mean alone
    assert grouped([one, two, three], 1.0, [[0.0, 0.0]] * 3)[0] == pytest.approx([1 / 3, 1 / 2])
    assert grouped([Walk(0, (1.0,), (1,), (None,))], 1.0) == [[0.0]]


def test_uniform_credit_is_the_return_less_that_of_those_that_began_alike() -> None:
    walks = [
        Walk(group, (0.0, reward), (2, 1), ("x", "y")) for group, reward in ((0, 1.0), (0, 0.0), (1, 1.0), (1, 1.0))
    ]
    assert credit(walks, "uniform", gamma=1.0, decay=0.9) == [[0.5] * 3, [-0.5] * 3, [0.0] * 3, [0.0] * 3]


def test_only_the_turn_that_decides_is_credited_where_places_have_names() -> None:
    """The key turn in small: of three turns the second decides, and everything else is chance."""
    walks = [
        Walk(0, (0.0, 0.0, float(at % 2)), (1, 1, 1), ("start", "before", "right" if at % 2 else "wrong"))
        for at in range(40)
    ]
    values = grouped(walks, 1.0)
    for walk, (first, second, last) in zip(
        walks, credit(walks, "turns", gamma=1.0, decay=0.0, values=values), strict=True
    ):
        assert abs(first) < 0.02
        assert second == pytest.approx(walk.rewards[-1] - 0.5, abs=0.05)
        assert abs(last) < 0.05


@given(st.lists(st.tuples(st.sampled_from("abc"), NUMBER), min_size=1, max_size=40), st.integers(1, 8))
@settings(deadline=None)
def test_what_a_place_was_worth_is_remembered_by_so_many_voices(seen: list[tuple[str, float]], most: int) -> None:
    known: dict[str, list[float]] = {}
    for name, value in seen:
        known = remembered([Walk(0, (value,), (1,), (name,)), Walk(0, (9.0,), (1,), (None,))], 1.0, known, most)
    assert list(known) == list(dict.fromkeys(name for name, _ in reversed(seen)))[::-1]
    for name, (worth, voices) in known.items():
        found = [value for other, value in seen if other == name]
        assert voices == min(most, len(found))
        assert min(found) - 1e-9 <= worth <= max(found) + 1e-9
        if len(found) <= most:
            assert worth == pytest.approx(sum(found) / len(found))


def test_a_place_that_is_known_needs_no_others_to_be_worth_something() -> None:
    walks = [Walk(0, (1.0,), (1,), ("taken",)), Walk(0, (0.0,), (1,), ("missed",))]
    assert grouped(walks, 1.0) == [[0.0], [1.0]]  # alone in a place: what the other found, of all things
    assert grouped(walks, 1.0, known={"taken": (1.0, 16.0), "missed": (0.0, 16.0)}) == [[1.0], [0.0]]
