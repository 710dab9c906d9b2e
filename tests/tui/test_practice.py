"""Practice: which question comes next, and an evening of single keystrokes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tui.seats import Seat, seat

from mrclassic import book
from mrclassic.book import Entry, Turn
from mrclassic.home import Home
from mrclassic.store import Checkpoint, Store
from mrclassic.store.recalls import Recall
from mrclassic.tui import evening, practice
from mrclassic.tui.desk import Desk
from mrclassic.tui.practice import Material, Question, next_question


def _entry(question: str) -> Entry:
    return Entry((Turn(question, "Quite."),))


BOOK = [_entry("Hello."), _entry("Hi."), _entry("Who are you?"), _entry("What is the sea?")]
CHAPTERS = ["Greetings", "Greetings", "Itself", "The world"]
FULL = Material(
    BOOK,
    CHAPTERS,
    ["Who are you?"],
    prompts=["How is rain made?", "Do you sleep?"],
    phrasings=["Hello there.", "Who's you?"],
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


@settings(max_examples=40)
@given(st.lists(_TEXTS, max_size=6), st.lists(_TEXTS, max_size=6), st.lists(_TEXTS, max_size=4), st.integers(0, 9))
def test_an_evening_asks_everything_once_and_then_ends(
    own: list[str], listed: list[str], other: list[str], turn: int
) -> None:
    material = Material([_entry(text) for text in own], ["x"] * len(own), other, prompts=listed, phrasings=other)
    wanted = {" ".join(text.lower().split()) for text in (*own, *listed, *other)}
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
    found = practice.read(home, {})
    assert [entry.turns[0].user for entry in found.entries] == ["Hello.", "Hi.", "Sea?"]
    assert found.chapters == ["Greetings", "Greetings", "Sea"]
    assert found.forgotten == ["Hello.", "Sea?"]
    assert found.prompts == ["How are you?", "And now?"]
    assert "Hi there." in found.phrasings


def test_an_empty_home_has_only_the_programs_phrasings(tmp_path: Path) -> None:
    found = practice.read(Home(tmp_path), {})
    assert (found.entries, found.prompts, found.forgotten) == ([], [], [])
    question = next_question(found, {}, (), 0)
    assert question is not None
    assert question.source == "phrasing"


def test_what_the_model_in_use_gets_wrong_comes_first() -> None:
    hello, hi, who, sea = (entry.hash for entry in BOOK)
    found = {
        hello: Recall(hello, known=False, chance=0.5),
        hi: Recall(hi, known=False),
        who: Recall(who, known=True, chance=0.9),
        sea: Recall(sea, known=False, chance=0.0),
    }
    material = Material(BOOK, CHAPTERS, ["Who are you?", "Hi."], measured=found)
    asked: list[str] = []
    while (question := next_question(material, {}, asked, 0)) is not None:
        asked.append(question.text)
    assert asked == ["What is the sea?", "Hello.", "Hi.", "Who are you?"], "forgotten once, and known again"


def test_an_evening_asks_by_what_was_measured_of_the_checkpoint_in_use(home: Home) -> None:
    home.book.write_text("> Hello.\nHi.\n\n> Sea?\nWet.\n\n> Who?\nI.\n")
    sea, who = (entry.hash for entry in book.load(home.book)[1:])
    desk = Desk(home)
    with Store.open(home) as desk.store:
        for name in ("old", "new"):
            desk.store.checkpoints.add(Checkpoint(name, name))
        desk.store.recalls.keep("old", [Recall(who, known=False)])
        desk.store.recalls.keep("new", [Recall(sea, known=False, chance=0.2), Recall(who, known=True)])
        desk.store.checkpoints.use("new")
        found = evening.ask(desk, datetime.now(UTC))
    assert found is not None
    assert found[1] == Question("Sea?", "recall")


async def test_an_evening_is_a_run_of_single_keystrokes(baby_home: Home) -> None:
    (baby_home.root / practice.PROMPTS).write_text("first of mine\nsecond of mine\n", encoding="utf-8")
    async with seat(baby_home) as here:
        seen = []
        for key in ("f11", "1", "s", "2"):
            await here.pilot.press(key)
            await here.until(lambda: len(here.texts) and here.candidates.draw is not None, "a question")
            await _ready(here)
            seen.append(here.texts[-1])
        assert len(set(seen)) == 4, "none twice"
        assert {"first of mine", "second of mine"} & set(seen)
        assert here.screen.status.facts.practice == "practice: 2 of 4 answered"
        await here.pilot.press("f11")
        await here.until(lambda: "2 answers to 3 questions" in here.toasts, "the end")
        assert not here.candidates.display
        await here.idle()
        waiting = seen[-1]
        await here.pilot.press("f11")
        await _ready(here)
        assert here.texts[-1] == waiting, "what was taken back at the end is asked again"
    with Store.open(baby_home) as store:
        (talk,) = store.conversations.list()
        assert talk.title.startswith("Practice, ")
        assert [pick.kind for pick in store.picks.history() if pick.kind != "undo"] == [
            "candidate",
            "skip",
            "candidate",
        ]
        asked = [message for message in store.conversations.messages(talk.id) if message.role == "user"]
        assert all(message.parent is None for message in asked), "each question stands by itself"
    entries = book.load(baby_home.book)
    assert [entry.turns[-1].user for entry in entries] == [seen[0], seen[2]]
    assert all(len(entry.turns) == 1 for entry in entries)


async def test_undo_in_practice_leads_back_and_forth(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.pilot.press("f11")
        await _ready(here)
        first = here.texts[-1]
        await here.pilot.press("1")
        await here.until(lambda: here.texts[-1] != first and here.screen.focused is here.candidates, "the second")
        await _ready(here)
        second = here.texts[-1]
        await here.pilot.press("backspace")
        await here.until(lambda: here.texts == [first], "the first again")
        assert here.screen.status.facts.practice == "practice: 0 of 2 answered"
        await here.pilot.press("u")
        await here.until(lambda: here.texts[-1] == second, "the second, which the undo overtook")
        assert here.screen.status.facts.practice == "practice: 1 of 2 answered"
        assert here.box.text == ""


async def test_a_question_that_is_open_waits_while_others_are_put(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("hello")
        await here.pilot.press("f11")
        await here.until(lambda: here.screen.tally is not None and here.texts and here.texts != ["hello"], "a question")
        await _ready(here)
        await here.idle()
    with Store.open(baby_home) as store:
        assert "hello" in [question.text for question in store.queues.list("pending")]


async def _ready(here: Seat) -> None:
    """Wait for answers that can be picked: gibberish is now and then nothing at all."""
    await here.answered()
    while (draw := here.candidates.draw) is not None and not all(piece.text.strip() for piece in draw.pieces):
        await here.pilot.press("r")
        await here.until(lambda before=draw: here.candidates.draw is not before, "another draw")
        await here.answered()
