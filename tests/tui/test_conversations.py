"""Several conversations: a new one, the list, going back."""

from __future__ import annotations

import asyncio
import time

from textual.events import Key
from tui.seats import Seat, seat

from mrclassic.home import Home
from mrclassic.store import Store


def _titles(here: Seat) -> list[str]:
    return [entry.title for entry in here.screen.shelf._entries]


async def test_new_conversations_and_the_way_back(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("first of all")
        await here.pilot.press("1", "f3")
        await here.until(lambda: here.texts == [], "an empty conversation")
        await here.ask("something else")
        await here.until(lambda: _titles(here) == ["something else", "first of all"], "the list")
        await here.pilot.press("f2")
        assert here.screen.focused is here.screen.shelf, "where it is shown already, F2 leads there"
        await here.pilot.press("down", "enter")
        await here.until(lambda: here.texts[:1] == ["first of all"], "the first conversation")
        assert len(here.texts) == 2
        assert not here.candidates.display
        here.screen.shelf.focus()
        await here.pilot.press("up", "enter")
        await here.until(lambda: here.texts == ["something else"], "the second conversation")
        assert here.candidates.display, "its answers still wait"


async def test_each_conversation_keeps_its_own_draft(home: Home) -> None:
    with Store.open(home) as store:
        for title in ("older", "newer"):
            conversation = store.conversations.create(title).id
            question = store.conversations.add(conversation, None, "user", f"about {title}")
            store.conversations.add(conversation, question.id, "assistant", "Quite.")
    async with seat(home) as here:
        assert here.texts[0] == "about newer"
        await here.type("to be continued")
        await here.until(lambda: len(_titles(here)) == 2, "the list")
        here.screen.shelf.focus()
        await here.pilot.press("down", "enter")
        await here.until(lambda: here.texts[:1] == ["about older"], "the older one")
        assert here.box.text == ""
        here.screen.shelf.focus()
        await here.pilot.press("up", "enter")
        await here.until(lambda: here.texts[:1] == ["about newer"], "the newer one")
        assert here.box.text == "to be continued"


async def test_an_empty_conversation_is_taken_up_again(home: Home) -> None:
    async with seat(home) as here:
        await here.type("x")
        await here.until(lambda: not here.screen.draft_changed, "the draft to be kept")
        await here.pilot.press("backspace", "f3", "f3")
        await here.idle()
    with Store.open(home) as store:
        assert len(store.conversations.list()) == 1


async def test_what_is_typed_while_another_conversation_opens_goes_there(baby_home: Home) -> None:
    """A disk may be slow, a typist quick."""
    async with seat(baby_home) as here:
        await here.ask("one")
        await here.pilot.press("s")
        await here.idle()
        await here.type("old")
        await here.idle()
        slow = asyncio.ensure_future(here.app.store_thread(time.sleep, 1.0))
        await asyncio.sleep(0.01)
        for key in ("f3", "n", "e", "w"):  # not by the pilot, which waits for all that follows
            here.app.post_message(Key(key, key if len(key) == 1 else None))
            await asyncio.sleep(0.1)
        await slow
        await here.until(lambda: not here.history.bubbles, "the new conversation")
        await here.idle()
        assert here.box.text == "new"
    with Store.open(baby_home) as store:
        assert "old" in [store.conversations.draft(talk.id) for talk in store.conversations.list()]


async def test_conversations_that_are_opened_at_once_come_one_after_the_other(home: Home) -> None:
    with Store.open(home) as store:
        talks = [store.conversations.create(title, "") for title in ("one", "two")]
        for talk in talks:
            store.conversations.add(talk.id, None, "user", f"about {talk.title}", "user")
    async with seat(home) as here:
        await here.idle()
        screen = here.screen
        opened = [screen.switch(lambda at=talk.id: screen.desk.show(at)) for talk in (*talks, *talks)]
        await asyncio.gather(*opened, screen.history.show(()))
        await screen.switch(lambda: screen.desk.show(talks[0].id))
        await here.idle()
        assert screen.conversation == talks[0].id
        assert here.texts == ["about one"]
        assert not screen._switching


async def test_a_new_search_takes_the_place_of_the_one_before(home: Home) -> None:
    async with seat(home) as here:
        await here.pilot.press("f2", "slash", *"bread")
        here.screen.set_focus(here.screen.shelf)
        await here.pilot.press("slash", "t", "e", "a")
        assert here.screen.find.value == "tea"
