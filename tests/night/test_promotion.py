"""Who comes into use, and what then counts as known: on a home with a random-weight model."""

from __future__ import annotations

import babies

from mrclassic import book
from mrclassic.book import Entry, Turn
from mrclassic.home import Home
from mrclassic.model.manifest import manifest
from mrclassic.night.judging import NEW, Bench
from mrclassic.night.workplace import Workplace
from mrclassic.settings import Settings
from mrclassic.store import Store
from mrclassic.training.suites import SuiteResult


def workplace(home: Home, store: Store) -> Workplace:
    return Workplace(home, Settings.model_validate({"threads": 1}), store, lambda words: None)


def test_a_promotion_does_not_undo_another(home: Home) -> None:
    babies.hatch(home, "first")
    with Store.open(home) as store:
        work = workplace(home, store)
        judged_against = work.parent()
        child = work.keep(
            judged_against.policy, "night", parent=judged_against.row, run=store.runs.start("night", {}), step=1,
            known=(), metrics={},
        )  # fmt: skip
        babies.hatch(home, "meanwhile", parent="first", seed=1)
        assert not work.use(child, instead_of=judged_against.row)
        in_use = store.checkpoints.in_use()
        assert in_use is not None
        assert in_use.id == "meanwhile"
        assert store.checkpoints.get(child.id).status == "candidate"
        assert work.use(child, instead_of=in_use)


def test_a_new_entry_that_was_not_learnt_goes_on_waiting(home: Home) -> None:
    babies.hatch(home, "first")
    for question, answer in (("One?", "Learnt."), ("Two?", "Not learnt.")):
        book.put(home.book, Entry((Turn(question, answer),)))
    with Store.open(home) as store:
        work = workplace(home, store)
        bench = Bench(work, work.parent(), items=2, rotation=0, practised=False)
        scores = tuple(float(entry.reply == "Learnt.") for entry in bench.fresh)
        after = {NEW: SuiteResult(NEW, scores, tuple(entry.reply for entry in bench.fresh))}
        known = bench.known(after)
        row = work.keep(
            work.parent().policy, "book", parent=None, run=store.runs.start("book", {}), step=1, known=known, metrics={}
        )
        listed = set(manifest(home.checkpoints / row.path).book)
    replies = {entry.hash: entry.reply for entry in book.load(home.book)}
    assert {replies[each] for each in listed} >= {"Learnt."}
    assert "Not learnt." not in {replies[each] for each in listed}


def test_a_golden_checkpoint_that_is_gone_does_not_cost_the_night(home: Home) -> None:
    babies.hatch(home, "golden")
    babies.hatch(home, "present", parent="golden", seed=1)
    said: list[str] = []
    with Store.open(home) as store:
        store.checkpoints.set_golden("golden")
        (home.checkpoints / "golden" / "model.safetensors").unlink()
        work = Workplace(home, Settings.model_validate({"threads": 1}), store, said.append)
        bench = Bench(work, work.parent(), items=2, rotation=0, practised=True)
        learnt = SuiteResult(NEW, (1.0,) * len(bench.fresh), tuple(entry.reply for entry in bench.fresh))
        verdict = bench.judge({**bench.before, NEW: learnt})
    assert verdict.promoted
    assert any("golden" in words for words in said)
