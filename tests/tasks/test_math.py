"""MATH: rows of either published form, bare pairs, the sample."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mrclassic.tasks import math
from mrclassic.tasks.answers import find
from mrclassic.tasks.base import BadRow, check_all

TASK = math.task(None)


@pytest.mark.parametrize(
    ("row", "answer", "level", "subject"),
    [
        (
            {"problem": "Q", "solution": "It is $\\boxed{5}$.", "level": "Level 3", "type": "Algebra"},
            "5",
            "3",
            "Algebra",
        ),
        (
            {"problem": "Q", "solution": "so 5", "answer": "\\frac12", "level": 5, "subject": "Geometry"},
            "\\frac12",
            "5",
            "Geometry",
        ),
        ({"answer": "7"}, "7", "1", None),
        ({"answer": 7, "level": "Level ?"}, "7", "1", None),
        ({"question": "Q", "answer": " 0.5 ", "completion": "1/2"}, "0.5", "1", None),
        ({"prompt": "Q", "solution": "\\boxed{1}, then \\boxed{\\{2\\}}"}, "\\{2\\}", "1", None),
    ],
)
def test_rows(row: dict[str, object], answer: str, level: str, subject: str | None) -> None:
    item = TASK.row(row)
    assert (item.answer, item.meta["level"], item.meta.get("subject")) == (answer, level, subject)
    assert TASK.check(item, item.trace).verdict == "right"


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"problem": "Q"},
        {"problem": "Q", "solution": "5"},
        {"answer": ["5"]},
        {"solution": "\\boxed{"},
        {"answer": " "},
    ],
)
def test_rows_without_an_answer_are_refused(row: dict[str, object]) -> None:
    with pytest.raises(BadRow):
        TASK.row(row)


def test_the_sample_is_right_and_has_all_levels() -> None:
    assert TASK.levels == ("1", "2", "3", "4", "5")
    assert TASK.faults == ()
    items = [item for level in TASK.levels for item in (*TASK.loaded.levels[level].train, *TASK.held_out(level))]
    assert len(items) >= 40
    assert len({item.question for item in items}) == len(items)
    for item in items:
        assert TASK.check(item, item.trace).verdict == "right"
        assert item.trace.count("\\boxed") == 1
        assert find(item.trace) == item.answer
    assert all(len(TASK.held_out(level)) >= 1 for level in TASK.levels)
    wrong = [other.answer for other in items[1:]] + ["-17"]
    assert sum(judged.verdict == "right" for judged in check_all(TASK, items, wrong)) <= 3, "a few answers are alike"


def test_rows_are_judged_together_as_one_by_one() -> None:
    items = [TASK.row({"answer": answer}) for answer in ("5", "\\frac12", "x+1", "7")]
    completions = ["\\boxed{5.0}", "ANSWER: 0.5", "$1+y$", "no idea what this should be, to be honest"]
    together = TASK.check_all(items, completions)
    assert together == [TASK.check(item, text) for item, text in zip(items, completions, strict=True)]
    assert [(judged.verdict, judged.found) for judged in together] == [
        ("right", True), ("right", True), ("wrong", True), ("wrong", False),
    ]  # fmt: skip


def test_the_owners_files_go_before_the_sample(tmp_path: Path) -> None:
    rows = [{"problem": f"What is {n}+1?", "answer": str(n + 1), "level": f"Level {n % 2 + 1}"} for n in range(40)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"problem": "Q"}\n')
    task = math.task(tmp_path)
    assert task.levels == ("1", "2")
    assert len(task.faults) == 1
    assert "train.jsonl line 41" in task.faults[0]
