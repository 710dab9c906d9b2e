"""A lesson in a home: learned and in use, or refused and nothing changed."""

from __future__ import annotations

import pupils
import pytest
from homes import mrclassic

from mrclassic import book
from mrclassic.home import Home
from mrclassic.model import checkpoint
from mrclassic.model.manifest import manifest
from mrclassic.night import lesson as lessons
from mrclassic.night.lesson import Taught, lesson
from mrclassic.night.workplace import Workplace
from mrclassic.settings import Settings
from mrclassic.store import Store, learnt
from mrclassic.training import lesson as training
from mrclassic.training.report import StepReport
from mrclassic.training.suites import recall

OWN = {"threads": 1, "lesson": {"batch": 32, "learning_rate": 0.01}}


def give(home: Home, said: list[str] | None = None, **own: object) -> Taught | None:
    settings = Settings.model_validate({**OWN, **own})
    with Store.open(home) as store:
        return lesson(Workplace(home, settings, store, (said if said is not None else []).append))


def in_use(home: Home) -> str:
    with Store.open(home) as store:
        used = store.checkpoints.in_use()
    assert used is not None
    return used.id


def test_what_waits_is_learned_and_in_use(home: Home) -> None:
    pupils.settle(home)
    facts = give(home)
    assert facts is not None
    assert facts.promoted
    assert facts.learned == ("What is my name?", "Where is the tea?")
    assert (facts.new, facts.waiting, facts.forgotten) == (2, 0, ())
    assert facts.recall == {"before": 1.0, "after": 1.0}
    assert facts.drawn["before"] < 0.05 < 0.3 < facts.drawn["after"]
    assert facts.checkpoint == in_use(home)
    path = home.checkpoints / str(facts.checkpoint)
    assert manifest(path).model_sha256 == facts.model_sha256
    assert manifest(path).book == tuple(entry.hash for entry in (*pupils.OLD, *pupils.NEW))
    with Store.open(home) as store:
        work = Workplace(home, Settings.model_validate(OWN), store, lambda words: None)
        known = work.measure(checkpoint.load(path, "cpu"), [recall(pupils.NEW, "new")])
        assert known["new"].score == 1.0, "also where it has to write it"
        row = store.runs.get(facts.run)
        assert (row.kind, row.status, row.checkpoint) == ("lesson", "done", facts.checkpoint)
        assert len(store.runs.steps(facts.run)) == facts.steps
        assert learnt.waiting(store, home) == []
        recalls = store.recalls.of(str(facts.checkpoint))
    assert {entry.hash for entry in (*pupils.OLD, *pupils.NEW)} == set(recalls)
    assert all(each.known and not each.said for each in recalls.values())
    assert give(home) is None


def test_the_book_is_measured_entry_by_entry(home: Home) -> None:
    pupils.settle(home)
    code, facts, _ = mrclassic(home.root, "eval", "--entries", "--json")
    assert code == 0
    known = {row["question"]: row["known"] for row in facts["entries"]}
    assert [known[entry.turns[-1].user] for entry in pupils.NEW] == [False, False]
    assert all(known[entry.turns[-1].user] for entry in pupils.OLD)
    assert facts["known"] == len(pupils.OLD)
    assert all(0 <= row["chance"] <= 1 for row in facts["entries"])
    with Store.open(home) as store:
        kept = store.recalls.of("scholar")
    assert [kept[entry.hash].known for entry in pupils.NEW] == [False, False]
    code, _, narration = mrclassic(home.root, "eval", "--entries", "--suite", "book_recall")
    assert code == 2
    assert "leave out --suite" in narration


def test_a_lesson_that_ruins_the_book_changes_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    pupils.settle(home)
    # Nothing is kept, and so much is moved that it cannot come back.
    monkeypatch.setattr(training, "KEEP", 0.0)
    facts = give(home, lesson={"batch": 32, "learning_rate": 0.2})
    assert facts is not None
    assert not facts.promoted
    assert facts.reasons
    assert (facts.checkpoint, facts.learned, facts.waiting) == (None, (), 2)
    assert in_use(home) == "scholar"
    assert [path.name for path in home.checkpoints.iterdir()] == ["scholar"]


def test_another_that_came_into_use_meanwhile_is_not_undone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    import babies

    pupils.settle(home)
    judge = lessons._Scales.judge

    def meanwhile(self: lessons._Scales, after: dict) -> object:
        babies.hatch(home, "meanwhile", parent="scholar")
        return judge(self, after)

    monkeypatch.setattr(lessons._Scales, "judge", meanwhile)
    facts = give(home)
    assert facts is not None
    assert not facts.promoted
    assert "Another checkpoint came into use" in facts.reasons[0]
    assert in_use(home) == "meanwhile"


def test_more_than_a_lesson_holds_goes_into_the_next(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lessons, "MOST", 1)
    pupils.settle(home)
    first = give(home)
    assert first is not None
    assert (first.new, first.waiting) == (1, 1)
    second = give(home)
    assert second is not None
    assert (second.new, second.waiting) == (1, 0)
    assert second.recall["after"] == 1.0


def test_an_interrupted_lesson_changes_nothing_and_cannot_be_gone_on_with(home: Home) -> None:
    pupils.settle(home)

    def interrupt(report: StepReport) -> None:
        raise KeyboardInterrupt

    said: list[str] = []
    with Store.open(home) as store:
        work = Workplace(home, Settings.model_validate(OWN), store, said.append)
        with pytest.raises(KeyboardInterrupt):
            lesson(work, watch=interrupt)
        assert store.runs.list()[0].status == "interrupted"
    assert said == []
    assert in_use(home) == "scholar"


def test_a_golden_checkpoint_that_is_damaged_costs_no_lesson(home: Home) -> None:
    pupils.settle(home, pupils.NEW[:1])
    with Store.open(home) as store:
        store.checkpoints.set_golden("scholar")
    assert give(home) is not None
    book.put(home.book, pupils.NEW[1])
    (home.checkpoints / "scholar" / "model.safetensors").write_bytes(b"")
    said: list[str] = []
    facts = give(home, said)
    assert facts is not None
    assert facts.promoted
    assert any("golden" in words for words in said)


@pytest.mark.slow
def test_the_command_line(home: Home) -> None:
    pupils.settle(home)
    home.settings_file.write_text("threads = 1\n[lesson]\nbatch = 32\nlearning_rate = 0.01\n")
    code, facts, narration = mrclassic(home.root, "lesson", "--json")
    assert code == 0, narration
    assert facts["promoted"]
    assert facts["checkpoint"] == in_use(home)
    assert len(facts["model_sha256"]) == 64
    code, facts, narration = mrclassic(home.root, "lesson", "--json")
    assert (code, facts) == (0, {"run": None, "new": 0, "waiting": 0})
    assert "Nothing new waits" in narration
