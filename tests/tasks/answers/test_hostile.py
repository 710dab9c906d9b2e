"""Answers made to hang, exhaust or confuse: each is judged, soon, and none is right."""

from __future__ import annotations

import time

import pytest

from mrclassic.bench import hostile, verify
from mrclassic.tasks.answers import judge, symbolic, verify_all


@pytest.mark.slow
def test_hostile_answers_take_no_time_and_no_memory() -> None:
    """The long form is `mrclassic bench verify --hostile 10000`."""
    endured = verify.endure(1_500, seed=7)
    assert endured["above_2_s"] == 0, endured
    assert endured["grown_mib"] < 200, endured
    assert set(endured["verdicts"]) <= {"wrong", "error"}, endured
    assert endured["median_s"] < 0.01


def test_every_kind_is_drawn_and_the_same_again() -> None:
    assert list(hostile.strings(200, 1)) == list(hostile.strings(200, 1)) != list(hostile.strings(200, 2))
    assert len(set(hostile.strings(200, 1))) > 150


def test_a_bomb_in_the_worker_harms_nobody() -> None:
    bombs = ["$9^{9^{9^{9}}}$", "$\\int_0^1 x^{10^{10^{10}}} dx$", "$\\sum_{k=1}^{10^9} k!$"]
    symbolic.ask([("$1$", "$1$")])
    start = time.monotonic()
    assert set(symbolic.ask([("$5$", bomb) for bomb in bombs])) <= {"wrong", "error"}
    assert time.monotonic() - start < 2 * len(bombs)
    assert symbolic.ask([("$\\frac12$", "$\\int_0^1 x dx$")]) == ["right"], "the worker is as good as before"


def test_computer_algebra_has_the_last_word() -> None:
    pairs = [("\\frac12", "\\int_0^1 x dx"), ("1", "\\lim_{x \\to 0} \\frac{\\sin x}{x}"), ("2", "\\int_0^1 x dx")]
    assert [judged.verdict for judged in verify_all([*pairs, ("7", "7")])] == ["right", "right", "wrong", "right"]


@pytest.mark.parametrize("text", ["5\0", "\0", "\\input{/etc/passwd}", "٥", "5\u0301" * 500, "5}", "{5", "$5", "５"])
def test_tricks_with_signs(text: str) -> None:
    expected = ("right",) if text in ("$5", "５") else ("wrong", "error")
    assert judge("5", text).verdict in expected
