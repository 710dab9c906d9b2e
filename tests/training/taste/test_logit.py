"""The model of a choice: its likelihood, its one maximum, and the temperature that tells the truth."""

from __future__ import annotations

import math

import choosers
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.choices import FOLDS, Choice, choice
from mrclassic.training.taste import logit


def some(sizes: list[int], seed: int) -> list[Choice]:
    return [choosers.choices(1, seed=seed * 100 + at, size=size)[0] for at, size in enumerate(sizes)]


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(2, 6), min_size=1, max_size=8), seed=st.integers(0, 50))
def test_the_rectangle_holds_every_reply_once_and_its_losses_are_those_of_a_softmax(
    sizes: list[int], seed: int
) -> None:
    made = some(sizes, seed)
    of = logit.layout(made)
    flat = torch.randn(sum(sizes), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert sorted(of.place[of.there].tolist()) == list(range(sum(sizes)))
    at = 0
    for found, each in zip(logit.losses(logit.spread(flat, of), of), made, strict=True):
        mine = flat[at : at + len(each.replies)]
        at += len(each.replies)
        assert float(found) == pytest.approx(-float(mine.log_softmax(0)[each.winner]))
    means = logit.centred(flat[:, None], of)[:, 0].split(sizes)
    assert all(abs(float(part.sum())) < 1e-9 for part in means)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), ridge=st.floats(0.1, 100))
def test_newton_stands_at_the_maximum_whatever_the_start(seed: int, ridge: float) -> None:
    made = some([2, 3, 5, 5, 4, 2, 5], seed)
    of = logit.layout(made)
    draw = torch.Generator().manual_seed(seed)
    features = torch.randn((sum(len(each.replies) for each in made), 4), generator=draw, dtype=torch.float64)
    weight = torch.rand(len(made), generator=draw, dtype=torch.float64) * 2
    heads = logit.fit(features, of, weight, ridge)
    again = logit.fit(features, of, weight, ridge, torch.randn(4, generator=draw, dtype=torch.float64) * 3)
    torch.testing.assert_close(heads, again, atol=1e-5, rtol=1e-4)
    known = heads.clone().requires_grad_()
    loss = (weight * logit.losses(logit.spread(features @ known, of), of)).sum() + 0.5 * ridge * known @ known
    loss.backward()
    assert float(known.grad.abs().max()) < 1e-5  # type: ignore[union-attr]


def test_two_replies_are_bradley_and_terry() -> None:
    (pair,) = some([2], 3)
    loss = logit.losses(torch.tensor([[1.5, 0.2]], dtype=torch.float64), logit.layout([pair]))
    sign = 1 if pair.winner == 0 else -1
    assert float(loss) == pytest.approx(math.log1p(math.exp(-sign * 1.3)))


def test_temperature_finds_what_the_scores_were_multiplied_by() -> None:
    draw = torch.Generator().manual_seed(4)
    true = torch.randn((4000, 5), generator=draw, dtype=torch.float64)
    winner = torch.multinomial(true.softmax(-1), 1, generator=draw)[:, 0]
    of = logit.Layout(torch.arange(20000).view(4000, 5), torch.ones((4000, 5), dtype=torch.bool), winner)
    assert logit.temperature(3.0 * true, of) == pytest.approx(3.0, rel=0.08)
    assert logit.temperature(0.5 * true, of) == pytest.approx(0.5, rel=0.08)


@settings(max_examples=60, deadline=None)
@given(words=st.text(max_size=12), replies=st.lists(st.text(max_size=5), min_size=1, max_size=6))
def test_a_choice_keeps_its_winner_and_its_part_whatever_the_replies(words: str, replies: list[str]) -> None:
    made = choice([("user", words)], replies[0], replies[1:])
    if len(set(replies)) == 1:
        assert made is None
        return
    assert made is not None
    assert made.replies[made.winner] == replies[0]
    assert set(made.replies) == set(replies)
    other = choice([("user", words)], "another one", ["and one more"])
    assert other is not None
    assert made.fold == other.fold in range(FOLDS)
    assert [chosen for chosen, _ in made.pairs] == [replies[0]] * (len(set(replies)) - 1)
    # Where it stands has nothing to do with its having been preferred.
    swapped = choice([("user", words)], made.pairs[0][1], made.replies)
    assert swapped is not None
    assert swapped.replies == made.replies


def test_what_is_no_choice_is_refused() -> None:
    for replies, winner in ((("a",), 0), (("a", "a"), 0), (("a", "b"), 2)):
        with pytest.raises(ValueError, match="choice"):
            Choice((("user", "x"),), replies, winner)
