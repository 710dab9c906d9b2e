"""Facts, questions and retellings by rule: what they say is what the passage says, and nothing is asked by halves."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.tasks import documents
from mrclassic.tasks.documents import Documents
from mrclassic.tasks.documents.facts import Fact, base, read, statements
from mrclassic.tasks.documents.passages import Pair, Passage
from mrclassic.tasks.documents.questions import BLANK, Question, asks, made, sound, written
from mrclassic.tasks.documents.retellings import retellings
from mrclassic.tasks.documents.sentences import sentences, words
from mrclassic.tasks.stories import text
from mrclassic.tasks.stories.world import people
from mrclassic.tasks.trivia import normal

READ = {
    "The key of the shed is under the blue pot.": (
        "the key of the shed",
        "the blue pot",
        "Where is the key of the shed?",
    ),
    "Anna was born in Kiel.": ("Anna", "Kiel", "Where was Anna born?"),
    "Anna was born in 1980.": ("Anna", "1980", "When was Anna born?"),
    "My sister is afraid of dogs.": ("my sister", "dogs", "What is my sister afraid of?"),
    "Anna was taught by Noel Keller.": ("Anna", "Noel Keller", "Who was Anna taught by?"),
    "The boat is called the Gull.": ("the boat", "the Gull", "What is the boat called?"),
    "The capital of Norway is Oslo.": ("the capital of Norway", "Oslo", "What is the capital of Norway?"),
    "Henrik Frost plays the flute.": ("Henrik Frost", "the flute", "What does Henrik Frost play?"),
    "Henrik Frost works as a saddler.": ("Henrik Frost", "a saddler", "What does Henrik Frost work as?"),
    "Mr. Brown comes from Leeds.": ("Mr. Brown", "Leeds", "Where does Mr. Brown come from?"),
    "Wifi password: gull42.": ("wifi password", "gull42", "What is the wifi password?"),
    "Anna Holm: 12 March.": ("Anna Holm", "12 March", "Anna Holm?"),
}
NOT_READ = (
    "It was built in 1954.",
    "Anna and Piet, who is old, are here.",
    "The door is not in the plan.",
    "The door is never open.",
    "The house was built in Kiel in 1954.",
    "If the door is open, close it.",
    "The class rules say nothing.",
    "Anna left.",
    "I am tired.",
    "Is Anna here?",
    "He plays the flute.",
    "What is it.",
)


@pytest.mark.parametrize("sentence", READ)
def test_plain_sentences_are_read(sentence: str) -> None:
    subject, value, question = READ[sentence]
    fact = read(sentence)
    assert fact is not None
    assert (fact.subject, fact.value) == (subject, value)
    assert question in asks(fact)
    ways = list(statements(fact))
    assert ways[0] == sentence
    assert len(set(ways)) == len(ways) >= 2
    for way in ways:
        assert set(words(value)) <= set(words(way)), way
        assert {word.lower() for word in words(subject)} <= {word.lower() for word in words(way)}, way


@pytest.mark.parametrize("sentence", NOT_READ)
def test_others_are_left_alone(sentence: str) -> None:
    assert read(sentence) is None


def test_verbs() -> None:
    pairs = {"plays": "play", "carries": "carry", "watches": "watch", "has": "have", "comes": "come", "fixes": "fix"}
    assert {verb: base(verb) for verb in pairs} == pairs


def test_stories_are_read_as_they_were_meant() -> None:
    """The sentences of the little world: the value of each telling's sentence is the fact, but for the full stop."""
    right = 0
    for person in people(0, 400)[:100]:
        for attribute in text.WORDINGS:
            fact = read(text.state(person, attribute))
            assert fact is not None
            right += normal(fact.value).removeprefix("year ") == normal(person.facts[attribute])
            assert fact.subject == person.name
    assert right == 600


PASSAGE = Passage(tuple(sentences(text.telling(people(0, 400)[0]))))


def test_questions_ask_for_what_is_told() -> None:
    found = sound(made(PASSAGE))
    assert {question.kind for question in found} == {"question", "blank"}
    for question in found:
        assert question.answer in PASSAGE.text
        assert f" {normal(question.answer)} " not in f" {normal(question.question)} "
        assert (BLANK in question.question) == (question.kind == "blank")
        item = documents._item(question)
        task = Documents(None)
        assert task.check(item, item.trace).right
        assert task.check(item, question.reference).right
        assert task.check(item, "Nobody knows.").verdict == "wrong"


def test_all_that_ask_for_one_fact_stand_on_one_side() -> None:
    """Whoever asks, and in whatever words; and about half of all facts are held out."""
    held = 0
    for person in people(0, 400):
        passage = Passage(tuple(sentences(text.telling(person))))
        own = [
            written(Pair(ask.format(name=person.name), person.facts[attribute]), by, passage)
            for attribute, wording in text.WORDINGS.items()
            for ask in wording.asks
            for by in ("owner", "teacher")
        ]
        sides: dict[str, set[bool]] = {}
        for question in [*own, *made(passage)]:
            sides.setdefault(normal(question.answer).removeprefix("year "), set()).add(question.held_out)
        facts = [side for answer, side in sides.items() if answer not in ("year",)]
        assert sum(len(side) > 1 for side in facts) <= 1  # "1912" and "the year 1912" are two answers to look at
        held += sum(True in side for side in facts)
    assert 0.45 < held / 2_400 < 0.6


def test_a_question_with_two_answers_is_nobodys() -> None:
    def one(answer: str, by: str = "template") -> Question:
        return Question("How long is it?", answer, "question", by, answer)  # type: ignore[arg-type]

    assert sound([one("9 m"), one("8 m")]) == []
    assert sound([one("9 m"), one("8 m", "owner"), one("9 m")]) == [one("8 m", "owner")]
    assert sound([one("9 m"), one("the 9 m")]) == [one("9 m")]
    assert sound([Question("Is Anna Anna?", "Anna", "question", "template", "x")]) == []


def test_retellings_say_the_same() -> None:
    found = retellings(PASSAGE, 4, random.Random(0))
    assert len(set(found) | {PASSAGE.text}) == 5
    for told in found:
        assert all(normal(value) in normal(told) for value in people(0, 400)[0].facts.values())
        assert told.count("Henrik Frost") == 6
    given = Passage(("One.",), retellings=("Uno.", "Uno.", "Ein."))
    assert retellings(given, 2, random.Random(0)) == ["Uno.", "Ein."]
    assert retellings(Passage(("a = 1",), verbatim=True), 4, random.Random(0)) == []
    leaning = Passage(("Anna left.", "She ran.", "Piet stayed."))
    assert all("Anna left. She ran." in told for told in retellings(leaning, 4, random.Random(0)))
    assert retellings(PASSAGE, 4, random.Random(0)) == found


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("Aab9 .,:;'\"is wasthein The born of\n"), max_size=120))
def test_any_passage_can_be_asked_about(told: str) -> None:
    passage = Passage(tuple(sentences(told)))
    retellings(passage, 3, random.Random(0))
    for question in sound(made(passage)):
        assert question.answer
        assert isinstance(question.held_out, bool)


@pytest.mark.parametrize(
    ("sentence", "gaps"),
    [
        ("It was in 1954 when they moved to Upper Dell.", {"1954", "Upper Dell"}),
        ("We met old Mr. Falk again.", {"Mr. Falk"}),
        ("Karl married Hanna, and Hanna was glad.", set()),
        ("front | 9 m | Pine.", set()),
        ("Anna left.", set()),
    ],
)
def test_other_sentences_get_blanks_for_names_and_numbers(sentence: str, gaps: set[str]) -> None:
    assert {question.answer for question in made(Passage((sentence,)))} == gaps


def test_a_fact_is_plain_data() -> None:
    assert read("Anna plays the cello.") == Fact("Anna plays the cello.", "does", "Anna", "plays", "the cello")
