"""Updates that are not finite: one is discarded; three take the run back to good weights and past those batches."""

from __future__ import annotations

import math
from pathlib import Path

import micro
import pytest
from methods import METHODS

from mrclassic.training import loop, supervised
from mrclassic.training.report import StepReport
from mrclassic.training.sentinel import SUPERVISED, Sentinel, Verdict
from mrclassic.training.state import SKIPPED, State
from mrclassic.training.trainee import Schedule

RATE = Schedule(1e-2, 1000, 2)
METHOD = METHODS["book"]


class Notes:
    """Saves to a folder after every update, and keeps what the sentinel said."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.said, self.steps = folder, list[tuple[int, str]](), list[StepReport]()

    def step(self, report: StepReport) -> None:
        self.steps.append(report)

    def alarm(self, step: int, verdict: Verdict) -> None:
        self.said.append((step, verdict.message))

    def save(self, state: State) -> None:
        state.save(self.folder)


def run(folder: Path, bad: set[int], steps: int = 20, stop_after: int = 1000) -> tuple[State, Notes, str]:
    """A run, resumed where `folder` has a state, whose updates after the counts in `bad` have a loss of NaN; it is
    interrupted after `stop_after` of them."""
    state, notes = METHOD.start(micro.torch.float32), Notes(folder)
    state.resume(folder)

    def step(state: State) -> StepReport:
        if state.step in bad:
            return supervised.move(state, math.nan, RATE, {}, 0.0)
        return METHOD.step(state)

    ended = loop.run(
        state,
        step,
        steps=steps,
        recorder=notes,
        sentinel=Sentinel(SUPERVISED),
        good_every=4,
        stopping=lambda: len(notes.steps) >= stop_after,
    )
    return state, notes, ended.ended


def weights(state: State) -> str:
    return micro.digest(state.trainee.full_policy())


def test_one_or_two_are_discarded_and_the_run_goes_on(tmp_path: Path) -> None:
    state, notes, ended = run(tmp_path, {5, 11})
    assert (ended, notes.said, SKIPPED in state.facts) == ("done", [], False)
    assert [report.step for report in notes.steps if not report.applied] == [6, 12]


def test_three_take_it_back_to_good_weights_and_past_those_batches(tmp_path: Path) -> None:
    state, notes, ended = run(tmp_path, {8, 9, 11})
    assert ended == "done"
    assert state.facts[SKIPPED] == [[9, 12]]  # the last good state was that of update 8
    assert [step for step, _ in notes.said] == [12]
    assert notes.said[0][1].endswith("The batches of updates 9 to 12 are skipped.")
    assert [report.step for report in notes.steps] == list(range(1, 21))  # no row is told twice
    eight, _, _ = run(tmp_path / "eight", set(), steps=8)
    twelve, _, _ = run(tmp_path / "other", {8, 9, 11}, steps=12)
    assert weights(eight) == weights(twelve)


def test_weights_that_are_broken_for_good_end_the_run_in_the_end(tmp_path: Path) -> None:
    state, notes, ended = run(tmp_path, set(range(6, 1000)), steps=100)
    assert ended == "rolled back"
    assert len(state.facts[SKIPPED]) == loop.SKIPS
    assert len(notes.steps) == 6 + 3 * (loop.SKIPS + 1)
    assert weights(state) == weights(run(tmp_path / "four", set(), steps=4)[0])


@pytest.mark.parametrize("at", [7, 9, 10, 12, 13, 14, 17])
def test_interrupted_anywhere_around_them_it_comes_to_the_same(at: int, tmp_path: Path) -> None:
    bad = {8, 9, 12, 15}
    whole, _, _ = run(tmp_path / "whole", bad)
    part, _, ended = run(tmp_path / "torn", bad, stop_after=at)
    assert (ended, part.step) == ("interrupted", at)
    again, _, ended = run(tmp_path / "torn", bad)
    assert (ended, again.facts[SKIPPED]) == ("done", whole.facts[SKIPPED])
    assert weights(again) == weights(whole)
