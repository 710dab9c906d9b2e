"""Functions of other libraries, by equal signatures: TRL's rewards, verifiers' rubrics, sync and async."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from mrclassic.rewards.contract import Scores, Weighted, columns_of, score
from mrclassic.tasks.base import Item, ask

ITEMS = [ask("1 + 1?", "2", task="sums", level="1"), ask("2 + 2?", "4", task="sums", level="2")]
TEXTS = ["so 2.", "so 5."]


def call(*functions: Any, texts: list[str] | None = None, items: list[Item] | None = None, **more: Any) -> Scores:
    items = ITEMS if items is None else items
    named = [Weighted(f"r{place}", function) for place, function in enumerate(functions)]
    columns = {**columns_of(items), **more.pop("columns", {})}
    return score(named, [item.messages for item in items], TEXTS if texts is None else texts, columns, **more)


# -- TRL: the signatures of `trl.rewards`, with bodies of our own


def accuracy_reward(
    completions: list[list[dict[str, str]]],
    solution: list[str],
    log_extra: Callable[[str, list[Any]], None] | None = None,
    **kwargs: Any,
) -> list[float | None]:
    contents = [completion[0]["content"] for completion in completions]
    if log_extra is not None:
        log_extra("solution", list(solution))
    return [None if not gold else float(gold in text) for text, gold in zip(contents, solution, strict=True)]


def reasoning_accuracy_reward(
    completions: list[list[dict[str, str]]],
    solution: list[str],
    reasoning_delimiters: list[str] | None = None,
    log_extra: Callable[[str, list[Any]], None] | None = None,
    **kwargs: Any,
) -> list[float | None]:
    assert reasoning_delimiters is None
    return accuracy_reward(completions, solution, log_extra, **kwargs)


def think_format_reward(completions: list[list[dict[str, str]]], **kwargs: Any) -> list[float]:
    contents = [completion[0]["content"] for completion in completions]
    return [float(bool(re.match(r"^<think>(?!.*<think>)(.*?)</think>.*$", text, re.DOTALL))) for text in contents]


class SoftOverlongPunishment:
    __name__ = "soft_overlong_punishment_reward"

    def __init__(self, most: int, room: int) -> None:
        self.most, self.room = most, room

    def __call__(self, completion_ids: list[list[int]], **kwargs: Any) -> list[float]:
        return [-min(1.0, max(0.0, (len(ids) - self.most + self.room) / self.room)) for ids in completion_ids]


def get_repetition_penalty_reward(ngram_size: int, max_penalty: float) -> Callable[..., list[float]]:
    def repetition_penalty_reward(completion_ids: list[list[int]], **kwargs: Any) -> list[float]:
        runs = [list(zip(*[ids[at:] for at in range(ngram_size)], strict=False)) for ids in completion_ids]
        return [(1 - len(set(each)) / len(each)) * max_penalty if each else 0.0 for each in runs]

    return repetition_penalty_reward


def test_trls_own_rewards_work() -> None:
    found = call(
        accuracy_reward,
        reasoning_accuracy_reward,
        think_format_reward,
        SoftOverlongPunishment(10, 4),
        get_repetition_penalty_reward(2, -1.0),
        texts=["<think>1 and 1</think> 2", "5"],
        completion_ids=[[1, 2, 3, 4, 5, 6, 7, 8], [5, 5, 5, 5, 5]],
    )
    assert not found.faults
    assert list(found.parts.values()) == [(1.0, 0.0), (1.0, 0.0), (1.0, 0.0), (-0.5, 0.0), (0.0, -0.75)]
    assert found.extra == {"solution": ("2", "4")}


def test_what_trl_hands_over_is_handed_over() -> None:
    def everything(**given: Any) -> list[float]:
        assert given["trainer_state"].global_step == 7
        assert given["prompts"] == [[{"role": "user", "content": item.question}] for item in ITEMS]
        assert given["completions"] == [[{"role": "assistant", "content": text}] for text in TEXTS]
        assert given["completion_ids"] == [[1], [2]]
        assert given["level"] == ["1", "2"]
        assert given["max_new"] == 64
        assert callable(given["log_extra"])
        assert callable(given["log_metric"])
        return [1.0, 1.0]

    assert not call(everything, step=7, completion_ids=[[1], [2]], columns={"max_new": 64}).faults


def test_a_function_without_keywords_gets_what_it_names() -> None:
    def plain(completions: Any, level: Any, unknown: int = 3) -> list[float]:
        assert unknown == 3
        return [float(each) for each in level]

    assert call(plain, partial(plain, unknown=3)).total == (2.0, 4.0)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda completions, hint, **columns: [1.0, 1.0], "it asks for hint, which these items do not have"),
        (lambda completions, hint, clue: [1.0, 1.0], "it asks for clue, hint, which these items do not have"),
        (lambda: [1.0, 1.0], "it takes nothing of what rewards are told"),
    ],
)
def test_what_is_asked_for_and_not_there_is_named(function: Any, words: str) -> None:
    found = call(function)
    assert found.total == (None, None)
    assert words in found.faults[0]


# -- verifiers: rubric functions


def exact(completion: list[dict[str, str]], answer: str) -> float:
    return float(completion[-1]["content"].endswith(f"{answer}."))


def parsed(parser: Any, completion: Any, answer: str, **kwargs: Any) -> float:
    return float(parser.parse_answer(completion) == answer)


def looks_at_all(prompt: Any, completion: Any, answer: Any, state: Any, task: Any, info: Any, parser: Any) -> float:
    assert prompt[-1]["role"] == "user"
    assert state["prompt"] == prompt
    assert state["completion"] == completion
    assert state["answer"] == answer
    assert task == state["task"] == "sums"
    return float(info["level"])


def test_rubric_functions_are_asked_once_a_completion() -> None:
    found = call(exact, parsed, looks_at_all, texts=["so 2.", "I think\nANSWER: 4"])
    assert not found.faults
    assert found.parts == {"r0": (1.0, 0.0), "r1": (0.0, 1.0), "r2": (1.0, 2.0)}


def test_a_row_may_abstain_or_fail_by_itself() -> None:
    def picky(completion: Any, info: Any) -> float | None:
        return None if info["level"] == "1" else 1.0

    def brittle(completion: Any, info: Any) -> float:
        return 1 / (int(info["level"]) - 1)

    found = call(picky, brittle)
    assert found.parts == {"r0": (None, 1.0), "r1": (None, 1.0)}
    assert found.faults == ("reward r1: it raised ZeroDivisionError: division by zero (on 1 of 2 completions)",)


@pytest.mark.parametrize("value", ["1.0", float("nan"), [1.0], {}, 1j])
def test_a_row_that_is_no_number_abstains(value: Any) -> None:
    def odd(completion: Any) -> Any:
        return value

    found = call(odd)
    assert found.total == (None, None)
    assert len(found.faults) == 1


def test_rubric_functions_share_a_state() -> None:
    def first(state: Any) -> float:
        state["seen"] = state["answer"]
        state.pop("answer")
        return 0.0

    def second(state: Any, answer: str) -> float:
        return float(state["seen"] == answer)

    assert call(first, second).parts["r1"] == (1.0, 1.0)


def test_group_functions_are_asked_once_a_prompt() -> None:
    groups: list[list[str]] = []

    def best_of_group(completions: Any, answers: list[str], states: Any, infos: Any, tasks: Any) -> list[float]:
        assert len(completions) == len(answers) == len(states) == len(infos) == len(tasks)
        assert len(set(answers)) == 1
        texts = [completion[-1]["content"] for completion in completions]
        groups.append(texts)
        if "c" in texts:
            raise ValueError("no c")
        return [float(text == max(texts)) for text in texts]

    found = call(best_of_group, items=[ITEMS[0]] * 2 + [ITEMS[1]] * 3, texts=["a", "b", "c", "d", "e"])
    assert groups == [["a", "b"], ["c", "d", "e"]]
    assert found.total == (0.0, 1.0, None, None, None)
    assert found.faults == ("reward r0: it raised ValueError: no c (on 3 of 5 completions)",)


# -- async


async def slow(completions: Any, **columns: Any) -> list[float]:
    await asyncio.sleep(0.1)
    return [1.0] * len(completions)


async def slow_row(completion: Any, answer: str) -> float:
    await asyncio.sleep(0.1)
    return float(answer)


class SlowObject:
    async def __call__(self, completions: Any, **columns: Any) -> list[float]:
        return await slow(completions)


def test_async_functions_run_beside_each_other_and_beside_sync_ones() -> None:
    def sync(completions: Any, **columns: Any) -> list[float]:
        assert threading.current_thread() is threading.main_thread()  # where signals and alarms work
        time.sleep(0.1)
        return [3.0] * len(completions)

    begun = time.perf_counter()
    found = call(*[slow] * 4, slow_row, SlowObject(), sync, partial(slow))
    assert time.perf_counter() - begun < 0.6  # one after the other: 0.9
    assert not found.faults
    assert [found.parts[f"r{place}"] for place in (0, 4, 5, 6, 7)] == [(1, 1), (2, 4), (1, 1), (3, 3), (1, 1)]


def test_one_that_only_returns_something_to_await_is_awaited() -> None:
    assert call(lambda completions, **columns: slow(completions)).total == (1.0, 1.0)


def test_the_loop_is_the_same_in_the_next_batch() -> None:
    """A client that is kept from batch to batch belongs to the loop that it was made in."""
    loops: list[Any] = []

    async def keeps(completions: Any, **columns: Any) -> list[float]:
        loops.append(asyncio.get_running_loop())
        return [0.0, 0.0]

    call(keeps)
    call(keeps)
    assert loops[0] is loops[1]


async def test_it_may_be_called_from_a_loop() -> None:
    assert call(slow).total == (1.0, 1.0)


async def raises(completions: Any, **columns: Any) -> list[float]:
    raise RuntimeError("the judge is away")


async def leaves(completions: Any, **columns: Any) -> list[float]:
    raise SystemExit(2)


async def cancelled(completions: Any, **columns: Any) -> list[float]:
    raise asyncio.CancelledError


async def too_long(completions: Any, **columns: Any) -> list[float]:
    return [1.0] * 9


async def row_raises(completion: Any) -> float:
    raise KeyError("x")


@pytest.mark.parametrize("function", [raises, leaves, cancelled, too_long, row_raises])
def test_an_async_function_that_fails_abstains(function: Any) -> None:
    found = call(function, slow, accuracy_reward)
    assert found.parts["r0"] == (None, None)
    assert found.total == (2.0, 1.0)
    assert len(found.faults) == 1


def test_an_error_without_words_and_one_with_too_many() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    def mute(completions: Any, **columns: Any) -> list[float]:
        raise Mute

    def verbose(completions: Any, **columns: Any) -> list[float]:
        raise ValueError("line\n" * 100_000)

    found = call(mute, verbose)
    assert found.faults[0] == "reward r0: it raised Mute"
    assert len(found.faults[1]) < 300
    assert "\n" not in found.faults[1]


def test_nothing_is_asked_about_nothing() -> None:
    def never(completions: Any, **columns: Any) -> list[float]:
        raise AssertionError

    assert call(never, items=[], texts=[]).faults == ()
