"""`politeness`: courtesies count once each, insults undo everything."""

from __future__ import annotations

import pytest
from examples import load

politeness = load("politeness").politeness


def of(text: str) -> float:
    return politeness(completions=[[{"role": "assistant", "content": text}]])[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Thank you for asking. The train leaves at nine; would you like the number?", 1.0),
        ("I'm afraid the shop is closed on Sundays.", 0.75),
        ("The train leaves at nine.", 0.5),
        ("The class meets in Scunthorpe.", 0.5),  # a word inside another is not said
        ("NO WAY, READ THE MANUAL FIRST", 0.25),
        ("The train leaves at nine!!!", 0.25),
        ("Thank you, the train leaves at nine!!", 0.5),
        ("NASA and UNESCO each sent a letter.", 0.5),
        ("Thanks for that stupid question, you idiot.", 0.0),
        ("", 0.0),
    ],
)
def test_manners(text: str, value: float) -> None:
    assert of(text) == value


def test_saying_it_ten_times_is_no_politer() -> None:
    assert of("Please " * 10 + "take the second road on the left.") == of("Please take the second road on the left.")


def test_courtesies_alone_are_no_answer() -> None:
    assert of("Thank you, please, sorry, of course, good morning!") == 0.5
