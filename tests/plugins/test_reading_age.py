"""`reading_age`: Flesch and Kincaid's formula on syllables counted by rule."""

from __future__ import annotations

import pytest
from examples import load

plugin = load("reading_age")

SYLLABLES = """
the:1 table:2 house:1 people:2 little:2 because:2 created:3 idea:3 radio:3 science:2 quiet:2 queen:1 question:2
nation:2 special:2 delicious:3 curious:3 business:2 evening:2 every:2 beautiful:3 family:3 reading:2 being:2 walked:1
wanted:2 boxes:2 horses:2 makes:1 played:1 cried:1 lion:2 million:2 onion:2 area:3 piano:3 usually:4 university:5
elephant:3 yellow:2 year:1 beyond:2 player:2 poem:2 ocean:2 language:2 guest:1 eyes:1 ice:1 apples:2 whole:1 smiled:1
wouldn't:2 history:3 different:3 animal:3 tomorrow:3 thousand:2 institution:4 photosynthesis:5 theory:3 video:3
serious:3 museum:3 going:2 seeing:2 fire:1 flower:2 society:4 variety:4 violin:3 period:3 material:4 social:2
ancient:2 experience:4 bridges:2 loved:1 settled:2 castles:2 recipe:3 movement:2 nineteen:2 lonely:2 something:2
homework:2 careful:2 rhythm:2
"""
SIMPLE = "The cat sat on the mat. It was a big cat. It had a red hat. The cat was fat. We saw it run."
HARD = (
    "The administration's institutional responsibilities necessitated comprehensive evaluation of environmental "
    "considerations, notwithstanding the extraordinary complexity of international agricultural legislation."
)


def of(text: str, age: float | None = None) -> float | None:
    return plugin.reading_age(completions=[[{"role": "assistant", "content": text}]], reading_age=[age])[0]


@pytest.mark.parametrize("case", SYLLABLES.split())
def test_syllables(case: str) -> None:
    word, count = case.split(":")
    assert plugin.syllables(word) == int(count)


def test_the_formula() -> None:
    # 24 words, 5 sentences, 24 syllables.
    assert plugin.age_of(SIMPLE) == pytest.approx(0.39 * 24 / 5 + 11.8 - 15.59 + 5)


def test_simple_is_for_children_and_hard_for_nobody() -> None:
    assert plugin.age_of(SIMPLE) < 6
    assert plugin.age_of(HARD) > 20
    assert (of(SIMPLE, 4), of(HARD, 9)) == (1.0, 0.0)
    assert of(HARD) == 0.0
    assert of(SIMPLE) == of(SIMPLE, 9.0) < 1.0


def test_it_grows_with_nearness() -> None:
    values = [of(SIMPLE, age) for age in (4, 5, 7, 9, 11)]
    assert values[0] == 1.0
    assert values[-1] == 0.0
    assert values == sorted(values, reverse=True)  # type: ignore[type-var]


@pytest.mark.parametrize("text", ["", "Yes.", "It is in the north.", "1 2 3 4 5 6 7 8 9 10"])
def test_too_little_to_tell(text: str) -> None:
    assert of(text) is None
