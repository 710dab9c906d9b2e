"""Doing things to words: the gold is what Python says, and questions are read strictly."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.tasks import strings
from mrclassic.tasks.base import Item, Refusal, keyed

FREE = next(word for word in ("lamp", "stone", "garden", "window") if not strings.is_held_out(word))


@pytest.mark.parametrize(
    ("text", "steps", "answer"),
    [
        ("lamp", ["write it backwards", "put it in capitals"], "PMAL"),
        ("red sky", ["pick word 2", "count the letter s"], "1"),
        ("red sky", ["turn the order of its words round"], "sky red"),
        ("red sky", ["join its words", "double it"], "redskyredsky"),
        ("banana", ["put it in capitals", "count the letter a"], "3"),
        ("a b", ["drop its first letter", "count its letters"], "1"),
    ],
)
def test_the_gold_is_worked_out(text: str, steps: list[str], answer: str) -> None:
    item = strings.item(text, steps)
    assert item.answer == answer
    assert strings.check(item, item.trace).right
    assert strings.check(item, answer).right
    assert not strings.check(item, answer + "x").right


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        (f'Take "{FREE}": sing it.', "unparsable"),
        (f"Take {FREE}: write it backwards.", "unparsable"),
        (f'Take "{FREE}": write it backwards, put it in capitals.', "unparsable"),
        (f'Take "{FREE}": pick word 2.', "invalid"),
        (f'Take "{FREE}": join its words.', "invalid"),
        (f'Take "{FREE}": count its letters, then double it.', "invalid"),
        (f'Take "{FREE}": {", then ".join(["double it"] * 4)}.', "invalid"),
        (f'Take "{FREE}": {", then ".join(["keep its first letter", "drop its first letter"])}.', "invalid"),
        ("", "unparsable"),
    ],
)
def test_what_cannot_be_asked(question: str, kind: str) -> None:
    found = strings.parse(question)
    assert isinstance(found, Refusal)
    assert found.kind == kind


@given(st.integers(), st.sampled_from(strings.levels))
def test_what_is_drawn_can_be_read_back(seed: int, level: str) -> None:
    item = strings.sample(keyed(seed), level)
    found = strings.parse(item.question)
    assert isinstance(found, Item)
    assert (found.answer, found.trace) == (item.answer, item.trace)


@settings(max_examples=30)
@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    assert isinstance(strings.parse(text), Item | Refusal)


def test_questions_are_alike_that_differ_in_words_alone() -> None:
    one, two = (strings.item(text, ["pick word 2", "count the letter a"]).question for text in ("ab cd", "lamp oil"))
    other = strings.item("lamp oil jar", ["pick word 2", "count the letter a"]).question
    assert strings.skeleton(one) == strings.skeleton(two) != strings.skeleton(other)


def test_a_reply_may_say_so_in_its_own_words() -> None:
    item = strings.item("red sky", ["pick word 2"])
    for reply in ("sky", "so sky.", 'The answer is "sky".', "ANSWER: sky", "Red, sky, so sky"):
        assert strings.check(item, reply).right, reply
    for reply in ("SKY", "the sky", "red", "sky, so red.", "ANSWER: sky\nANSWER: red"):
        assert strings.check(item, reply).verdict == "wrong", reply
