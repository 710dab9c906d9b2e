"""A night that is cut short goes on, in whatever stage it was, and comes to the same model."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nights
import pytest
import torch

from mrclassic import book
from mrclassic.book import Entry, Turn
from mrclassic.home import Home
from mrclassic.model import checkpoint
from mrclassic.night import run, unfinished
from mrclassic.night.judging import OVERTAKEN
from mrclassic.night.workplace import Workplace
from mrclassic.settings import load
from mrclassic.store import Night, Store


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    nights.small(monkeypatch)


@pytest.fixture
def nest(tmp_path: Path) -> Home:
    return nights.hatch(tmp_path / "home")


def last(home: Home) -> Night:
    with Store.open(home) as store:
        found = store.nights.last()
    assert found is not None
    return found


def outcome(home: Home) -> tuple[str, str, list[object]]:
    """What a night came to: the weights of its candidate, the gate's word, and every row of its runs' logs."""
    with Store.open(home) as store:
        row = store.nights.last()
        assert row is not None
        assert row.checkpoint is not None
        rows = [
            (run.kind, run.status, [(step, plain(metrics)) for step, metrics in store.runs.steps(run.id)])
            for run in store.runs.of_night(row.id)
        ]
        return store.checkpoints.get(row.checkpoint).model_sha256, str((row.gate or {}).get("verdict")), rows


def plain(metrics: dict[str, object]) -> dict[str, str]:
    return {name: repr(value) for name, value in metrics.items() if not name.startswith("seconds")}


@pytest.mark.slow
def test_killed_again_and_again_it_comes_to_the_same_model(nest: Home, tmp_path: Path) -> None:
    whole = Home(shutil.copytree(nest.root, tmp_path / "whole"))
    begun = time.monotonic()
    assert nights.forked(lambda: nights.night(whole)) == 0
    took = time.monotonic() - begun
    rng, kills = random.Random(4), 0
    while nights.forked(lambda: nights.night(nest), rng.uniform(0.1, 0.9) * took) != 0:
        kills += 1
        assert kills < 40
        if last(nest).status == "done":
            break
    assert kills > 2
    assert outcome(nest) == outcome(whole)
    assert list(nest.runs.iterdir()) == []


def test_it_goes_on_where_it_was_ended_with_the_book_it_began_with(nest: Home, tmp_path: Path) -> None:
    whole = Home(shutil.copytree(nest.root, tmp_path / "whole"))
    nights.night(whole)
    looks, begun = iter(range(100)), time.monotonic()
    first = nights.night(nest, stopping=lambda: next(looks) > 9)
    assert first.interrupted
    with sqlite3.connect(nest.database) as db:  # as if it had been an hour ago
        db.execute("UPDATE nights SET started = ?", ((datetime.now(UTC) - timedelta(hours=1)).isoformat(),))
    assert "--resume" in first.report.waiting_next
    assert (last(nest).status, last(nest).stage, first.candidate) == ("interrupted", "grpo", None)
    book.put(nest.book, Entry((Turn("Anything new?", "This, in the meantime."),)))
    said: list[str] = []
    second = nights.night(nest, said=said)
    assert not second.interrupted
    assert not [words for words in said if "Changed since" in words]
    assert outcome(nest) == outcome(whole)
    assert [stage.steps for stage in second.report.stages] == list(nights.STEPS.values())
    assert first.report.spent < second.report.spent <= (time.monotonic() - begun) / 60  # pauses cost nothing
    assert second.report.cost["minutes"] == second.report.spent


def test_it_is_given_up_when_a_checkpoint_of_other_descent_came_into_use(nest: Home) -> None:
    looks = iter(range(100))
    nights.night(nest, stopping=lambda: next(looks) > 2)
    with Store.open(nest) as store:
        assert unfinished.find(nest, store)[0] is not None
        row = store.checkpoints.get("micro")
        shutil.copytree(nest.checkpoints / "micro", nest.checkpoints / "other")
        store.checkpoints.add(type(row)("other", "other", None, model_sha256=row.model_sha256))
        store.checkpoints.use("other")
        found, why = unfinished.find(nest, store)
        assert found is None
        assert "given up" in why
    done = nights.night(nest)
    assert (done.report.night, done.interrupted) == (2, False)
    assert [path.name for path in nest.runs.iterdir()] == []


def taught(home: Home) -> str:
    """A checkpoint as a lesson makes it comes into use: other weights, and an entry that it knows."""
    parent = checkpoint.load(home.checkpoints / "micro", "cpu")
    with torch.no_grad():
        for weight in parent.decoder.parameters():
            weight.mul_(1.01)
    known = (book.load(home.book)[0].hash,)
    facts = checkpoint.save(parent, home.checkpoints / "taught", parent="micro", method="lesson", book=known)
    with Store.open(home) as store:
        row = store.checkpoints.get("micro")
        store.checkpoints.add(
            type(row)("taught", "taught", "micro", parameters=row.parameters, model_sha256=facts.model_sha256)
        )
        store.checkpoints.use("taught")
    return "taught"


def test_after_a_lesson_it_goes_on_and_is_carried_over_to_what_was_taught(nest: Home) -> None:
    looks = iter(range(100))
    assert nights.night(nest, stopping=lambda: next(looks) > 9).interrupted
    lesson, said = taught(nest), list[str]()
    done = nights.night(nest, said=said)
    assert (done.report.night, done.interrupted, done.report.checkpoint_before) == (1, False, lesson)
    assert any("carried over" in words for words in said)
    assert done.report.gate is not None
    assert OVERTAKEN not in done.report.gate.reasons
    with Store.open(nest) as store:
        assert done.candidate is not None
        made = store.checkpoints.get(done.candidate)
        in_use = store.checkpoints.in_use()
    assert made.parent == lesson
    assert in_use is not None
    assert in_use.id == (made.id if done.report.promoted else lesson)


def test_of_a_night_that_was_killed_the_time_counts_up_to_what_it_kept_last(tmp_path: Path) -> None:
    assert unfinished.clock_in(tmp_path, time.monotonic()) == 0.0
    facts = json.loads((tmp_path / "clock.json").read_text())
    assert facts["since"] == pytest.approx(time.time(), abs=1)
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "state").write_text("kept")
    os.utime(tmp_path / "book" / "state", (0, facts["since"] + 40))
    assert unfinished.clock_in(tmp_path, time.monotonic()) == pytest.approx(40)
    unfinished.clock_out(tmp_path, 55.0)
    assert unfinished.clock_in(tmp_path, time.monotonic()) == 55.0
    (tmp_path / "clock.json").write_text("{")
    assert unfinished.clock_in(tmp_path, time.monotonic()) == 0.0


def test_a_night_that_goes_on_ends_in_its_time_too(nest: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter(range(100))
    nights.night(nest, stopping=lambda: next(looks) > 9)
    unfinished.clock_out(unfinished.folder(nest, 1), 600 * 60.0)
    monkeypatch.setattr(run, "_OVERHEAD", -1e6)  # what is left of the plan is to be no reason to go on
    report = nights.night(nest).report
    steps = {stage.name: stage.steps for stage in report.stages}
    assert steps["book"] == nights.STEPS["book"]
    assert steps["selfplay"] < nights.STEPS["selfplay"]


def test_what_it_measured_before_it_was_entered_is_within_its_time(nest: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nights, "STEPS", {"book": 1})
    with Store.open(nest) as store:
        work = Workplace(nest, load(nest, nights.SETTINGS), store, lambda words: None)
        tonight = run.Night(work, run.Wishes(600.0, seed=3))
        time.sleep(1.5)  # as if it had measured for so long
        told = tonight.run().report
    window = datetime.fromisoformat(told.finished) - datetime.fromisoformat(told.started)
    assert 1.5 <= told.spent * 60 <= window.total_seconds() + 1  # the end is told in whole seconds
