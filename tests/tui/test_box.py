"""The answer box: lines, drafts, long texts."""

from __future__ import annotations

import signal

import pytest
from rich.cells import cell_len
from textual._xterm_parser import XTermParser
from tui.seats import Terminal, seat

from mrclassic.home import Home
from mrclassic.store import Store
from mrclassic.tui.draw import Piece
from mrclassic.tui.terminal import teach_alt_enter
from mrclassic.tui.widgets.candidate_card import _figures, _note


async def test_new_lines_and_growth(home: Home) -> None:
    async with seat(home) as here:
        await here.type("one")
        before = here.box.size.height
        await here.pilot.press("ctrl+j")
        await here.type("two")
        await here.pilot.press("alt+enter")
        assert here.box.text == "one\ntwo\n"
        await here.until(lambda: here.box.size.height == before + 2, "the box to grow")


def test_alt_enter_of_plain_terminals_is_a_new_line() -> None:
    teach_alt_enter()
    events = [event for event in XTermParser().feed("\x1b\r") if hasattr(event, "key")]
    assert [event.key for event in events] == ["ctrl+j"]


async def test_the_draft_is_there_after_leaving(home: Home) -> None:
    async with seat(home) as here:
        await here.type("half a thought")
    async with seat(home) as here:
        await here.until(lambda: here.box.text == "half a thought", "the draft")
        await here.pilot.press("f3")
        assert here.screen.focused is here.box


async def test_a_draft_is_not_left_behind_by_sending(home: Home) -> None:
    async with seat(home) as here:
        await here.type("hello")
        await here.until(lambda: not here.screen.draft_changed, "the draft to be kept")
        await here.pilot.press("enter")
        await here.idle()
    with Store.open(home) as store:
        (conversation,) = store.conversations.list()
        assert (conversation.title, store.conversations.draft(conversation.id)) == ("hello", "")


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_the_draft_survives_a_killed_app(home: Home, sign: signal.Signals) -> None:
    def kept() -> bool:
        with Store.open(home) as store:
            found = store.conversations.list()
            return bool(found) and store.conversations.draft(found[0].id) == "nothing is lost 🎩"

    with Terminal(home) as terminal:
        terminal.until(lambda: terminal.shows("nter sends"))
        terminal.write("nothing is lost 🎩".encode())
        if sign == signal.SIGKILL:
            terminal.until(kept)
        else:
            # Politely asked, it saves before it goes.
            terminal.until(lambda: "lost 🎩".encode() in terminal.seen)
        terminal.child.send_signal(sign)
        terminal.until(lambda: terminal.child.poll() is not None)
        assert terminal.child.returncode == (-sign if sign == signal.SIGKILL else 0)
    assert kept()


async def test_a_hundred_kilobytes_stay_in_the_box_when_they_are_too_long(baby_home: Home) -> None:
    text = "all work and no play " * 5000
    async with seat(baby_home) as here:
        here.box.put(text)
        await here.pilot.press("enter")
        await here.until(lambda: "long" in here.toasts, "the sentence")
        await here.until(lambda: here.box.text == text, "the text back in the box")
        assert here.texts == []
        await here.idle()
    async with seat(baby_home) as here:
        assert here.box.text == text, "the draft after a restart"
        assert here.texts == []
        assert not here.candidates.display, "it is not sent and refused once more"
        here.box.put("")
        await here.ask("in short, dull")
        await here.pilot.press("1", "f8")
        await here.until(lambda: here.candidates.display, "the short message's answers again")
        assert here.texts == ["in short, dull"]


async def test_a_command_behind_a_draft_is_a_command(home: Home) -> None:
    with Store.open(home) as store:
        store.conversations.set_draft(store.conversations.create("x").id, "half a thought")
    async with seat(home, size=(60, 24)) as here:
        assert here.box.text == "half a thought"
        await here.pilot.press("slash")
        await here.type("rate")
        await here.pilot.press("enter")
        await here.until(lambda: here.app.screen is not here.screen or here.toasts, "the rating")
        await here.until(lambda: here.box.text == "half a thought", "the draft")
        assert here.texts == []
        assert cell_len(str(here.box.placeholder)) <= here.box.content_size.width, "all of it can be read"


def test_what_a_card_says_below_five_of_which_stand_on_110_columns() -> None:
    piece = Piece(0, 1, "x", tokens=240, logprob=-748.8, finish_reason="length")
    assert len(f"{_note(piece, None, short=True)}  {_figures(piece)}") <= 110 // 5 - 4
    assert len(f"{_note(piece, 2, short=True)}  {_figures(piece)}") <= 110 // 5 - 4
