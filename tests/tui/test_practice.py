"""Practice: which question comes next, and an evening of single keystrokes."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mrclassic.book import Entry, Turn
from mrclassic.home import Home
from mrclassic.tui import practice
from mrclassic.tui.practice import Material, Question, next_question


def _entry(question: str) -> Entry:
    return Entry((Turn(question, "Quite."),))


BOOK = [_entry("Hello."), _entry("Hi."), _entry("Who are you?"), _entry("What is the sea?")]
CHAPTERS = ["Greetings", "Greetings", "Itself", "The world"]
FULL = Material(
    BOOK, CHAPTERS, ["Who are you?"], ["How is rain made?", "Do you sleep?"], ["Hello there.", "Who's you?"]
)


def test_the_sources_take_turns() -> None:
    found = [next_question(FULL, {}, (), turn) for turn in range(5)]
    assert found == [
        Question("Who are you?", "recall"),
        Question("How is rain made?", "list"),
        Question("Hello there.", "phrasing"),
        Question("Hello.", "topic"),
        Question("Who are you?", "recall"),
    ]


def test_what_was_asked_longest_ago_is_asked_first() -> None:
    asked = {entry.turns[0].user: f"2026-01-0{day}" for day, entry in enumerate(BOOK, start=1)}
    plain = Material(BOOK, CHAPTERS)
    assert next_question(plain, asked, (), 0) == Question("Hello.", "recall")
    assert next_question(plain, asked | {"hello.": "2026-02-01"}, (), 0) == Question("Hi.", "recall")
    del asked["What is the sea?"]
    assert next_question(plain, asked, (), 0) == Question("What is the sea?", "recall"), "never asked comes before"
    assert next_question(plain, asked, (), 3) == Question("What is the sea?", "topic")


def test_the_list_is_asked_once_and_in_its_order() -> None:
    mine = Material(prompts=["b", "a", "b"])
    assert next_question(mine, {}, (), 0) == Question("b", "list")
    assert next_question(mine, {"b": "2020-01-01"}, (), 0) == Question("a", "list")
    assert next_question(mine, {"b": "2020-01-01", "A ": "2020-01-01"}, (), 0) is None


_TEXTS = st.text(alphabet="abAB ", min_size=1, max_size=3).filter(str.strip)


@given(st.lists(_TEXTS, max_size=6), st.lists(_TEXTS, max_size=6), st.lists(_TEXTS, max_size=4), st.integers(0, 9))
def test_an_evening_asks_everything_once_and_then_ends(
    book: list[str], listed: list[str], other: list[str], turn: int
) -> None:
    material = Material([_entry(text) for text in book], ["x"] * len(book), other, listed, other)
    wanted = {" ".join(text.lower().split()) for text in (*book, *listed, *other)}
    seen: list[str] = []
    while (found := next_question(material, dict.fromkeys(seen, "2026"), seen, turn + len(seen))) is not None:
        assert found.source in practice.SOURCES
        seen.append(found.text)
    assert sorted(" ".join(text.lower().split()) for text in seen) == sorted(wanted)


def test_what_the_home_holds(home: Home) -> None:
    home.book.write_text(
        "# The book.\n# A rule.\n\n# Greetings\n\n> Hello.\nHi.\n\n# on Hi\n> Hi.\nHi.\n\n# Sea\n\n> Sea?\nWet.\n"
    )
    (home.root / practice.PROMPTS).write_text("# mine\nHow are you?\n\n  And now? \n", encoding="utf-8")
    for night, questions in ((9, ["Sea?"]), (10, ["Hello."])):
        report = {"forgotten": [{"question": text, "before": "", "after": ""} for text in questions]}
        (home.nights / f"night-{night}.json").write_text(json.dumps(report))
    (home.nights / "night-11.json").write_text("[half a rep")
    found = practice.read(home)
    assert [entry.turns[0].user for entry in found.entries] == ["Hello.", "Hi.", "Sea?"]
    assert found.chapters == ["Greetings", "Greetings", "Sea"]
    assert found.forgotten == ["Hello.", "Sea?"]
    assert found.prompts == ["How are you?", "And now?"]
    assert "Hi there." in found.phrasings


def test_an_empty_home_has_only_the_programs_phrasings(tmp_path: Path) -> None:
    found = practice.read(Home(tmp_path))
    assert (found.entries, found.prompts, found.forgotten) == ([], [], [])
    question = next_question(found, {}, (), 0)
    assert question is not None
    assert question.source == "phrasing"
