"""`train grpo` and `train selfplay` in a home: one practice method on chosen arms, measured before and after.

The result is a candidate; only a night's gate or the owner's `model use` puts it in use.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from mrclassic.curricula.contract import Curriculum
from mrclassic.curricula.uniform import Uniform
from mrclassic.errors import UsageError
from mrclassic.night import practice
from mrclassic.night.recorder import StoreRecorder, Watch
from mrclassic.night.workplace import Workplace
from mrclassic.tasks import arithmetic
from mrclassic.training import grpo, selfplay
from mrclassic.training.suites import recall, skill, summary

ITEMS = 800


@dataclass(frozen=True)
class Drilled:
    """Facts of the run; `ended` is done | paused | rolled back, `why` the sentinel's sentence."""

    run: int
    checkpoint: str
    model_sha256: str
    steps: int
    seconds: float
    ended: str
    why: str
    before: dict[str, float]
    after: dict[str, float]


@dataclass(frozen=True)
class Order:
    """What the caller asks for; exactly one of `steps` and `minutes` fixes the length of a new run."""

    method: str  # grpo | selfplay
    level: str | None = None
    steps: int | None = None
    minutes: float | None = None
    seed: int = 0
    origin: str | None = None
    resume: int | None = None
    learning_rate: float | None = None
    replay: int | None = None
    recipe: practice.Recipe | None = None  # what all of that came to, when the run began


def drill(
    work: Workplace,
    order: Order,
    *,
    watch: Watch | None = None,
    planned: Callable[[int, int], None] = lambda total, done: None,
) -> Drilled:
    """Practise one method on one level, or on all by the default curriculum."""
    begun = time.monotonic()
    if order.level is not None and order.level not in arithmetic.levels:
        raise UsageError(f"arithmetic has no level {order.level!r}; the levels are {', '.join(arithmetic.levels)}.")
    if order.resume is not None:
        order = _resumed(work, order)
    parent = work.parent(order.origin)
    suites = [recall(work.entries), *(skill(level, ITEMS) for level in arithmetic.levels)]
    before = work.measure(parent.policy, suites)
    recipe = order.recipe or practice.recipe(
        work, seed=order.seed, learning_rate=order.learning_rate, replay=order.replay
    )
    success = {name: result.score for name, result in before.items()}
    steps = order.steps
    if steps is None:
        each = practice.seconds_per_step(order.method, parent.policy, work, recipe, success)
        steps = max(1, int((order.minutes or 5.0) * 60 / each))
    order = replace(order, steps=steps, origin=parent.row.id, recipe=recipe)
    chooser: Curriculum = practice.curriculum(success) if order.level is None else Uniform([practice.arm(order.level)])
    state = grpo.start(parent.policy, recipe.grpo, work.dtype)
    with work.run(order.method, order, parent.row.id, resume=order.resume) as run:
        folder = work.home.runs / f"run-{run}"
        if order.resume is not None and state.resume(folder):
            work.say(f"Going on from update {state.step} of {steps}.")
        planned(steps, state.step)
        recorder = StoreRecorder(work.store, run, folder, watch)
        stage = practice.Stage(order.method, state, chooser, recipe, work.entries)
        outcome = stage.run(steps - state.step, recorder)
        recorder.save(state)  # whatever ends the measuring does not cost the training
        policy = state.trainee.full_policy()
        after = work.measure(policy, suites)
        row = work.keep(
            policy,
            order.method,
            parent=parent.row,
            run=run,
            step=state.step,
            known=parent.manifest.book,
            metrics=summary(after),
        )
        why = outcome.verdict.message if outcome.verdict else ""
        facts = {"before": summary(before), "after": summary(after), "why": why}
        work.store.runs.finish(run, outcome.ended, row.id, facts)
    shutil.rmtree(folder, ignore_errors=True)
    return Drilled(
        run,
        row.id,
        row.model_sha256,
        state.step,
        time.monotonic() - begun,
        outcome.ended,
        why,
        summary(before),
        summary(after),
    )


def _resumed(work: Workplace, order: Order) -> Order:
    """The order of the run to go on with, as it was given then."""
    row = work.resumable(order.resume or 0, order.method)
    given = {name: value for name, value in row.settings.items() if name in Order.__dataclass_fields__}
    recipe = given["recipe"]
    given["recipe"] = practice.Recipe(
        grpo.Settings(**recipe["grpo"]), selfplay.Settings(**recipe["selfplay"]), recipe["replay"]
    )
    return Order(**{**given, "resume": row.id})
