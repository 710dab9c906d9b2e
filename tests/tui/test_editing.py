"""The book's editor: mistakes at their lines, nothing saved while there is one, nothing lost."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Static
from tui.seats import Seat, Terminal, seat
from tui.test_book import ENTRIES as SOME

from mrclassic import book
from mrclassic.book import Entry, Turn
from mrclassic.errors import UsageError
from mrclassic.home import Home
from mrclassic.tui.drafting import Drafts, Edit
from mrclassic.tui.screens.arriving import Arriving
from mrclassic.tui.screens.book import Book
from mrclassic.tui.screens.editing import Editing

TEXT = "# Chapter\n\n> a\nb\n\n> c\nd\n"


def written(home: Home, text: str = TEXT) -> Drafts:
    home.book.write_text(text)
    return Drafts(home)


def typed(edit: Edit, text: str) -> Edit:
    return Edit(edit.base, edit.start, edit.end, text)


# --- saving ---


def test_one_entry_is_changed_where_it_stands(home: Home) -> None:
    drafts = written(home)
    edit = drafts.entry(book.load(home.book)[0])
    assert (edit.text, edit.start) == ("> a\nb", 2)
    wrong = drafts.save(typed(edit, "> a\n"))
    assert not wrong.done
    assert "Line 3: a question without a reply" in wrong.said  # as the page counts, which shows lines of the book
    assert home.book.read_text() == TEXT
    assert drafts.save(typed(edit, "> a\nB\n\n> new\none")).done
    assert home.book.read_text() == "# Chapter\n\n> a\nB\n\n> new\none\n\n> c\nd\n"


@pytest.mark.parametrize("text", ["", "# only a remark\n", "> a\nb\n", "> a\nb\n\n\n"])
def test_a_new_entry_goes_to_the_end(home: Home, text: str) -> None:
    drafts = written(home, text)
    edit = drafts.new()
    assert not edit.changed
    before = book.load(home.book)
    assert drafts.save(typed(edit, "> x\ny")).done
    assert book.load(home.book) == [*before, Entry((Turn("x", "y"),))]
    assert home.book.read_text().endswith("> x\ny\n")


def test_an_entry_that_is_emptied_leaves_the_book(home: Home) -> None:
    drafts = written(home)
    assert drafts.save(typed(drafts.entry(book.load(home.book)[1]), "")).done
    assert home.book.read_text() == "# Chapter\n\n> a\nb\n"


def test_what_others_wrote_meanwhile_stays(home: Home) -> None:
    drafts = written(home)
    edit = drafts.whole()
    book.put(home.book, Entry((Turn("e", "f"),)))
    assert drafts.save(typed(edit, TEXT.replace("b\n", "B\n"))).done
    assert [entry.reply for entry in book.load(home.book)] == ["B", "d", "f"]


def test_where_both_changed_the_same_both_are_shown_and_nothing_is_saved(home: Home) -> None:
    drafts = written(home)
    edit = drafts.entry(book.load(home.book)[1])
    book.put(home.book, Entry((Turn("c", "theirs"),)))
    outcome = drafts.save(typed(edit, "> c\nmine"))
    assert not outcome.done
    assert "line 6" in outcome.said
    assert outcome.edit.whole
    assert outcome.edit.line == 5
    assert "> c\nmine\n\n> c\ntheirs" in outcome.edit.text
    assert [entry.reply for entry in book.load(home.book)] == ["b", "theirs"]
    assert drafts.save(typed(outcome.edit, outcome.edit.text.replace("\n> c\ntheirs\n", ""))).done
    assert [entry.reply for entry in book.load(home.book)] == ["b", "mine"]


def test_an_entry_that_moved_is_found_and_one_that_went_is_told(home: Home) -> None:
    drafts = written(home)
    wanted = book.load(home.book)[1]
    home.book.write_text("> first\none\n\n" + TEXT)
    assert drafts.entry(wanted).start == 8
    book.write(home.book, book.without_entry(book.read(home.book), wanted)[0])
    with pytest.raises(UsageError, match="not there any more"):
        drafts.entry(wanted)


def test_what_a_text_box_would_break_is_refused(home: Home) -> None:
    drafts = written(home, "> a\nb\u2028c\n\n> d\ne\n")
    with pytest.raises(UsageError, match="Line 2"):
        drafts.whole()
    assert drafts.entry(book.load(home.book)[1]).text == "> d\ne"


@given(st.lists(st.sampled_from(["> a", "b", "  c", "", "# d"]), max_size=8).map("\n".join))
def test_what_is_saved_can_be_read(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    home = Home(tmp_path_factory.mktemp("book"))
    drafts = written(home)
    edit = typed(drafts.entry(book.load(home.book)[0]), text)
    drafts.keep(edit)
    if drafts.save(edit).done:
        assert [entry.reply for entry in book.load(home.book)][-1] == "d"
        assert drafts.kept() is None
    else:
        assert home.book.read_text() == TEXT
        kept = drafts.kept()
        assert kept is not None
        assert kept[0] == edit


def test_a_draft_that_cannot_be_read_is_none(home: Home) -> None:
    home.draft.write_text("{")
    assert Drafts(home).kept() is None
    assert not home.draft.exists()


# --- the screen ---


async def opened(here: Seat, key: str = "e") -> Editing:
    """The editor, from the page of the book."""
    if not isinstance(here.app.screen, Book):
        await here.pilot.press("alt+k")
        await here.until(lambda: isinstance(here.app.screen, Book) and here.app.screen.item, "the page")
    await here.pilot.press(key)
    await here.until(lambda: isinstance(here.app.screen, Editing), "the editor")
    screen = here.app.screen
    assert isinstance(screen, Editing)
    await here.until(lambda: screen.box.text, "its text")
    return screen


def painted(screen: Editing) -> str:
    """The text box as it is on the screen."""
    box = screen.box
    return "\n".join(box.render_line(y).text.rstrip() for y in range(box.size.height))


def state(screen: Editing) -> str:
    return str(screen.query_one("#editor--state", Static).render())


@pytest.mark.parametrize("width", [60, 200])
async def test_a_mistake_is_said_at_its_line_and_nothing_is_saved_while_it_is_there(
    baby_home: Home, width: int
) -> None:
    book.put_all(baby_home.book, SOME)
    async with seat(baby_home, size=(width, 30)) as here:
        screen = await opened(here)
        await here.until(lambda: "1 entry, no mistake" in state(screen), "a look at it")
        await here.pilot.press("end", "enter", "a")
        line = book.load(baby_home.book)[0].line + 2
        await here.until(lambda: f"Line {line}: a second line" in state(screen), "the mistake")
        assert "◂ a second line of a reply" in painted(screen)
        await here.pilot.press("f2")
        await here.until(lambda: "Not saved: 1 mistake first" in here.toasts, "why not")
        assert book.load(baby_home.book) == SOME
        assert screen.box.cursor_location[0] == 2, "where the mistake is"
        await here.pilot.press("up", "backspace", "backspace", "exclamation_mark", "f2")
        await here.until(lambda: isinstance(here.app.screen, Book), "saved")
        await here.idle()
        assert book.load(baby_home.book)[0].turns[0].user == "Who are you?!"


async def test_the_whole_book_from_the_entry_on_and_f3_goes_round_the_mistakes(baby_home: Home) -> None:
    book.put_all(baby_home.book, SOME)
    baby_home.book.write_text(baby_home.book.read_text() + "\n> one\n\n> two\n")
    async with seat(baby_home) as here:
        screen = await opened(here, "E")
        await here.until(lambda: len(screen.faults) == 2, "both mistakes")
        lines = [fault.line for fault in screen.faults]
        assert screen.box.cursor_location[0] == lines[0] - 1, "it begins at the first mistake"
        for line in (lines[1], lines[0]):
            await here.pilot.press("f3")
            assert screen.box.cursor_location[0] == line - 1
        await here.pilot.press("f1", "escape", "escape")
        await here.until(lambda: isinstance(here.app.screen, Book), "back")


async def test_what_was_not_saved_is_gone_on_with_or_thrown_away(baby_home: Home) -> None:
    book.put_all(baby_home.book, SOME)
    async with seat(baby_home) as here:
        screen = await opened(here, "n")
        await here.type("Mine?")
        await here.pilot.press("escape")
        await here.until(lambda: "Not saved, and kept" in here.toasts, "that it is kept")
        screen = await opened(here)
        assert screen.box.text == "> Mine?"
        assert "Kept since" in here.toasts
        await here.pilot.press("f8")
        await here.until(lambda: here.app.screen is not screen, "a question")
        await here.pilot.press("y")
        await here.until(lambda: isinstance(here.app.screen, Book), "thrown away")
        await here.idle()
        assert not baby_home.draft.exists()
        screen = await opened(here)
        assert screen.box.text.startswith("> Who are you?")
    assert book.load(baby_home.book) == SOME


def test_a_kill_loses_nothing_that_was_typed_a_moment_ago(baby_home: Home) -> None:
    book.put_all(baby_home.book, SOME)
    with Terminal(baby_home) as terminal:
        terminal.until(lambda: terminal.shows("To Mr"))
        terminal.rest(0.5)
        terminal.paints("Waiting 4", "\x1bk")
        terminal.paints("no mistake", "e")
        terminal.write(b" Truly?")
        terminal.until(baby_home.draft.exists)
        terminal.until(lambda: "Truly?" in baby_home.draft.read_text())
        terminal.child.kill()
        terminal.child.wait()
    kept = Drafts(baby_home).kept()
    assert kept is not None
    assert kept[0].text == "> Who are you? Truly?\nMr. Classic."
    assert book.load(baby_home.book) == SOME


async def test_a_key_that_comes_before_its_page_is_not_lost(baby_home: Home) -> None:
    asked: list[str] = []
    page = Arriving()
    page.when_arrived(lambda: asked.append("first"))
    assert asked == []
    page.arrive()
    page.when_arrived(lambda: asked.append("then"))
    assert asked == ["first", "then"]
    book.put_all(baby_home.book, SOME)
    async with seat(baby_home) as here:
        here.screen.action_book()
        for _ in range(2):
            await asyncio.sleep(0)
        screen = here.app.screen
        assert isinstance(screen, Book)
        assert not screen.arrived
        screen.action_edit()
        await here.until(lambda: isinstance(here.app.screen, Editing), "the editor")
