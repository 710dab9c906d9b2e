"""A run that is killed, interrupted or rolled back goes on bit for bit as if nothing had been."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import micro
import pytest
import torch
from methods import BOOK, METHODS, advance, same

from mrclassic.errors import MrClassicError
from mrclassic.training import book, loop
from mrclassic.training.report import StepReport
from mrclassic.training.sentinel import CONTINUE, History, Sentinel, Verdict
from mrclassic.training.state import State, reopen

DTYPES = [pytest.param(torch.float32, id="fp32"), pytest.param(torch.bfloat16, id="bf16")]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_saved_and_resumed_is_as_uninterrupted(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    method = METHODS[name]
    whole = advance(method, method.start(dtype), 6)
    assert not same(whole, advance(method, method.start(dtype), 5))
    first = advance(method, method.start(dtype), 3)
    first.save(tmp_path)
    second = method.start(dtype)
    assert second.resume(tmp_path)
    assert same(first, second)
    assert same(whole, advance(method, second, 6))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("at", [0, 2])
def test_rolling_back_restores_exactly(name: str, at: int) -> None:
    """Moments and facts too; before the first update there are none, and there are none again."""
    method = METHODS[name]
    state = advance(method, method.start(torch.float32), at)
    kept = state.snapshot()
    twin = advance(method, method.start(torch.float32), at)
    advance(method, state, at + 2)
    state.roll_back(kept)
    assert same(state, twin)
    assert same(advance(method, state, at + 3), advance(method, twin, at + 3))
    state.roll_back(kept)  # a snapshot can be gone back to more than once
    assert state.step == at


def test_warm_moments_go_on_without_the_old_weights() -> None:
    old = advance(METHODS["book"], METHODS["book"].start(torch.float32), 3)
    warm = book.start(micro.policy(seed=1), BOOK, torch.float32, old.trainee.tensors())
    assert micro.digest(warm.trainee.full_policy()) == micro.digest(micro.policy(seed=1))
    moments = {name: tensor for name, tensor in warm.trainee.tensors().items() if not name.startswith("master.")}
    assert moments
    assert all(torch.equal(tensor, old.trainee.tensors()[name]) for name, tensor in moments.items())
    assert warm.step == 0


# -- the folder of states


def test_nothing_to_resume_from(tmp_path: Path) -> None:
    state = METHODS["book"].start(torch.float32)
    assert not state.resume(tmp_path / "nowhere")
    assert not state.resume(tmp_path)


def test_only_the_newest_states_are_kept(tmp_path: Path) -> None:
    method = METHODS["book"]
    state = method.start(torch.float32)
    for _ in range(5):
        method.step(state)
        state.save(tmp_path, keep=2)
        state.save(tmp_path, keep=2)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["step-00000004", "step-00000005"]


@pytest.mark.parametrize("file", ["training/state.safetensors", "training/state.json", "mrclassic.json", "config.json"])
def test_a_damaged_state_is_passed_over(file: str, tmp_path: Path) -> None:
    """One flipped bit in the moments would go unnoticed for ever if hashes were not looked at."""
    method = METHODS["book"]
    state = advance(method, method.start(torch.float32), 2)
    state.save(tmp_path)
    advance(method, state, 4).save(tmp_path)
    newest = tmp_path / "step-00000004" / file
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data if file != "mrclassic.json" else data[:-20])
    resumed = method.start(torch.float32)
    assert resumed.resume(tmp_path)
    assert resumed.step == 2


def test_another_seed_is_refused(tmp_path: Path) -> None:
    METHODS["book"].start(torch.float32).save(tmp_path)
    other = book.start(micro.policy(), book.Settings(seed=6), torch.float32)
    with pytest.raises(MrClassicError, match="made with seed 5, not 6"):
        other.resume(tmp_path)


# -- where a run ends, and where it would have rolled back to


@dataclass
class Keeper:
    """A recorder that only saves."""

    folder: Path

    def step(self, report: StepReport) -> None:
        pass

    def alarm(self, step: int, verdict: Verdict) -> None:
        pass

    def save(self, state: State) -> None:
        state.save(self.folder)


def says(action: str, at: int) -> Sentinel:
    def rule(history: History) -> Verdict:
        return Verdict(action, "told", "because") if len(history) == at else CONTINUE  # type: ignore[arg-type]

    return Sentinel((rule,))


def go(state: State, folder: Path, action: str, at: int, until: int = 99) -> loop.Outcome:
    """Run until the sentinel says `action` after update `at`, or until it is stopped after `until`."""
    method = METHODS["book"]
    return loop.run(
        state, method.step, steps=9, recorder=Keeper(folder), sentinel=says(action, at), good_every=3,
        stopping=lambda: state.step >= until,
    )  # fmt: skip


@pytest.mark.parametrize("until", [2, 3, 4])
def test_a_resumed_run_rolls_back_to_where_the_whole_one_does(until: int, tmp_path: Path) -> None:
    """Also when it was interrupted after its last good state, which then has to be saved with it."""
    method = METHODS["book"]
    whole, first, second = (method.start(torch.float32) for _ in range(3))
    ended = go(whole, tmp_path / "whole", "roll back", 5)
    assert (ended.ended, whole.step) == ("rolled back", 3)
    assert go(first, tmp_path / "cut", "roll back", 5, until).ended == "interrupted"
    assert second.resume(tmp_path / "cut")
    assert second.step == until
    assert go(second, tmp_path / "cut", "roll back", 5).ended == "rolled back"
    assert same(whole, second)
    assert whole.seen == second.seen


@pytest.mark.parametrize(("action", "ended"), [("pause", "paused"), ("roll back", "rolled back"), ("stop", "stopped")])
def test_a_run_that_had_ended_ends_the_same_way_again(action: str, ended: str, tmp_path: Path) -> None:
    method = METHODS["book"]
    state, again = method.start(torch.float32), method.start(torch.float32)
    first = go(state, tmp_path, action, 4)
    state.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["ended"]
    assert again.resume(tmp_path)
    second = go(again, tmp_path, "continue", 99)
    assert (second.ended, second.steps, second.verdict) == (first.ended, first.steps, first.verdict)
    assert second.ended == ended
    assert same(state, again)


def test_a_paused_run_goes_on_when_it_is_reopened(tmp_path: Path) -> None:
    method = METHODS["book"]
    state, again = method.start(torch.float32), method.start(torch.float32)
    assert go(state, tmp_path, "pause", 4).ended == "paused"
    state.save(tmp_path)
    reopen(tmp_path)
    reopen(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000004"]
    assert again.resume(tmp_path)
    assert go(again, tmp_path, "continue", 99).ended == "done"
    assert same(again, advance(method, method.start(torch.float32), 9))


# -- processes

# One process that imports everything and then forks a run again and again, killing each at a random moment.
_FORKS = """
import os, random, signal, sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}, {here!r}]
import torch
import test_resume as t
from mrclassic.training import loop
from mrclassic.training.sentinel import Sentinel

class Recorder:
    def step(self, report): pass
    def alarm(self, step, verdict): pass
    def save(self, state): state.save(Path({folder!r}))

def run():
    method = t.METHODS["book"]
    state = method.start(torch.float32)
    state.resume(Path({folder!r}))
    os.write(ready, b".")
    loop.run(state, method.step, steps=1000, recorder=Recorder(), sentinel=Sentinel(()), save_seconds=0.0)

rng = random.Random(3)
for _ in range(5):
    heard, ready = os.pipe()
    pid = os.fork()
    if pid == 0:
        run()
        os._exit(0)
    os.read(heard, 1)
    while not list(Path({folder!r}).glob("step-*")):
        time.sleep(0.01)
    time.sleep(rng.uniform(0.02, 0.2))
    os.kill(pid, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.mark.slow
def test_a_run_killed_again_and_again_comes_to_the_same_weights(tmp_path: Path) -> None:
    """It saves after every update, so that most kills hit a save."""
    here = Path(__file__).parent
    script = _FORKS.format(tests=str(here.parent), here=str(here), folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["-9"] * 5, done.stderr
    method = METHODS["book"]
    final, twin = method.start(torch.float32), method.start(torch.float32)
    assert final.resume(tmp_path)
    reached = final.step
    assert reached >= 1
    assert same(final, advance(method, twin, reached))
    assert same(advance(method, final, reached + 2), advance(method, twin, reached + 2))
