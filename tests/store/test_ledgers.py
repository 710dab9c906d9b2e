"""Requests and tombstones."""

from __future__ import annotations

import pytest

from mrclassic.errors import UsageError
from mrclassic.store import Store


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
