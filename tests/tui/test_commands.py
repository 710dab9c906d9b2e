"""Slash commands, their completion, and the palette."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.command import CommandPalette
from tui.seats import Seat, seat

from mrclassic.home import Home
from mrclassic.store import Store
from mrclassic.tui import commands, keys, memory, palette
from mrclassic.tui.commands import BY_NAME, COMMANDS, Entered
from mrclassic.tui.memory import Memory
from mrclassic.tui.palette import Everything
from mrclassic.tui.screens.chat import ChatScreen
from mrclassic.tui.screens.editing import Editing
from mrclassic.tui.screens.picks import Picks


def test_names_are_unique_and_each_command_can_be_carried_out() -> None:
    assert len(BY_NAME) == len(COMMANDS)
    for command in COMMANDS:
        if not command.action:
            assert hasattr(ChatScreen, f"do_{command.name}"), command.name
        else:
            assert not command.argument, f"{command.name} would lose its argument"


@settings(max_examples=50)
@given(st.text() | st.text(alphabet="/thems ny").map("/{}".format))
def test_any_text_is_a_message_a_command_or_a_sentence(text: str) -> None:
    name = text[1:].partition(" ")[0].strip().lower()
    if not text.startswith("/") or text.startswith("//"):
        assert commands.read(text) == (text[1:] if text.startswith("//") else text)
        assert commands.offers(text, {}) == []
    elif name in BY_NAME:
        found = commands.read(text)
        assert isinstance(found, Entered)
        assert found.command.name == name
    else:
        with pytest.raises(LookupError, match="There is no command"):
            commands.read(text)
        assert all(offer.text.startswith(text.lower()) for offer in commands.offers(text, {}))


def test_a_mistyped_command_names_the_nearest() -> None:
    with pytest.raises(LookupError, match="did you mean /theme"):
        commands.read("/them")


def test_arguments_are_offered() -> None:
    assert [offer.text for offer in commands.offers("/export j", {"export": ["markdown", "json"]})] == ["/export json"]
    assert commands.offers("/export json", {"export": ["markdown", "json"]}) == []


async def _enter(here: Seat, text: str) -> None:
    here.box.put(text)
    here.box.focus()
    await here.pilot.press("enter")
    await here.pilot.pause()


async def test_the_box_completes_and_obeys(home: Home) -> None:
    async with seat(home) as here:
        here.box.put("/")
        await here.pilot.pause()
        assert here.screen.offers.display
        await here.pilot.press("escape")
        await here.until(lambda: not here.screen.offers.display, "the offers to go")
        assert here.screen.focused is here.box
        here.box.put("")
        await here.pilot.press("slash", "t", "h", "tab")
        assert here.box.text == "/theme "
        await here.pilot.press("down", "tab", "enter")
        await here.until(lambda: here.app.theme == "classic-light", "the other colours")
        here.screen.do_theme("nope")
        await here.until(lambda: "There is no theme nope; there are classic-dark" in here.toasts, "a word on that")
        assert not here.screen.offers.display
        await here.pilot.press("slash", "h", "e", "enter")
        await here.until(lambda: here.app.screen.query("#help"), "the help, by Enter on what was offered")
        await here.pilot.press("escape")
        await _enter(here, "/nonsense at all")
        assert "There is no command /nonsense" in here.toasts
        assert here.box.text == "/nonsense at all", "nothing is lost"
        await _enter(here, "/new now")
        assert "takes nothing" in here.toasts
        assert here.texts == []
        await _enter(here, "//etc is a folder")
        await here.until(lambda: here.texts == ["/etc is a folder"], "a message that begins with a slash")


async def test_count_and_temperature_hold_for_the_next_draw(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await _enter(here, "/count 3")
        await _enter(here, "/temperature 1.2")
        await _enter(here, "/count ten")
        await _enter(here, "/temperature warm")
        assert "not 'ten'" in here.toasts
        assert "not 'warm'" in here.toasts
        assert here.box.border_subtitle == "3 answers, temperature 1.2"
        await here.ask("hello")
        draw = here.candidates.draw
        assert draw is not None
        assert (len(draw.pieces), draw.temperature) == (3, 1.2)
        await here.pilot.press("plus", "less_than_sign", "less_than_sign")
        assert here.screen.wished == "4 answers, temperature 1"
    async with seat(baby_home) as here:  # the next evening
        assert here.screen.wished == "4 answers, temperature 1"
        assert here.box.border_subtitle == here.screen.wished
        await here.pilot.press("r")
        await here.answered()
        draw = here.candidates.draw
        assert draw is not None
        assert (len(draw.pieces), draw.temperature) == (4, 1.0)
        await _enter(here, "/temperature off")
        assert here.screen.wished == "4 answers, the model's own temperature"
        await _enter(here, "/count off")
        assert here.screen.wish is None
    assert json.loads((baby_home.root / "app.json").read_text())["wish"] is None


async def test_settings_that_were_changed_since_are_the_newer_choice(home: Home) -> None:
    async with seat(home) as here:
        await _enter(here, "/count 3")
    async with seat(home, chat={"candidates": 7}) as here:
        assert here.screen.wished == "7 answers, the model's own temperature"


@pytest.mark.parametrize("count", [0, 10, "3", None])
@pytest.mark.parametrize("temperature", [-0.1, 5.5, float("nan"), "hot", [1]])
def test_a_wish_that_cannot_be_fulfilled_is_forgotten(home: Home, count: object, temperature: object) -> None:
    path = home.root / "app.json"
    for wish in ({"count": count, "temperature": 1.0}, {"count": 3, "temperature": temperature}, [count, temperature]):
        path.write_text(json.dumps({"conversation": 1, "wish": wish}), encoding="utf-8")
        assert memory.load(home) == Memory(1, None)


async def test_one_answer_is_drawn_again_and_the_others_stay(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("hello")
        before = here.candidates.draw
        assert before is not None
        await here.pilot.press("right", "R")
        await here.until(lambda: here.candidates.draw is not before, "another draw")
        await here.answered()
        after = here.candidates.draw
        assert after is not None
        assert [piece.shown for piece in after.by_position] == [1, 2, 3, 4, 5]
        kept = [(piece.text, piece.seed) for piece in before.by_position if piece.shown != 2]
        assert [(piece.text, piece.seed) for piece in after.by_position if piece.shown != 2] == kept
        assert after.by_position[1].seed != before.by_position[1].seed
        assert here.candidates.highlighted == 2
        await here.pilot.press("i")
        assert "tok" in here.screen.query(".card").first().border_subtitle
        await here.pilot.press("1")
        await here.idle()
    with Store.open(baby_home) as store:
        pick = store.picks.history()[0]
        assert pick.candidate == next(piece.id for piece in after.pieces if piece.shown == 1)
        # Stored draws come back in the order shown, and one of them can be drawn again there too.
    async with seat(baby_home) as here:
        await here.pilot.press("f8")
        await here.until(lambda: here.candidates.draw is not None, "the draw")
        stored = here.candidates.draw
        await here.pilot.press("4", "f8")
        await here.until(lambda: here.candidates.draw is not None, "the draw")
        await here.pilot.press("j", "R")
        await here.until(lambda: here.candidates.draw not in (None, stored), "another draw")
        await here.answered()
        assert here.candidates.draw is not None
        assert [piece.slot for piece in here.candidates.draw.pieces] == [piece.slot for piece in after.by_position]


async def test_redo_takes_once_more_what_was_taken_back(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("hello")
        await here.pilot.press("2")
        await here.idle()
        said = here.texts
        await here.pilot.press("f8")
        await here.until(lambda: here.texts == ["hello"], "the pick taken back")
        await here.pilot.press("u")
        await here.until(lambda: here.texts == said, "the pick once more")
        await _enter(here, "/redo")
        await here.until(lambda: "Nothing that was taken back" in here.toasts, "the sentence")
    with Store.open(baby_home) as store:
        assert [pick.kind for pick in store.picks.history()] == ["candidate", "undo", "candidate"]
        last, _, first = store.picks.history()
        assert (last.text, last.candidate) == (first.text, first.candidate)


async def test_the_palette_has_everything_and_runs_it(home: Home) -> None:
    async with seat(home) as here:
        await here.pilot.press("escape")
        rows = list(Everything(here.screen)._rows())
        reached = " ".join(row.reached for row in rows)
        assert all(f"/{command.name}" in reached for command in COMMANDS)
        shown = {row.words for row in rows}
        assert len(shown) == len(rows), "one row for one command"
        commands_of = {command.action.removeprefix("screen.") for command in COMMANDS} | set(BY_NAME)
        wanted = [key for key in keys.KEYS if key.place in ("app", "chat", "list") and palette._command(key)]
        assert {key.help for key in wanted if key.action.removeprefix("screen.") not in commands_of} <= shown
        assert {_help("nights.run"), _help("models.compare"), _help("book.measure"), _help("skills.trust")} <= shown
        assert "F7, then n" in reached
        assert "Draw the highlighted answer again, warmer" not in shown, "no answers wait"
        await here.pilot.press("colon")
        await here.until(lambda: isinstance(here.app.screen, CommandPalette), "the palette")
        await here.type("nights and")
        await here.pilot.pause(0.3)
        await here.pilot.press("enter")
        await here.until(lambda: here.app.screen.query("#nights"), "the nights")
        await here.pilot.press("ctrl+p")
        await here.until(lambda: isinstance(here.app.screen, CommandPalette), "the palette of another page")
        await here.pilot.press("escape")
        await here.until(lambda: here.app.screen.query("#nights"), "the nights again")
        _row(here, _help("book.add")).run()
        await here.until(lambda: isinstance(here.app.screen, Editing), "a new entry, two pages from there")
        _row(here, _help("picks.discard")).run()
        await here.until(lambda: "Choose one with the arrows; then d" in here.toasts, "how it is done there")
        assert isinstance(here.app.screen, Picks)
        _row(here, BY_NAME["temperature"].help).run()
        await here.until(lambda: "temperature" in here.toasts and here.app.screen is here.screen, "the chat")


def _help(key_id: str) -> str:
    return next(key.help for key in keys.KEYS if key.id == key_id)


def _row(here: Seat, words: str) -> palette.Row:
    """What the palette has of these words, where the owner is now."""
    (row,) = (row for row in Everything(here.app.screen)._rows() if row.words == words)
    return row


async def test_the_tour_is_shown_once_and_goes_on_by_what_is_done(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        assert here.screen.tour.step == 0
        await here.ask("hello")
        assert here.screen.tour.step == 1
        await here.pilot.press("1")
        await here.idle()
        assert here.screen.tour.step == 2
        await _enter(here, "/tour next")
        await here.until(lambda: here.screen.tour.step == 3, "the next step")
    async with seat(baby_home) as here:
        assert here.screen.tour.step == 3, "it goes on where it was"
        await _enter(here, "/tour off")
        await here.until(lambda: not here.screen.tour.display, "its end")
    async with seat(baby_home) as here:
        assert here.screen.tour.step is None
        await _enter(here, "/tour")
        await here.until(lambda: here.screen.tour.step == 0, "the tour again, when it is asked for")


async def test_whoever_has_talked_here_before_gets_no_tour(home: Home) -> None:
    with Store.open(home) as store:
        store.conversations.add(store.conversations.create("x").id, None, "user", "hello")
    async with seat(home) as here:
        assert not here.screen.tour.display


async def test_conversations_are_taken_in_from_a_file(home: Home, tmp_path: Path) -> None:
    said = [{"role": "user", "content": "Where from?"}, {"role": "assistant", "content": "From a file."}]
    file = tmp_path / "talks.jsonl"
    file.write_text(json.dumps({"messages": said}) + "\n")
    async with seat(home) as here:
        for path, told in (
            (file, "New are 1 conversation and 0 preferences; 0 were there already."),
            (tmp_path / "none.jsonl", "none.jsonl"),
        ):
            here.box.put(f"/import {path}")
            await here.pilot.press("enter")
            await here.until(lambda told=told: told in here.toasts, told)
        assert "They lie apart from yours" in here.toasts
        await here.until(lambda: "1 imported" in str(here.screen.apart.render()), "the line below the list")
        here.screen.action_imported()
        await here.until(lambda: here.screen.shelf.option_count, "the list")
        assert "Where from?" in str(here.screen.shelf.get_option_at_index(0).prompt)
