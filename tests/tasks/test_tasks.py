"""The tasks by name, and what every one of them promises."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mrclassic import tasks
from mrclassic.errors import UsageError
from mrclassic.tasks.base import Asked, Item, Refusal, check_all, keyed
from mrclassic.tasks.environments.base import Talks

NAMES = tasks.names()
SLOW = {"humaneval", "mbpp"}  # to judge one runs a program


def test_names() -> None:
    assert [tasks.get(name).name for name in NAMES] == NAMES
    assert tasks.select("arithmetic") == (tasks.get("arithmetic"), None)
    assert tasks.select("arithmetic:2") == (tasks.get("arithmetic"), "2")


def test_unknown_names_tell_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean arithmetic"):
        tasks.get("arithmetics")
    with pytest.raises(UsageError, match="no level '12'"):
        tasks.select("arithmetic:12")


def test_listing_names_imports_nothing_heavy() -> None:
    code = "import sys, mrclassic.tasks as t; t.names(); print(*[m for m in sys.modules if 'mrclassic.tasks.' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {f"mrclassic.tasks.{name}" for name in ("base", "catalogue", "rows")}


@pytest.mark.parametrize("name", NAMES)
def test_what_it_draws_it_can_judge(name: str) -> None:
    task = tasks.get(name)
    for level in task.levels:
        rng = keyed("test", level)
        count = 3 if name in SLOW else 30
        items = [*(task.sample(rng, level) for _ in range(count)), *task.held_out(level, count)]
        assert all(item.trace for item in items), "there is a worked reply to imitate"
        judged = check_all(task, items, [item.trace for item in items])
        assert {each.verdict for each in judged} == {"right"}, (level, judged)
        silent = check_all(task, items, [""] * len(items))
        assert {(each.verdict, each.found) for each in silent} == {("wrong", False)}
        if isinstance(task, Talks):
            continue  # the replies to one beginning may happen to win another
        others = [*items[1:], items[0]]
        judged = check_all(task, items, [other.trace for other in others])
        differ = [each for item, other, each in zip(items, others, judged, strict=True) if item.answer != other.answer]
        assert {each.verdict for each in differ} == {"wrong"}, level


def named(task: object, item: Item) -> str:
    """What tells an item from all others; the first line of a dialogue does not."""
    return item.answer if isinstance(task, Talks) else item.question


@pytest.mark.parametrize("name", NAMES)
def test_training_never_draws_the_held_out_split(name: str) -> None:
    task = tasks.get(name)
    for level in task.levels:
        held_out = [named(task, item) for item in task.held_out(level)]
        assert held_out, "there is something to measure on"
        assert len(set(held_out)) == len(held_out)
        assert [named(task, item) for item in task.held_out(level, 5)] == held_out[:5]
        rng = keyed("test", level)
        assert not set(held_out) & {named(task, task.sample(rng, level)) for _ in range(300)}
        if isinstance(task, Asked):
            for question in held_out[:50]:
                refusal = task.parse(question)
                assert isinstance(refusal, Refusal)
                assert refusal.kind == "held-out"


@pytest.mark.parametrize("name", NAMES)
def test_an_item_is_a_function_of_its_key(name: str) -> None:
    one, two = tasks.get(name), tasks.get(name)
    for level in one.levels:
        assert one.sample(keyed("same", level), level) == two.sample(keyed("same", level), level)
