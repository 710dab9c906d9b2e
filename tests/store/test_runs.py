"""Runs and nights: from start to end, and no row twice when a step is taken again."""

from __future__ import annotations

import math

import pytest

from mrclassic.errors import UsageError
from mrclassic.store import Store


def test_a_run_from_start_to_end(store: Store) -> None:
    night = store.nights.start({"stages": ["book"]})
    run = store.runs.start("book", {"epochs": 3}, "c1", night)
    begun = store.runs.get(run)
    assert (begun.status, begun.settings, begun.parent_checkpoint, begun.night) == (
        "running",
        {"epochs": 3},
        "c1",
        night,
    )
    store.runs.finish(run, "interrupted", facts={"steps": 2})
    assert store.runs.resume(run).status == "running"
    store.runs.finish(run, "done", "c2", {"steps": 4})
    ended = store.runs.get(run)
    assert (ended.status, ended.checkpoint, ended.facts) == ("done", "c2", {"steps": 4})
    assert ended.finished is not None
    other = store.runs.start("grpo", {})
    assert [one.id for one in store.runs.list()] == [other, run]
    assert [one.id for one in store.runs.list("book")] == [run]
    assert [one.id for one in store.runs.list(limit=1)] == [other]
    for attempt in (store.runs.get, lambda number: store.runs.finish(number, "done")):
        with pytest.raises(UsageError, match=r"There is no run 99\."):
            attempt(99)


def test_steps_samples_and_alarms_are_written_again_not_twice(store: Store) -> None:
    run, other = store.runs.start("grpo", {}), store.runs.start("grpo", {})
    for value in (1.0, 2.0):
        store.runs.step(run, 1, {"loss": value})
        store.runs.step(run, 2, {"loss": math.nan})
        store.runs.sample(run, 1, "1+1=", "2", value, {"arm": "add"})
        store.runs.sample(run, 1, "1+1=", "3", None)
        store.runs.alarm(run, 2, "nan", "rollback", f"loss is not a number ({value})")
    store.runs.step(other, 1, {"loss": 9})
    (first, metrics), (second, broken) = store.runs.steps(run)
    assert (first, metrics, second) == (1, {"loss": 2.0}, 2)
    assert math.isnan(broken["loss"])
    samples = store.runs.samples(run)
    assert [(s.completion, s.reward, s.detail) for s in samples] == [("3", None, {}), ("2", 2.0, {"arm": "add"})]
    assert [s.completion for s in store.runs.samples(run, limit=1)] == ["3"]
    (alarm,) = store.runs.alarms(run)
    assert (alarm.rule, alarm.verdict, alarm.message) == ("nan", "rollback", "loss is not a number (2.0)")


def test_a_night_from_plan_to_report(store: Store) -> None:
    assert store.nights.last() is None
    night = store.nights.start({"minutes": 10})
    assert store.nights.get(night).status == "planned"
    store.nights.update(night, "running", "grpo")
    assert store.nights.get(night).stage == "grpo"
    store.nights.finish(night, "done", {"verdict": "promote"}, "nights/1.md", "c2")
    last = store.nights.last()
    assert last is not None
    assert (last.status, last.gate, last.report, last.checkpoint) == (
        "done",
        {"verdict": "promote"},
        "nights/1.md",
        "c2",
    )
    assert last.plan == {"minutes": 10}
    assert last.finished is not None
    later = store.nights.start({})
    assert [one.id for one in store.nights.list()] == [later, night]
    with pytest.raises(UsageError, match=r"There is no night 99\."):
        store.nights.update(99, "running", "x")
