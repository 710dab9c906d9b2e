"""Checkpoints: lineage, what is in use and was before, and the golden one."""

from __future__ import annotations

import pytest

from mrclassic.errors import UsageError
from mrclassic.store import Checkpoint, Store


def test_a_row_comes_back_and_may_be_brought_up_to_date(store: Store) -> None:
    row = Checkpoint("c1", "c1", None, 3, "candidate", "", 12, "ab", {"recall": 0.5})
    added = store.checkpoints.add(row)
    assert added.created
    assert added == Checkpoint("c1", "c1", None, 3, "candidate", added.created, 12, "ab", {"recall": 0.5})
    store.checkpoints.use("c1")
    again = store.checkpoints.add(Checkpoint("c1", "elsewhere", metrics={"recall": 1.0}))
    assert (again.path, again.metrics, again.created) == ("elsewhere", {"recall": 1.0}, added.created)
    assert store.checkpoints.in_use() == again
    store.checkpoints.set_metrics("c1", {})
    store.checkpoints.set_status("c1", "rejected")
    assert store.checkpoints.get("c1").status == "rejected"


def test_the_pointer_and_its_history(store: Store) -> None:
    assert store.checkpoints.in_use() is None
    assert store.checkpoints.golden() is None
    for name in ("a", "b"):
        store.checkpoints.add(Checkpoint(name, name))
        store.checkpoints.use(name)
    store.checkpoints.use("a")
    assert [checkpoint.id for checkpoint in store.checkpoints.uses()] == ["a", "b", "a"]
    in_use = store.checkpoints.in_use()
    assert in_use is not None
    assert in_use.id == "a"
    assert {checkpoint.id for checkpoint in store.checkpoints.list()} == {"a", "b"}


def test_the_golden_one_hands_its_status_on(store: Store) -> None:
    for name in ("a", "b"):
        store.checkpoints.add(Checkpoint(name, name))
        store.checkpoints.set_golden(name)
    golden = store.checkpoints.golden()
    assert golden is not None
    assert (golden.id, golden.status) == ("b", "golden")
    assert store.checkpoints.get("a").status == "promoted"


def test_lineage_goes_as_far_back_as_is_known(store: Store) -> None:
    for name, parent in (("a", "imported"), ("b", "a"), ("c", "b"), ("d", "a")):
        store.checkpoints.add(Checkpoint(name, name, parent=parent))
    assert [checkpoint.id for checkpoint in store.checkpoints.lineage("c")] == ["c", "b", "a"]
    store.checkpoints.add(Checkpoint("a", "a", parent="c"))  # a circle, by mistake, is no endless loop
    assert len(store.checkpoints.lineage("c")) >= 3


def test_an_id_may_be_shortened_but_not_guessed(store: Store) -> None:
    for name in ("abc1", "abd2", "x_y"):
        store.checkpoints.add(Checkpoint(name, name))
    assert store.checkpoints.get("abc").id == "abc1"
    for wrong in ("ab", "zz", "", "%", "x%"):
        with pytest.raises(UsageError, match="mrclassic model list"):
            store.checkpoints.get(wrong)
    with pytest.raises(UsageError, match="There is no checkpoint zz"):
        store.checkpoints.use("zz")
