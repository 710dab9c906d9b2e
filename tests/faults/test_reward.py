"""A reward of the owner's that hangs, crashes and raises in the middle of a run: the run goes on without its word."""

from __future__ import annotations

import json
import time
from pathlib import Path

import drop_ins
import micro
import pytest
import torch
from methods import GRPO, items, share_of_vowels
from sandbox import processes

from mrclassic.curricula.bandit import Bandit
from mrclassic.plugins.remote_reward import RemoteReward
from mrclassic.rewards.contract import Weighted
from mrclassic.training import grpo, loop
from mrclassic.training.journal import Journal
from mrclassic.training.report import StepReport
from mrclassic.training.sentinel import REINFORCED, Sentinel, Verdict
from mrclassic.training.state import State

# Each call takes the next word of a file: what it does then. The file outlives the process that is killed.
PLUGIN = """
import os, time
from pathlib import Path
from mrclassic.rewards import reward

@reward(seconds=0.6)
def mine(completions, **columns):
    script = Path({script!r})
    word, *rest = script.read_text().split()
    script.write_text(" ".join(rest))
    if word == "hang":
        time.sleep(600)
    if word == "crash":
        os._exit(7)
    if word == "raise":
        raise ValueError("no, thank you")
    return [float(len(each[0]["content"])) for each in completions]
"""
STEPS = 9


class Notes:
    def __init__(self) -> None:
        self.steps: list[StepReport] = []

    def step(self, report: StepReport) -> None:
        self.steps.append(report)

    def alarm(self, step: int, verdict: Verdict) -> None:
        pass

    def save(self, state: State) -> None:
        pass


def run(folder: Path, words: str) -> tuple[State, Notes, str]:
    """Nine updates by a reward that does as `words` say, beside one of our own."""
    folder.mkdir(exist_ok=True)
    script = folder / "script"
    script.write_text(words)
    found = drop_ins.plugin(folder, "mine", PLUGIN.format(script=str(script)))
    remote = RemoteReward(found)
    state = grpo.start(micro.policy(loud=4.0), GRPO, torch.float32)
    state.journal = Journal(folder / "journal.jsonl")
    rewards = [Weighted("mine", remote), Weighted("vowels", share_of_vowels)]
    chooser, notes = Bandit(["1", "2"]), Notes()
    settings = grpo.Settings(prompts=3, group=4, max_new=8, learning_rate=5e-3, warmup=2, seed=5, redraws=0)

    def step(state: State) -> StepReport:
        return grpo.step(state, lambda n: items(state, chooser, n), rewards, settings, list).report

    try:
        ended = loop.run(state, step, steps=STEPS, recorder=notes, sentinel=Sentinel(REINFORCED))
    finally:
        remote.close()
    return state, notes, ended.ended


@pytest.fixture
def no_leftovers() -> object:
    processes.adopt_orphans()
    before = set(processes.descendants())
    yield
    assert processes.left_since(before) == {}


@pytest.mark.usefixtures("no_leftovers")
def test_it_costs_its_batches_then_its_say_and_never_the_run(tmp_path: Path) -> None:
    begun = time.monotonic()
    state, notes, ended = run(tmp_path, "ok hang ok crash ok raise ok ok ok")
    assert (ended, state.step) == ("done", STEPS)
    assert time.monotonic() - begun < 60
    heard = ["rewards/mine/mean" in report.metrics for report in notes.steps]
    assert heard == [True, False, True, False, True, False, False, False, False]
    assert all("rewards/vowels/mean" in report.metrics for report in notes.steps)
    assert (tmp_path / "script").read_text() == "ok ok ok", "after three faults it is not asked any more"
    faults = [fault for report in notes.steps for fault in report.faults]
    assert len(faults) == 3
    assert "within 0.6 seconds" in faults[0]
    assert "no, thank you" in faults[2]
    assert "3 times, so it abstains from now on" in faults[2]


@pytest.mark.usefixtures("no_leftovers")
def test_a_run_that_goes_on_takes_what_was_said_then_and_asks_nobody(tmp_path: Path) -> None:
    first, _, _ = run(tmp_path, "ok hang ok crash ok raise ok ok ok")
    again, _, ended = run(tmp_path, "")
    assert ended == "done"
    assert (again.facts, micro.digest(again.trainee.full_policy())) == (
        first.facts,
        micro.digest(first.trainee.full_policy()),
    )
    assert json.loads(json.dumps(again.facts["strikes"])) == {"mine": 3}
