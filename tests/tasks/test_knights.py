"""Knights and Knaves: one solution each, shapes that training never draws, worked replies that are right, bad rows."""

from __future__ import annotations

import itertools
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from knights import claims_of
from published import DATA, needs

from mrclassic.tasks import knights
from mrclassic.tasks.base import BadRow, Item, Refusal, keyed
from mrclassic.tasks.knights.claims import Claim, holds, is_held_out, read, shape
from mrclassic.tasks.knights.generate import draw
from mrclassic.tasks.knights.reading import read as read_question
from mrclassic.tasks.knights.solve import solutions

TASK = knights.task(None)
LEVELS = st.sampled_from(TASK.levels)
FOLDER = DATA / "knights_knaves"
# As the model's tokenizer cuts at best: a word, a digit, a run of signs.
TOKEN = re.compile(r" ?[^\W\d_]+|\d| ?[^\s\w]+|\s+")


def true(claim: Claim, knights_: tuple[bool, ...]) -> bool:
    """The meaning of a claim, written once more in Python's own words."""
    match claim:
        case ("telling-truth", person):
            return knights_[person]
        case ("lying", person):
            return not knights_[person]
        case ("not", part):
            return not true(part, knights_)
        case ("and", *parts):
            return all(true(part, knights_) for part in parts)
        case ("or", *parts):
            return any(true(part, knights_) for part in parts)
        case ("->", first, then):
            return true(then, knights_) or not true(first, knights_)
        case ("<=>", one, other):
            return true(one, knights_) == true(other, knights_)
    raise AssertionError(claim)


def by_trying(claims: tuple[Claim, ...]) -> list[tuple[bool, ...]]:
    cases = itertools.product((False, True), repeat=len(claims))
    return [case for case in cases if all(true(claim, case) == case[one] for one, claim in enumerate(claims))]


def statements(item: Item) -> tuple[Claim, ...]:
    return read(item.meta["statements"], len(item.meta["names"]))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), people=st.integers(2, 5))
def test_the_solver_finds_what_trying_finds(data: st.DataObject, people: int) -> None:
    claims = tuple(data.draw(claims_of(people)) for _ in range(people))
    assert sorted(solutions(claims)) == by_trying(claims)
    for case in itertools.product((False, True), repeat=people):
        assert [bool(holds(claim, case)) for claim in claims] == [true(claim, case) for claim in claims]
    assert read(str(claims), people) == read(json.loads(json.dumps(claims)), people) == claims


@pytest.mark.parametrize("level", TASK.levels)
def test_what_is_drawn_has_one_solution_and_a_worked_reply(level: str) -> None:
    rng = random.Random(int(level))
    for item in [*(TASK.sample(rng, level) for _ in range(150)), *TASK.held_out(level, 50)]:
        solution = tuple(item.meta["solution"])
        assert by_trying(statements(item)) == [solution]
        assert len(solution) == len(set(item.meta["names"])) == int(level)
        assert TASK.check(item, item.trace).verdict == TASK.check(item, item.answer).verdict == "right"
        assert item.trace.endswith(f"\nANSWER: {item.answer}.")
        assert TASK.slot.search(item.trace)
        assert TASK.check(item, f"{item.trace[:-1]}0.").verdict == "wrong"
        assert TASK.row({"question": item.question, "answer": item.answer}) == item


@pytest.mark.parametrize(("level", "longest"), [("2", 120), ("3", 300), ("4", 300), ("5", 360), ("6", 420)])
def test_traces_are_short(level: str, longest: int) -> None:
    rng = random.Random(0)
    items = [TASK.sample(rng, level) for _ in range(200)]
    lengths = sorted(len(TOKEN.findall(item.trace)) for item in items)
    assert lengths[-5] <= longest
    both = [len(TOKEN.findall(item.question + item.trace)) for item in items]
    assert sum(length > 480 for length in both) <= (2 if int(level) < 6 else 10), "they fit in a context of 512 tokens"


@pytest.mark.parametrize("level", ["2", "3"])
def test_every_line_of_a_trace_is_true(level: str) -> None:
    """Up to three people a line tells who is settled, the parts of each claim, and their sum."""
    rng = random.Random(0)
    for item in (TASK.sample(rng, level) for _ in range(200)):
        names, claims = item.meta["names"], statements(item)
        *lines, _ = item.trace.split("\n")
        for line in lines:
            who, _, checks = line.rstrip(".").partition(": ")
            settled = {names.index(part.split()[0]): part.endswith("knight") for part in who.split(", ")}
            clash = False
            for check in checks.split(", "):
                if " says " not in check:
                    assert check == ("clash" if clash else "fits")
                    continue
                speaker = names.index(check.split()[0])
                value = bool(holds(claims[speaker], settled))
                assert check.endswith("yes" if value else "no")
                clash |= value != settled[speaker]
        assert lines[-1].endswith("fits.")
        assert [settled[one] for one in range(len(names))] == item.meta["solution"]


def test_solutions_are_balanced() -> None:
    rng = random.Random(0)
    for level in TASK.levels:
        kinds = [kind for _ in range(300) for kind in TASK.sample(rng, level).meta["solution"]]
        assert 0.44 < sum(kinds) / len(kinds) < 0.56


@settings(max_examples=40, deadline=None)
@given(level=LEVELS, seed=st.integers())
def test_training_never_draws_a_held_out_shape(level: str, seed: int) -> None:
    rng = random.Random(seed)
    assert not any(is_held_out(statements(TASK.sample(rng, level))) for _ in range(15))


@pytest.mark.parametrize("level", TASK.levels)
def test_the_held_out_split_is_fixed_and_without_repetition(level: str) -> None:
    held = TASK.held_out(level, 300)
    assert len({item.question for item in held}) == 300
    assert list(knights.task(None).held_out(level, 20)) == list(held[:20])
    assert all(is_held_out(statements(item)) for item in held)
    assert all(
        isinstance(found := TASK.parse(item.question), Refusal) and found.kind == "held-out" for item in held[:100]
    )


def test_the_whole_held_out_split() -> None:
    """A change here makes old scores incomparable."""
    held = TASK.held_out("2")
    assert len(held) == 1_000
    assert held[0].question == FIRST


FIRST = (
    "On an island live knights, who only say what is true, and knaves, who only say what is false. "
    'Here come Hugo and Felix. Hugo says: "Felix is not a knight." '
    'Felix says: "Felix is a knight if and only if Hugo is a knave." Who is a knight and who is a knave?'
)


def test_a_quarter_of_the_shapes_is_held_out() -> None:
    """The counts in the docstring; a change here makes old scores incomparable."""
    rng = keyed("shapes")
    for people, count, held in ((2, 42, 11), (3, None, None)):
        found = {
            shape(puzzle.claims): is_held_out(puzzle.claims) for puzzle in (draw(rng, people) for _ in range(4_000))
        }
        assert 0.2 < sum(found.values()) / len(found) < 0.3
        assert count is None or (len(found), sum(found.values())) == (count, held)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), people=st.integers(2, 6))
def test_renaming_and_rewording_keep_the_shape(data: st.DataObject, people: int) -> None:
    claims = tuple(data.draw(claims_of(people)) for _ in range(people))
    order = data.draw(st.permutations(range(people)))
    renamed: list[Claim] = [()] * people
    for person, claim in enumerate(claims):
        renamed[order[person]] = reworded(claim, order, data.draw(st.randoms(use_true_random=False)))
    assert shape(renamed) == shape(claims)


def reworded(claim: Claim, order: list[int], rng: random.Random) -> Claim:
    """The same claim about the renamed people, said in another way."""
    kind, *parts = claim
    if kind in ("telling-truth", "lying"):
        if rng.random() < 0.5:
            return (kind, order[parts[0]])
        return ("not", ("lying" if kind == "telling-truth" else "telling-truth", order[parts[0]]))
    sides = [reworded(part, order, rng) for part in parts]
    if kind in ("and", "or", "<=>"):
        rng.shuffle(sides)
    if kind == "->":
        return rng.choice([("or", ("not", sides[0]), sides[1]), ("->", ("not", sides[1]), ("not", sides[0]))])
    if kind == "and" and rng.random() < 0.5:
        return ("not", ("or", *(("not", side) for side in sides)))
    return (kind, *sides)


def test_different_shapes_of_two_people_differ() -> None:
    """Exactly, by trying all renamings: no two shapes of two people are taken for one."""
    rng = random.Random(0)
    truths: dict[str, set[Any]] = {}
    for claims in (draw(rng, 2).claims for _ in range(3_000)):
        says = [tuple(true(claim, case) for case in itertools.product((False, True), repeat=2)) for claim in claims]
        other = [(one[0], one[2], one[1], one[3]) for one in reversed(says)]
        truths.setdefault(shape(claims), set()).add(min(tuple(says), tuple(other)))
    assert all(len(found) == 1 for found in truths.values())


ROW: dict[str, Any] = {
    "quiz": "Who is what?",
    "names": ["Zoey", "Oliver"],
    "statements": "(('not', ('telling-truth', 1)), ('<=>', ('telling-truth', 1), ('lying', 0)))",
    "solution": [False, True],
    "knight_knave": {"knight": "hero", "knave": "villain"},
}
SAME = "(('telling-truth', 0), ('telling-truth', 1))"


def test_a_published_row() -> None:
    item = TASK.row(ROW)
    assert item.question == "Who is what?"
    assert item.answer == "(1) Zoey is a villain (2) Oliver is a hero"
    assert item.meta["level"] == "2"
    assert TASK.check(item, item.trace).verdict == "right"
    assert TASK.row({**ROW, "statements": json.loads(json.dumps(statements(item)))}) == item
    unasked = TASK.row({key: value for key, value in ROW.items() if key not in ("quiz", "solution")})
    assert unasked.answer == item.answer
    assert read_question(unasked.question).claims == statements(item)


def test_a_row_that_only_has_an_answer() -> None:
    item = TASK.row({"question": "I am Zoe; she and I ...", "answer": "Zoe is a knave, and Ben is a knight."})
    assert item.meta["names"] == ["Zoe", "Ben"]
    assert TASK.check(item, "Ben is a knight and Zoe is a knave.").verdict == "right"
    assert TASK.check(item, "Ben is a knight and Zoe is a knight.").verdict == "wrong"
    bare = Item(item.messages, item.answer)
    assert TASK.check(bare, "Ben is a knight and Zoe is a knave.").verdict == "right"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"statements": SAME}, "the puzzle has 4 solutions"),
        ({"statements": "(('lying', 0), ('telling-truth', 1))"}, "the puzzle has no solution"),
        ({"statements": "(('lying', 1), ('lying', 0))"}, "the puzzle has 2 solutions"),
        ({"solution": [True, False]}, '"solution" is not that of its statements'),
        ({"solution": "Zoey"}, '"solution" is not that of its statements'),
        ({"answer": "Zoey is a hero, Oliver is a hero"}, '"answer" is not the solution'),
        ({"statements": "((('lying', 1)"}, "cannot be read"),
        ({"statements": "(" * 5_000}, "cannot be read"),
        ({"statements": "(" * 50_000}, "too long"),
        ({"statements": "__import__('os').system('true')"}, "cannot be read"),
        ({"statements": None}, "not a list of 2"),
        ({"statements": "(('lying', 1),)"}, "not a list of 2"),
        ({"statements": "(('lying', 2), ('lying', 0))"}, "about nobody"),
        ({"statements": "(('lying', -1), ('lying', 0))"}, "about nobody"),
        ({"statements": "(('lying', True), ('lying', 0))"}, "about nobody"),
        ({"statements": "(('xor', ('lying', 1), ('lying', 0)), ('lying', 0))"}, "'xor'"),
        ({"statements": "((['a'], 1), ('lying', 0))"}, "not one of"),
        ({"statements": "(('and', ('lying', 1)), ('lying', 0))"}, "odd 'and'"),
        ({"statements": [[*["not"] * 9, 0], ["lying", 0]]}, "odd 'not'"),
        ({"statements": "((), ('lying', 0))"}, "not a claim"),
        ({"names": ["Zoey"]}, "2 to 8"),
        ({"names": ["Zoey", "zoey"]}, "2 to 8"),
        ({"names": ["Zoey", 7]}, "names of one word"),
        ({"names": ["Zoey", "Oliver Twist"]}, "names of one word"),
        ({"names": None}, "names of one word"),
        ({"names": [f"P{'x' * n}" for n in range(9)]}, "2 to 8"),
        ({"knight_knave": {"knight": "hero", "knave": "hero"}}, "two words"),
        ({"knight_knave": "hero"}, "two words"),
        ({"quiz": 1.5j}, "neither text nor a number"),
    ],
)  # fmt: skip
def test_a_bad_row_is_told(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRow, match=re.escape(reason)):
        TASK.row({**ROW, **change})


def test_a_published_row_without_its_statements() -> None:
    item = TASK.row({"quiz": "I am Zoe; she and I ...", "solution_text": "Zoe is a knave, and Ben is a knight."})
    assert item.answer == "(1) Zoe is a knave (2) Ben is a knight"


@pytest.mark.parametrize("row", [{}, {"question": "Why?"}, {"question": "Why?", "answer": "Because."}])
def test_a_row_without_a_puzzle_is_told(row: dict[str, Any]) -> None:
    with pytest.raises(BadRow):
        TASK.row(row)


def test_deep_claims_are_refused() -> None:
    deep: Any = ("lying", 0)
    for _ in range(7):
        deep = ("not", deep)
    with pytest.raises(BadRow, match="too many levels"):
        TASK.row({**ROW, "statements": [deep, ("lying", 0)]})


def test_a_folder_of_files(tmp_path: Path) -> None:
    """Training files are practised, their held-out shapes are not; test files are held out, and so are their shapes."""
    rng = random.Random(0)
    train, test = [], []
    for number in range(60):
        puzzle = draw(rng, 3)
        row = {"quiz": f"Puzzle {number}?", "names": puzzle.names, "statements": str(puzzle.claims)}
        (test if number < 20 else train).append(row)
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*train, {**train[0], "names": 3}]))
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in test))
    task = knights.task(tmp_path)
    tested = {item.question for item in task.held_out("3")[1_000:]}
    assert tested == {row["quiz"] for row in test}
    shapes = {shape(read(row["statements"], 3)) for row in test}
    drawn = [task.sample(rng, "3") for _ in range(400)]
    assert not any(is_held_out(statements(item)) or shape(statements(item)) in shapes for item in drawn)
    published = {item.question for item in drawn if item.question.startswith("Puzzle")}
    assert 20 < len(published) <= 40
    assert len(task.faults) == 1
    assert "train.jsonl line 41" in task.faults[0]
    assert not TASK.faults


@needs("knights_knaves")
def test_the_published_folder() -> None:
    task = knights.task(FOLDER)
    assert task.faults == ()
    counts = {level: len(rows.held_out) for level, rows in task.loaded.levels.items()}
    assert counts == {"2": 61, "3": 72, "4": 72, "5": 71, "6": 71, "7": 71, "8": 71}
    rng = random.Random(0)
    quizzes = {item.question for item in task.held_out("2")[1_000:]}
    drawn = {task.sample(rng, "2").question for _ in range(1_000)}
    assert any(question.startswith("A very special island") for question in drawn)
    assert not drawn & quizzes
    assert all(isinstance(found := task.parse(quiz), Refusal) and found.kind == "held-out" for quiz in quizzes)
