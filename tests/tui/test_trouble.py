"""What goes wrong is one sentence, and nothing typed or picked is lost."""

from __future__ import annotations

import os
import pty
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import TextIO, cast

import pytest
from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread
from tui.seats import Terminal, seat

from mrclassic import book
from mrclassic.errors import MrClassicError
from mrclassic.home import Home
from mrclassic.mind import process
from mrclassic.settings import Settings
from mrclassic.store import Store
from mrclassic.tui.app import ClassicApp
from mrclassic.tui.terminal import Lasting


async def test_without_a_model_the_owner_can_still_answer_himself(home: Home) -> None:
    async with seat(home) as here:
        await here.type("hello")
        await here.pilot.press("enter")
        await here.until(lambda: here.candidates.note, "the sentence")
        assert "hatch" in here.candidates.note
        assert "F5" in here.screen.status.facts.mind
        await here.pilot.press("tab")
        await here.type("hello yourself")
        await here.pilot.press("enter")
        await here.idle()
        assert here.texts == ["hello", "hello yourself"]
    assert [entry.reply for entry in book.load(home.book)][-1:] == ["hello yourself"]


async def test_a_pick_that_cannot_be_booked_is_kept_and_follows_later(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("hello")
        baby_home.book.unlink(missing_ok=True)
        baby_home.book.mkdir()
        await here.pilot.press("1")
        await here.until(lambda: "Your choice is stored" in here.toasts, "the sentence")
        assert "could not" not in here.toasts, "what is stored has not failed"
        assert len(here.texts) == 2
        await here.pilot.press("f8")
        await here.until(lambda: here.texts == ["hello"], "the pick taken back all the same")
        await here.pilot.press("2")
        assert len(here.texts) == 2
        await here.idle()
        baby_home.book.rmdir()
        await here.until(lambda: baby_home.book.exists(), "the book, once it can be written")
        assert book.load(baby_home.book)[-1].turns[-1].user == "hello"


@contextmanager
def _broken(home: Home) -> Iterator[None]:
    """The database answers nothing that has to do with messages: the second failure follows the first."""
    with closing(sqlite3.connect(home.database)) as database:
        database.execute("ALTER TABLE messages RENAME TO elsewhere")
    yield
    with closing(sqlite3.connect(home.database)) as database:
        database.execute("ALTER TABLE elsewhere RENAME TO messages")


async def test_an_answer_that_nothing_can_store_comes_back_to_the_box(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("hello")
        await here.pilot.press("tab")
        await here.type("good day to you")
        await here.until(lambda: not here.screen.draft_changed, "the draft to be kept")
        with _broken(baby_home):
            await here.pilot.press("enter")
            await here.until(lambda: "not taken" in here.toasts, "the sentence")
            await here.until(lambda: here.candidates.display, "the answers, which still wait")
            assert here.texts == ["hello"]
            assert here.box.text == "good day to you"
        await here.pilot.press("enter")
        await here.idle()
        assert here.texts == ["hello", "good day to you"]
        await here.ask("and again")
        with _broken(baby_home):
            await here.pilot.press("1")
            await here.until(lambda: len(here.texts) == 3 and here.candidates.display, "the pick to be done again")
        await here.pilot.press("1")
        await here.idle()
        assert len(here.texts) == 4
    with Store.open(baby_home) as store:
        assert [pick.kind for pick in store.picks.history()] == ["candidate", "typed"]


async def test_an_undo_that_nothing_can_store_changes_nothing(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("hello")
        await here.pilot.press("1")
        await here.idle()
        before = here.texts
        await here.type("half a thought")
        await here.until(lambda: not here.screen.draft_changed, "the draft to be kept")
        with _broken(baby_home):
            await here.pilot.press("f8")
            await here.until(lambda: "could not be taken back" in here.toasts, "the sentence")
            assert here.texts == before
            assert here.box.text == "half a thought"
        await here.pilot.press("f8")
        await here.until(lambda: here.texts == ["hello"], "the pick taken back")


async def test_a_malformed_book_is_said_in_the_status_line(home: Home) -> None:
    home.book.write_text("no person speaks here\n", encoding="utf-8")
    async with seat(home) as here:
        await here.until(lambda: "line 1" in here.screen.status.facts.book, "the sentence")


async def test_a_damaged_store_ends_the_app_with_its_sentence(home: Home) -> None:
    home.database.write_bytes(b"this is no database, " * 500)
    app = ClassicApp(home, Settings())
    async with app.run_test():
        pass
    assert isinstance(app.failure, MrClassicError)
    assert home.database.read_bytes().startswith(b"this is no database")


async def test_leaving_while_answers_stream(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.type("hello")
        await here.pilot.press("enter")
        await here.until(lambda: here.candidates.draw is not None, "the draw")
        await here.pilot.press("f10")
    async with seat(baby_home) as here:
        await here.answered()
        assert here.texts == ["hello"], "the message was stored; its answers are drawn again"


async def test_ctrl_c_twice_leaves(home: Home) -> None:
    async with seat(home) as here:
        await here.pilot.press("ctrl+c")
        assert "once more" in here.toasts
        await here.pilot.press("ctrl+c")
        await here.until(lambda: here.app._exit, "the end")


@pytest.mark.parametrize("module", ["mrclassic.tui.app", "mrclassic.mind.client"])
def test_the_app_needs_no_torch(module: str) -> None:
    code = (
        f"import {module}, sys; print([name for name in ('torch', 'mrclassic.model', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_the_app_starts_the_model_and_survives_its_death(sleeping_home: Home) -> None:
    async with seat(sleeping_home) as here:
        await here.type("are you there?")
        assert here.box.text == "are you there?", "the owner writes while the model wakes up"
        await here.pilot.press("enter")
        await here.answered()
        await here.pilot.press("1")
        pid = process.holder(sleeping_home)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await here.until(lambda: process.holder(sleeping_home) is None, "the model's end")
        await here.ask("and again?")
        assert len(here.texts) == 3


def test_a_terminal_that_is_closed_while_answers_stream_ends_the_app(sleeping_home: Home) -> None:
    with Terminal(sleeping_home) as terminal:
        terminal.paints("is awake")
        terminal.paints("writing…", keys="hello\rhalf a thought")
        terminal.close()
        terminal.child.send_signal(signal.SIGHUP)
        terminal.until(lambda: terminal.child.poll() is not None)
    with Store.open(sleeping_home) as store:
        assert store.conversations.list()[0].title == "hello"


def test_writing_to_a_closed_terminal_holds_nobody_up() -> None:
    mine, its = pty.openpty()
    with os.fdopen(its, "w") as file:
        writer = WriterThread(cast("TextIO", Lasting(file)))
        writer.start()
        writer.write("seen")
        os.close(mine)

        def much() -> None:
            for _ in range(10 * MAX_QUEUED_WRITES):
                writer.write("unseen")
            writer.stop()

        busy = threading.Thread(target=much, daemon=True)
        busy.start()
        busy.join(10)
        assert not busy.is_alive()
        with suppress(OSError):
            file.close()
