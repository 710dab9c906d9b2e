"""`train td` in a home: cut off it comes to the same, the gate judges it, and ratings are read from the store."""

from __future__ import annotations

import shutil
from pathlib import Path

import micro
import nights
import pytest

from mrclassic.errors import Refused, UsageError
from mrclassic.home import Home
from mrclassic.night import dialogues, practice
from mrclassic.night.dialogues import Conversed
from mrclassic.night.workplace import Workplace
from mrclassic.settings import load
from mrclassic.store import Store
from mrclassic.training import rated
from mrclassic.training.report import StepReport

GIVEN = {"starts": 2, "group": 2, "max_new": 3}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    nights.small(monkeypatch)
    monkeypatch.setattr(dialogues, "ITEMS", 4)
    monkeypatch.setattr(dialogues, "ASIDE", 2)


@pytest.fixture
def nest(tmp_path: Path) -> Home:
    return nights.hatch(tmp_path / "home", micro.policy(context=256, loud=3.0))


def workplace(home: Home, store: Store) -> Workplace:
    return Workplace(home, load(home, nights.SETTINGS), store, lambda words: None)


def conversed(home: Home, watch=None, **more: object) -> Conversed:  # type: ignore[no-untyped-def]
    with Store.open(home) as store:
        return dialogues.converse(workplace(home, store), ("keyturn:2",), given=GIVEN, watch=watch, **more)  # type: ignore[arg-type]


def interrupting(at: int):  # type: ignore[no-untyped-def]
    seen: list[int] = []

    def watch(report: StepReport) -> None:
        seen.append(report.step)
        if seen.count(at) == 1 and report.step == at:
            raise KeyboardInterrupt

    return watch


def test_cut_off_it_comes_to_the_same_and_the_gate_judges_it(nest: Home, tmp_path: Path) -> None:
    whole = Home(shutil.copytree(nest.root, tmp_path / "whole"))
    straight = conversed(whole, steps=4, seed=3)
    watch = interrupting(3)
    with pytest.raises(KeyboardInterrupt):
        conversed(nest, watch, steps=4, seed=3)
    resumed = conversed(nest, watch, resume=0)
    assert (resumed.steps, resumed.ended) == (4, "done")
    assert resumed.model_sha256 == straight.model_sha256
    assert (resumed.before, resumed.after) == (straight.before, straight.after)
    assert "keyturn:2" in resumed.before
    assert not resumed.promoted, "a model that babbles has gained nothing"
    assert resumed.reasons


def test_what_is_no_dialogue_is_sent_elsewhere_and_the_other_way_round(nest: Home) -> None:
    with Store.open(nest) as store:
        work = workplace(nest, store)
        with pytest.raises(UsageError, match="train grpo --task arithmetic:1"):
            dialogues.converse(work, ("arithmetic:1",), steps=1)
        with pytest.raises(UsageError, match="train td --task twenty:4"):
            practice.subject(work, ("twenty:4",))
        with pytest.raises(UsageError, match="Name the dialogues"):
            dialogues.converse(work, steps=1)


def rate(store: Store, count: int) -> None:
    for at in range(count):
        talk = store.conversations.create(system="Be kind." if at == 0 else "")
        last = None
        for turn in range(2):
            for message in micro.ENTRIES[(at + turn) % 6].messages:
                last = store.conversations.add(talk.id, last, message["role"], message["content"]).id
        store.ratings.add(talk.id, 1)
        store.ratings.add(talk.id, at % 5)


def test_rated_conversations_are_read_from_the_store(nest: Home) -> None:
    with Store.open(nest) as store:
        work, own = workplace(nest, store), rated.Settings(batch=4, seed=2)
        rate(store, 3)
        found = dialogues.conversations(store)
        assert [each.rating for each in found] == [0, 1, 2], "the latest rating counts"
        assert [message["role"] for message in found[0].messages] == ["system", *["user", "assistant"] * 2]
        with pytest.raises(Refused, match="3 rated conversations"):
            dialogues.rate(work, own)
        rate(store, 32)
        watch = interrupting(2)
        with pytest.raises(KeyboardInterrupt):
            dialogues.rate(work, own, steps=3, watch=watch)
    done = conversed(nest, watch, resume=0)
    assert (done.steps, done.ended, done.promoted) == (3, "done", False)
    assert done.checkpoint is not None
    with Store.open(nest) as store:
        work = workplace(nest, store)
        with pytest.raises(KeyboardInterrupt):
            dialogues.rate(work, own, steps=3, watch=interrupting(2))
        rate(store, 1)
        with pytest.raises(Refused, match="begin another run"):
            dialogues.converse(work, resume=0)
