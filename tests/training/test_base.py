"""Base training: every token learned once an epoch, what is set aside only measured, and a run that was killed at any
moment goes on bit for bit."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import corpora
import micro
import pytest
import torch
from methods import same

from mrclassic.model.shapes import SHAPES
from mrclassic.training import base, loop
from mrclassic.training.corpus.order import Order
from mrclassic.training.corpus.packed import Packed
from mrclassic.training.corpus.rectangles import batches
from mrclassic.training.report import StepReport
from mrclassic.training.scoring import score
from mrclassic.training.sentinel import SUPERVISED, Sentinel, Verdict
from mrclassic.training.state import State

RECIPE = base.Settings(steps=200, tokens=300, learning_rate=1e-2, warmup=2, seed=5)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    folder = tmp_path_factory.mktemp("corpus")
    talks = corpora.write(folder / "talks.jsonl", corpora.talks(60))
    prose = corpora.write(folder / "prose.jsonl", [{"text": f"{at} good night rain"} for at in range(80)])
    return corpora.pack(folder / "packed", talks, prose, weights=["talks=1.5"], held_out=0.15)


def begin(corpus: Packed, recipe: base.Settings = RECIPE, dtype: torch.dtype = torch.float32) -> State:
    return base.start(base.fresh(micro.SHAPE, corpus.tokenizer, recipe.seed), recipe, dtype)


def advance(state: State, corpus: Packed, steps: int, recipe: base.Settings = RECIPE) -> State:
    order = Order(corpus, recipe.tokens, recipe.seed)
    while state.step < steps:
        assert base.step(state, order, recipe).applied
    return state


def test_an_update_is_the_mean_over_all_its_tokens_however_it_is_laid_out(corpus: Packed) -> None:
    gradients = []
    for budget in (96, 4096):
        state = begin(corpus)
        state.trainee.token_budget = budget
        windows = Order(corpus, 300, 5).windows(0)
        total = int((corpus.lengths[windows] - 1).sum())
        loss = base._loss(state.trainee, corpus, windows, total)
        gradients.append([weight.grad.clone() for weight in state.trainee.learned.values()])
    policy = state.trainee.policy
    logps = [score(policy, one).logp for one in batches(corpus, windows, policy.tokenizer.pad_id, policy.device, 1, 0)]
    assert loss == pytest.approx(float(-torch.cat(logps).mean().detach()), rel=1e-5)
    for one, two in zip(*gradients, strict=True):
        assert torch.allclose(one, two, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_it_learns_what_is_said_and_what_was_set_aside(optimizer: str, corpus: Packed) -> None:
    recipe = replace(RECIPE, steps=40, optimizer=optimizer)  # type: ignore[arg-type]
    state = begin(corpus, recipe)
    before = base.held_out(state.trainee, corpus, 10**6)
    weights = micro.digest(state.trainee.policy)
    assert base.held_out(state.trainee, corpus, 10**6) == before  # measuring moves nothing
    assert micro.digest(state.trainee.policy) == weights
    assert {name: tokens for name, (_, tokens) in before.items()} == {
        part.name: part.held_out_tokens for part in corpus.parts
    }
    advance(state, corpus, recipe.steps, recipe)
    after = base.held_out(state.trainee, corpus, 10**6)
    assert all(after[name][0] < 0.7 * before[name][0] for name in before)


def test_now_and_then_it_is_measured_and_shown(corpus: Packed) -> None:
    recipe = replace(RECIPE, steps=30)
    state, order = begin(corpus, recipe), Order(corpus, recipe.tokens, recipe.seed)
    reports = [base.step(state, order, recipe) for _ in range(recipe.steps)]
    looks = [report.step for report in reports if "held_out/talks" in report.metrics]
    assert looks == list(range(2, 31, 2))
    assert all({"held_out/talks", "held_out/prose"} <= set(reports[at - 1].metrics) for at in looks)
    assert [report.step for report in reports if report.samples] == looks
    assert len(reports[-1].samples) == 4
    assert (
        reports[0].metrics["learning_rate"] < reports[1].metrics["learning_rate"] > reports[-1].metrics["learning_rate"]
    )


def test_nothing_set_aside_is_nothing_to_measure(tmp_path: Path) -> None:
    packed = corpora.pack(tmp_path / "packed", corpora.write(tmp_path / "a.jsonl", corpora.talks(30)), held_out=0)
    report = base.step(begin(packed), Order(packed, 300, 5), replace(RECIPE, steps=1))
    assert report.samples == ()
    assert not [name for name in report.metrics if name.startswith("held_out")]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_saved_and_resumed_is_as_uninterrupted(
    optimizer: str, dtype: torch.dtype, corpus: Packed, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, optimizer=optimizer)  # type: ignore[arg-type]
    whole = advance(begin(corpus, recipe, dtype), corpus, 8, recipe)
    for at in (1, 4, 7):  # before, at and after the end of an epoch
        advance(begin(corpus, recipe, dtype), corpus, at, recipe).save(tmp_path / str(at))
        again = begin(corpus, recipe, dtype)
        assert again.resume(tmp_path / str(at))
        # The corpus is opened anew, as another process would.
        assert same(whole, advance(again, Packed(corpus.folder), 8, recipe))


def test_the_shared_loop_runs_it(corpus: Packed, tmp_path: Path) -> None:
    seen: list[int] = []

    class Recorder:
        def step(self, report: StepReport) -> None:
            seen.append(report.step)

        def alarm(self, step: int, verdict: Verdict) -> None:
            raise AssertionError(verdict)

        def save(self, state: State) -> None:
            state.save(tmp_path)

    state, order = begin(corpus), Order(corpus, RECIPE.tokens, RECIPE.seed)
    run = loop.run(
        state,
        lambda s: base.step(s, order, RECIPE),
        steps=12,
        recorder=Recorder(),
        sentinel=Sentinel(SUPERVISED),
        save_seconds=0.0,
    )
    assert (run.ended, run.steps, seen) == ("done", 12, list(range(1, 13)))


_FORKS = """
import os, random, signal, sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}, {here!r}]
import test_base as t
from mrclassic.training.corpus.packed import Packed

def run():
    corpus = Packed(Path({corpus!r}))
    state = t.begin(corpus)
    state.resume(Path({folder!r}))
    while True:
        t.advance(state, corpus, state.step + 1)
        state.save(Path({folder!r}))
        os.write(ready, b".")

t.advance(t.begin(Packed(Path({corpus!r}))), Packed(Path({corpus!r})), 1)  # all that is loaded late is loaded
rng = random.Random(3)
for _ in range(4):
    heard, ready = os.pipe()
    pid = os.fork()
    if pid == 0:
        run()
    for _ in range(rng.randint(1, 3)):
        os.read(heard, 1)
    time.sleep(rng.uniform(0.0, 0.1))
    os.kill(pid, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.mark.slow
def test_killed_again_and_again_it_comes_to_the_same_weights(corpus: Packed, tmp_path: Path) -> None:
    """It saves after every update, so that most kills hit a save."""
    here = Path(__file__).parent
    script = _FORKS.format(tests=str(here.parent), here=str(here), folder=str(tmp_path), corpus=str(corpus.folder))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["-9"] * 4, done.stderr
    final = begin(corpus)
    assert final.resume(tmp_path)
    assert final.step >= 4
    twin = advance(begin(corpus), corpus, final.step)
    assert same(final, twin)
    assert same(advance(final, corpus, final.step + 2), advance(twin, corpus, twin.step + 2))


def test_the_recipe_goes_by_the_size() -> None:
    rates = {name: base.recipe(shape, going_on=False) for name, shape in SHAPES.items()}
    assert [recipe.learning_rate for recipe in rates.values()] == [0.003, 0.0013, 0.00077]
    assert [recipe.tokens for recipe in rates.values()] == [8192, 16384, 65536]
    assert {recipe.optimizer for recipe in rates.values()} == {"muon"}
    on = base.recipe(SHAPES["tiny"], going_on=True)
    assert (on.learning_rate, on.optimizer) == (0.001, "adamw")
