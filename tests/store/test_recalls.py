"""What a checkpoint knows of the book, entry by entry."""

from __future__ import annotations

from mrclassic.store import Recall, Store
from mrclassic.store.recalls import KEPT


def test_the_last_measurement_of_an_entry_counts(store: Store) -> None:
    store.recalls.keep("c1", [Recall("a", True), Recall("b", False, "something else", 0.25)])
    store.recalls.keep("c1", [Recall("a", False, "forgotten")])
    found = store.recalls.of("c1")
    assert (found["a"].known, found["a"].said, found["a"].chance) == (False, "forgotten", None)
    assert (found["b"].known, found["b"].said, found["b"].chance) == (False, "something else", 0.25)
    assert found["a"].measured >= found["b"].measured > ""
    assert store.recalls.of("c2") == {}


def test_of_old_checkpoints_it_is_not_kept(store: Store) -> None:
    names = [f"c{number}" for number in range(KEPT + 2)]
    for name in names:
        store.recalls.keep(name, [Recall("a", True), Recall("b", True)])
    assert [name for name in names if store.recalls.of(name)] == names[-KEPT:]
