"""The reward contract: functions written for TRL work as they are; a faulty one abstains and teaches nothing."""

from __future__ import annotations

import math
import re
import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.rewards import reward
from mrclassic.rewards.contract import Scores, Weighted, columns_of, score
from mrclassic.rewards.correct import Correct
from mrclassic.tasks import arithmetic
from mrclassic.tasks.base import Item, Judgement, check_all, keyed
from mrclassic.tasks.base import ask as ask_item

PROMPTS = [[{"role": "user", "content": "What is 1 + 1?"}], [{"role": "user", "content": "What is 2 + 2?"}]]
TEXTS = ["so 2.", "so 5."]
ITEMS = [arithmetic.item(1, 1, "+"), arithmetic.item(2, 2, "+")]
COLUMNS: dict[str, list[Any]] = {"answer": ["2", "4"], "hint": [None, "x"]}


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


@pytest.mark.parametrize(
    "values",
    [(1, 0), [True, False], [np.float32(1), np.int64(0)], [Fraction(1), 0.0], [np.bool_(1), 0], np.array([1.0, 0.0])],
)
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
        @staticmethod
        def check(item: object, completion: str) -> Judgement:
            return Judgement("error" if completion == TEXTS[0] else "skipped")

    found = score([Weighted("c", Correct(Broken()))], PROMPTS, TEXTS, {"item": ITEMS})  # type: ignore[arg-type]
    assert found.total == (None, None)
    assert found.not_found is None
    assert not found.faults


def test_what_the_verifier_could_not_tell_is_not_paid_for_its_form_either() -> None:
    """Else the share for form would be all there is, as for a wrong answer."""

    def unsure(completions: Any, **columns: Any) -> list[float | None]:
        return [None, 0.0]

    def form(completions: Any, **columns: Any) -> list[float]:
        return [1.0, 1.0]

    rewards = [Weighted("correct", unsure, decides=True), Weighted("format", form, 0.1)]
    assert score(rewards, PROMPTS, TEXTS, {}).total == (None, 0.1)
    watched = [Weighted("correct", unsure, 0.0, decides=True), Weighted("format", form, 0.1)]
    assert score(watched, PROMPTS, TEXTS, {}).total == (0.1, 0.1)


def test_an_item_may_name_its_own_reward() -> None:
    asked: list[int] = []

    def tidy(completions: Any, **columns: Any) -> list[float]:
        asked.append(len(completions))
        return [0.7] * len(completions)

    rewards = [
        Weighted("correct", Correct(arithmetic), decides=True),
        Weighted("tidy", tidy, named=True),
        Weighted("share", lambda completions, **columns: [1.0] * len(completions), 0.1),
    ]
    columns = {"item": ITEMS * 2, "reward": [None, "tidy", "", "gone"]}
    found = score(rewards, PROMPTS * 2, TEXTS * 2, columns)
    assert asked == [1]
    assert found.parts["tidy"] == (None, 0.7, None, None)
    assert found.total == (pytest.approx(1.1), pytest.approx(0.8), pytest.approx(1.1), None)
    assert score(rewards, PROMPTS, TEXTS, {"item": ITEMS}).total == (pytest.approx(1.1), pytest.approx(0.1))
    assert asked == [1]


def test_a_reward_of_weight_0_is_recorded_and_teaches_nothing() -> None:
    found = ask(accuracy_reward, picky_reward, weights=(0.0, 1.0))
    assert found.parts["r0"] == (1.0, 0.0)
    assert found.total == (None, 2.0)


def test_a_sum_that_is_no_number_teaches_nothing() -> None:
    found = ask(lambda completions, **columns: [1e308, 1.0], weights=(10.0,))
    assert found.total == (None, 10.0)
    assert len(found.faults) == 1


def test_what_a_function_declares_to_be_its_range_is_kept() -> None:
    @reward(range=(0, 1))
    def percent(completions: Any, **columns: Any) -> list[float]:
        return [1.0, 50.0]

    found = ask(percent)
    assert found.total == (1.0, None)
    assert found.faults == ("reward r0: it gave values outside its range 0 to 1 (on 1 of 2 completions)",)


def test_what_one_function_does_to_its_lists_no_other_sees() -> None:
    def vandal(prompts: Any, completions: Any, answer: Any, **columns: Any) -> list[float]:
        completions[0][0]["content"] = "so 2."
        prompts[0].clear()
        answer.clear()
        return [0.0, 0.0]

    found = ask(vandal, accuracy_reward)
    assert found.parts["r1"] == (1.0, 0.0)
    assert len(COLUMNS["answer"]) == 2


def test_prompts_are_lists_that_a_completion_can_be_added_to() -> None:
    def length(prompts: Any, completions: Any, **columns: Any) -> list[float]:
        return [float(len(prompt + completion)) for prompt, completion in zip(prompts, completions, strict=True)]

    assert score([Weighted("r", length)], [tuple(p) for p in PROMPTS], TEXTS, {}).total == (2.0, 2.0)


def test_the_columns_of_items() -> None:
    items = [ask_item("1 + 1?", "2", level="1", hint="a"), ask_item("2 + 2?", "4", level="2")]
    columns = columns_of(items)
    assert columns["answer"] == columns["solution"] == ["2", "4"]
    assert columns["hint"] == ["a", None]
    assert columns["level"] == ["1", "2"]
    assert list(columns["item"]) == items
    named = columns_of(
        [Item(ITEMS[0].messages, "2", meta={"answer": "other", "solution": "worked out", "prompts": "x"})]
    )
    assert (named["answer"], named["solution"]) == (["2"], ["worked out"])
    # A column cannot stand in for what TRL itself hands over.
    seen = score([Weighted("r", lambda prompts, **columns: [float(prompts == [PROMPTS[0]])])], PROMPTS[:1], [""], named)
    assert seen.total == (1.0,)


def test_the_metrics() -> None:
    def telling(completions: Any, log_metric: Any, log_extra: Any, **columns: Any) -> list[float | None]:
        log_metric("kl", 3.0)
        log_metric("kl", 5.0)
        log_metric("nothing", math.nan)
        log_extra("length", [len(completion[0]["content"]) for completion in completions])
        return [0.5, None]

    rewards = [Weighted("telling", telling), Weighted("correct", Correct(arithmetic), 0.0)]
    found = score(rewards, PROMPTS, ["so 2.", "no idea"], {"item": ITEMS})
    assert found.extra == {"length": (5, 7)}
    assert found.metrics() == {
        "logged/kl": 4.0,
        "rewards/telling/mean": 0.5,
        "rewards/telling/std": 0.0,
        "rewards/correct/mean": 0.5,
        "rewards/correct/std": 0.5,
        "rewards/abstained": 0.5,
        "answers/not_found": 0.5,
    }
    assert score([], [], [], {}).metrics() == {"rewards/abstained": 0.0}


def test_a_column_to_log_of_the_wrong_length_is_a_fault() -> None:
    def telling(completions: Any, log_extra: Any, **columns: Any) -> list[float]:
        log_extra("x", [1])
        return [1.0, 1.0]

    assert ask(telling).total == (None, None)


def test_256_completions_cost_less_than_a_millisecond_beyond_the_checks() -> None:
    items = [arithmetic.sample(keyed(place), "3") for place in range(16) for _ in range(16)]
    texts = [item.trace for item in items]

    def seconds(work: Any) -> float:
        begun = time.thread_time()
        work()
        return time.thread_time() - begun

    def everything() -> None:
        score([Weighted("correct", Correct(arithmetic))], [item.messages for item in items], texts, columns_of(items))

    def beyond() -> float:
        both = [(seconds(lambda: check_all(arithmetic, items, texts)), seconds(everything)) for _ in range(60)]
        checks, whole = (min(times) for times in zip(*both, strict=True))
        return whole - checks

    assert any(beyond() < 0.001 for _ in range(5)), "a busy machine's caches are not ours to judge"


WEIGHTS = st.floats(-10, 10).filter(lambda weight: weight == 0 or abs(weight) > 1e-6)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), weights=st.lists(WEIGHTS, max_size=4), rows=st.integers(0, 5))
def test_the_total_is_the_weighted_sum_of_what_was_given(data: st.DataObject, weights: list[float], rows: int) -> None:
    value = st.none() | st.floats(-100, 100)
    given_ = [data.draw(st.lists(value, min_size=rows, max_size=rows)) for _ in weights]
    rewards = [
        Weighted(f"r{place}", lambda completions, values=values, **columns: values, weight)
        for place, (values, weight) in enumerate(zip(given_, weights, strict=True))
    ]
    found = score(rewards, [PROMPTS[0]] * rows, ["x"] * rows, {})
    assert not found.faults
    for row in range(rows):
        said = [(w, v[row]) for w, v in zip(weights, given_, strict=True) if v[row] is not None and w != 0]
        assert found.total[row] == (pytest.approx(sum(w * v for w, v in said)) if said else None)
    abstained = sum(total is None for total in found.total)
    assert found.metrics()["rewards/abstained"] == abstained / max(1, rows)
    # Who is silent about everything, or weighs nothing, changes nothing.
    more = [*rewards, Weighted("silent", lambda completions, **columns: [None] * len(completions)),
            Weighted("light", lambda completions, **columns: [5.0] * len(completions), 0.0)]  # fmt: skip
    assert score(more, [PROMPTS[0]] * rows, ["x"] * rows, {}).total == found.total
