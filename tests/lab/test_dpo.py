"""Picks of an owner who is known, learned by each loss, in the shortest form."""

from __future__ import annotations

from pathlib import Path

import micro
import nights
import pytest

from mrclassic.choices import Choice
from mrclassic.lab import catalogue, dpo
from mrclassic.lab.experiment import Options
from mrclassic.lab.ground import Ground
from mrclassic.lab.run import carry_out
from mrclassic.lab.wins import WINS
from mrclassic.night.workplace import Workplace
from mrclassic.settings import load
from mrclassic.store import Store
from mrclassic.training.suites import RECALL


def test_each_loss_learns_the_picks_and_the_control_learns_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = nights.hatch(tmp_path / "home", micro.policy(loud=2.0))
    monkeypatch.setattr(dpo, "PICKS", 12)
    with Store.open(home) as store:
        work = Workplace(home, load(home, nights.SETTINGS), store, lambda words: None)
        ground = Ground(work, work.parent().policy, "micro")
        results, found = carry_out(catalogue.get("dpo").load(), ground, Options(minutes=1, items=10, level="brief"))
    assert [result.arm for result in results] == ["sigmoid", "ipo", "length", "thrown"]
    for result in results:
        assert result.trained == 5, "three epochs of 48 pairs, by 32, and no longer"
        assert set(result.before) == {RECALL, WINS}
        assert len(result.after[WINS].scores) == 10
        assert result.curve[0][1]["rewards/margins"] == 0.0, "nothing is preferred before the first update"
        assert result.curve[-1][1]["rewards/margins"] != 0.0
    sigmoid, _, _, control = results
    assert sigmoid.curve[0][1] != control.curve[0][1]
    assert "the owner brief" in ground.remarks[0]
    assert len(found) == 6


def test_picks_by_lot_are_among_the_same_replies() -> None:
    picked = [Choice((("user", f"Question {at}?"),), ("One.", "Two.", "Three.", "Four.", "Five.")) for at in range(200)]
    thrown = dpo.thrown(picked, 1)
    assert [(each.prompt, each.replies) for each in thrown] == [(each.prompt, each.replies) for each in picked]
    often = [sum(each.winner == place for each in thrown) for place in range(5)]
    assert min(often) > 20, often
    assert thrown == dpo.thrown(picked, 1) != dpo.thrown(picked, 2)
