"""Ratings of conversations: the latest counts, as far as the conversation had come, and may be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mrclassic.errors import UsageError
from mrclassic.home import Home
from mrclassic.store import Store, curation

if TYPE_CHECKING:
    from conftest import Talk


def test_the_latest_rating_counts_and_reaches_to_the_last_reply(home: Home, store: Store, talk: Talk) -> None:
    asked = talk.ask("hello")
    curation.take(store, home, asked.id, "hi", "typed")
    store.ratings.add(asked.conversation, 2)
    then = talk.ask("and now?", asked.conversation)
    assert store.ratings.add(asked.conversation, 4).message == store.conversations.replies(asked.id)[0].id
    assert [rating.score for rating in store.ratings.list(asked.conversation)] == [4.0, 2.0]
    (rated,) = store.preferences.rated()
    assert [each["content"] for each in rated.messages] == ["hello", "hi"]
    assert (rated.rating, rated.value, rated.checkpoints) == (4.0, 0.5, (None, None))
    curation.take(store, home, then.id, "now as well", "typed")
    store.ratings.add(asked.conversation, 1)
    (rated,) = store.preferences.rated()
    assert (len(rated.messages), rated.value) == (4, -1.0)


def test_a_rating_is_taken_back_by_nought_and_by_undoing_what_was_rated(home: Home, store: Store, talk: Talk) -> None:
    asked = talk.ask("hello")
    curation.take(store, home, asked.id, "hi", "typed")
    store.ratings.add(asked.conversation, 5)
    assert store.ratings.of(asked.conversation) is not None
    store.ratings.add(asked.conversation, 0)
    assert store.ratings.of(asked.conversation) is None
    store.ratings.add(asked.conversation, 5)
    curation.undo(store, home)
    assert store.ratings.standing() == list(store.preferences.rated()) == []
    assert len(store.ratings.list()) == 3


def test_what_cannot_be_rated_is_one_sentence(home: Home, store: Store, talk: Talk) -> None:
    asked = talk.ask("hello")
    with pytest.raises(UsageError, match="Nothing was answered in conversation 1 yet"):
        store.ratings.add(asked.conversation, 3)
    curation.take(store, home, asked.id, "hi", "typed")
    for score in (-1, 0.5, 6, float("nan")):
        with pytest.raises(UsageError, match="from 1 "):
            store.ratings.add(asked.conversation, score)
    with pytest.raises(UsageError, match=r"There is no conversation 99\."):
        store.ratings.add(99, 1)
