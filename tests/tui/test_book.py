"""The page of the book: the list, the search, what is known; retiring; and a measurement by a real model."""

from __future__ import annotations

import json

import babies
import pytest
from textual.widgets import Static
from tui.seats import Seat, seat

from mrclassic import book, retiring
from mrclassic.book import Entry, Turn
from mrclassic.home import Home
from mrclassic.store import Recall, Store, curation
from mrclassic.tui.screens.book import Book
from mrclassic.tui.screens.picks import Picks

ENTRIES = [
    Entry((Turn("Who are you?", "Mr. Classic."),)),
    Entry((Turn("Tea or coffee?", "Tea, though I cannot drink it."),)),
    Entry((Turn("Hello.", "Good day."), Turn("And you?", "Well, thank you."))),
    Entry((Turn("Do you like the sea?", "I have only read of it."),)),
]


def furnish(home: Home) -> Home:
    """A book of four entries and a pick; of the model in use is known that it says one of them, and another it does
    not."""
    book.put_all(home.book, ENTRIES)
    with Store.open(home) as store:
        prompt = store.conversations.add(store.conversations.create("x").id, None, "user", "Picked?").id
        curation.take(store, home, prompt, "Picked.", "typed")
        used = store.checkpoints.in_use()
        assert used is not None
        store.recalls.keep(used.id, [Recall(ENTRIES[0].hash, True, chance=0.999)])
        store.recalls.keep(used.id, [Recall(ENTRIES[1].hash, False, "Coffee.", 0.25)])
    manifest = home.checkpoints / used.path / "mrclassic.json"
    facts = {**json.loads(manifest.read_text()), "book": [entry.hash for entry in ENTRIES[:3]]}
    if manifest.parent.is_symlink():  # to a model that others use too
        manifest.parent.unlink()
        manifest.parent.mkdir()
        facts["files"] = {}
    manifest.write_text(json.dumps(facts))
    return home


async def page(here: Seat, question: str) -> Book:
    """The page, once the entry with this last question is on it."""

    def there() -> bool:
        screen = here.app.screen
        return (
            isinstance(screen, Book)
            and screen.item is not None
            and screen.item.entry.turns[-1].user == question
            and bool(screen.query(".bubble"))
            and question in shown(screen)
        )

    await here.until(there, question)
    screen = here.app.screen
    assert isinstance(screen, Book)
    return screen


def shown(screen: Book) -> str:
    return "\n".join(str(each.render()) for each in screen.query("#book--page Static").results(Static))


def tabs(screen: Book) -> str:
    return " ".join(str(screen.tabs.render()).split())


@pytest.mark.parametrize("width", [60, 200])
async def test_entries_by_what_is_known_of_them_at_any_width(baby_home: Home, width: int) -> None:
    home = furnish(baby_home)
    async with seat(home, size=(width, 30)) as here:
        await here.pilot.press("alt+k")
        screen = await page(here, "Who are you?")
        assert tabs(screen) == "All 5 Known 1 Not known 1 Waiting 2 Retired 0 Picks"
        assert "Known by heart; in a draw all but certain." in shown(screen)
        await here.pilot.press("right", "right")
        await page(here, "Tea or coffee?")
        assert "in a draw 25% likely" in shown(screen)
        assert "Coffee." in shown(screen)
        await here.pilot.press("right")
        await page(here, "Do you like the sea?")
        await here.pilot.press("end")
        await page(here, "Picked?")
        assert "from your picks" in shown(screen)
        await here.pilot.press("right")
        await here.until(lambda: "Nothing is retired" in shown(screen), "an empty list")
        for widget in (screen.tabs, screen.hints, screen.list):
            assert widget.region.right <= width
        await here.pilot.press("escape")
        assert here.app.screen is here.screen


async def test_search_source_and_the_light_stays_where_it_was(baby_home: Home) -> None:
    home = furnish(baby_home)
    async with seat(home) as here:
        await here.pilot.press("alt+k")
        await page(here, "Who are you?")
        await here.pilot.press("slash")
        await here.type("READ sea")
        screen = await page(here, "Do you like the sea?")
        assert len(screen.items) == 1
        await here.pilot.press("enter")
        assert here.app.focused is screen.list
        await here.pilot.press("slash", "escape")
        await here.until(lambda: len(screen.items) == 5, "all of them")
        assert screen.item is not None
        assert screen.item.entry == ENTRIES[3]
        await here.pilot.press("f", "f")
        await page(here, "Picked?")
        assert [item.source for item in screen.items] == ["picked"]
        await here.pilot.press("o")
        await here.until(lambda: here.texts == ["Picked?", "Picked."], "the conversation")


async def test_an_entry_is_retired_and_comes_back(baby_home: Home) -> None:
    home = furnish(baby_home)
    async with seat(home) as here:
        await here.pilot.press("alt+k")
        screen = await page(here, "Who are you?")
        await here.pilot.press("down", "d")
        await here.until(lambda: "Retired 1" in tabs(screen), "it is retired")
        assert ENTRIES[1] not in book.load(home.book)
        await page(here, "Tea or coffee?")
        assert "Retired: taught no longer" in shown(screen)
        await here.pilot.press("e")
        await here.until(lambda: "b brings it back" in here.toasts, "why it is not edited")
        await here.pilot.press("b")
        await here.until(lambda: "Retired 0" in tabs(screen), "it is back")
        assert ENTRIES[1] in book.load(home.book)
        # Another program has changed the book meanwhile.
        await page(here, "Tea or coffee?")
        book.write(home.book, book.without_entry(book.read(home.book), ENTRIES[1])[0])
        await here.pilot.press("d")
        await here.until(lambda: "not there any more" in here.toasts, "it is gone")
        await here.until(lambda: len(screen.items) == 4, "the list without it")
        assert retiring.retired(book.read(home.book)) == []


async def test_by_mouse(baby_home: Home) -> None:
    home = furnish(baby_home)
    async with seat(home) as here:
        await here.pilot.press("f4")
        await here.until(lambda: isinstance(here.app.screen, Picks) and here.app.screen.sheet, "the picks")
        line = str(here.app.screen.query_one("#picks--tabs", Static).render())
        await here.pilot.click("#picks--tabs", offset=(line.index("Book"), 0))
        screen = await page(here, "Who are you?")
        await here.pilot.click("#book--list", offset=(6, 1))
        await page(here, "Tea or coffee?")
        await here.pilot.click("#book--tabs", offset=(str(screen.tabs.render()).index("Waiting"), 0))
        await page(here, "Do you like the sea?")
        await here.pilot.click("#find")
        assert here.app.focused is screen.find
        hints = str(screen.hints.content)
        await here.pilot.click("#hints", offset=(hints.index("retire") + 2, 0))
        await here.until(lambda: "Retired 1" in tabs(screen), "it is retired")
        await here.pilot.press("escape", "f4")
        await here.until(lambda: isinstance(here.app.screen, Picks), "the picks")


async def test_a_key_measures_the_model_in_use(home: Home) -> None:
    babies.hatch(home)
    furnish(home)
    async with seat(home) as here:
        await here.pilot.press("alt+k")
        screen = await page(here, "Who are you?")
        await here.pilot.press("m", "m")
        await here.until(lambda: "measured already" in here.toasts, "not twice")
        await here.until(lambda: "0 of 5 entries are known by heart" in here.toasts, "the measurement")
        await here.until(lambda: "Known 0 Not known 3 Waiting 2" in tabs(screen), "what came of it")
    with Store.open(home) as store:
        found = store.recalls.of("baby-1")
    assert {entry.hash for entry in book.load(home.book)} == set(found)
    assert all(not each.known and each.chance is not None for each in found.values())


async def test_a_page_that_is_left_while_it_is_measured_ends_nothing(home: Home) -> None:
    babies.hatch(home)
    furnish(home)
    async with seat(home) as here:
        await here.pilot.press("alt+k")
        screen = await page(here, "Who are you?")
        await here.pilot.press("m")
        await here.until(lambda: screen.measuring, "the measurement to begin")
        await here.pilot.press("escape")
        await here.until(lambda: here.app.screen is here.screen, "the chat")
        await here.until(lambda: not screen.measuring, "the page to be gone")
        await here.idle()
        assert here.app.is_running


async def test_mistakes_in_the_book_are_told_and_what_can_be_read_is_listed(baby_home: Home) -> None:
    home = furnish(baby_home)
    home.book.write_text(home.book.read_text() + "\n> unanswered\n")
    async with seat(home) as here:
        await here.pilot.press("alt+k")
        screen = await page(here, "Who are you?")
        assert len(screen.items) == 5
        assert "a question without a reply" in str(screen.query_one("#book--state", Static).render())


async def test_a_book_of_ten_thousand_entries(baby_home: Home) -> None:
    home = baby_home
    book.put_all(home.book, [Entry((Turn(f"What is {n}?", f"The number {n}."),)) for n in range(10_000)])
    async with seat(home) as here:
        await here.pilot.press("alt+k")
        screen = await page(here, "What is 0?")
        await here.pilot.press("end")
        await page(here, "What is 9999?")
        await here.pilot.press("slash")
        await here.type("777")
        await page(here, "What is 777?")
        await here.until(lambda: len(screen.items) == 19, "all that hold it")
