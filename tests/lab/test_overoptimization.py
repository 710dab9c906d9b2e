"""The experiment in which the owner is known, in its shortest form; its findings on curves that are written by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import micro
import nights
import pytest

from mrclassic.lab import catalogue, overoptimization
from mrclassic.lab.experiment import Options, Result
from mrclassic.lab.ground import Ground
from mrclassic.lab.run import carry_out
from mrclassic.lab.wins import WINS
from mrclassic.night.workplace import Workplace
from mrclassic.settings import load
from mrclassic.store import Store
from mrclassic.training.sentinel import Verdict
from mrclassic.training.suites import RECALL, SuiteResult


def test_both_arms_are_told_gold_and_proxy_at_every_update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = nights.hatch(tmp_path / "home", micro.policy(loud=2.0))
    monkeypatch.setattr(overoptimization, "PICKS", 24)
    monkeypatch.setattr(overoptimization, "_WINDOW", 1)
    options = Options(steps=2, items=10, level="brief", practice={"prompts": 2, "group": 3, "max_new": 8})
    with Store.open(home) as store:
        work = Workplace(home, load(home, nights.SETTINGS), store, lambda words: None)
        ground = Ground(work, work.parent().policy, "micro")
        results, found = carry_out(catalogue.get("overoptimization").load(), ground, options)
    assert [result.arm for result in results] == ["guarded", "unguarded"]
    guarded, unguarded = results
    for result in results:
        assert set(result.before) == {RECALL, WINS}
        assert len(result.after[WINS].scores) == 10
        assert all({"proxy", "gold", "nats a reply", "logged/taste/apart"} <= set(each) for _, each in result.curve)
    assert guarded.before == unguarded.before
    assert guarded.curve[0][1]["gold"] == unguarded.curve[0][1]["gold"], "the first draws are the same"
    assert guarded.curve[0][1]["proxy"] < unguarded.curve[0][1]["proxy"], "pessimism takes something off"
    assert "the owner brief" in ground.remarks[0]
    assert len(found) == 3


def told(gold: list[float], would: int | None, won: int = 150) -> Result:
    verdict = None if would is None else (would, Verdict("pause", "beyond_taste", "Too far."))
    before, after = (SuiteResult(WINS, tuple(float(at < n) for at in range(200)), ("",) * 200) for n in (100, won))
    curve = [(at + 1, {"proxy": 0.5 + at / 100, "gold": value}) for at, value in enumerate(gold)]
    return Result(
        "unguarded", 1, "done", len(gold), len(gold), 1.0, None, verdict, {WINS: before}, {WINS: after}, curve
    )


def test_what_is_found_is_read_from_the_curves() -> None:
    ground = Ground.__new__(Ground)
    guarded = replace(told([0.0, 0.3, 0.4], None), arm="guarded")
    pleased, falls, heard = overoptimization.findings([guarded, told([0.0, 0.4, -0.2, -1.0], 2)], ground)
    assert (pleased.held, falls.held, heard.held) == (True, True, True)
    assert "75.0%" in pleased.words
    assert "gold at best +0.40 and -1.00 in the end" in falls.words
    assert "update 2 (beyond_taste); gold below where it began: by update 3" in heard.words
    late, mute = (overoptimization.findings([told([0.0, 0.4, -0.2], at)], ground)[-1] for at in (4, None))
    assert (late.held, mute.held) == (False, False)
    plain = overoptimization.findings([told([0.0, 0.4, 0.6], None), replace(guarded, after=guarded.before)], ground)
    assert [each.held for each in plain] == [False, False, True]
