"""The starter book and its held-out phrasings."""

from __future__ import annotations

from collections import Counter

import pytest

from mrclassic import book, shipped
from mrclassic.book import Entry
from mrclassic.tasks import arithmetic
from mrclassic.tasks.base import Item


@pytest.fixture(scope="module")
def starter() -> list[Entry]:
    return book.load(shipped.folder("data") / "personality.txt")


@pytest.fixture(scope="module")
def held_out() -> list[Entry]:
    return book.load(shipped.folder("data") / "held_out.txt")


def test_there_is_enough_to_talk_about(starter: list[Entry], held_out: list[Entry]) -> None:
    assert len(starter) >= 400
    assert len(held_out) >= 100
    turns = Counter(len(entry.turns) for entry in starter)
    assert turns[2] >= 5
    assert turns[3] >= 5


def test_what_experiments_teach_is_in_neither(starter: list[Entry], held_out: list[Entry]) -> None:
    taught = book.load(shipped.folder("data") / "lessons.txt")
    assert len({entry.reply for entry in taught}) == len(taught) == 50
    asked = {plain(entry.turns[-1].user) for entry in (*starter, *held_out)}
    assert [entry.turns[-1].user for entry in taught if plain(entry.turns[-1].user) in asked] == []


def test_nothing_is_asked_twice(starter: list[Entry], held_out: list[Entry]) -> None:
    assert len({entry.key for entry in starter}) == len(starter)
    assert len({entry.key for entry in held_out}) == len(held_out)


def test_held_out_phrasings_are_never_trained_on(starter: list[Entry], held_out: list[Entry]) -> None:
    asked = {plain(turn.user) for entry in starter for turn in entry.turns}
    assert [entry.prompt for entry in held_out if plain(entry.turns[-1].user) in asked] == []


def test_held_out_phrasings_want_replies_of_the_book(starter: list[Entry], held_out: list[Entry]) -> None:
    replies = {entry.reply for entry in starter}
    assert [entry.reply for entry in held_out if entry.reply not in replies] == []


def test_the_book_holds_no_sums(starter: list[Entry]) -> None:
    """Those are the task's; a question of its held-out split must not be learnt by heart."""
    asked = [turn.user for entry in starter for turn in entry.turns]
    sums = [arithmetic.parse(question) for question in asked]
    assert [found for found in sums if isinstance(found, Item) or found.kind != "unparsable"] == []


def test_round_trip(starter: list[Entry]) -> None:
    assert book.parse("\n".join(book.render(entry) for entry in starter)) == starter


def plain(text: str) -> str:
    """A question without case and punctuation: the same words are the same question."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())
