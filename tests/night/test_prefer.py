"""DPO in a home: measured on picks that were held out, judged by the gate, gone on with after a cut."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import choosers
import nights
import pytest

from mrclassic.errors import Refused
from mrclassic.home import Home
from mrclassic.night import prefer
from mrclassic.night.gate import HELD_OUT
from mrclassic.night.prefer import Preferred
from mrclassic.night.workplace import Workplace
from mrclassic.settings import load
from mrclassic.store import Store
from mrclassic.training.dpo import Settings
from mrclassic.training.report import StepReport

OWN = Settings(learning_rate=1e-2, warmup=2, replay=4, seed=3)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    nights.small(monkeypatch)
    monkeypatch.setattr(prefer, "ITEMS", 6)


def train(home: Home, watch: Callable[[StepReport], None] | None = None, **more: object) -> Preferred:
    with Store.open(home) as store:
        work = Workplace(home, load(home, nights.SETTINGS), store, lambda words: None)
        return prefer.train(work, OWN, watch=watch, **more)  # type: ignore[arg-type]


def test_it_is_judged_by_picks_it_did_not_learn_from_and_cut_off_it_comes_to_the_same(tmp_path: Path) -> None:
    home = nights.hatch(tmp_path / "home")
    picks = choosers.choices(60)
    choosers.pick_all(home, picks)
    vote(home, *(f"Which is better, {at}?" for at in range(10)))
    whole = Home(shutil.copytree(home.root, tmp_path / "whole"))
    straight = train(whole, steps=8)
    held, compared = sum(each.fold == 0 for each in picks), 3  # a fifth, by chance
    assert (straight.held_out, straight.picks) == (held + compared, 70 - held - compared)
    assert straight.pairs == 4 * (60 - held) + 10 - compared, "a vote is a pair"
    assert straight.margin > 0
    assert set(straight.before) == set(straight.after) > {HELD_OUT}
    assert straight.promoted == (straight.checkpoint == in_use(whole))
    seen: list[int] = []

    def interrupt(report: StepReport) -> None:
        seen.append(report.step)
        if report.step == 5 and seen.count(5) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(home, interrupt, steps=8)
    choosers.pick_all(home, choosers.choices(3, seed=8))  # what was said since is for the next run
    vote(home, "Which is better, 1?", "And which of these?", choice="second")
    resumed = train(home, resume=0)
    assert resumed.model_sha256 == straight.model_sha256
    assert (resumed.before[HELD_OUT], resumed.after[HELD_OUT]) == (straight.before[HELD_OUT], straight.after[HELD_OUT])


def vote(home: Home, *prompts: str, choice: Literal["first", "second"] = "first") -> None:
    with Store.open(home) as store:
        for prompt in prompts:
            store.votes.add(prompt, "one", "other", "In short, dull.", "At length, dull.", choice, blind=True)


def in_use(home: Home) -> str:
    with Store.open(home) as store:
        row = store.checkpoints.in_use()
    assert row is not None
    return row.id


def test_too_few_picks_are_refused_in_a_sentence(tmp_path: Path) -> None:
    home = nights.hatch(tmp_path / "home")
    with pytest.raises(Refused, match="nothing could be measured"):
        train(home)
    choosers.pick_all(home, choosers.choices(8))
    with pytest.raises(Refused, match="32 pairs"):
        train(home)
