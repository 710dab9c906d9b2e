"""The practice page: levels and scores, how the curriculum chooses, plugins and trust, a reply tried."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from drop_ins import approve, write
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.widgets import Input, OptionList, Static, TextArea
from textual_plot import PlotWidget
from tui.seats import Seat, seat

from mrclassic.home import Home
from mrclassic.night.gate import GateVerdict, SuiteVerdict
from mrclassic.store import Checkpoint, Store
from mrclassic.tui import skills, trials
from mrclassic.tui.catalogue import Line, Text
from mrclassic.tui.screens.models import Models
from mrclassic.tui.screens.skills import PARTS, Skills
from mrclassic.tui.trials import Drawn
from mrclassic.tui.widgets.plots import Picture
from mrclassic.tui.widgets.try_part import TryPart

FLAT = 'def flat(completions, **columns):\n    """Half a point."""\n    return [0.5] * len(completions)\n'


@pytest.fixture
def skilled(home: Home, listed: str) -> Home:
    """A home where `task list` is quick, with a model that two nights have trained: one was promoted, one was not."""
    home.tasks.mkdir(exist_ok=True)
    (home.tasks / ".list.json").write_text(listed, encoding="utf-8")
    with Store.open(home) as store:
        fill(store)
    return home


def fill(store: Store) -> None:
    arms = [f"arithmetic:{level}" for level in (1, 2, 3)]
    parent = store.checkpoints.in_use()
    if parent is None:
        parent = store.checkpoints.add(Checkpoint("first", "first", status="promoted"))
        store.checkpoints.use("first")
    store.checkpoints.set_metrics(parent.id, {"arithmetic:1": 1.0, "arithmetic:2": 0.25, "book_recall": 1.0})
    for number, verdict in enumerate(("promote", "keep"), 1):
        night = store.nights.start({})
        run = store.runs.start("grpo", {}, parent.id, night)
        for step in range(1, 31):
            shares = {"arithmetic:1": 0.1, "arithmetic:2": 0.9 - step / 100, "arithmetic:3": step / 100}
            metrics = {"loss": math.nan} | {f"share/{arm}": share for arm, share in shares.items()}
            metrics |= {f"success/{arm}": 0.5 for arm in arms[: 1 + step % 2]} | {f"signal/{arms[0]}": 0.75}
            store.runs.step(run, step, metrics)
        store.runs.finish(run, "done")
        score = 0.25 + number / 10
        suite = SuiteVerdict("arithmetic:2", "target", 800, score, score + 0.1, 0.1, 0.0, 0.2, True, "")
        gate = asdict(GateVerdict("promote" if verdict == "promote" else "keep", (), (suite,)))
        if verdict == "promote":
            store.checkpoints.add(
                Checkpoint("second", parent.path, parent.id, status="promoted", metrics={"arithmetic:2": score + 0.1})
            )
            store.checkpoints.use("second")
        store.nights.finish(night, "done", gate, checkpoint="second" if verdict == "promote" else None)


# What is read of the store


def test_scores_over_time_are_those_of_what_was_in_use(skilled: Home) -> None:
    with Store.open(skilled) as store:
        store.checkpoints.add(Checkpoint("other", "other", "first", metrics={"arithmetic:2": 0.99}))
        found = skills.skills(store)
    assert list(found) == ["arithmetic:1", "arithmetic:2"]
    points = found["arithmetic:2"].points
    assert [(point.checkpoint, round(point.score, 2), point.items) for point in points] == [
        ("first", 0.25, None),
        ("second", 0.45, 800),
        ("", 0.45, 800),  # the night that kept the old one measured it again
    ]
    assert found["arithmetic:1"].score == 1.0
    assert found["arithmetic:2"].drawn


def test_when_a_level_was_last_drawn_is_found_beside_numbers_that_are_none(home: Home) -> None:
    with Store.open(home) as store:
        for arm in ("a:1", "a:2", 'odd "name"'):
            run = store.runs.start("grpo", {})
            store.runs.step(run, 1, {"share/a:1": 1.0, f"share/{arm}": 0.5, f"success/{arm}": math.nan, "x": math.inf})
            store.runs.step(run, 2, {"share/a:1": 1.0, f"share/{arm}": 0.5})
        store.runs.start("lesson", {})
        assert sorted(store.runs.drawn()) == ["a:1", "a:2", 'odd "name"']
        assert sorted(store.runs.drawn(2)) == ['odd "name"'], "of the two newest"


def test_a_curriculum_is_followed_as_it_goes_on(home: Home) -> None:
    with Store.open(home) as store:
        choices = skills.Choices(store)
        assert choices.look() is None
        run = store.runs.start("grpo", {})
        store.runs.step(run, 1, {"share/a:1": 1.0, "share/a:2": 0.0, "success/a:1": 0.98})
        store.runs.start("lesson", {})
        first = choices.look()
        assert first is not None
        assert (first.run, first.step, first.going_on) == (run, 1, True)
        assert [(arm.name, arm.why) for arm in first.arms] == [("a:1", "mastered"), ("a:2", "closed so far")]
        store.runs.step(run, 2, {"share/a:1": 0.3, "share/a:2": 0.7, "success/a:2": 0.5, "signal/a:2": 0.9})
        second = choices.look()
        assert second is not None
        assert [(arm.name, arm.shares) for arm in second.arms] == [("a:2", (0.0, 0.7)), ("a:1", (1.0, 0.3))]
        assert second.arms[0].why == "something to learn, signal 0.90"


# Plain data

SIGNS = st.lists(st.sampled_from("   +-"), max_size=40)


@given(SIGNS, st.integers(0, 5))
def test_a_folded_text_has_every_change_and_counts_the_rest(signs: list[str], around: int) -> None:
    text = Text("p", "s", "changed", tuple(Line(sign, at, f"line {at}") for at, sign in enumerate(signs)))
    folded = text.folded(around)
    assert [line for line in folded if isinstance(line, Line) and line.sign != " "] == [
        line for line in text.lines if line.sign != " "
    ]
    assert sum(1 if isinstance(line, Line) else line for line in folded) == len(signs)
    if not text.changed:
        assert folded == list(text.lines), "what is new to its owner is shown whole"


@settings(max_examples=50)
@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_a_question_that_was_changed_is_no_longer_the_drawn_one(question: str, answer: str, reply: str) -> None:
    last = Drawn("a:1", 7, "What is 1 + 1?", "2", ())
    assert json.loads(trials.case(last, "a:1", last.question, "2", reply)) == {"seed": 7, "reply": reply}
    told = json.loads(trials.case(last, "a:1", f"{question}!", answer, reply))
    assert told["question"] == f"{question}!"
    assert told.get("answer", "") == answer.strip()


# The page


async def practice(here: Seat, *keys: str) -> Skills:
    await here.pilot.press(*(keys or ("alt+t",)))
    await here.until(lambda: isinstance(here.app.screen, Skills), "the practice page")
    screen = here.app.screen
    assert isinstance(screen, Skills)
    return screen


def shown(screen: Skills, name: str) -> str:
    """What a part of the page shows, as text."""
    found = screen.query_one(name, Static)
    return "\n".join(strip.text for strip in (found.render_line(y) for y in range(found.size.height)))


async def test_levels_and_curriculum_at_three_widths(skilled: Home) -> None:
    async with seat(skilled, size=(100, 32)) as here:
        here.box.put("/practice")
        screen = await practice(here, "enter")
        await here.until(lambda: screen.levels.known and screen.levels.chosen == "arithmetic:1", "the levels")
        await here.pilot.press("down")
        await here.until(lambda: screen.query(".plot"), "the curve")
        shelf = screen.levels.query_one(OptionList)
        rows = [str(option.prompt) for option in shelf.options]
        assert rows[0] == "Practised in nights"
        assert "arithmetic:2          45%" in rows[2]
        assert any(row.startswith("gsm8k") and "1 level" in row for row in rows)
        for width, height in ((60, 24), (100, 32), (200, 50)):
            await here.pilot.resize_terminal(width, height)
            await here.pilot.pause()
            await here.pilot.press("1")  # nothing
            page = screen.query_one("#levels--page")
            assert (page.max_scroll_x, shelf.max_scroll_x) == (0, 0)
            assert page.region.right <= width
            facts = shown(screen, "#levels--facts")
            assert "45.0% of 800 items" in facts
            assert "at first   25.0%" in facts
            assert "reward     correct" in facts
            await here.pilot.press("right")
            await here.until(lambda: screen.arms.seen is not None, "the curriculum")
            await here.pilot.pause()
            text = shown(screen, "#curriculum--text")
            assert "night 2, grpo" in text
            assert "something to learn, signal 0.75" in text
            assert text.index("arithmetic:2") < text.index("arithmetic:1"), "the largest share comes first"
            assert all(len(line.rstrip()) <= width - 2 for line in text.splitlines())
            await here.pilot.press("left")
        picture = screen.query_one(Picture)
        plot = picture.query_one(PlotWidget)
        await plot.remove_children()
        plot.on_mount()  # as it comes where a page is left before the plot's parts are there
        plot.margin_left = 3
        picture.show(replace(picture.curve, note="drawn while it is taken down"))
        await here.pilot.press("tab", "pagedown", "tab", "end", "up")
        await here.until(lambda: "no; tasks =" in shown(screen, "#levels--facts"), "a task that is not practised")
        await here.pilot.press("f1")
        await here.until(lambda: here.app.screen.query("#help"), "the help")
        titles = [str(title.content) for title in here.app.screen.query(".help--title").results(Static)]
        assert titles[0] == "On the page of practice"
        await here.pilot.press("escape", "escape")
        assert here.app.screen is here.screen
        here.box.put("/model")
        await here.pilot.press("enter")
        await here.until(lambda: isinstance(here.app.screen, Models), "the models")


async def test_a_changed_plugin_is_read_trusted_and_revoked(home: Home, listed: str) -> None:
    home.tasks.mkdir(exist_ok=True)
    (home.tasks / ".list.json").write_text(listed, encoding="utf-8")
    path = write(home.plugins, "flat", FLAT)
    approve(home, "flat")
    path.write_text(FLAT.replace("[0.5]", "[0.25]"), encoding="utf-8")
    async with seat(home, size=(100, 30)) as here:
        screen = await practice(here)
        await here.pilot.press("left", "left")  # past what is tried, into whose lines the arrows do not go
        await here.until(lambda: screen.plugins.text is not None, "the text")
        assert list(PARTS)[2] == screen.part
        plug = screen.plugins.chosen
        assert plug is not None
        assert (plug.name, plug.state) == ("flat", "changed since")
        await here.pilot.pause()
        text = shown(screen, "#plugins--text")
        assert "-     return [0.5]" in text
        assert "3 +     return [0.25]" in text
        await here.pilot.press("a", "n")
        assert "flat is trusted" not in here.toasts
        await here.pilot.press("a", "y")
        await here.until(lambda: screen.plugins.chosen and screen.plugins.chosen.state == "trusted", "trust")
        with Store.open(home) as store:
            assert [trusted.content for trusted in store.trust.list()] == [path.read_text(encoding="utf-8")]
        await here.pilot.press("a")
        assert "flat is trusted as it is." in here.toasts
        await here.pilot.press("x", "y")
        await here.until(lambda: screen.plugins.chosen and screen.plugins.chosen.state == "untrusted", "the end of it")
        await here.pilot.press("t")
        assert "runs only once you trust it" in here.toasts
        await here.pilot.click("#skills--tabs", offset=(str(screen.tabs.render()).index("Levels"), 0))
        assert screen.part == "levels"
        with Store.open(home) as store:
            assert not store.trust.list()


@pytest.fixture
def answering(baby_home: Home, listed: str) -> Home:
    """A home in which the mind answers."""
    baby_home.tasks.mkdir(exist_ok=True)
    (baby_home.tasks / ".list.json").write_text(listed, encoding="utf-8")
    with Store.open(baby_home) as store:
        used = store.checkpoints.in_use()
        assert used is not None
        store.checkpoints.set_metrics(used.id, {"arithmetic:3": 0.5})
    return baby_home


async def test_a_reply_is_tried(answering: Home) -> None:
    write(answering.plugins, "flat", FLAT)
    approve(answering, "flat")
    async with seat(answering, size=(60, 30)) as here:
        screen = await practice(here)
        trial: TryPart = screen.trial
        await here.until(lambda: screen.levels.chosen == "arithmetic:3", "the level")
        await here.pilot.press("t")
        await here.until(lambda: trial.last is not None, "a question")
        assert trial.last is not None
        question, answer = screen.query_one("#try--question", TextArea), screen.query_one("#try--answer", Input)
        assert (question.text, answer.value) == (trial.last.question, trial.last.answer)
        await here.pilot.press("f6")
        await here.until(lambda: trial.scored is not None, "the score of what he says")
        screen.query_one("#try--rewards", Input).value = "correct, flat=0.5"
        trial.reply.put(f"so {answer.value}.")
        await here.pilot.press("enter")
        await here.until(lambda: trial.scored is not None and trial.scored.verdict == "right", "the score of mine")
        assert trial.scored is not None
        assert [(part.reward, part.counted) for part in trial.scored.parts] == [("correct", 1.0), ("flat", 0.25)]
        assert trial.scored.total == 1.25
        assert trial.reply.text.startswith("so "), "it stays to be changed"
        await here.pilot.pause()
        assert "It says" in shown(screen, "#try--score")
        question.load_text("What is 7 + 5?")
        await here.until(lambda: answer.value == "", "the old answer to go")
        await here.pilot.press("enter")
        await here.until(lambda: trial.scored is not None and trial.scored.answer == "12", "its answer to be computed")
        await here.pilot.press("escape", "escape")
        assert here.app.screen is here.screen


def test_what_stands_in_the_logs_is_the_owners_alone(home: Home) -> None:
    assert Path(home.logs).stat().st_mode & 0o077 == 0
