"""The plan of a night says its arithmetic before anything runs, and keeps; one that does not fit now is put off."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import nights
import pytest

from mrclassic import heartbeat
from mrclassic.errors import Postponed
from mrclassic.night import planning, practice
from mrclassic.night.opinions import Opinions
from mrclassic.night.plan import Plan, PlannedStage
from mrclassic.night.workplace import Workplace
from mrclassic.settings import load
from mrclassic.store import Night, Store
from mrclassic.training import fits
from mrclassic.tui.views import night_words

PLAN = Plan(
    60.0,
    "first",
    3,
    ("arithmetic:1",),
    (
        PlannedStage("book", 40, 64, "3 new among 450 entries, 64 an update", 0.5, 1500.0, epochs=16.0),
        PlannedStage("grpo", 300, 256, "16 questions x 16 answers = 256 completions an update", 6.0, 9000.0),
    ),
    120.0,
    ("cpu has room",),
    price=1.2,
)


def test_the_arithmetic_is_said() -> None:
    text = "\n".join(PLAN.lines())
    assert "16 questions x 16 answers = 256 completions an update, 300 updates, 76,800 in all, 2.7M tokens" in text
    assert "about 30.0 min at 6.00 s an update" in text
    assert "40 updates, 16.0 times the whole book, 2,560 in all, 60k tokens" in text
    assert "Together: 2.8M tokens in about 32.3 min, which costs about 0.65." in text
    assert "costs" not in "\n".join(replace(PLAN, price=0.0).lines())


def test_finding_its_pace_is_part_of_the_time() -> None:
    slow = replace(PLAN, pacing=90.0)
    assert slow.expected == pytest.approx(PLAN.expected + 1.5)
    assert "Measuring before and after: about 2.0 min of 60, and 1.5 to find its pace." in slow.words
    assert "Measuring before and after: about 2.0 min of 60." in PLAN.words


def test_a_pace_is_found_by_fewer_updates_where_they_are_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = nights.hatch(tmp_path / "home")
    beats: list[str] = []
    monkeypatch.setattr(heartbeat, "beat", lambda what="": beats.append(what))
    with Store.open(home) as store:
        work = Workplace(home, load(home, nights.SETTINGS), store, lambda words: None)
        policy, on = work.parent().policy, practice.subject(work)
        recipe = practice.recipe(work, policy.tokenizer, on, seed=1, options={"max_new": 4, "redraws": 0})
        for within, trials in ((0.0, 1), (math.inf, 3)):
            beats.clear()
            pace = practice.pace("grpo", policy, work, on, recipe, {}, work.fit, trials=3, within=within)
            assert beats.count("measuring grpo") == trials
            assert pace.seconds > 0


def test_it_is_read_back_as_it_was_stored() -> None:
    assert Plan.of(json.loads(json.dumps(asdict(PLAN)))) == PLAN


def test_a_night_that_does_not_fit_now_is_put_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = nights.hatch(tmp_path / "home")
    monkeypatch.setattr(fits, "free_memory", lambda device: 50 * 2**20)
    with Store.open(home) as store:
        work = Workplace(home, load(home, nights.SETTINGS), store, lambda words: None)
        with pytest.raises(Postponed, match=r"The night is put off: .* needs about") as error:
            planning.memory(work, Opinions())
    assert error.value.exit_code == 75


@pytest.mark.parametrize(
    ("status", "stage", "practising", "waiting", "words"),
    [
        ("running", "grpo", True, False, "practising: grpo"),
        ("running", "grpo", True, True, "practising: grpo"),
        ("running", "dpo", True, False, "practising: your picks (dpo)"),
        ("running", "grpo", False, False, "the night was cut short"),  # killed: the store does not know yet
        ("interrupted", "gave way", False, False, "the night gave way to you"),
        ("interrupted", "grpo", False, False, "the night was cut short"),
        ("interrupted", "gave way", False, True, "a night waits until you pause"),
        ("done", "gate", False, False, "last night: promote"),
        ("failed", "gate", False, False, "last night failed"),
    ],
)
def test_the_app_says_where_the_night_stands(
    status: str, stage: str, practising: bool, waiting: bool, words: str
) -> None:
    night = Night(1, status, stage, "", None, {}, {"verdict": "promote"}, None, None)
    assert night_words(night, practising=practising, waiting=waiting) == words
