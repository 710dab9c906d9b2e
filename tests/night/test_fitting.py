"""Whether a training fits is said before the weights are read, and the options that make it fit reach every method."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import babies
import pytest
from homes import mrclassic

from mrclassic import settings
from mrclassic.errors import MrClassicError, UsageError
from mrclassic.home import Home
from mrclassic.model.adapters import Lora
from mrclassic.model.manifest import manifest
from mrclassic.night import dialogues, distilling, drill, practice, study
from mrclassic.night.workplace import Workplace
from mrclassic.store import Store
from mrclassic.training import book, fits, rated
from mrclassic.training.fits import Fit


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workplace]:
    home = Home(tmp_path / "home")
    babies.hatch(home)
    chosen = {"training.lora": 4, "training.lora_targets": "q, v", "practice.tasks": "arithmetic:1"}
    own = settings.load(home, {"threads": 1, **chosen})
    with Store.open(home) as store:
        yield Workplace(home, own, store, lambda words: None)


def test_the_settings_say_how_it_is_made_to_fit(work: Workplace) -> None:
    assert work.fit == Fit(Lora(4, ("q", "v")))


def test_a_plan_reads_no_weights(work: Workplace) -> None:
    (work.home.checkpoints / "baby-1" / "model.safetensors").unlink()
    for found in (
        drill.plan(work, drill.Order("grpo")),
        drill.plan(work, drill.Order("selfplay")),
        study.plan(work, study.Order(book.Settings(), fit=work.fit), None),
        dialogues.plan(work, ("keyturn:2",)),
        dialogues.plan(work, order=dialogues.order_of(work, rated.Settings(), None)),
        distilling.plan(work, distilling.Order(("arithmetic:1",), distilling.Source(file="none.jsonl")), None),
    ):
        assert found is not None
        assert found.checkpoint == "baby-1"
        assert found.table.fits
        assert found.facts()["peak"] == found.table.peak
    with pytest.raises(UsageError, match="cannot set itself questions of gsm8k"):
        drill.plan(work, drill.Order("selfplay", ("gsm8k",)))


def test_a_device_too_small_is_told_before_loading(work: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    (work.home.checkpoints / "baby-1" / "model.safetensors").unlink()
    monkeypatch.setattr(fits, "free_memory", lambda device: 100 * 2**20)
    for run in (
        lambda: drill.drill(work, drill.Order("grpo", steps=1)),
        lambda: study.study_book(work),
        lambda: dialogues.converse(work, ("keyturn:2",), steps=1),
    ):
        with pytest.raises(MrClassicError, match=r"needs about \d+\.\d GiB and cpu has 0\.1 GiB free"):
            run()
    assert work.store.runs.list() == []


def test_what_cannot_be_read_is_left_to_whoever_opens_it(work: Workplace) -> None:
    (work.home.checkpoints / "baby-1" / "config.json").write_text("{")
    assert drill.plan(work, drill.Order("grpo")) is None


def test_adapters_are_trained_merged_and_entered(work: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    work.home.book.write_text("> Hello.\nGood day.\n\n> Who are you?\nMr. Classic.\n", encoding="utf-8")
    monkeypatch.setattr(drill, "ITEMS", 8)
    monkeypatch.setattr(practice, "ASIDE", 8)
    order = drill.Order("grpo", steps=2, replay=2, options={"prompts": 2, "group": 2, "max_new": 4, "redraws": 0})
    done = drill.drill(work, order)
    assert done.checkpoint is not None
    entered = work.store.runs.get(done.run).settings
    assert Fit.of(entered["fit"]) == work.fit
    made, parent = (manifest(work.home.checkpoints / name) for name in (done.checkpoint, "baby-1"))
    assert made.parameters == parent.parameters  # merged: nothing of the adapters is left
    assert set(made.files) == set(parent.files)


def test_the_command_line_plans_and_refuses(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    babies.hatch(home)
    code, plan, said = mrclassic(home.root, "train", "grpo", "--lora", "2", "--plan", "--json")
    assert code == 0, said
    assert plan["fits"]
    code, _, said = mrclassic(home.root, "train", "book", "--lora", "2", "--optimizer-state", "8bit", "--plan")
    assert code == 2
    assert "leave out --optimizer-state" in said
