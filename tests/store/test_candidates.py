"""Candidates: the last draw in the order shown, and which message waits for a reply."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mrclassic.home import Home
from mrclassic.store import NewCandidate, Store, curation

if TYPE_CHECKING:
    from conftest import Talk

ONE = NewCandidate(
    slot=0, shown=2, text="hi", tokens=2, logprob=-1.5, finish_reason="stop", seed=2**62, temperature=0.7, top_p=0.9,
    checkpoint=None, duplicate=True,
)  # fmt: skip


def test_a_draw_comes_back_as_shown_and_the_last_counts(store: Store, talk: Talk) -> None:
    prompt = talk.ask("hello")
    first = store.candidates.add_draw(prompt.id, [ONE, replace(ONE, slot=1, shown=1, logprob=math.nan)])
    assert [candidate.shown for candidate in first] == [1, 2]
    assert math.isnan(first[0].logprob)
    assert {key: getattr(first[1], key) for key in vars(ONE)} == vars(ONE)
    assert first[1].prompt == prompt.id
    assert store.candidates.get(first[1].id) == first[1]
    again = store.candidates.add_draw(prompt.id, [ONE])
    assert store.candidates.for_prompt(prompt.id) == again
    assert again[0].draw != first[0].draw
    assert store.candidates.get(99) is None


def test_a_draw_is_stored_whole_or_not_at_all(store: Store, talk: Talk) -> None:
    prompt = talk.ask("hello")
    with pytest.raises(Exception, match="UNIQUE"):
        store.candidates.add_draw(prompt.id, [ONE, ONE])
    assert store.candidates.for_prompt(prompt.id) == []


def test_the_last_unanswered_message(home: Home, store: Store, talk: Talk) -> None:
    assert store.candidates.last_unanswered() is None
    first, second, third = talk.ask("one"), talk.ask("two"), talk.ask("three")
    talk.draw(first.id, "a")
    talk.draw(second.id, "b")
    assert store.candidates.last_unanswered() == second.id  # the third has no candidates
    curation.skip(store, second.id)
    assert store.candidates.last_unanswered() == first.id
    curation.undo(store, home)
    assert store.candidates.last_unanswered() == second.id
    curation.take(store, home, second.id, "b", "typed")
    assert store.candidates.last_unanswered() == first.id
    curation.flag(store, first.id)
    assert store.candidates.last_unanswered() == first.id
    store.conversations.archive(first.conversation)
    assert store.candidates.last_unanswered() is None
    assert third.id
