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
    assert keys.check({"picks.leave": "escape,q"}) == [], "as it is by default"


@pytest.mark.parametrize(
    ("key_id", "name", "said"),
    [
        ("candidates.redraw", "f7", "The key F7, given to chat.nights, does not reach candidates.redraw there."),
        ("app.help", "f2", "The key F2 is given to app.help and to chat.conversations; one of them is lost."),
        ("app.help", "f2", "The key F2, given to editor.save, does not reach app.help there."),
        ("app.theme", "f5", "The key F5 is given to app.theme and to chat.wake; one of them is lost."),
        ("chat.nights", "f10", "The key F10 is given to app.quit and to chat.nights; one of them is lost."),
        ("chat.new", "1", "The key 1, given to candidates.pick_1, does not reach chat.new there."),
        ("chat.picks", "up", "The key ↑, given to chat.picks, does not reach candidates.previous there."),
        ("app.theme", "e", "The key e, given to picks.edit, does not reach app.theme there."),
        ("chat.new", "", "mrclassic.toml, [keys]: chat.new has an empty key; nothing is reached by that."),
        ("app.help", "nonsense+key", "there is no key 'nonsense+key'"),
        ("app.help", "ctrl+f99", "there is no key 'ctrl+f99'"),
    ],
)
def test_a_moved_key_is_held_against_every_place(key_id: str, name: str, said: str) -> None:
    assert any(said in sentence for sentence in keys.check({key_id: name}))


@pytest.mark.parametrize("name", ["alt+j", "f13", "ctrl+shift+f5", "shift+up", "ctrl+right_square_bracket"])
def test_a_key_that_is_free_is_taken_without_a_word(name: str) -> None:
    assert keys.check({"chat.book": name, "app.theme": "ctrl+b"}) == []


@pytest.mark.parametrize("name", ["e", "space", "question_mark", "ctrl+b,7"])
def test_a_character_is_not_taken_out_of_what_is_written(name: str) -> None:
    with pytest.raises(UsageError, match=r"chat\.book works while you write"):
        keys.check({"chat.book": name})
    assert keys.check({"nights.newer": "pagedown,space"}) == [], "as it is by default"


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


@pytest.mark.parametrize("opener", ["f1", "f4", "f7", "f12", "ctrl+p"])
async def test_a_second_escape_that_finds_the_page_gone_ends_nothing(home: Home, opener: str) -> None:
    async with seat(home) as here:
        await here.pilot.press(opener)
        page = here.app.screen
        assert page is not here.screen
        page.dismiss()  # both were pressed before the first had closed it
        page.dismiss()
        await here.idle()
        assert here.app.screen is here.screen
        await here.type("still here")
        assert here.box.text == "still here"
