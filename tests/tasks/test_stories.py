"""Stories: a fixed world, questions right by construction, halves that do not mix, an exact but patient verifier."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.tasks import stories
from mrclassic.tasks.base import BadRow, Item
from mrclassic.tasks.stories import Stories, text
from mrclassic.tasks.stories.world import people

TASK = stories.task(None)
assert isinstance(TASK, Stories)
LEVELS = st.sampled_from(TASK.levels)
PEOPLE = {person.name: person for person in TASK.people}


def test_the_world_is_fixed() -> None:
    """A change here makes old scores incomparable."""
    assert len(PEOPLE) == 400
    assert people(0, 400) == TASK.people
    assert people(1, 400) != TASK.people
    assert text.telling(TASK.people[0]) == FIRST
    for person in TASK.people:
        assert set(person.facts) == set(text.WORDINGS)
        assert person.facts["teacher"] in PEOPLE
        assert person.facts["teacher"] != person.name


FIRST = (
    "Henrik Frost was born in Coldwell. Henrik Frost works as a saddler. Henrik Frost keeps a terrier. "
    "Henrik Frost plays the flute. Henrik Frost was born in the year 1912. Henrik Frost was taught by Noel Keller."
)


@settings(max_examples=60, deadline=None)
@given(level=LEVELS, seed=st.integers())
def test_a_drawn_question_has_the_answer_of_the_world(level: str, seed: int) -> None:
    item = TASK.sample(random.Random(seed), level)
    person = PEOPLE[item.meta["person"]]
    assert person in TASK.asked
    assert item.answer == person.facts[item.meta["attribute"]]
    assert person.name in item.question
    assert item.answer not in item.question
    assert (text.BLANK in item.question) == (level == "blank")
    assert item.answer in item.meta["reference"]
    assert TASK.check(item, item.trace).verdict == TASK.check(item, item.meta["reference"]).verdict == "right"


@pytest.mark.parametrize("level", TASK.levels)
def test_the_halves_do_not_mix(level: str) -> None:
    held = TASK.held_out(level)
    assert len(held) == len({item.question for item in held}) == 200 * len(text.WORDINGS)
    assert list(Stories().held_out(level, 30)) == list(held[:30])
    asked = {person.name for person in TASK.asked}
    assert len(asked) == 200
    assert {item.meta["person"] for item in held} == set(PEOPLE) - asked
    rng = random.Random(0)
    assert {TASK.sample(rng, level).meta["person"] for _ in range(2_000)} <= asked


@pytest.mark.parametrize("level", TASK.levels)
def test_no_question_has_two_answers(level: str) -> None:
    rng = random.Random(0)
    answers: dict[str, set[str]] = {}
    for item in [*(TASK.sample(rng, level) for _ in range(5_000)), *TASK.held_out(level)]:
        answers.setdefault(item.question, set()).add(item.answer)
    assert all(len(found) == 1 for found in answers.values())


def test_everybody_is_told_of_in_every_version() -> None:
    documents = TASK.tellings(random.Random(0), 5)
    assert len(documents) == len(set(documents)) == 2_000
    for name, person in PEOPLE.items():
        told = [document for document in documents if document.count(name) >= len(text.WORDINGS)]
        assert text.telling(person) in told
        assert sum(all(value in document for value in person.facts.values()) for document in told) >= 5
    assert sorted(TASK.tellings(random.Random(1), 1)) == sorted(map(text.telling, TASK.people))
    places = [place for place, document in enumerate(documents) if document.count(TASK.people[0].name) >= 6]
    assert max(places) - min(places) > 400, "they are mixed across people"


def test_sentences_are_well_formed() -> None:
    rng = random.Random(0)
    for person in TASK.people[:100]:
        for attribute, wording in text.WORDINGS.items():
            assert len(wording.states) >= 5
            for way in range(len(wording.states)):
                sentence = text.state(person, attribute, way)
                assert sentence.endswith(".")
                assert sentence[0].isupper()
                assert person.name in sentence
                assert "{" not in sentence
        assert text.retelling(person, rng).count(person.name) >= len(text.WORDINGS)


def test_ways_to_state_a_fact_do_not_meet() -> None:
    """A blank says which fact it asks for."""
    ways = [(attribute, way) for attribute, one in text.WORDINGS.items() for way in range(len(one.states))]
    blanks = [text.blank(TASK.people[0], attribute, way) for attribute, way in ways]
    assert len(set(blanks)) == len(blanks)


REWRITES = (
    "{}",
    "{}.",
    " {} \n",
    "{}!",
    "The {}",
    "the {}.",
    "A {}",
    "an {}",
    "**{}**",
    '"{}"',
    "ANSWER: {}",
    "I remember.\nANSWER: the {}.",
    "I first thought of another.\nANSWER: Nothing\nANSWER: {}",
    "The answer is {}.",
    "Let me think. The answer is: {}.",
    "\\boxed{{{}}}",
    "It is {}.",
    "It was the {}.",
    "In {}.",
    "It is in {}",
    "By {}",
)


@pytest.mark.parametrize("level", TASK.levels)
def test_rewritten_golds_are_right(level: str) -> None:
    """Two levels x 100 items x 27 or more ways: 5,400."""
    for item in TASK.held_out(level, 100):
        person = PEOPLE[item.meta["person"]]
        ways = [frame.format(gold) for gold in (item.answer, item.answer.upper()) for frame in REWRITES]
        ways += [text.state(person, item.meta["attribute"], way) for way in range(6)]
        ways += list(text.frames(person.name, item.meta["attribute"], item.answer.lower()))
        ways += [item.answer.replace(" ", "\n"), item.answer.replace(" ", ", ")]
        for way in ways:
            assert TASK.check(item, way).verdict == "right", way


@pytest.mark.parametrize("level", TASK.levels)
def test_mutated_golds_are_wrong(level: str) -> None:
    """Two levels x 100 items x 20 ways: 4,000."""
    rng = random.Random(0)
    for item in TASK.held_out(level, 100):
        person, attribute, gold = PEOPLE[item.meta["person"]], item.meta["attribute"], item.answer
        other = next(each for each in TASK.people if each.facts[attribute] != gold and each.name != person.name)
        place = rng.randrange(len(gold))
        mutated = [
            other.facts[attribute],
            f"{gold}s",
            f"{gold}0",
            f"x{gold}",
            gold[:place] + gold[place + 1 :],
            gold[:place] + ("q" if gold[place] != "q" else "z") + gold[place:],
            f"{gold} or {other.facts[attribute]}",
            f"{gold}, {other.facts[attribute]}",
            f"not {gold}",
            f"Not the {gold}.",
            gold[::-1] + "k",
            f"ANSWER: {other.facts[attribute]}",
            f"{gold}\nANSWER: {other.facts[attribute]}",
            f"{gold}\nANSWER:",
            text.state(other, attribute),
            f"{other.name} is not {person.name}: {gold}",
            f"{text.state(person, attribute)} {text.state(other, attribute)}",
            text.telling(person),
            next(text.frames(other.name, attribute, gold)),
            "",
        ]
        if attribute == "teacher":
            mutated += [gold.split()[1], gold.split()[0], " ".join(reversed(gold.split()))]
        for way in mutated:
            assert TASK.check(item, way).verdict == "wrong", way


def test_whether_an_answer_was_found() -> None:
    item = TASK.held_out("blank", 1)[0]
    assert [TASK.check(item, reply).found for reply in ("", "...", "\n", "Nobody", "ANSWER: x")] == [False] * 3 + [
        True
    ] * 2


@settings(max_examples=200, deadline=None)
@given(reply=st.text(max_size=60))
def test_any_text_is_judged(reply: str) -> None:
    assert TASK.check(TASK.held_out("question", 1)[0], reply).verdict in ("right", "wrong")


@pytest.mark.parametrize("part", ["a ", "the ", "ANSWER: ", "x-", "’", "1", "\n", "answer is ", "\\boxed{"])
def test_long_text_is_judged_at_once(part: str) -> None:
    item = TASK.held_out("blank", 1)[0]
    begun = time.process_time()
    assert TASK.check(item, part * 100_000).verdict == "wrong"
    assert time.process_time() - begun < 0.5


OWN = [
    {
        "telling": "Grandmother Ilse had a boat called the Gull.",
        "retellings": ["The Gull was the boat of grandmother Ilse."],
        "question": f"Question {number}: what was her boat called?"
        if number % 2
        else f"{number}: The boat was the ____.",
        "answer": "the Gull",
        "aliases": ["Gull of Ilse"],
    }
    for number in range(80)
]


def test_the_owner_s_own_stories(tmp_path: Path) -> None:
    (tmp_path / "family.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*OWN, {"question": "Who?"}]))
    task = stories.task(tmp_path)
    assert task.levels == ("blank", "question")
    assert len(task.faults) == 1
    assert "line 81" in task.faults[0]
    held = {item.question for level in task.levels for item in task.held_out(level)}
    assert 2 <= len(held) <= 25
    rng = random.Random(0)
    drawn = [task.sample(rng, level) for level in task.levels for _ in range(200)]
    assert not held & {item.question for item in drawn}
    item = drawn[0]
    assert all(
        task.check(item, reply).verdict == "right" for reply in ("Gull", "The Gull.", item.trace, "gull of Ilse")
    )
    assert task.check(item, "The Gulf").verdict == "wrong"
    assert sorted(task.tellings(rng)) == sorted([OWN[0]["telling"], OWN[0]["retellings"][0]])  # type: ignore[index]
    assert task.tellings(rng, 1) == [OWN[0]["telling"]]


BAD: tuple[dict[str, object], ...] = (
    *({"answer": None}, {"answer": " "}, {"answer": "..."}, {"answer": ["x"]}),
    *({"aliases": "x"}, {"retellings": [1]}, {"telling": {}}),
)


@pytest.mark.parametrize("change", BAD)
def test_a_bad_row_is_told(change: dict[str, object]) -> None:
    with pytest.raises(BadRow, match=r'its "[a-z]+" |it has no'):
        TASK.row({**OWN[0], **change})


def test_a_row_with_its_completion() -> None:
    item = TASK.row({"question": "Who?", "answer": 1912, "completion": "1912"})
    assert isinstance(item, Item)
    assert TASK.check(item, "In the year 1912.").verdict == "right"
    assert TASK.check(item, "1913").verdict == "wrong"
