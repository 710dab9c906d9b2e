"""Puzzles in words: what is written is read back, all else is refused, the published texts say what they should."""

from __future__ import annotations

import gzip
import json
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from knights import PAIRS, claims_of
from published import DATA, needs

from mrclassic.tasks import knights
from mrclassic.tasks.base import Item, Refusal
from mrclassic.tasks.knights.claims import Puzzle, read
from mrclassic.tasks.knights.generate import NAMES
from mrclassic.tasks.knights.reading import read as read_question
from mrclassic.tasks.knights.solve import solutions
from mrclassic.tasks.knights.text import write

TASK = knights.task(None)
FOLDER = DATA / "knights_knaves"


@settings(max_examples=80, deadline=None)
@given(data=st.data(), people=st.integers(2, 8), words=st.sampled_from(PAIRS))
def test_what_is_written_is_read_back(data: st.DataObject, people: int, words: Any) -> None:
    rng = random.Random(data.draw(st.integers(0, 2**32)))
    puzzle = Puzzle(tuple(rng.sample(NAMES, people)), tuple(data.draw(claims_of(people)) for _ in range(people)), words)
    question = write(puzzle, rng)
    assert read_question(question) == puzzle
    found = TASK.parse(question)
    if isinstance(found, Item):
        assert solutions(puzzle.claims) == [tuple(found.meta["solution"])]
    else:
        assert found.kind == ("held-out" if len(solutions(puzzle.claims)) == 1 else "invalid")


@settings(max_examples=60, deadline=None)
@given(level=st.sampled_from(TASK.levels), seed=st.integers())
def test_a_drawn_question_is_the_item(level: str, seed: int) -> None:
    item = TASK.sample(random.Random(seed), level)
    assert TASK.parse(item.question) == item


GOOD = (
    "Everyone here is a knight or a knave. Knights always tell the truth, knaves always lie. You meet Zoe and Ben. "
    'Zoe says: "Ben is a knave." Ben says: "Zoe is a knave and Ben is a knave." '
    "Who is a knight and who is a knave?"
)


def test_a_question_by_hand() -> None:
    found = TASK.parse(GOOD)
    assert isinstance(found, Item)
    assert found.answer == "(1) Zoe is a knight (2) Ben is a knave"
    assert isinstance(TASK.parse("  " + GOOD.replace(". ", ".\n") + " "), Item)


@pytest.mark.parametrize(
    ("old", "new", "kind", "reason"),
    [
        ("knave and Ben is a knave", "knave and Ben is a knight", "invalid", "2 solutions"),
        ('"Ben is a knave."', '"Ben is a knight or Zoe is a knave."', "invalid", "no solution"),
        ('"Ben is a knave."', '"Zoe is a knave."', "invalid", "no solution"),
        ('"Ben is a knave."', '"I am a knight."', "unparsable", "cannot be read"),
        ('"Ben is a knave."', '"He is a knave."', "unparsable", "cannot be read"),
        ('"Ben is a knave."', '"Ben is a spy."', "unparsable", "cannot be read"),
        ('"Ben is a knave."', '"Ben is knave."', "unparsable", "cannot be read"),
        ('"Ben is a knave."', '"Ben is a knave and."', "unparsable", "cannot be read"),
        ('"Ben is a knave."', '"Ben is a knave or Zoe is a knave and Ben is a knave."', "unparsable", "cannot be read"),
        ('"Ben is a knave."', '"' + "(" * 500 + '."', "unparsable", "cannot be read"),
        ('"Ben is a knave."', '"' + "it is not true that " * 30 + 'Ben is a knave."', "unparsable", "levels"),
        ('"Ben is a knave."', '""', "unparsable", "nobody"),
        ('"Ben is a knave."', '"Mia is a knave."', "unparsable", "cannot be read"),
        ("Zoe says", "Ben says", "unparsable", "twice"),
        ("Zoe says", "Mia says", "unparsable", "nobody"),
        ("Zoe says", "Zoe thinks", "unparsable", "nobody"),
        ('Zoe says: "Ben is a knave." ', "", "unparsable", "says nothing"),
        ("Zoe and Ben.", "Zoe and Zoe.", "unparsable", "name 2 to 8"),
        ("Zoe and Ben.", "Zoe.", "unparsable", "name 2 to 8"),
        ("Zoe and Ben.", "Zoe and 7.", "unparsable", "name 2 to 8"),
        ("Everyone here is", "Here everyone is", "unparsable", "begin and end"),
        ("Knights always", "Heroes always", "unparsable", "begin and end"),
        ("Who is a knight and who is a knave?", "Who is who?", "unparsable", "does not end"),
        ("You meet", "You meet" + " x" * 6_000, "unparsable", "too long"),
    ],
)
def test_everything_else_is_refused(old: str, new: str, kind: str, reason: str) -> None:
    assert old in GOOD
    found = TASK.parse(GOOD.replace(old, new, 1))
    assert isinstance(found, Refusal)
    assert found.kind == kind
    assert reason in found.reason


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=80), place=st.integers(0, len(GOOD)))
def test_reading_any_text_gives_an_item_or_a_refusal(text: str, place: int) -> None:
    assert isinstance(TASK.parse(text), Item | Refusal)
    assert isinstance(TASK.parse(GOOD[:place] + text + GOOD[place:]), Item | Refusal)
    TASK.skeleton(text)


def test_a_skeleton_forgets_the_names() -> None:
    other = GOOD.replace("Zoe", "Maud").replace("Ben", "Linus")
    assert TASK.skeleton(other) == TASK.skeleton(GOOD) != TASK.skeleton(GOOD.replace(" and Ben is a", " or Ben is a"))


def rows() -> Iterator[dict[str, Any]]:
    for path, opened in ((FOLDER / "test.jsonl", open), (FOLDER / "train.jsonl.gz", gzip.open)):
        with opened(path, "rt") as stream:
            yield from map(json.loads, stream)


@needs("knights_knaves")
def test_every_published_puzzle_is_solved_and_its_text_read() -> None:
    """Our solver finds the published solution from the published statements, and the same statements in the text. Of
    every fourth also the published reply is read, and one with an error is not taken for it."""
    published = list(rows())
    assert len(published) == 5_657
    begun = time.process_time()
    items = [TASK.row(row) for row in published]
    assert time.process_time() - begun < 10
    for row, item in zip(published, items, strict=True):
        assert item.meta["solution"] == row["solution"]
        puzzle = read_question(row["quiz"])
        assert (list(puzzle.names), puzzle.claims) == (row["names"], read(row["statements"], len(row["names"])))
        if row["index"] % 4:
            continue
        told = [
            row["solution_text"],
            row["solution_text_format"],
            f"<think>{' '.join(row['cot_repeat_steps'])}</think>\n<answer>{row['solution_text_format']}</answer>",
            "\n".join([row["cot_head"], *row["cot_repeat_steps"], row["cot_foot"], row["solution_text"]]),
            "\n".join([*row["cot_repeat_steps"], "CONCLUSION:", row["solution_text_format"]]),
        ]
        assert {TASK.check(item, each).verdict for each in told} == {"right"}
        first, second = ("knight", "knave") if item.meta["solution"][0] else ("knave", "knight")
        changed = row["solution_text_format"].replace(f"is a {first}", f"is a {second}", 1)
        assert TASK.check(item, changed).verdict == "wrong"
