"""Requests, tombstones and ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mrclassic.errors import UsageError
from mrclassic.store import Store

if TYPE_CHECKING:
    from conftest import Talk


def test_a_request_is_pending_until_answered(store: Store) -> None:
    first, second = store.requests.post("night", {"minutes": 5}), store.requests.post("pause")
    assert [(one.id, one.kind, one.payload) for one in store.requests.pending()] == [
        (first, "night", {"minutes": 5}),
        (second, "pause", {}),
    ]
    store.requests.done(first, {"night": 3})
    assert [one.id for one in store.requests.pending()] == [second]
    assert store.requests.get(first).result == {"night": 3}
    with pytest.raises(UsageError, match=r"There is no request 99\."):
        store.requests.get(99)


def test_tombstones_keep_hashes_and_checkpoints(store: Store) -> None:
    store.tombstones.add("entry", "ab12", ["ab12"], ["c1", "c2"])
    (stone,) = store.tombstones.list()
    assert (stone.kind, stone.name, stone.entries, stone.checkpoints) == ("entry", "ab12", ("ab12",), ("c1", "c2"))


def test_ratings_of_whole_conversations(store: Store, talk: Talk) -> None:
    one, other = talk.ask("a").conversation, talk.ask("b").conversation
    store.ratings.add(one, 3)
    store.ratings.add(one, 5)
    store.ratings.add(other, 1)
    assert [rating.score for rating in store.ratings.list(one)] == [5.0, 3.0]
    assert len(store.ratings.list()) == 3
    with pytest.raises(UsageError, match=r"There is no conversation 99\."):
        store.ratings.add(99, 1)
