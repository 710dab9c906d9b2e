"""Every width: side by side or stacked, with the list or without, and never a crash."""

from __future__ import annotations

import pytest
from tui.seats import seat

from mrclassic.home import Home
from mrclassic.store import Store
from mrclassic.tui.widgets.candidate_card import CandidateCard
from mrclassic.tui.widgets.history import MOUNTED


async def test_cards_stand_side_by_side_and_are_stacked_when_it_gets_narrow(baby_home: Home) -> None:
    async with seat(baby_home, size=(160, 40)) as here:
        await here.ask("hello")
        cards = list(here.screen.query(CandidateCard))
        await here.until(lambda: len({card.region.y for card in cards}) == 1, "cards side by side")
        assert len({card.region.height for card in cards}) == 1
        await here.pilot.resize_terminal(60, 24)
        await here.until(lambda: len({card.region.x for card in cards}) == 1, "stacked cards")
        await here.pilot.press("2")
        assert len(here.texts) == 2


@pytest.mark.parametrize("size", [(40, 15), (60, 24), (20, 6), (200, 60)])
async def test_no_size_is_too_small(baby_home: Home, size: tuple[int, int]) -> None:
    async with seat(baby_home, size=size) as here:
        await here.ask("hello")
        await here.pilot.press("f1", "escape", "right", "2")
        assert len(here.texts) == 2
        await here.idle()


async def test_the_list_hides_below_80_columns_and_comes_with_f2(home: Home) -> None:
    async with seat(home, size=(79, 30)) as here:
        shelf = here.screen.side
        assert not shelf.display
        await here.pilot.press("f2")
        assert shelf.display
        assert here.screen.focused is here.screen.shelf
        await here.pilot.press("f2")
        assert not shelf.display
        assert here.screen.focused is here.box
        await here.pilot.press("f2")
        await here.pilot.resize_terminal(120, 30)
        await here.until(lambda: shelf.display, "the list")


async def test_only_the_last_messages_are_mounted_and_home_brings_earlier_ones(home: Home) -> None:
    with Store.open(home) as store:
        conversation, parent = store.conversations.create("long").id, None
        for number in range(50):
            role = "assistant" if number % 2 else "user"
            parent = store.conversations.add(conversation, parent, role, f"message {number}").id
    async with seat(home) as here:
        assert here.texts[-1] == "message 49"
        assert len(here.texts) == MOUNTED
        await here.until(lambda: here.history.scroll_y > 0, "the end of the history")
        await here.pilot.press("escape", "home", "home")
        await here.until(lambda: len(here.texts) == 2 * MOUNTED, "earlier messages")
        assert here.texts[0] == "message 10"


async def test_both_own_themes(home: Home) -> None:
    async with seat(home) as here:
        assert here.app.theme == "classic-dark"
        await here.pilot.press("f9")
        assert here.app.theme == "classic-light"
    async with seat(home, ui={"theme": "no-such"}) as here:
        assert "no-such" in here.toasts
        assert here.app.theme == "classic-dark"


@pytest.mark.parametrize("width", [30, 60, 80, 120])
async def test_the_help_key_is_named_at_any_width(home: Home, width: int) -> None:
    async with seat(home, size=(width, 24)) as here:
        line = str(here.screen.hints.content)
        assert line.startswith("Enter send")
        assert "F1 help" in line
        assert "F10 quit" in line
