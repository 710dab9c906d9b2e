"""A night that is cut short goes on, in whatever stage it was, and comes to the same model."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import nights
import pytest

from mrclassic import book
from mrclassic.book import Entry, Turn
from mrclassic.home import Home
from mrclassic.night import unfinished
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
    looks = iter(range(100))
    first = nights.night(nest, stopping=lambda: next(looks) > 9)
    assert first.interrupted
    assert "--resume" in first.report.waiting_next
    assert (last(nest).status, last(nest).stage, first.candidate) == ("interrupted", "grpo", None)
    book.put(nest.book, Entry((Turn("Anything new?", "This, in the meantime."),)))
    said: list[str] = []
    second = nights.night(nest, said=said)
    assert not second.interrupted
    assert not [words for words in said if "Changed since" in words]
    assert outcome(nest) == outcome(whole)
    assert [stage.steps for stage in second.report.stages] == list(nights.STEPS.values())


def test_it_is_given_up_when_another_checkpoint_came_into_use(nest: Home) -> None:
    looks = iter(range(100))
    nights.night(nest, stopping=lambda: next(looks) > 2)
    with Store.open(nest) as store:
        assert unfinished.find(nest, store)[0] is not None
        row = store.checkpoints.get("micro")
        shutil.copytree(nest.checkpoints / "micro", nest.checkpoints / "other")
        store.checkpoints.add(type(row)("other", "other", "micro", model_sha256=row.model_sha256))
        store.checkpoints.use("other")
        found, why = unfinished.find(nest, store)
        assert found is None
        assert "given up" in why
    done = nights.night(nest)
    assert (done.report.night, done.interrupted) == (2, False)
    assert [path.name for path in nest.runs.iterdir()] == []
