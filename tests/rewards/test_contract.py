"""The reward contract: functions written for TRL work as they are; a faulty one abstains and teaches nothing."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.rewards.contract import Scores, Weighted, score
from mrclassic.rewards.correct import Correct
from mrclassic.tasks import arithmetic

PROMPTS = [[{"role": "user", "content": "What is 1 + 1?"}], [{"role": "user", "content": "What is 2 + 2?"}]]
TEXTS = ["so 2.", "so 5."]
COLUMNS = {"answer": ["2", "4"], "hint": [None, "x"]}


def ask(*functions: Any, weights: tuple[float, ...] | None = None) -> Scores:
    named = [
        Weighted(f"r{place}", function, (weights or (1.0,) * len(functions))[place])
        for place, function in enumerate(functions)
    ]
    return score(named, PROMPTS, TEXTS, COLUMNS)


# As TRL's documentation writes them.
def accuracy_reward(completions: list[list[dict[str, str]]], answer: list[str], **kwargs: Any) -> list[float | None]:
    contents = [completion[0]["content"] for completion in completions]
    matches = [re.search(r"(\d+)\.$", content) for content in contents]
    return [1.0 if match and match.group(1) == gold else 0.0 for match, gold in zip(matches, answer, strict=True)]


def length_reward(prompts: Any, completions: Any, **kwargs: Any) -> list[float]:
    assert all(prompt[-1]["role"] == "user" for prompt in prompts)
    return [-len(completion[0]["content"]) / 10 for completion in completions]


def picky_reward(completions: Any, hint: list[str | None], **kwargs: Any) -> list[float | None]:
    return [None if one is None else 2.0 for one in hint]


def test_functions_written_for_trl_work_unchanged() -> None:
    found = ask(accuracy_reward, length_reward, picky_reward, weights=(1.0, 0.5, 2.0))
    assert found.parts == {"r0": (1.0, 0.0), "r1": (-0.5, -0.5), "r2": (None, 2.0)}
    assert found.total == (0.75, 3.75)
    assert not found.faults


def test_a_row_on_which_all_abstain_has_no_reward() -> None:
    assert ask(picky_reward).total == (None, 2.0)
    assert ask().total == (None, None)


def raises(completions: Any, **columns: Any) -> list[float]:
    raise RuntimeError("the verifier is broken")


def leaves(completions: Any, **columns: Any) -> list[float]:
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("answer", "rows"),
    [
        ([1.0], (None, None)),
        ([1.0, 0.0, 1.0], (None, None)),
        ([], (None, None)),
        ("ab", (None, None)),
        (b"ab", (None, None)),
        (1.0, (None, None)),
        (None, (None, None)),
        ({0: 1.0, 1: 0.0}, (None, None)),
        ((value for value in (1.0, 0.0)), (None, None)),
        ([float("nan"), 1.0], (None, 1.0)),
        ([float("inf"), 1.0], (None, 1.0)),
        ([-math.inf, 1.0], (None, 1.0)),
        ([10**400, 1.0], (None, 1.0)),
        (["1.0", 1.0], (None, 1.0)),
        ([[1.0], 1.0], (None, 1.0)),
        ([1 + 0j, 1.0], (None, 1.0)),
        ([np.float32("nan"), 1.0], (None, 1.0)),
        ([Decimal("1"), 1.0], (None, 1.0)),
    ],
)
def test_a_faulty_answer_abstains_and_says_so(answer: Any, rows: tuple[float | None, ...]) -> None:
    found = ask(lambda completions, **columns: answer)
    assert found.total == found.parts["r0"] == rows
    assert len(found.faults) == 1
    assert found.faults[0].startswith("reward r0: ")


@pytest.mark.parametrize("function", [raises, leaves, lambda: [1.0, 1.0], lambda completions, nothing: [1.0, 1.0], 7])
def test_a_function_that_fails_abstains_and_the_others_count(function: Any) -> None:
    found = ask(function, accuracy_reward)
    assert found.parts["r0"] == (None, None)
    assert found.total == (1.0, 0.0)
    assert len(found.faults) == 1


def test_ctrl_c_is_not_a_fault_of_the_function() -> None:
    def interrupted(completions: Any, **columns: Any) -> list[float]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(interrupted)


@pytest.mark.parametrize("values", [(1, 0), [True, False], [np.float32(1), np.int64(0)], [Fraction(1), 0.0]])
def test_numbers_of_any_make_count(values: Any) -> None:
    found = ask(lambda completions, **columns: values)
    assert found.total == (1.0, 0.0)
    assert all(type(value) is float for value in found.total)
    assert not found.faults


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(
        st.none()
        | st.booleans()
        | st.floats()
        | st.integers()
        | st.text(max_size=3)
        | st.lists(st.floats(), max_size=2),
        max_size=4,
    )
)
def test_whatever_comes_back_the_total_is_finite_or_none(values: list[Any]) -> None:
    found = ask(lambda completions, **columns: values)
    assert len(found.total) == 2
    assert all(value is None or math.isfinite(value) for value in found.total)
    plain = len(values) == 2 and all(
        value is None or (isinstance(value, int | float) and math.isfinite(value)) for value in values
    )
    assert bool(found.faults) != plain


def test_correct_is_the_verifier() -> None:
    items = [arithmetic.item(47, 85, "+"), arithmetic.item(1, 1, "+")]
    found = score([Weighted("correct", Correct(arithmetic))], PROMPTS, ["so 132.", "so 3."], {"item": items})
    assert found.total == (1.0, 0.0)


def test_correct_abstains_where_the_verifier_could_not_tell() -> None:
    class Broken:
        name = "broken"
        levels = ("1",)
        sample = staticmethod(arithmetic.sample)
        held_out = staticmethod(arithmetic.held_out)
        parse = staticmethod(arithmetic.parse)

        @staticmethod
        def check(item: object, completion: str) -> str:
            return "error" if completion == TEXTS[0] else "skipped"

    items = [arithmetic.item(1, 1, "+")] * 2
    assert score([Weighted("c", Correct(Broken()))], PROMPTS, TEXTS, {"item": items}).total == (None, None)  # type: ignore[arg-type]
