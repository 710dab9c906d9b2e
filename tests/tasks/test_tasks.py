"""The tasks by name, and what every one of them promises."""

from __future__ import annotations

import pytest

from mrclassic import tasks
from mrclassic.errors import UsageError
from mrclassic.tasks.base import Item, Refusal, Task, keyed

EVERY = [(task, level) for task in tasks.TASKS.values() for level in task.levels]


def test_names() -> None:
    assert all(name == task.name == tasks.get(name).name for name, task in tasks.TASKS.items())
    assert tasks.select("arithmetic") == (tasks.get("arithmetic"), None)
    assert tasks.select("arithmetic:2") == (tasks.get("arithmetic"), "2")


def test_unknown_names_tell_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean arithmetic"):
        tasks.get("arithmetics")
    with pytest.raises(UsageError, match="no level '12'"):
        tasks.select("arithmetic:12")


@pytest.mark.parametrize(("task", "level"), EVERY)
def test_what_it_draws_it_can_judge(task: Task, level: str) -> None:
    rng = keyed("test", level)
    for item in [*(task.sample(rng, level) for _ in range(200)), *task.held_out(level, 200)]:
        assert item.trace, "there is a worked reply to imitate"
        assert task.check(item, item.trace) == "right"
        assert task.check(item, item.answer) == "right"
        assert task.check(item, "") == "wrong"
        assert task.check(item, f"{item.trace[:-1]}0.") == "wrong"


@pytest.mark.parametrize(("task", "level"), EVERY)
def test_training_never_draws_the_held_out_split(task: Task, level: str) -> None:
    held_out = {item.question for item in task.held_out(level)}
    assert len(held_out) == len(task.held_out(level))
    rng = keyed("test", level)
    assert not held_out & {task.sample(rng, level).question for _ in range(2_000)}
    for question in list(held_out)[:200]:
        refusal = task.parse(question)
        assert isinstance(refusal, Refusal)
        assert refusal.kind == "held-out"


@pytest.mark.parametrize(("task", "level"), EVERY)
def test_a_question_it_wrote_is_read_back(task: Task, level: str) -> None:
    rng = keyed("test", level)
    for item in (task.sample(rng, level) for _ in range(200)):
        found = task.parse(item.question)
        assert isinstance(found, Item)
        assert (found.question, found.answer) == (item.question, item.answer)
