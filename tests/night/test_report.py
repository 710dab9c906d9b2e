"""The night's report: the page an owner reads, and the JSON it is kept as."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrclassic.errors import MrClassicError
from mrclassic.night.choices import choices
from mrclassic.night.gate import SuiteScores, Trial, judge
from mrclassic.night.report import (
    Change,
    NightReport,
    Sample,
    StageReport,
    from_json,
    read,
    to_json,
    to_markdown,
    write,
)
from mrclassic.sparkline import sparkline


def report(promoted: bool = True) -> NightReport:
    known, better = (1.0,) * 400 + (0.0,) * 600, (1.0,) * 470 + (0.0,) * 530
    recall = (1.0,) * 450
    after = recall if promoted else (1.0,) * 420 + (0.0,) * 30
    gate = judge([SuiteScores("arithmetic:2", "target", known, better), SuiteScores("recall", "guard", recall, after)])
    stage = StageReport(
        name="GRPO on arithmetic",
        status="done",
        seconds=1234.5,
        steps=40,
        completions=2560,
        tokens=81_920,
        facts={"reward": 0.61},
        curve=tuple((step, {"reward": 0.3 + step / 100, "kl": 0.001 * step}) for step in range(40)),
        alarms=("step 31: 80% of the groups had no spread; paused.",),
        samples=tuple(Sample(f"{i}+{i}=?", f"It is\n`{2 * i}`", float(i % 2), "exact") for i in range(30)),
    )
    return NightReport(
        night=12,
        started="2026-11-20T04:30:00+00:00",
        finished="2026-11-20T05:29:00+00:00",
        minutes=60,
        device="cpu",
        checkpoint_before="tiny-0001",
        checkpoint_after="tiny-0002" if promoted else "tiny-0001",
        plan=("GRPO: 16 prompts x 16 = 256 completions an update, 40 updates.",),
        stages=(stage,),
        gate=gate,
        suites_before={"recall": 1.0, "phrasings": 0.41},
        suites_after={"recall": 1.0, "phrasings": 0.43},
        forgotten=() if promoted else (Change("hello", "Hello! Tea?", "7"),),
        learned=(Change("what is 12+31?", "42", "43"),),
        promoted=promoted,
        waiting_next="Tonight: 3 new entries of the book, then arithmetic at level 3.",
        best_questions=("17+25=?",),
    )


def test_the_page_of_a_promoted_night() -> None:
    page = to_markdown(report())
    assert page.startswith("# Night 12: a new model is in use\n")
    assert "59 of 60 minutes on cpu" in page
    assert "`tiny-0002` replaces `tiny-0001`" in page
    assert "- arithmetic:2 gained: 40.0% -> 47.0%, +7.0 points" in page
    assert "20.6 minutes, 40 updates, 2,560 completions, 81,920 tokens." in page
    assert "▁" in page
    assert "0.3 -> 0.69" in page
    assert page.count("**0**") + page.count("**1**") == 10
    assert "`12+12=?` -> `` It is / `24` ``" in page
    assert "step 31: 80% of the groups" in page
    assert "- `what is 12+31?`: `42` -> `43`" in page
    assert "| recall | guard | 450 | 1.000 | 1.000 | +0.000 |" in page
    assert "- phrasings: 0.41 -> 0.43" in page
    assert "Tonight: 3 new entries" in page
    assert "- `17+25=?`" in page
    assert ".." not in page


def test_the_page_of_a_refused_night_names_what_was_forgotten() -> None:
    page = to_markdown(report(promoted=False))
    assert page.startswith("# Night 12: the model in use stays\n")
    assert "recall may have lost more than 3 points: 100.0% -> 93.3%" in page
    assert "Forgotten (1):" in page
    assert "- `hello`: `Hello! Tea?` -> `7`" in page
    assert "the model in use knows what it knew" in page
    assert "**refused**" in page


def test_the_page_calls_refused_what_refused_the_night_and_nothing_else() -> None:
    """A watched suite that did not change refuses nothing; a target that got worse does, as does one that is held."""
    same, third, most = (1.0,) * 300, (1.0,) * 100 + (0.0,) * 200, (1.0,) * 200 + (0.0,) * 100
    swapped = most[::-1][:297] + (0.0,) * 3
    gate = judge(
        [
            SuiteScores("watched", "watch", same, same),
            SuiteScores("sunk", "watch", most, third),
            SuiteScores("fallen", "target", most, third),
            SuiteScores("risen", "target", third, most),
            SuiteScores("equal", "target", third, third),
            SuiteScores("kept", "target", most, swapped, held=True),
            SuiteScores("guarded", "guard", same, same),
        ]
    )
    page = to_markdown(replace(report(), gate=gate, promoted=False))
    table = dict(re.findall(r"^\| (\w+) \| (?:watch|target|guard) .* \| ([^|]+) \|$", page, flags=re.MULTILINE))
    refused = {name for name, result in table.items() if result == "**refused**"}
    assert refused == {"sunk", "fallen", "kept"} == {suite.name for suite in gate.suites if suite.lost}
    assert (table["watched"], table["guarded"], table["risen"], table["equal"]) == (
        "watched",
        "held",
        "gained",
        "no gain",
    )


def test_the_page_of_a_night_with_nothing_to_do() -> None:
    empty = NightReport(1, "2026-11-20T04:30:00Z", "2026-11-20T04:30:05Z", 60, "cpu", "a", "a")
    page = to_markdown(empty)
    assert "There was nothing to practise." in page
    assert "It was not asked: nothing was trained." in page
    assert "Nothing is waiting." in page


def test_the_page_says_what_it_cost_and_what_comes_tonight() -> None:
    page = to_markdown(replace(report(), price=0.6, tonight=("It practises arithmetic:3 (25%).",)))
    assert "59.0 minutes, 40 updates, 2,560 completions, 81,920 tokens, 0.59 at 0.6 an hour." in page
    assert "- It practises arithmetic:3 (25%)." in page
    assert "an hour" not in to_markdown(report())


def test_the_page_says_which_way_between_parent_and_child_was_judged() -> None:
    night = report()
    assert night.gate is not None
    trials = (Trial(1.0, ("recall may have lost more than 3 points",), 0.07, ("hello",)), Trial(0.7, (), 0.05))
    page = to_markdown(replace(night, gate=replace(night.gate, share=0.7, trials=trials)))
    assert "Judged: the model 70% of the way to what was trained." in page
    assert "- 100% of the way: targets +7.0 points; recall may have lost more than 3 points; forgot `hello`" in page
    assert "- 70% of the way: targets +5.0 points; nothing lost" in page


def test_json_round_trip() -> None:
    for night in (report(), report(promoted=False)):
        assert from_json(json.loads(json.dumps(to_json(night), allow_nan=False))) == night


def test_json_keeps_a_loss_that_became_nan() -> None:
    night = replace(report(), stages=(StageReport("book", "stopped", 3.0, facts={"loss": math.nan, "top": math.inf}),))
    again = from_json(json.loads(json.dumps(to_json(night), allow_nan=False)))
    assert math.isnan(again.stages[0].facts["loss"])
    assert again.stages[0].facts["top"] == math.inf
    assert "loss nan" in to_markdown(again)


texts = st.text(max_size=40)


@given(texts, texts, texts, st.lists(st.floats(), max_size=100))
def test_any_text_makes_a_page_and_survives_json(prompt: str, completion: str, note: str, curve: list[float]) -> None:
    stage = StageReport(
        "book",
        "done",
        1.0,
        curve=tuple((step, {"loss": value}) for step, value in enumerate(curve)),
        samples=(Sample(prompt, completion, None, note),),
    )
    night = replace(report(), stages=(stage,), learned=(Change(prompt, note, completion),))
    page = to_markdown(night)
    # Nothing a model writes can start a heading or a list of its own.
    tame = replace(stage, samples=(Sample("a", "b", 1),))
    expected = to_markdown(replace(night, stages=(tame,), learned=(Change("a", "b", "c"),)))
    assert len(page.splitlines()) == len(expected.splitlines())
    assert [line for line in page.splitlines() if line.startswith("#")] == [
        line for line in expected.splitlines() if line.startswith("#")
    ]
    assert "\x1b" not in page
    again = from_json(json.loads(json.dumps(to_json(night), allow_nan=False)))
    assert again.stages[0].samples == stage.samples


def test_written_and_read_again(tmp_path: Path) -> None:
    page = write(report(), tmp_path / "nights")
    assert page.name == "night-12.md"
    assert sorted(path.name for path in page.parent.iterdir()) == ["night-12.json", "night-12.md"]
    assert read(page) == report()
    assert page.read_text("utf-8") == to_markdown(report())


def test_half_a_character_does_not_lose_the_report(tmp_path: Path) -> None:
    night = replace(report(), waiting_next="\udc80 waits")
    assert read(write(night, tmp_path)) == night


def test_a_report_that_is_gone_or_broken_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MrClassicError, match=r"night-9\.json is gone"):
        read(tmp_path / "night-9.md")
    (tmp_path / "night-9.json").write_text('{"night": "soon"}')
    with pytest.raises(MrClassicError, match=r"night-9\.json cannot be read \(.*\)") as caught:
        read(tmp_path / "night-9.md")
    assert "\n" not in str(caught.value)


def test_sparkline() -> None:
    assert sparkline([]) == ""
    assert sparkline([1.0, 1.0, 1.0]) == "▅▅▅"
    assert sparkline([-1.7e308, 1.7e308]) == "▁█"
    assert sparkline([math.inf, -math.inf] * 40) == "!" * 32
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([0.0, math.nan, 1.0]) == "▁!█"
    assert len(sparkline(list(range(1000)))) == 32
    assert sparkline([math.inf]) == "!"


def test_what_was_chosen_and_why_is_told() -> None:
    steps = [
        (step, {"share/a:1": 0.8 - step / 100, "share/a:2": 0.2 + step / 100, "success/a:1": 0.5 + step / 80})
        for step in range(1, 41)
    ]
    steps[7][1]["success/a:1"] = math.nan  # nobody could tell
    made = choices(steps)
    assert [each.arm for each in made] == ["a:1", "a:2"]
    assert len(made[0].shares) <= 16
    assert made[1].success == ()
    assert choices([(1, {"share/a:1": 1.0})]) == ()
    stage = StageReport("grpo", "done", 1.0, choices=made)
    page = to_markdown(replace(report(), stages=(stage,)))
    assert "What was chosen, and why:" in page
    first, second = (line for line in page.splitlines() if line.startswith("- `a:"))
    assert "78% -> 40% of the questions" in first
    assert first.endswith("answered right: mastered")
    assert second.endswith("never drawn")
    assert from_json(to_json(replace(report(), stages=(stage,)))).stages == (stage,)


def test_what_became_of_its_own_questions_is_told() -> None:
    curve = tuple(
        (step, {"questions/valid": 0.9, "questions/success": 0.2 + step / 10, "questions/skeletons": 0.5})
        for step in range(3)
    )
    page = to_markdown(replace(report(), stages=(StageReport("selfplay", "done", 1.0, curve=curve),)))
    assert "Of its own questions 90% could be read in the end (90% at first)" in page
    assert "answered 40% of them right (20% at first); 50% were of a form of their own." in page
    assert "Of its own questions" not in to_markdown(report())


def test_a_night_that_took_longer_than_it_was_given_says_so() -> None:
    page = to_markdown(replace(report(), minutes=3, worked=8.25))
    assert ": 8 minutes on cpu, more than the 3 that it was given.\n" in page
    assert " of 3 minutes" not in page


def test_what_is_only_watched_is_not_called_refused() -> None:
    few, fewer = (1.0,) * 15 + (0.0,) * 5, (1.0,) * 14 + (0.0,) * 6
    known, better = (0.0,) * 1000, (1.0,) * 900 + (0.0,) * 100
    watched = [SuiteScores("talk", "watch", few, fewer), SuiteScores("rain", "watch", better, known)]
    gate = judge([*watched, SuiteScores("arithmetic:2", "target", known, better)])
    rows = {line.split(" | ")[0]: line for line in to_markdown(replace(report(), gate=gate)).splitlines()}
    assert rows["| talk"].endswith("| watched |")
    assert rows["| rain"].endswith("| **refused** |")


def test_picks_are_told_by_those_held_out_and_early_selfplay_by_what_it_was() -> None:
    curve = ((1, {"rewards/accuracies": 0.3}), (42, {"rewards/accuracies": 1.0}))
    picks = StageReport("dpo", "done", 55.0, steps=42, curve=curve)
    shown = StageReport("selfplay", "done", 57.0, steps=11, curve=((1, {"loss": 1.2}), (11, {"loss": 1.1})))
    held = SuiteScores("held_out_picks", "target", (1.0,) * 6 + (0.0,) * 14, (1.0,) * 10 + (0.0,) * 10)
    night = replace(report(), gate=judge([held]), stages=(picks, shown))
    page = to_markdown(night)
    assert "your pick in 100% by now; of 20 picks that were held out it names 50% (30% before the night)." in page
    assert "All of these updates showed it how questions are asked" in page
    assert "What tells is the picks that were held out." in to_markdown(replace(night, gate=None))


def test_what_the_owner_said_is_called_so_and_a_stage_without_time_is_told() -> None:
    stages = (StageReport("dpo", "done", 4.0, steps=3), StageReport("td", "done", 88.0))
    page = to_markdown(replace(report(), gate=None, stages=stages))
    assert "### your picks (dpo): done\n\n4 seconds, 3 updates." in page
    assert "### your ratings (td): done\n\n88 seconds, the time was over before its first update." in page
    assert "It was not asked.\n" in page
