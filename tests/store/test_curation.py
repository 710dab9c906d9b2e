"""Curation: a choice becomes message, pick and entry; undo gives back what was; a crash in between loses nothing."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mrclassic import book
from mrclassic.book import BookError, Entry, Turn
from mrclassic.errors import UsageError
from mrclassic.home import Home
from mrclassic.store import Store, curation
from mrclassic.store.connection import Database

if TYPE_CHECKING:
    from conftest import Talk


def written(home: Home) -> dict[str, str]:
    """The book as last question -> reply."""
    return {entry.turns[-1].user: entry.reply for entry in book.load(home.book)}


def wait_until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_a_pick_becomes_message_pick_and_entry(home: Home, store: Store, talk: Talk) -> None:
    prompt = talk.ask("hello")
    drawn = talk.draw(prompt.id, "hi", "good day", checkpoint="c9")
    pick = curation.take(store, home, prompt.id, "good day", "candidate", drawn[1].id)
    reply = store.conversations.leaf(prompt.conversation)
    assert reply is not None
    assert (reply.id, reply.parent, reply.role, reply.content) == (pick.message, prompt.id, "assistant", "good day")
    assert (reply.origin, reply.checkpoint) == ("candidate", "c9")
    assert (pick.kind, pick.candidate, pick.booked, pick.replaced_entry) == ("candidate", drawn[1].id, True, "")
    assert book.load(home.book) == [Entry((Turn("hello", "good day"),))]
    assert pick.entry_hash == book.load(home.book)[0].hash


def test_the_whole_conversation_goes_into_the_entry(home: Home, store: Store, talk: Talk) -> None:
    first = talk.ask("hello")
    curation.take(store, home, first.id, "hi", "typed")
    talk.ask("never mind", first.conversation)
    second = talk.ask("who are you?", first.conversation)  # the question before it was never answered
    curation.take(store, home, second.id, "a model\nof yours", "typed")
    assert book.load(home.book)[-1] == Entry(
        (Turn("hello", "hi"), Turn("never mind\nwho are you?", "a model\nof yours"))
    )


def test_the_latest_reply_wins_and_undo_gives_the_older_one_back(home: Home, store: Store, talk: Talk) -> None:
    book.put(home.book, Entry((Turn("hello", "as shipped"),)))
    before = home.book.read_text()
    prompt = talk.ask("hello")
    first = curation.take(store, home, prompt.id, "one", "typed")
    second = curation.take(store, home, prompt.id, "two", "typed")
    assert second.supersedes == first.id
    assert written(home) == {"hello": "two"}
    undone = curation.undo(store, home)
    assert undone is not None
    assert (undone.kind, undone.text, undone.supersedes, undone.booked) == ("undo", "two", second.id, True)
    assert written(home) == {"hello": "one"}
    leaf = store.conversations.leaf(prompt.conversation)
    assert leaf is not None
    assert leaf.id == first.message
    curation.undo(store, home)
    assert home.book.read_text() == before
    assert store.conversations.leaf(prompt.conversation) == prompt
    assert curation.undo(store, home) is None
    assert [pick.kind for pick in store.picks.history()] == ["undo", "undo", "typed", "typed"]
    assert curation.take(store, home, prompt.id, "three", "typed").supersedes is None
    assert written(home) == {"hello": "three"}


def test_undo_takes_out_what_was_not_there_before(home: Home, store: Store, talk: Talk) -> None:
    home.book.write_text("# mine\n> bye\nsee you\n")
    prompt = talk.ask("hello")
    curation.take(store, home, prompt.id, "hi", "typed")
    curation.undo(store, home)
    assert home.book.read_text() == "# mine\n> bye\nsee you\n"


def test_picking_what_the_book_already_says_and_undoing_changes_nothing(home: Home, store: Store, talk: Talk) -> None:
    book.put(home.book, Entry((Turn("hello", "hi"),)))
    before = home.book.read_text()
    prompt = talk.ask("hello")
    curation.take(store, home, prompt.id, "hi", "typed")
    assert home.book.read_text() == before
    curation.undo(store, home)
    assert home.book.read_text() == before


def test_an_undo_leaves_alone_what_the_owner_has_edited_since(home: Home, store: Store, talk: Talk) -> None:
    prompt = talk.ask("hello")
    curation.take(store, home, prompt.id, "hi", "typed")
    home.book.write_text("> hello\nby my own hand\n")
    curation.undo(store, home)
    assert written(home) == {"hello": "by my own hand"}


def test_undo_in_one_conversation_leaves_the_others(home: Home, store: Store, talk: Talk) -> None:
    one, other = talk.ask("hello"), talk.ask("hello")
    curation.take(store, home, one.id, "from one", "typed")
    curation.take(store, home, other.id, "from the other", "typed")
    curation.undo(store, home, one.conversation)
    assert written(home) == {"hello": "from the other"}
    curation.undo(store, home, other.conversation)
    assert written(home) == {}  # not "from one": that was undone as well
    assert curation.undo(store, home, one.conversation) is None


def test_undo_takes_what_was_said_after_it_along_as_the_draft(home: Home, store: Store, talk: Talk) -> None:
    first = talk.ask("hello")
    curation.take(store, home, first.id, "hi", "typed")
    talk.ask("and how are you", first.conversation)
    curation.undo(store, home)
    assert store.conversations.leaf(first.conversation) == first
    assert store.conversations.draft(first.conversation) == "and how are you"
    assert store.conversations.get(first.conversation).messages == 1
    assert store.conversations.search("how") == []


def test_skip_and_flag_are_picks_that_can_be_undone(home: Home, store: Store, talk: Talk) -> None:
    prompt = talk.ask("hello")
    curation.flag(store, prompt.id)
    curation.skip(store, prompt.id)
    for kind in ("skip", "flag"):
        undone = curation.undo(store, home)
        assert undone is not None
        assert store.picks.get(undone.supersedes or 0).kind == kind
    assert curation.undo(store, home) is None
    assert not home.book.exists()


def test_what_cannot_be_picked_is_one_sentence(home: Home, store: Store, talk: Talk) -> None:
    prompt, other = talk.ask("hello"), talk.ask("bye")
    drawn = talk.draw(other.id, "see you")
    pick = curation.take(store, home, prompt.id, "hi", "typed")
    later = talk.ask("well?", prompt.conversation)
    curation.undo(store, home)
    for text, of, candidate, said in (
        (" \n", other.id, None, "An empty reply"),
        ("x", 99, None, "There is no message 99"),
        ("x", pick.message, None, "is not a question"),
        ("x", later.id, None, "was undone"),
        ("x", prompt.id, drawn[0].id, "does not answer message"),
        ("x", prompt.id, 99, "does not answer message"),
        ("see him", other.id, drawn[0].id, "says something else"),
    ):
        with pytest.raises(UsageError, match=said):
            curation.take(store, home, of or 0, text, "candidate", candidate)
    assert len(store.picks.history()) == 2


def test_picks_are_append_only(home: Home, store: Store, talk: Talk) -> None:
    curation.take(store, home, talk.ask("hello").id, "hi", "typed")
    database = Database(home.database)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.run("UPDATE picks SET text = 'other'")
    database.close()


def test_waiting_is_what_the_checkpoint_has_not_seen(home: Home, store: Store, talk: Talk) -> None:
    assert curation.waiting(home, set()) == []
    known = curation.take(store, home, talk.ask("hello").id, "hi", "typed")
    curation.take(store, home, talk.ask("bye").id, "see you", "typed")
    assert [entry.reply for entry in curation.waiting(home, {known.entry_hash or ""})] == ["see you"]


def test_a_withdrawn_message_is_gone_and_its_text_is_the_draft(home: Home, store: Store, talk: Talk) -> None:
    first = talk.ask("hello")
    curation.take(store, home, first.id, "hi", "typed")
    long = talk.ask("far too long", first.conversation)
    curation.withdraw(store, long.id, "far too long")
    leaf = store.conversations.leaf(first.conversation)
    assert leaf is not None
    assert leaf.content == "hi"
    assert store.conversations.draft(first.conversation) == "far too long"
    assert store.conversations.search("far") == []
    with pytest.raises(UsageError, match="undone"):
        curation.take(store, home, long.id, "an answer", "typed")
    undone = curation.undo(store, home)
    assert undone is not None
    assert undone.text == "hi", "it is no pick that could be undone in its turn"


def test_a_malformed_book_delays_a_pick_but_does_not_lose_it(home: Home, store: Store, talk: Talk) -> None:
    home.book.write_text("> half\n")
    prompt = talk.ask("hello")
    with pytest.raises(curation.NotBookedError, match=r"book\.txt line 1: .* Your choice is stored") as caught:
        curation.take(store, home, prompt.id, "hi", "typed")
    assert isinstance(caught.value.__cause__, BookError)
    with pytest.raises(BookError):
        curation.settle(store, home)
    assert home.book.read_text() == "> half\n"
    home.book.write_text("> half\nwhole\n")
    assert curation.settle(store, home) == 1
    assert written(home) == {"half": "whole", "hello": "hi"}
    assert curation.settle(store, home) == 0


# --- killed in between ---

_TAKE = """
import sys
from pathlib import Path
from mrclassic.home import Home
from mrclassic.store import Store, curation
home = Home(Path(sys.argv[1]))
with Store.open(home) as store:
    curation.take(store, home, int(sys.argv[2]), sys.argv[3], "typed")
"""


def test_a_pick_survives_a_kill_before_the_book_is_written(home: Home, store: Store, talk: Talk) -> None:
    book.put(home.book, Entry((Turn("hello", "older"),)))
    prompt = talk.ask("hello")
    with book.lock(home.book):  # the child commits its pick and then waits for the book
        child = subprocess.Popen([sys.executable, "-c", _TAKE, str(home.root), str(prompt.id), "hi"])
        wait_until(lambda: bool(store.picks.waiting_for_book()))
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    assert written(home) == {"hello": "older"}
    leaf = store.conversations.leaf(prompt.conversation)
    assert leaf is not None
    assert leaf.content == "hi"
    assert curation.settle(store, home) == 1
    assert written(home) == {"hello": "hi"}
    assert store.picks.waiting_for_book() == []
    curation.undo(store, home)
    assert written(home) == {"hello": "older"}


def test_picks_that_waited_go_in_in_their_order(home: Home, store: Store, talk: Talk) -> None:
    prompt = talk.ask("hello")
    with book.lock(home.book):
        children = []
        for number in range(3):
            command = [sys.executable, "-c", _TAKE, str(home.root), str(prompt.id), f"hi {number}"]
            children.append(subprocess.Popen(command))
            wait_until(lambda: len(store.picks.waiting_for_book()) == len(children))
    assert [child.wait() for child in children] == [0, 0, 0]
    assert written(home) == {"hello": "hi 2"}
    for expected in ({"hello": "hi 1"}, {"hello": "hi 0"}, {}):
        curation.undo(store, home)
        assert written(home) == expected


_RANDOM_WALK = """
import random, sys
from pathlib import Path
from mrclassic.home import Home
from mrclassic.store import Store, curation
home, prompts, dice = Home(Path(sys.argv[1])), [int(text) for text in sys.argv[3:]], random.Random(sys.argv[2])
with Store.open(home) as store:
    print("ready", flush=True)
    for number in range(100_000):
        if dice.random() < 0.4:
            curation.undo(store, home)
        else:
            curation.take(store, home, dice.choice(prompts), f"{sys.argv[2]} {number}", "typed")
"""


@pytest.mark.slow
def test_killed_at_any_moment_book_and_picks_agree_again(home: Home, store: Store, talk: Talk) -> None:
    prompts = {text: talk.ask(text).id for text in ("a", "b", "c")}
    dice = random.Random(1)
    for seed in range(6):
        command = [sys.executable, "-c", _RANDOM_WALK, str(home.root), str(seed), *map(str, prompts.values())]
        children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(1 + seed % 2)]
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        time.sleep(dice.uniform(0.02, 0.3))
        for child in children:
            os.kill(child.pid, signal.SIGKILL)
            child.communicate()
        curation.settle(store, home)
        standing = {text: store.picks.standing(prompt) for text, prompt in prompts.items()}
        assert written(home) == {text: pick.text for text, pick in standing.items() if pick}
    assert store.picks.history()
    assert store.damage() == []
    while curation.undo(store, home):
        pass
    assert written(home) == {}
