"""A reply scored in the open: the parts are what the sum is made of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic import rewards
from mrclassic.rewards.account import account
from mrclassic.rewards.contract import Weighted
from mrclassic.tasks import arithmetic
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import Item, keyed

ARMS = Arms([(arithmetic, "2")])  # type: ignore[list-item]


def item() -> Item:
    return ARMS.sample("arithmetic:2", keyed("one"))


def shy(completions: list[Any], **columns: Any) -> list[float | None]:
    """Abstains on what is long."""
    return [None if len(each[0]["content"]) > 20 else 0.5 for each in completions]


def broken(completions: list[Any], **columns: Any) -> list[float]:
    raise ValueError("no")


@settings(max_examples=40, deadline=None)
@given(
    st.text(max_size=40) | st.just(""),
    st.lists(st.floats(-2, 2, allow_nan=False), min_size=3, max_size=3),
)
def test_what_is_counted_adds_up_to_the_total(reply: str, weights: list[float]) -> None:
    named = [f"{name}={weight}" for name, weight in zip(("correct", "format", "shy"), weights, strict=True)]
    found = account(ARMS, item(), reply, rewards.select(named, ARMS, {"shy": shy}))
    counted = [part.counted for part in found.parts if part.counted is not None and part.weight]
    assert [part.reward for part in found.parts] == ["correct", "format", "shy"]
    if found.total is not None:
        assert found.total == pytest.approx(sum(counted))
    assert found.parts[0].value == (1.0 if found.verdict == "right" else 0.0)


def test_a_right_reply_and_a_reward_that_fails() -> None:
    asked = item()
    chosen = [*rewards.select(["correct"], ARMS), Weighted("broken", broken, 0.5)]
    found = account(ARMS, asked, asked.trace, chosen)
    assert (found.verdict, found.total) == ("right", 1.0)
    assert [(part.value, part.counted, part.decides) for part in found.parts] == [(1.0, 1.0, True), (None, None, False)]
    assert found.parts[1].fault == "it raised ValueError: no"


def test_a_reward_that_the_item_names_stands_in_the_verifiers_place() -> None:
    asked = Item(item().messages, "", meta={**item().meta, "reward": "shy"})
    chosen = [*rewards.select(["correct"], ARMS), Weighted("shy", shy, named=True)]
    found = account(ARMS, asked, "short", chosen)
    assert found.total == 0.5
    assert [(part.reward, part.counted, part.decides) for part in found.parts] == [
        ("correct", None, False),
        ("shy", 0.5, True),
    ]
