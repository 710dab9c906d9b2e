"""The rewards that are built in, chosen by name as the command line does."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.errors import UsageError
from mrclassic.rewards import get, names, reward, select
from mrclassic.rewards.contract import Scores, columns_of, score
from mrclassic.rewards.similarity import ratio
from mrclassic.tasks import arithmetic
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import Item, Judgement, ask

SUMS = [arithmetic.item(47, 85, "+")] * 4
RIGHT = SUMS[0].trace


class Slotted:
    """Arithmetic whose answers must stand after ANSWER: to be in form; counts how often it is asked."""

    def __init__(self, slot: Any) -> None:
        self.slot = slot
        self.asked = 0

    def check(self, item: Item, completion: str) -> Judgement:
        self.asked += 1
        if "?" in completion:
            return Judgement("error", "too slow")
        return arithmetic.check(item, completion)


def run(
    wanted: list[str], texts: list[str], task: Any = arithmetic, items: list[Item] | None = None, **more: Any
) -> Scores:
    items = SUMS[: len(texts)] if items is None else items
    return score(
        select(wanted, task),
        [item.messages for item in items],
        texts,
        columns_of(items) | more.pop("columns", {}),
        **more,
    )


# -- choosing


def test_the_names() -> None:
    assert names() == (
        "correct", "format", "all_or_nothing", "similarity", "raw_similarity", "length", "repetition", "chance",
    )  # fmt: skip
    for name in names():
        assert callable(get(name, arithmetic))


def test_weights_are_said_or_usual() -> None:
    @reward(weight=0.3)
    def rhyme(completions: Any, **columns: Any) -> list[float]:
        return [0.0] * len(completions)

    def plain(completions: Any, **columns: Any) -> list[float]:
        return [0.0] * len(completions)

    chosen = select(
        ["correct", "format", "length=0.7", "rhyme", "plain", "chance=-1e-1"],
        arithmetic,
        {"rhyme": rhyme, "plain": plain},
    )
    assert [(each.name, each.weight, each.decides) for each in chosen] == [
        ("correct", 1.0, True),
        ("format", 0.1, False),
        ("length", 0.7, False),
        ("rhyme", 0.3, False),
        ("plain", 1.0, False),
        ("chance", -0.1, False),
    ]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (["corect"], "There is no reward 'corect'; did you mean correct?"),
        (["rime"], "did you mean rhyme?"),
        (["zzzzzz"], "there are correct, format"),
        ([""], "There is no reward ''"),
        (["format="], "The weight of the reward format is ''"),
        (["format=much"], "write a number, as in format=0.1"),
        (["format=nan"], "write a number"),
        (["format=inf"], "write a number"),
        (["format", "format=0.2"], "named twice"),
        ([], "No reward is named"),
        (["chance"], "A plugin is called chance"),
    ],
)
def test_what_cannot_be_chosen(wanted: list[str], words: str) -> None:
    with pytest.raises(UsageError) as error:
        select(wanted, arithmetic, {"rhyme": len, "chance": len})
    assert words in str(error.value)


def test_rewards_that_items_name_come_along() -> None:
    class Own(Slotted):
        rewards = ("repetition", "correct")

    chosen = select(["correct"], Own(None))  # type: ignore[arg-type]
    assert [(each.name, each.named) for each in chosen] == [("correct", False), ("repetition", True)]


# -- form, and what is right


def test_correct() -> None:
    found = run(["correct"], [RIGHT, "so 133.", "no idea"])
    assert found.total == (1.0, 0.0, 0.0)
    assert found.metrics()["answers/not_found"] == pytest.approx(1 / 3)


def test_form_is_where_the_verifier_finds_an_answer() -> None:
    texts = [RIGHT, "so 133.", "no idea", "ANSWER: 132"]
    assert run(["format=1"], texts).total == (1.0, 1.0, 0.0, 1.0)
    assert run(["correct", "format"], texts).total == (1.1, 0.1, 0.0, 1.1)
    assert run(["all_or_nothing"], texts).total == (1.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("slot", [re.compile(r"ANSWER: \d+$"), lambda text: "ANSWER: " in text])
def test_a_task_may_have_a_slot_of_its_own(slot: Any) -> None:
    texts = [RIGHT, "ANSWER: 133 ", "ANSWER: 132\n", "what?"]
    assert run(["format=1"], texts, Slotted(slot)).total == (0.0, 1.0, 1.0, 0.0)
    assert run(["all_or_nothing"], texts, Slotted(slot)).total == (0.0, 0.0, 1.0, None)


def test_of_several_tasks_each_has_its_own_form() -> None:
    class Other(Slotted):
        name, levels = "other", ("1",)

    arms = Arms([(arithmetic, "2"), (Other(re.compile("ANSWER")), "1")])  # type: ignore[list-item]
    items = [replace(SUMS[0], meta={"task": name}) for name in ("arithmetic", "other", "arithmetic", "other")]
    assert run(["format=1"], [RIGHT, RIGHT, "no idea", "ANSWER"], arms, items).total == (1.0, 0.0, 0.0, 1.0)
    assert run(["all_or_nothing"], [RIGHT, RIGHT, RIGHT, "ANSWER: 132"], arms, items).total == (1.0, 0.0, 1.0, 1.0)


def test_nothing_is_judged_twice() -> None:
    task = Slotted(None)
    assert run(["correct", "format", "all_or_nothing"], [RIGHT, "133"], task).total == (2.1, 0.1)
    assert task.asked == 2


def test_a_verifier_that_fails_is_no_share_for_form() -> None:
    class Broken(Slotted):
        def check(self, item: Item, completion: str) -> Judgement:
            raise OSError("no verifier")

    task = Broken(lambda text: True)
    found = run(["correct", "format"], [RIGHT, "133"], task)
    assert found.total == (None, None)
    assert found.not_found is None
    assert found.faults == ("reward correct: it raised OSError: no verifier",)


# -- nearness

STORY = [ask("Who kept the light?", "Ada Marsh", reference="The keeper of the light was Ada Marsh.")]


def near(text: str, name: str = "similarity", items: list[Item] | None = None) -> float | None:
    return run([f"{name}=1"], [text], items=items or STORY).total[0]


@pytest.mark.parametrize("text", ["Ada Marsh", "ada marsh.", "The Ada Marsh", "The keeper of the light was Ada Marsh."])
def test_the_missing_word_itself_is_right(text: str) -> None:
    assert near(text) == 1.0


def test_a_wrong_fact_in_the_right_words_gets_nothing_and_the_right_one_in_others_a_share() -> None:
    wrong, other = "The keeper of the light was Ida Mars.", "For thirty years Ada Marsh kept it burning."
    assert near(wrong) == 0.0
    assert near(other) == pytest.approx(0.2 * ratio(other, str(STORY[0].meta["reference"])))
    raw_wrong, raw_other = near(wrong, "raw_similarity"), near(other, "raw_similarity")
    assert raw_wrong is not None
    assert raw_other is not None
    assert raw_wrong > 0.9 > raw_other  # what the guard is for


@pytest.mark.parametrize("text", ["", "Ada", "Marsha Adams", "the of and"])
def test_without_the_word_nothing(text: str) -> None:
    assert near(text) == 0.0


def test_small_words_and_nothing_to_compare() -> None:
    assert near("the", items=[ask("?", "The")]) == 1.0
    assert near("He went to it.", items=[ask("?", "to it")]) == pytest.approx(0.2 * ratio("He went to it.", "to it"))
    assert near("x", items=[ask("?", "")]) is None
    assert near("x", items=[ask("?", "...")]) is None


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=80), gold=st.text(max_size=40))
def test_near_is_between_nothing_and_all(text: str, gold: str) -> None:
    guarded, raw = near(text, items=[ask("?", gold)]), near(text, "raw_similarity", [ask("?", gold)])
    assert guarded is None or guarded == 1.0 or 0.0 <= guarded <= 0.2
    assert raw is not None
    assert 0.0 <= raw <= 1.0
    assert ratio(gold, gold) == 1.0


@pytest.mark.parametrize("letters", ["a", "ab", "a b ", "abcdefghij "])
def test_a_long_reply_is_compared_in_time(letters: str) -> None:
    begun = time.perf_counter()
    assert ratio(letters * 20_000, (letters * 200)[:200]) < 0.1
    assert ratio(letters * 20_000, letters * 20_000) <= 1.0
    assert time.perf_counter() - begun < 5.0


# -- length, repetition, chance


@pytest.mark.parametrize(("tokens", "value"), [(0, 0.0), (80, 0.0), (85, -0.25), (90, -0.5), (100, -1.0), (101, -1.0)])
@pytest.mark.parametrize("columns", [{"max_new": 100}, {"max_completion_length": 100}, {"max_new": [100]}])
def test_length(tokens: int, value: float, columns: dict[str, Any]) -> None:
    found = run(["length=1"], ["x"], columns=columns, completion_ids=[[1] * tokens])
    assert found.total == (pytest.approx(value),)
    assert not found.faults


def test_length_without_a_budget_or_tokens_is_a_fault() -> None:
    assert "hand over max_new" in run(["length"], ["x"], completion_ids=[[1]]).faults[0]
    assert "completion_ids" in run(["length"], ["x"], columns={"max_new": 5}).faults[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", 0.0),
        ("tea and", 0.0),
        ("each word is said just once", 0.0),
        ("tea and toast and tea and toast and tea and toast", 4 / 9 - 1),
        ("no! " * 100, 2 / 198 - 1),
        ("!" * 50, 1 / 48 - 1),
    ],
)
def test_repetition(text: str, value: float) -> None:
    assert run(["repetition=1"], [text]).total == (pytest.approx(value),)


def test_chance_knows_nothing_of_the_answers() -> None:
    items, texts = SUMS * 64, [str(number) for number in range(256)]
    first = run(["chance"], texts, items=items, step=3)
    assert first.total == run(["chance"], [RIGHT] * 256, items=items, step=3).total
    assert first.total != run(["chance"], texts, items=items, step=4).total
    assert first.total != run(["chance"], texts, items=[arithmetic.item(1, 2, "+")] * 256, step=3).total
    heads = sum(value or 0.0 for value in first.total)
    assert 90 < heads < 166
    assert set(first.total) == {0.0, 1.0}
