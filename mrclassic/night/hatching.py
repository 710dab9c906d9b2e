"""Hatching in a home: from nothing to a model in use. Ctrl-C keeps the state; the next call goes on from it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mrclassic import files
from mrclassic.errors import MrClassicError, UsageError
from mrclassic.model.shapes import SHAPES
from mrclassic.night import fitting, knowing
from mrclassic.night.recorder import StoreRecorder, Watch
from mrclassic.night.workplace import Workplace
from mrclassic.store import Checkpoint
from mrclassic.training import fits, hatch, loop
from mrclassic.training.sentinel import SUPERVISED, Sentinel
from mrclassic.training.state import State
from mrclassic.training.suites import RECALL, summary

SUITE_ITEMS = 500  # of each level: within 4 points at 95%
SAVE_SECONDS = 20.0
_PROBE_STEPS = 6


@dataclass(frozen=True)
class Hatched:
    """What a script may rely on."""

    checkpoint: str
    parameters: int
    seconds: float
    book_pairs: int
    book_recall: float
    suites: dict[str, float]
    model_sha256: str
    steps: int


def hatch_model(
    work: Workplace,
    size: str,
    *,
    seed: int = 0,
    minutes: float | None = None,
    steps: int | None = None,
    watch: Watch | None = None,
    planned: Callable[[int, int], None] = lambda total, done: None,
) -> Hatched:
    """Train a new model of `size` and put it in use. The same size, seed, steps and book give the same weights."""
    begun = time.monotonic()
    if size not in hatch.RECIPES:
        raise UsageError(f"There is no size {size!r}; the sizes are {', '.join(hatch.RECIPES)}.")
    if not work.entries:
        raise MrClassicError(f"{work.home.book} holds no entries; a model needs something to say.")
    recipe = replace(hatch.RECIPES[size], seed=seed)
    width = min(SHAPES[size].context, 512)
    load = fits.Load(recipe.batch, width, width // 2)
    fitting.table(work, SHAPES[size], fits.WHOLE, load).check()
    length = f"{steps or recipe.steps}" if minutes is None else f"{minutes:g}m"
    folder = work.home.runs / f"hatch-{size}-{seed}-{length}-{work.digest}"
    if steps is not None:
        recipe = replace(recipe, steps=steps)
    elif minutes is not None:
        recipe = replace(recipe, steps=_steps(work, size, recipe, minutes, folder))
    state = hatch.start(size, work.entries, recipe, work.dtype, str(work.device))
    if state.resume(folder):
        work.say(f"Going on from update {state.step} of {recipe.steps}.")
    planned(recipe.steps, state.step)
    with work.run("hatch", recipe) as run:
        recorder = StoreRecorder(work.store, run, folder, watch)
        outcome = loop.run(
            state,
            lambda s: hatch.step(s, hatch.draw(s, work.entries, recipe), recipe),
            steps=recipe.steps,
            recorder=recorder,
            sentinel=Sentinel(SUPERVISED),
            save_seconds=SAVE_SECONDS,
        )
        recorder.flush()
        if outcome.verdict is not None:
            raise MrClassicError(f"Hatching was stopped: {outcome.verdict.message}")
        recorder.save(state)  # whatever ends the measuring does not cost the training
        row = _finish(work, state, run)
        seconds = time.monotonic() - begun
        work.store.runs.finish(run, "done", row.id, {"seconds": seconds, "suites": row.metrics})
    shutil.rmtree(folder, ignore_errors=True)
    scores = {name: float(score) for name, score in row.metrics.items()}
    return Hatched(
        row.id, row.parameters, seconds, len(work.entries), scores[RECALL], scores, row.model_sha256, state.step
    )


def _finish(work: Workplace, state: State, run: int) -> Checkpoint:
    policy = state.trainee.full_policy()
    work.say("Measuring what it knows.")
    found = work.measure(policy, work.suites(SUITE_ITEMS))
    scores = summary(found)
    known = [entry.hash for entry in work.entries]
    row = work.keep(
        policy,
        "hatch",
        parent=None,
        run=run,
        step=state.step,
        known=known,
        metrics=scores,
        state=state.trainee.tensors(),
    )
    work.store.recalls.keep(row.id, knowing.told(found, **{RECALL: work.entries}))
    work.use(row)
    work.store.checkpoints.set_golden(row.id)  # the measure of what may be lost from here on
    return work.store.checkpoints.get(row.id)


def _steps(work: Workplace, size: str, recipe: hatch.Settings, minutes: float, folder: Path) -> int:
    """How many updates fit into `minutes`: measured once, then kept, so that a resumed run has the same schedule."""
    plan = folder / "plan.json"
    if plan.exists():
        return int(json.loads(plan.read_text(encoding="utf-8"))["steps"])
    trial = hatch.start(size, work.entries, recipe, work.dtype, str(work.device))
    times = []
    for _ in range(_PROBE_STEPS):
        begun = time.monotonic()
        hatch.step(trial, hatch.draw(trial, work.entries, recipe), recipe)
        times.append(time.monotonic() - begun)
    # The first updates are slower (warm-up of kernels); a tenth of the time is left for measuring at the end.
    each = sorted(times)[len(times) // 2]
    steps = max(recipe.warmup // 4, int(0.9 * minutes * 60 / each))
    files.make_folder(folder)
    files.replace(plan, json.dumps({"steps": steps}).encode())
    return steps
