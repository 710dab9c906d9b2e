"""A practice run that is cut off goes on bit for bit: weights, curriculum, questions of its own, rows of its log."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import micro
import nights
import pytest
import torch

from mrclassic import book, tasks
from mrclassic.book import Entry, Turn
from mrclassic.curricula.uniform import Uniform
from mrclassic.errors import Refused, UsageError
from mrclassic.home import Home
from mrclassic.lease import Lease
from mrclassic.night import drill, practice
from mrclassic.night.drill import Drilled, Order
from mrclassic.night.workplace import Workplace
from mrclassic.settings import load
from mrclassic.store import Store
from mrclassic.tasks import arithmetic, strings
from mrclassic.tasks.arms import Arms
from mrclassic.training import grpo, questions, selfplay
from mrclassic.training.report import StepReport
from mrclassic.training.sentinel import CONTINUE, History, Verdict


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    nights.small(monkeypatch)
    monkeypatch.setattr(drill, "ITEMS", 6)


# Closed for three updates, so that the cut comes just after they are over; then two networks.
OPENED_FIRST = {"warm": 3, "networks": 2, "form": "zero_sum", "fixed": 0.2}


@pytest.fixture
def nest(tmp_path: Path) -> Home:
    return nights.hatch(tmp_path / "home")


def drilled(home: Home, order: Order, watch: Callable[[StepReport], None] | None = None) -> Drilled:
    with Store.open(home) as store:
        return drill.drill(Workplace(home, load(home, nights.SETTINGS), store, lambda words: None), order, watch=watch)


def rows(home: Home, run: int) -> list[object]:
    with Store.open(home) as store:
        return [
            (step, {name: repr(value) for name, value in metrics.items() if not name.startswith("seconds")})
            for step, metrics in store.runs.steps(run)
        ]


@pytest.mark.parametrize(("method", "play"), [("grpo", {}), ("selfplay", {}), ("selfplay", OPENED_FIRST)])
def test_cut_off_it_comes_to_the_same(
    method: str, play: dict, nest: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if play:
        monkeypatch.setattr(questions, "READABLE", 0.8)
    whole = Home(shutil.copytree(nest.root, tmp_path / "whole"))
    order = Order(method, steps=6, seed=4, play=play)
    straight = drilled(whole, order)
    seen: list[int] = []

    def interrupt(report: StepReport) -> None:
        """Ctrl-C where an update is recorded and not yet saved."""
        seen.append(report.step)
        if report.step == 4 and seen.count(4) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drilled(nest, order, interrupt)
    book.put(nest.book, Entry((Turn("Anything new?", "This, in the meantime."),)))
    resumed = drilled(nest, Order(method, resume=0), interrupt)  # the last one
    assert seen == [1, 2, 3, 4, 4, 5, 6]
    assert (resumed.run, resumed.steps, resumed.ended) == (1, 6, "done")
    assert resumed.model_sha256 == straight.model_sha256
    assert (resumed.before, resumed.after) == (straight.before, straight.after)
    assert rows(nest, 1) == rows(whole, 1)
    assert list(nest.runs.iterdir()) == []
    with pytest.raises(UsageError, match=r"No .* run waits"):
        drilled(nest, Order(method, resume=0))


def test_what_the_sentinel_paused_goes_on_when_its_owner_says_so(
    nest: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Home(shutil.copytree(nest.root, tmp_path / "whole"))
    order = Order("grpo", steps=5, seed=4)

    def once(history: History) -> Verdict:
        return Verdict("pause", "told", "Because.") if len(history) == 3 else CONTINUE

    monkeypatch.setattr(practice, "REINFORCED", ())
    straight = drilled(whole, order)
    monkeypatch.setattr(practice, "REINFORCED", (once,))
    paused = drilled(nest, order)
    assert (paused.ended, paused.why) == ("paused", "Because.")
    assert paused.checkpoint is not None
    done = drilled(nest, Order("grpo", resume=paused.run))
    assert (done.ended, done.steps) == ("done", 5)
    assert done.checkpoint != paused.checkpoint
    if paused.steps == 3:  # else the state it was paused in was not well, and the run went back
        assert done.model_sha256 == straight.model_sha256
    with pytest.raises(UsageError, match="is over"):
        drilled(nest, Order("grpo", resume=paused.run))


def test_it_is_refused_while_a_night_has_the_device(nest: Home) -> None:
    night = Lease(nest, "cpu")
    assert night.own("night")
    with pytest.raises(Refused, match="A night"):
        drilled(nest, Order("grpo", steps=1))
    night.release()


def test_a_candidate_that_was_saved_before_a_kill_is_taken_not_made_again(nest: Home) -> None:
    with Store.open(nest) as store:
        work = Workplace(nest, load(nest, nights.SETTINGS), store, lambda words: None)
        parent = work.parent()
        run = store.runs.start("grpo", {})

        def keep() -> str:
            kept = work.keep(parent.policy, "grpo", parent=parent.row, run=run, step=1, known=(), metrics={"a": 1.0})
            assert (kept.run, kept.metrics) == (run, {"a": 1.0})
            return kept.id

        first = keep()
        assert keep() == first
        assert [row.id for row in store.checkpoints.list()].count(first) == 1
        before = sorted(path.name for path in nest.checkpoints.iterdir())
        next(parent.policy.decoder.parameters()).data += 1  # the same run, gone on
        assert keep() == f"{first}-2"
        assert len(list(nest.checkpoints.iterdir())) == len(before) + 1


def test_a_domain_is_asked_about_as_often_as_its_levels_are_chosen() -> None:
    arms = Arms([(arithmetic, "1"), (arithmetic, "2"), (strings, "1")])
    state = grpo.start(micro.policy(), grpo.Settings(seed=1), torch.float32)
    recipe = practice.Recipe(grpo.Settings(), selfplay.Settings(), 0)
    stage = practice.Stage("selfplay", state, practice.Subject(arms, ()), Uniform(arms.names), recipe, ())
    asked = stage._asked(300)
    assert 160 < sum(domain is arithmetic for domain in asked) < 240
    assert asked == stage._asked(300)


def test_what_no_code_can_read_is_not_asked_about() -> None:
    practice.askable(practice.Subject(Arms([(arithmetic, None), (strings, "1")]), ()))
    with pytest.raises(UsageError, match="questions of gsm8k"):
        practice.askable(practice.Subject(Arms([(tasks.get("gsm8k"), None)]), ()))
