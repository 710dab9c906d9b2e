"""GSM8K: all published rows, rewritten and changed golds, worked replies without calculator marks."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from published import DATA, needs

from mrclassic.tasks import gsm8k, numbers, rows
from mrclassic.tasks.base import BadRow, Item

HOW = (
    "{}",
    "The answer is {}.",
    "So it is {} in all.",
    "#### {}",
    "ANSWER: {}",
    "That makes {} dollars.",
    "We get 3 * 7 = 21 first. In the end that gives {}.",
    "\\boxed{{{}}}",
    "ANSWER: ${}",
    "Answer: {} units",
)


@pytest.fixture(scope="module")
def published() -> list[tuple[dict[str, str], Item]]:
    task = gsm8k.task(DATA / "gsm8k")
    return [(dict(row), task.row(row)) for path in task.files for _, row in rows.read(path)]


@needs("gsm8k")
def test_every_published_gold_is_right(published: list[tuple[dict[str, str], Item]]) -> None:
    task = gsm8k.task(DATA / "gsm8k")
    assert len(published) == 8_492
    assert task.faults == ()
    for row, item in published:
        assert task.check(item, row["answer"]).verdict == "right"
        assert task.check(item, item.trace).verdict == "right"
        assert "<<" not in item.trace


@needs("gsm8k")
def test_rewritten_golds_are_right_and_changed_ones_wrong(published: list[tuple[dict[str, str], Item]]) -> None:
    task, rng = gsm8k.task(None), random.Random(0)
    for _, item in rng.sample(published, 2_000):
        gold = numbers.read(item.answer)
        assert gold is not None
        value = int(gold)
        right = rng.choice([f"{value}", f"{value:,}", f"{value}.00", f"{value:,}.0", f"{2 * value}/2", f"{value} "])
        assert task.check(item, rng.choice(HOW).format(right)).verdict == "right"
        other = rng.choice([value + 1, value - 1, value * 10, value * 2 + 1, Fraction(2 * value + 1, 2), -value - 1])
        judgement = task.check(item, rng.choice(HOW).format(other if isinstance(other, int) else float(other)))
        assert judgement.verdict == "wrong" or other == value
        assert task.check(item, f"{value} or {value + 1}").verdict == "wrong"
        assert task.check(item, f"#### {value}\n#### {value + 1}").verdict == "wrong"


@needs("gsm8k")
def test_the_published_split_is_kept(published: list[tuple[dict[str, str], Item]]) -> None:
    task = gsm8k.task(DATA / "gsm8k")
    assert task.levels == ("2", "3", "4", "5", "6", "7", "8")
    test = {row["question"] for _, row in rows.read(DATA / "gsm8k" / "test.jsonl")}
    assert {item.question for level in task.levels for item in task.held_out(level)} == test
    assert sum(len(level.train) for level in task.loaded.levels.values()) == 7_473


def test_the_sample_is_right_line_by_line() -> None:
    """Each calculator mark of the sample that travels with the program holds, and the last one is the gold answer."""
    import re

    task = gsm8k.task(None)
    assert task.faults == ()
    for path in task.files:
        for _, row in rows.read(path):
            marks = re.findall(r"<<([0-9.()+*/-]+)=([0-9.]+)>>", row["answer"])
            assert marks
            for left, result in marks:
                assert eval(re.sub(r"([0-9.]+)", r"Fraction('\1')", left)) == Fraction(result)
            assert numbers.read(row["answer"].rpartition("####")[2]) == Fraction(marks[-1][1])


def test_rows() -> None:
    task = gsm8k.task(None)
    item = task.row({"question": "Q", "answer": "He has <<4*500=2000>>2,000.\nSo 2,000.\n#### 2,000"})
    assert (item.answer, item.trace, item.meta["level"]) == ("2000", "He has 2,000.\nSo 2,000.\n#### 2000", "2")
    assert task.row({"answer": 7, "completion": "x"}).answer == "7"
    for bad in ({}, {"answer": "about seven"}, {"answer": "x #### "}, {"answer": ["7"]}, {"answer": True}):
        with pytest.raises(BadRow):
            task.row(bad)
