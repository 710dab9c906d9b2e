"""The hard pairs that travel with the program: equal ones are accepted, unequal ones are not."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from mrclassic.bench import verify
from mrclassic.errors import UsageError
from mrclassic.tasks.answers import judge, ladder


def test_all_wrong_pairs_are_refused_and_nearly_all_right_ones_accepted() -> None:
    pairs = verify.pairs(None)
    assert sum(pair.right is True for pair in pairs) >= 500
    assert sum(pair.right is False for pair in pairs) >= 250
    report = verify.measure(pairs, beside=False)
    assert report.ladder.accepted_wrong == 0, report.missed
    # What a worker decides may run out of time on a busy machine.
    assert report.ladder.accepted_right >= 0.99 * report.ladder.right, report.missed


@pytest.mark.slow
def test_math_verify_alone_accepts_fewer_right_and_more_wrong_ones() -> None:
    pairs = [pair for place, pair in enumerate(verify.pairs(None)) if place % 16 == 0]
    report = verify.measure(pairs)
    assert report.math_verify is not None
    assert report.ladder.accepted_right > report.math_verify.accepted_right
    assert report.ladder.accepted_wrong <= report.math_verify.accepted_wrong


def test_a_thousand_short_answers_take_less_than_a_second() -> None:
    judge("1", "2")
    ladder.forget()
    start = time.perf_counter()
    for number in range(1_000):
        gold, given = (
            f"\\frac{{{number}}}{{7}}",
            f"The answer is $\\frac{{{2 * number}}}{{14}} + {number % 2}\\sqrt{{2}}$.",
        )
        assert (judge(gold, given).verdict == "right") == (number % 2 == 0)
    assert time.perf_counter() - start < 1.5  # 0.3 s on a quiet machine


def test_rows_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"answer": "1/2", "completion": "0.5"}) + "\n")
    report = verify.measure(verify.pairs(file), beside=False)
    assert (report.rows, dict(report.verdicts), report.ladder.right) == (1, {"right": 1}, 0)
    for bad in ({"answer": "1"}, {"answer": 1, "completion": "1"}, {"answer": "1", "completion": "1", "right": "yes"}):
        file.write_text(json.dumps(bad) + "\n")
        with pytest.raises(UsageError, match="line 1"):
            verify.pairs(file)
    file.write_text("")
    with pytest.raises(UsageError, match="no rows"):
        verify.pairs(file)
