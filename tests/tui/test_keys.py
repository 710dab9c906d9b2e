"""The table of keys: stable ids, the owner's own keys, and what he hears about a mistake in them."""

from __future__ import annotations

import pytest
from textual.widgets import Static
from tui.seats import seat

from mrclassic.errors import UsageError
from mrclassic.home import Home
from mrclassic.tui import keys


def test_ids_are_unique_and_every_place_has_a_title() -> None:
    ids = [key.id for key in keys.KEYS]
    assert len(ids) == len(set(ids))
    assert {key.place for key in keys.KEYS} == set(keys.PLACES)


def test_the_default_keys_do_not_conflict() -> None:
    assert keys.check({}) == []


def test_no_command_has_a_control_key_as_its_only_way() -> None:
    for key in keys.KEYS:
        assert any(not name.startswith("ctrl+") for name in key.keys.split(",")), key.id


def test_an_unknown_id_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"candidates\.redraw"):
        keys.check({"candidates.redra": "x"})


def test_a_conflict_is_said() -> None:
    assert "candidates.edit" in keys.check({"candidates.redraw": "e"})[0]
    assert keys.check({"candidates.redraw": "f7"}) == [
        "The key F7, given to candidates.redraw, does not reach chat.nights there."
    ]
    assert keys.check({"picks.leave": "escape,q"}) == [], "as it is by default"


@pytest.mark.parametrize(("key", "shown"), [("ctrl+j", "Ctrl+J"), ("f10", "F10"), ("question_mark", "?"), ("e", "e")])
def test_shown(key: str, shown: str) -> None:
    assert keys.shown(key) == shown


async def test_help_lists_the_keys_of_the_focus_first_and_closes(home: Home) -> None:
    async with seat(home) as here:
        for key, title in (("f1", "In the answer box"), ("f2", ""), ("f1", "In the list of conversations")):
            await here.pilot.press(key)
            if title:
                assert str(here.app.screen.query(".help--title").first(Static).content) == title
                await here.pilot.press("escape")
        await here.pilot.press("f1")
        assert here.app.screen.query("#help")
        await here.pilot.press("escape")
        assert here.app.screen is here.screen


async def test_a_moved_key_works_and_is_hinted(home: Home) -> None:
    async with seat(home, keys={"app.help": "ctrl+b"}) as here:
        await here.pilot.press("ctrl+b")
        assert here.app.screen.query("#help")
        await here.pilot.press("escape")
        assert "Ctrl+B" in str(here.screen.query_one("#hints").render())


async def test_question_mark_and_q_are_text_in_the_box_and_keys_outside(home: Home) -> None:
    async with seat(home) as here:
        await here.type("q?")
        assert here.box.text == "q?"
        await here.pilot.press("escape", "question_mark")
        assert here.app.screen.query("#help")
        await here.pilot.press("escape", "q")
        await here.until(lambda: not here.app.is_running or here.app._exit, "the end")
        assert here.app.return_value == 0
