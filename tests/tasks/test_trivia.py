"""TriviaQA: the official normalisation, every alias of the published rows, and answers that are not among them."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published import DATA, needs

from mrclassic.tasks import rows, trivia
from mrclassic.tasks.base import BadRow

HOW = (
    "{}",
    "{}.",
    "ANSWER: {}",
    "The answer is {}.",
    "It is {}.",
    "I think it's {}",
    "Let me think. There were two of them.\n{}",
    "The final answer is: {}",
    "**{}**",
    "  {} \n",
)


@needs("triviaqa")
def test_every_published_alias_is_right_and_others_wrong() -> None:
    task, rng = trivia.task(DATA / "triviaqa"), random.Random(0)
    assert (task.faults, task.levels) == ((), ("1",))
    names = [row["answer"] for _, row in rows.read(task.files[0])]
    items = [task.row(row) for path in task.files for _, row in rows.read(path)]
    assert len(items) == 2_800
    changed = 0
    for item in items:
        aliases = item.meta["aliases"]
        assert not item.question.startswith("Question:")
        for alias in aliases:
            assert task.check(item, alias).verdict == "right", (item.question, alias)
        known = {trivia.normal(alias) for alias in aliases}
        alias = rng.choice([alias for alias in aliases if alias.isascii() and alias.isalnum()] or [item.answer])
        if alias.isascii() and alias.isalnum():
            assert task.check(item, rng.choice(HOW).format(alias)).verdict == "right", alias
        place = rng.randrange(len(alias))
        other = alias[:place] + rng.choice(string.ascii_lowercase) + alias[place + 1 :]
        for wrong in (other, rng.choice(names), f"{alias} or {rng.choice(names)}", alias + "qx"):
            if trivia.normal(wrong) not in known:
                changed += 1
                assert task.check(item, wrong).verdict == "wrong", (aliases, wrong)
    assert changed > 5_000


def official(text: str) -> str:
    """The steps of the official evaluation, one after the other."""
    import re

    text = text.replace("_", " ").lower()
    text = "".join(sign if sign not in set(string.punctuation + "‘’´`") else " " for sign in text)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split()).strip()


@settings(max_examples=400, deadline=None)
@given(text=st.text(max_size=30) | st.text("aAnNtThHeE _-.'`‘’´&(,\n", max_size=30))
def test_the_normalisation_is_the_official_one(text: str) -> None:
    assert trivia.normal(text) == official(text) or not official(text)


def test_a_name_of_articles_only_is_not_silence() -> None:
    item = trivia.task(None).row({"question": "Which band?", "answer": "The The", "aliases": ["The The", "..."]})
    check = trivia.task(None).check
    assert check(item, "the the").verdict == "right"
    for silent in ("", " ", "a", "ANSWER:", "The", "!!!"):
        assert check(item, silent).verdict == "wrong"
    assert not check(item, "").found


@pytest.mark.parametrize(
    "row",
    [
        {"question": "Q?", "answer": {"value": "Paris", "aliases": ["City of Light"], "normalized_aliases": ["paree"]}},
        {"context": "Question: Q?\nAnswer:", "answer": "Paris", "aliases": ["City of Light", "Paree"]},
        {"question": "Q?", "golden_answers": ["Paris", "City of Light", "Paree"]},
    ],
)
def test_the_three_dresses_of_a_row(row: dict[str, object]) -> None:
    task = trivia.task(None)
    item = task.row(row)
    assert (item.question, item.answer) == ("Q?", "Paris")
    for right in ("paris", "The city of light!", "PAREE"):
        assert task.check(item, right).verdict == "right"
    for wrong in ("London", "Paris or London", "Paris, Texas", "ANSWER: Paris\nANSWER: London", "Not Paris"):
        assert task.check(item, wrong).verdict == "wrong"
    essay = task.check(item, "Well, there are a great many cities in the world, " * 5)
    assert (essay.verdict, essay.found) == ("wrong", False)


@pytest.mark.parametrize("row", [{}, {"question": "Q?"}, {"answer": []}, {"answer": {"value": None}}, {"answer": ""}])
def test_a_row_without_an_answer_is_bad(row: dict[str, object]) -> None:
    with pytest.raises(BadRow):
        trivia.task(None).row(row)
