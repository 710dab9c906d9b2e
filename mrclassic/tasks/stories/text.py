"""Facts in words: the telling, its retellings, blanks and questions.

Every sentence names its person in full: retellings with pronouns, or all from one mould, are learned by heart without
being known (Physics of Language Models 3.1, https://arxiv.org/abs/2309.14316).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mrclassic.tasks.stories.world import Person

BLANK = "____"


@dataclass(frozen=True)
class Wording:
    """Ways to state a fact, the first being that of the telling; and ways to ask for it."""

    states: tuple[str, ...]
    asks: tuple[str, ...]


WORDINGS: Mapping[str, Wording] = {
    "town": Wording(
        (
            "{name} was born in {value}.",
            "{name} comes from {value}.",
            "The birthplace of {name} is {value}.",
            "It was in {value} that {name} was born.",
            "The town of {value} is where {name} came into the world.",
            "{name} is a native of {value}.",
        ),
        ("Where was {name} born?", "In which town was {name} born?", "What is the birthplace of {name}?"),
    ),
    "trade": Wording(
        (
            "{name} works as {a_value}.",
            "{name} is {a_value} by trade.",
            "The trade of {name} is that of {a_value}.",
            "{name} earns a living as {a_value}.",
            "As {a_value}, {name} is known to many.",
            "{name} became {a_value}.",
        ),
        ("What does {name} work as?", "What is the trade of {name}?", "How does {name} earn a living?"),
    ),
    "pet": Wording(
        (
            "{name} keeps {a_value}.",
            "{name} has {a_value} as a pet.",
            "The pet of {name} is {a_value}.",
            "At home {name} looks after {a_value}.",
            "{name} shares the house with {a_value}.",
            "An animal lives with {name}: {a_value}.",
        ),
        ("What pet does {name} keep?", "Which animal lives with {name}?", "What is the pet of {name}?"),
    ),
    "instrument": Wording(
        (
            "{name} plays the {value}.",
            "The instrument of {name} is the {value}.",
            "In the evening {name} practises the {value}.",
            "{name} is fond of playing the {value}.",
            "When there is music, {name} takes up the {value}.",
            "{name} learned to play the {value}.",
        ),
        ("Which instrument does {name} play?", "What does {name} play?", "What is the instrument of {name}?"),
    ),
    "year": Wording(
        (
            "{name} was born in the year {value}.",
            "The year of birth of {name} is {value}.",
            "In the year {value} {name} first opened both eyes.",
            "{name} has been in the world since {value}.",
            "It was in the year {value} that {name} was born.",
            "The life of {name} began in the year {value}.",
        ),
        ("In which year was {name} born?", "When was {name} born?", "What is the year of birth of {name}?"),
    ),
    "teacher": Wording(
        (
            "{name} was taught by {value}.",
            "The teacher of {name} was {value}.",
            "{name} was a pupil of {value}.",
            "It was {value} who taught {name}.",
            "{name} went to school to {value}.",
            "What {name} knows was learned from {value}.",
        ),
        ("Who taught {name}?", "Who was the teacher of {name}?", "Whose pupil was {name}?"),
    ),
}


def telling(person: Person) -> str:
    """The one paragraph, always the same."""
    return " ".join(state(person, attribute) for attribute in WORDINGS)


def retelling(person: Person, rng: random.Random) -> str:
    """The same facts in other words and another order."""
    sentences = [state(person, attribute, rng.randrange(len(each.states))) for attribute, each in WORDINGS.items()]
    rng.shuffle(sentences)
    return " ".join(sentences)


def state(person: Person, attribute: str, way: int = 0) -> str:
    """The fact as a sentence."""
    return _fill(WORDINGS[attribute].states[way], person.name, person.facts[attribute])


def blank(person: Person, attribute: str, way: int) -> str:
    """The sentence with the fact left out, its article with it."""
    gap = "Fill in the blank: " + WORDINGS[attribute].states[way]
    return gap.format(name=person.name, value=BLANK, a_value=BLANK)


def ask_for(person: Person, attribute: str, way: int) -> str:
    """The question."""
    return WORDINGS[attribute].asks[way].format(name=person.name)


def frames(person: str, attribute: str, value: str) -> Iterator[str]:
    """The sentences in which an answer may stand, about the person by full or first name, or as he, she or they."""
    for name in (person, person.split()[0], "he", "she", "they"):
        for way in WORDINGS[attribute].states:
            yield _fill(way, name, value)


def _fill(template: str, name: str, value: str) -> str:
    return template.format(name=name, value=value, a_value=f"{'an' if value[0].lower() in 'aeiou' else 'a'} {value}")
