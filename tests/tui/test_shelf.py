"""The list of conversations: searching as it is typed, and what is done to a conversation."""

from __future__ import annotations

import json

import pytest
from tui.seats import Seat, seat

from mrclassic.home import Home
from mrclassic.store import Message, Store, forgetting
from mrclassic.tui.app import ClassicApp


def _talk(store: Store, title: str, *texts: str, system: str = "") -> list[Message]:
    """A conversation in which these were said, in turns."""
    conversation, parent, said = store.conversations.create(title, system).id, None, []
    for place, text in enumerate(texts):
        role, origin = ("assistant", "candidate") if place % 2 else ("user", "user")
        said.append(store.conversations.add(conversation, parent, role, text, origin))
        parent = said[-1].id
    return said


def _titles(here: Seat) -> list[str]:
    return [entry.title for entry in here.screen.shelf._entries]


async def _to_list(here: Seat) -> None:
    await here.until(lambda: _titles(here), "the list")
    here.screen.shelf.focus()
    await here.pilot.pause()


async def test_a_search_follows_the_typing_and_leads_to_the_message(home: Home) -> None:
    with Store.open(home) as store:
        _talk(store, "rain", "what is rain", "Water that travels.", "and snow", "Water that sleeps.")
        _talk(store, "about the sea", "what is salt", "A taste.")
        _talk(store, "last", "hello", "Hello.")
    async with seat(home) as here:
        await _to_list(here)
        await here.pilot.press("slash")
        await here.type("trav")
        await here.until(lambda: _titles(here) == ["rain"], "what was found")
        await here.pilot.press("enter", "enter")
        await here.until(lambda: here.texts[:1] == ["what is rain"], "the conversation")
        await here.until(lambda: here.history.chosen is not None, "the message")
        assert here.history.chosen is not None
        assert here.history.chosen.text == "Water that travels."
        here.screen.action_find()
        here.screen.find.value = "the sea"
        await here.until(lambda: _titles(here) == ["about the sea"], "what was found by its title")
        here.screen.find.value = "nowhere"
        await here.until(lambda: not _titles(here) and here.screen.shelf.option_count == 1, "nothing, said")
        await here.pilot.press("escape")
        await here.until(lambda: len(_titles(here)) == 3, "the whole list again")
        assert here.screen.focused is here.box


async def test_rename_put_away_and_back(home: Home) -> None:
    with Store.open(home) as store:
        _talk(store, "old", "a", "b")
        _talk(store, "other", "c", "d")
    async with seat(home) as here:
        await _to_list(here)
        await here.pilot.press("down", "r")
        await here.until(lambda: here.app.screen is not here.screen, "the line")
        await here.pilot.press("backspace", "backspace", "backspace", "n", "e", "w", "enter")
        await here.until(lambda: "new" in _titles(here), "the new title")
        here.screen.shelf.focus()
        await here.pilot.press("a")
        await here.until(lambda: _titles(here) == ["other"], "one put away")
        here.screen.shelf.focus()
        await here.pilot.press("A")
        await here.until(lambda: _titles(here) == ["new"], "those put away")
        here.screen.shelf.focus()
        await here.pilot.press("a", "A")
        await here.until(lambda: _titles(here) == ["other", "new"], "both again")


async def test_what_came_from_files_lies_apart_until_it_is_gone_on_with(baby_home: Home) -> None:
    with Store.open(baby_home) as store:
        _talk(store, "my own", "a", "b")
        for number in range(3):
            said = [{"role": "user", "content": f"file {number}"}, {"role": "assistant", "content": "herring"}]
            store.conversations.take_in(said, f"{number}")
    async with seat(baby_home) as here:
        await _to_list(here)
        assert _titles(here) == ["my own"]
        apart = here.screen.apart
        assert str(apart.render()).split() == ["i", "3", "imported"]
        await here.pilot.press("i")
        await here.until(lambda: _titles(here) == ["file 2", "file 1", "file 0"], "those from files")
        await here.pilot.click("#apart", offset=(str(apart.render()).index("your own") + 2, 0))
        await here.until(lambda: _titles(here) == ["my own"], "my own again")
        here.screen.action_find("herring")
        await here.until(lambda: len(_titles(here)) == 3, "what was found among those from files")
        await here.pilot.press("enter", "down", "enter")
        await here.until(lambda: here.texts == ["file 1", "herring"], "one of them")
        here.screen.find.value = ""
        here.box.focus()
        await here.ask("and then?")
        await here.until(lambda: _titles(here) == ["file 1", "my own"], "it to be mine")
        assert "2 imported" in str(apart.render())
        here.screen.shelf.focus()
        await here.pilot.press("i", "A")
        await here.until(lambda: here.screen.find.placeholder.startswith("Put away") and not _titles(here), "none")
        await here.until(lambda: here.screen.shelf.option_count == 1, "that to be said")


async def test_a_conversation_that_is_not_listed_is_named_by_its_title(home: Home) -> None:
    with Store.open(home) as store:
        store.conversations.take_in([{"role": "user", "content": "hello"}, {"role": "assistant", "content": "b"}], "1")
        _talk(store, "my own", "a", "b")
    async with seat(home) as here:
        here.screen.action_find("hello")
        await here.until(lambda: _titles(here) == ["hello"], "what was found")
        await here.pilot.press("enter", "enter")
        await here.until(lambda: here.texts == ["hello", "b"], "the conversation")
        here.box.put("/title")
        here.box.focus()
        await here.pilot.press("enter")
        await here.until(lambda: here.box.text == "/title hello", "its title")


async def test_what_is_done_in_a_list_is_done_to_what_it_shows(home: Home) -> None:
    with Store.open(home) as store:
        old = _talk(store, "old", "hi", "Hello.")[0].conversation
        _talk(store, "middle", "hi", "Hello.")
        here_open = _talk(store, "open", "hi", "Hello.")[0].conversation
        store.conversations.archive(old, True)
    async with seat(home) as here:
        await _to_list(here)
        assert _titles(here) == ["open", "middle"]
        await here.pilot.press("down", "A")
        await here.until(lambda: _titles(here) == ["old"], "those put away")
        await here.pilot.press("a")
        await here.until(lambda: "is back in the list" in here.toasts, "that it is done")
        await here.until(lambda: not _titles(here), "none put away")
        await here.pilot.press("a", "d", "r")
        await here.until(lambda: "Choose a conversation in the list first." in here.toasts, "nothing to do it to")
        await here.idle()
        assert here.app.screen is here.screen
    with Store.open(home) as store:
        assert not store.conversations.get(old).archived
        assert not store.conversations.get(here_open).archived


@pytest.mark.parametrize("sure", [True, False])
async def test_a_conversation_is_deleted_only_when_it_is_meant(home: Home, sure: bool) -> None:
    with Store.open(home) as store:
        _talk(store, "kept", "a", "b")
        _talk(store, "open here", "a secret", "d")
    async with seat(home) as here:
        await _to_list(here)
        await here.pilot.press("d")
        await here.until(lambda: here.app.screen is not here.screen, "the question")
        await here.pilot.press("y" if sure else "enter")
        await here.until(lambda: here.texts == (["a", "b"] if sure else ["a secret", "d"]), "what is open then")
        await here.idle()
    with Store.open(home) as store:
        assert len(store.conversations.list()) == (1 if sure else 2)
        assert bool(store.conversations.search("secret")) is not sure


async def test_an_export_is_a_file_in_the_home(home: Home) -> None:
    with Store.open(home) as store:
        said = _talk(store, "Rain / snow", "what is *rain*", "Water.", system="Be brief.")
    async with seat(home) as here:
        await _to_list(here)
        await here.pilot.press("x")
        await here.until(lambda: "Written to" in here.toasts, "the page")
        here.box.put("/export json")
        here.box.focus()
        await here.pilot.press("enter")
        await here.until(lambda: here.toasts.count("Written to") == 2, "the facts")
    page, facts = (home.root / "exports" / f"1-rain-snow.{form}" for form in ("md", "json"))
    assert page.read_text(encoding="utf-8") == (
        "# Rain / snow\n\n## Instructions\n\nBe brief.\n\n## You\n\nwhat is *rain*\n\n## Mr. Classic\n\nWater.\n"
    )
    read = json.loads(facts.read_text(encoding="utf-8"))
    assert (read["title"], read["system"]) == ("Rain / snow", "Be brief.")
    assert [(each["parent"], each["content"]) for each in read["messages"]] == [
        (None, "what is *rain*"),
        (said[0].id, "Water."),
    ]


async def test_a_fork_goes_on_after_an_answer_and_gives_a_question_back(home: Home) -> None:
    with Store.open(home) as store:
        _talk(store, "long", "one", "1", "two", "2", system="Be brief.")
    async with seat(home) as here:
        await here.pilot.press("escape", "up", "up", "up", "f")
        await here.until(lambda: here.texts == ["Be brief.", "one", "1"], "the fork after an answer")
        assert here.box.text == ""
        await here.pilot.press("escape", "up", "up", "f")
        await here.until(lambda: here.box.text == "one", "the question, to be asked anew")
        assert here.texts == ["Be brief."]
    with Store.open(home) as store:
        forks = store.conversations.list()
        assert [talk.title for talk in forks] == ["long (fork) (fork)", "long (fork)", "long"]
        assert [message.content for message in store.conversations.messages(forks[2].id)] == ["one", "1", "two", "2"]


async def test_the_conversation_that_was_open_is_open_again(home: Home) -> None:
    with Store.open(home) as store:
        _talk(store, "older", "about older", "Quite.")
        _talk(store, "newer", "about newer", "Quite.")
    async with seat(home) as here:
        await _to_list(here)
        await here.pilot.press("down", "enter")
        await here.until(lambda: here.texts[:1] == ["about older"], "the older one")
    async with seat(home) as here:
        assert here.texts[:1] == ["about older"]
    with Store.open(home) as store:
        meant = str(store.conversations.list()[1].id)
        forgetting.forget(store, home, forgetting.find(store, home, "conversation", meant))
    async with seat(home) as here:
        assert here.texts[:1] == ["about newer"], "what was open is gone, so the last one"


async def test_instructions_are_told_with_every_question(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        here.box.put("/system Be brief.")
        await here.pilot.press("enter")
        await here.until(lambda: here.texts == ["Be brief."], "the instructions")
        await here.ask("hello")
        draw = here.candidates.draw
        assert draw is not None
        assert here.screen.desk.context(draw.prompt) == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hello"},
        ]
        here.box.put("/system")
        here.box.focus()
        await here.pilot.press("enter")
        await here.until(lambda: here.box.text == "/system Be brief.", "the instructions to be changed")


async def test_copying_goes_through_the_terminal(home: Home) -> None:
    with Store.open(home) as store:
        _talk(store, "x", "question", "A *good* answer.")
    async with seat(home) as here:
        assert isinstance(here.app, ClassicApp)
        await here.pilot.press("escape", "up", "up", "y")
        assert here.app.clipboard == "question"
        here.box.put("/copy")
        here.box.focus()
        await here.pilot.press("enter")
        await here.until(lambda: here.app.clipboard == "A *good* answer.", "the last answer")
