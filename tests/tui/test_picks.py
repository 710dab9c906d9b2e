"""The page of the picks: queues, sheets, second thoughts; and a rating from the chat."""

from __future__ import annotations

import pytest
from textual.widgets import OptionList, Static
from tui.seats import Seat, seat

from mrclassic import book
from mrclassic.home import Home
from mrclassic.store import NewCandidate, Store, curation
from mrclassic.tui.screens.picks import Picks

ANSWERS = ("Yes.", "No, never.", "That depends on the tides.")


def ask(store: Store, question: str, conversation: int | None = None) -> int:
    """A question with three candidates, shown in the opposite order of their slots; its id."""
    conversation = conversation or store.conversations.create(question).id
    leaf = store.conversations.leaf(conversation)
    prompt = store.conversations.add(conversation, leaf.id if leaf else None, "user", question).id
    store.candidates.add_draw(
        prompt,
        [
            NewCandidate(
                slot=slot,
                shown=len(ANSWERS) - slot,
                text=text,
                tokens=2,
                logprob=-1.0,
                finish_reason="stop",
                seed=0,
                temperature=0.7,
                top_p=1.0,
                checkpoint="c1",
            )
            for slot, text in enumerate(ANSWERS)
        ],
    )
    return prompt


def furnish(home: Home) -> dict[str, int]:
    """One question in each queue, and a second that is done, in a conversation that went on; their ids."""
    with Store.open(home) as store:
        asked = {name: ask(store, f"Is this {name}?") for name in ("pending", "draft", "done", "skipped")}
        curation.flag(store, asked["draft"])
        curation.skip(store, asked["skipped"])
        first = store.candidates.for_prompt(asked["done"])[0]
        curation.take(store, home, asked["done"], first.text, "candidate", first.id)
        then = ask(store, "And this?", store.conversations.message(asked["done"]).conversation)
        curation.take(store, home, then, "Mine.", "typed")
        return asked | {"then": then}


async def page(here: Seat, question: str) -> Picks:
    """The page, once this question is on it."""

    def there() -> bool:
        screen = here.app.screen
        return isinstance(screen, Picks) and screen.sheet is not None and screen.sheet.question == question

    await here.until(there, question)
    screen = here.app.screen
    assert isinstance(screen, Picks)
    return screen


async def queue(here: Seat, name: str, rows: int) -> None:
    def there() -> bool:
        screen = here.app.screen
        shelf = screen.shelf if isinstance(screen, Picks) else None
        return shelf is not None and shelf.queue == name and len(shelf.rows) == rows

    await here.until(there, f"{rows} in {name}")


def replied(here: Seat, prompt: int, text: str) -> bool:
    """Whether this reply stands, as another program sees it."""
    with Store.open(here.home) as store:
        pick = store.picks.standing(prompt)
        return pick is not None and pick.text == text


def text_of(screen: Picks) -> str:
    return "\n".join(str(each.render()) for each in screen.query("#picks--page Static").results(Static))


@pytest.mark.parametrize("size", [(60, 24), (200, 50)])
async def test_queues_and_sheets_at_any_width(home: Home, size: tuple[int, int]) -> None:
    asked = furnish(home)
    async with seat(home, size=size) as here:
        await here.pilot.press("f4")
        screen = await page(here, "And this?")
        assert "in your words" in text_of(screen)
        assert "Mine." in text_of(screen)
        await here.pilot.press("down")
        screen = await page(here, "Is this done?")
        assert screen.sheet is not None
        assert [each.shown for each in screen.sheet.candidates if each.chosen] == [1]
        assert f"pick {screen.sheet.pick}" in text_of(screen)
        for key, name, question in (("left", "draft", "draft"), ("left", "pending", "pending")):
            await here.pilot.press(key)
            await queue(here, name, 1)
            await page(here, f"Is this {question}?")
        await here.pilot.press("left")
        await queue(here, "discarded", 1)
        screen = await page(here, "Is this skipped?")
        assert screen.sheet is not None
        assert screen.sheet.prompt == asked["skipped"]
        for line in ("#picks--tabs", "#hints", "#picks--why"):
            shown = screen.query_one(line, Static)
            assert shown.region.right <= size[0]
            assert str(shown.render()).strip()
        assert "Your taste was not learned yet" in str(screen.query_one("#picks--why", Static).render())
        await here.pilot.press("escape")
        assert here.app.screen is here.screen


async def test_second_thoughts_are_stored_and_the_conversation_stays_as_it_went(home: Home) -> None:
    asked = furnish(home)
    async with seat(home) as here:
        await here.pilot.press("f4")
        await page(here, "And this?")
        await here.pilot.press("down")
        await page(here, "Is this done?")
        await here.pilot.press("3")
        await queue(here, "done", 2)
        await here.until(lambda: replied(here, asked["done"], ANSWERS[0]), "the third answer")
        await page(here, "Is this done?")
        await here.pilot.press("f", "escape")
        await here.idle()
        await here.pilot.press("f2", "down", "up", "enter")
        await here.until(lambda: here.texts[-1:] == ["Mine."], "the conversation")
        await here.pilot.press("f8")
        await here.until(lambda: "The flag is taken down" in here.toasts, "the flag")
        await here.idle()
        assert here.texts[-1] == "Mine.", "a flag on an answered question takes nothing out of the chat"
    with Store.open(home) as store:
        pick = store.picks.standing(asked["done"])
        assert pick is not None
        assert (pick.kind, pick.message) == ("candidate", None)
        assert [message.content for message in store.conversations.path(asked["then"])][1] == ANSWERS[2]
    assert ANSWERS[0] in [entry.reply for entry in book.load(home.book)]


async def test_words_of_ones_own_and_an_edit(home: Home) -> None:
    asked = furnish(home)
    async with seat(home) as here:
        await here.pilot.press("f4")
        await page(here, "And this?")
        await here.pilot.press("down")
        screen = await page(here, "Is this done?")
        await here.pilot.press("e")
        assert screen.box.text == ANSWERS[2]
        await here.type("2q")
        await here.pilot.press("enter")
        await here.until(lambda: replied(here, asked["done"], ANSWERS[2] + "2q"), "the edit")
        await queue(here, "done", 2)
        await page(here, "Is this done?")
        await here.pilot.press("t", "escape")
        assert not screen.box.display
        assert here.app.screen is screen
        await here.pilot.press("t")
        await here.type("mine")
        await here.pilot.press("enter")
        await here.until(lambda: replied(here, asked["done"], "mine"), "own words")
        await page(here, "Is this done?")
        await here.until(lambda: "chosen before" in text_of(screen), "the former replies")
    with Store.open(home) as store:
        assert [pick.kind for pick in store.picks.written(asked["done"])] == ["candidate", "edited", "typed"]


async def test_discarding_and_bringing_back_pending_draft_and_done(home: Home) -> None:
    asked = furnish(home)
    async with seat(home) as here:
        await here.pilot.press("f4")
        await page(here, "And this?")
        await here.pilot.press("d")
        await queue(here, "done", 1)
        await page(here, "Is this done?")
        await here.pilot.press("f")
        await queue(here, "done", 0)
        assert "Nothing is picked yet" in str(here.app.screen.query_one(".picks--empty", Static).render())
        await here.pilot.press("right")
        await queue(here, "discarded", 2)
        await page(here, "And this?")
        await here.pilot.press("b")
        await queue(here, "discarded", 1)
        await page(here, "Is this skipped?")
        await here.pilot.press("b")
        await queue(here, "discarded", 0)
        await here.pilot.press("left", "left")
        await queue(here, "draft", 2)
        await page(here, "Is this done?")
        await here.pilot.press("b")
        await queue(here, "draft", 1)
        await page(here, "Is this draft?")
        await here.pilot.press("d")
        await queue(here, "draft", 0)
        await here.pilot.press("left")
        await queue(here, "pending", 2)
        shown = here.app.screen.query_one("#picks--tabs", Static)
        assert "Pending 2   Draft 0   Done 2   Discarded 1" in str(shown.render())
    with Store.open(home) as store:
        assert [each.prompt for each in store.queues.list("discarded")] == [asked["draft"]]
        assert [entry.reply for entry in book.load(home.book)] == [ANSWERS[2], "Mine."]


async def test_a_pick_for_what_waits_is_seen_in_the_chat_and_any_turn_can_be_gone_on_from(home: Home) -> None:
    asked = furnish(home)
    async with seat(home) as here:
        await here.pilot.press("f4")
        await page(here, "And this?")
        await here.pilot.press("down")
        await page(here, "Is this done?")
        await here.pilot.press("o")
        await here.until(lambda: here.app.screen is here.screen and len(here.texts) == 2, "the branch")
        assert here.texts == ["Is this done?", ANSWERS[2]]
        here.box.put("another way")
        await here.pilot.press("enter")
        await here.until(lambda: here.screen.desk.leaf not in (None, asked["then"]) and here.candidates.draw, "sent")
        await here.idle()
        with Store.open(home) as store:
            (message,) = (hit.message for hit in store.conversations.search("another"))
            assert [each.content for each in store.conversations.path(message)][:-1] == ["Is this done?", ANSWERS[2]]
        await here.pilot.press("f4")
        await page(here, "And this?")
        await here.pilot.press("left", "left")
        await queue(here, "pending", 1)
        await page(here, "Is this pending?")
        await here.pilot.press("1")
        await queue(here, "pending", 0)
        await here.pilot.press("escape")
        await here.idle()
        with Store.open(home) as store:
            assert [each.content for each in store.conversations.replies(asked["pending"])] == [ANSWERS[2]]


async def test_a_conversation_is_rated_from_the_chat(home: Home) -> None:
    asked = furnish(home)
    with Store.open(home) as store:
        conversation = store.conversations.message(asked["done"]).conversation
        store.conversations.set_draft(conversation, "")
    async with seat(home) as here:
        await here.pilot.press("ctrl+r")
        await here.until(lambda: here.app.screen.query("#rating"), "the question")
        await here.pilot.press("4")
        await here.until(lambda: "Rated ★★★★☆" in here.toasts, "the rating")
        await here.pilot.press("ctrl+r")
        await here.until(lambda: here.app.screen.query("#rating"), "the question again")
        await here.pilot.press("escape")
        await here.pilot.press("f3")
        await here.idle()
        await here.pilot.press("ctrl+r")
        await here.until(lambda: "no conversation to rate" in here.toasts, "why not")
    with Store.open(home) as store:
        (rating,) = store.ratings.standing()
        assert (rating.conversation, rating.score) == (conversation, 4.0)


async def test_an_empty_home_says_what_will_be_here(home: Home) -> None:
    async with seat(home) as here:
        await here.pilot.press("f4")
        await queue(here, "done", 0)
        await here.until(lambda: here.app.screen.query(".picks--empty"), "the sentence")
        await here.pilot.press("3", "e", "t", "d", "b", "f", "o", "f4")
        assert here.app.screen is here.screen
        assert not here.app.screen_stack[0].query(OptionList).filter("#picks--list")


async def test_taste_is_learned_from_here(home: Home) -> None:
    furnish(home)
    async with seat(home) as here:
        await here.pilot.press("f4", "n")
        await here.until(lambda: "Taste is learned from" in here.toasts, "that there are too few picks")
        assert (home.logs / "taste.log").exists()
