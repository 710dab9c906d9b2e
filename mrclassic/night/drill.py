"""`train grpo` and `train selfplay` in a home: one practice method on chosen arms, measured before and after.

The result is a candidate; only a night's gate or the owner's `model use` puts it in use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from mrclassic.model.tokenizer import Tokenizer
from mrclassic.night import fitting, practice
from mrclassic.night.recorder import StoreRecorder, Watch
from mrclassic.night.workplace import Workplace
from mrclassic.training import grpo, selfplay
from mrclassic.training.fits import Fit
from mrclassic.training.suites import Suite, recall, skill, summary

ITEMS = 800


@dataclass(frozen=True)
class Drilled:
    """Facts of the run; `ended` is done | paused | rolled back | stopped, `why` the sentinel's sentence. A run that the
    sentinel stopped leaves no checkpoint: nothing of it is worth keeping."""

    run: int
    checkpoint: str | None
    model_sha256: str | None
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
    tasks: tuple[str, ...] = ()  # NAME[:LEVEL]; none: as the settings say
    rewards: tuple[str, ...] = ()  # NAME[=WEIGHT]; none: as the settings say
    steps: int | None = None
    minutes: float | None = None
    seed: int = 0
    origin: str | None = None
    resume: int | None = None
    learning_rate: float | None = None
    replay: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)  # fields of grpo.Settings
    play: Mapping[str, Any] = field(default_factory=dict)  # fields of selfplay.Settings; `fixed` is a share
    recipe: practice.Recipe | None = None  # what all of that came to, when the run began
    fit: Fit | None = None  # none: as the settings say


def drill(
    work: Workplace,
    order: Order,
    *,
    watch: Watch | None = None,
    planned: Callable[[int, int], None] = lambda total, done: None,
) -> Drilled:
    """Practise one method on the arms that are named, by the default curriculum."""
    begun = time.monotonic()
    with _preparing(work):
        if order.resume is not None:
            order = _resumed(work, order)
        fit = order.fit or work.fit
        on = practice.subject(work, order.tasks, order.rewards)
        if order.method == "selfplay":  # before what can be planned is asked: not everything can
            practice.askable(on)
        fitting.check(plan(work, order))
        parent = work.parent(order.origin)
        suites = _suites(work, on)
        before = work.measure(parent.policy, suites)
        recipe = _recipe(work, order, parent.policy.tokenizer, on)
        success = summary(before)
        steps = order.steps
        if steps is None:
            pace = practice.pace(order.method, parent.policy, work, on, recipe, success, fit)
            steps = max(1, int((order.minutes or 5.0) * 60 / pace.seconds))
        order = replace(order, steps=steps, origin=parent.row.id, recipe=recipe, fit=fit)
        state = practice.begin(order.method, parent.policy, work, on, recipe, fit)
    with work.run(order.method, order, parent.row.id, resume=order.resume) as run:
        work.pin_book(work.folder(run))
        recorder = StoreRecorder(work.store, run, work.folder(run), watch, work.say)
        recorder.begin(state, steps, planned, resume=order.resume is not None)
        stage = practice.Stage(order.method, state, on, work.curriculum(on.arms, success), recipe, work.entries)
        outcome = stage.run(steps, recorder)
        row, after = None, {}
        if outcome.ended != "stopped":
            recorder.save(state)  # whatever ends the measuring does not cost the training
            policy = state.trainee.full_policy()
            after = summary(work.measure(policy, suites))
            row = work.keep(
                policy,
                order.method,
                parent=parent.row,
                run=run,
                step=state.step,
                known=parent.manifest.book,
                metrics=after,
            )
        why = outcome.verdict.message if outcome.verdict else ""
        facts = {"before": success, "after": after, "why": why}
        work.store.runs.finish(run, outcome.ended, row.id if row else None, facts)
    work.clear(run, outcome.ended)
    return Drilled(
        run,
        row.id if row else None,
        row.model_sha256 if row else None,
        state.step,
        time.monotonic() - begun,
        outcome.ended,
        why,
        success,
        after,
    )


@contextmanager
def _preparing(work: Workplace) -> Iterator[None]:
    """Before its first update nothing of a run is kept: who ends it there is told so."""
    try:
        yield
    except KeyboardInterrupt:
        work.say("It was still measuring, and had not begun: the same command starts it again.")
        raise


def plan(work: Workplace, order: Order) -> fitting.Plan | None:
    """What an update of such a run is, and its memory; see `fitting.plan`."""

    def told(found: fitting.Unloaded) -> fitting.Update:
        on = practice.subject(work, order.tasks, order.rewards)
        if order.method == "selfplay":
            practice.askable(on)
        recipe = _recipe(work, order, found.tokenizer, on)
        load = fitting.practising(on, recipe, order.method, found.tokenizer)
        along = f"{recipe.replay} book entries replayed"
        return f"{load.drawn} completions of up to {load.learned} tokens an update, {along}", load

    return fitting.plan(work, order.origin, order.method, order.fit or work.fit, told)


def _recipe(work: Workplace, order: Order, tokenizer: Tokenizer, on: practice.Subject) -> practice.Recipe:
    return order.recipe or practice.recipe(
        work,
        tokenizer,
        on,
        seed=order.seed,
        learning_rate=order.learning_rate,
        replay=order.replay,
        options=order.options,
        play=order.play,
    )


def _suites(work: Workplace, on: practice.Subject) -> list[Suite]:
    """The book by heart, and held-out items of what is practised now and of what the settings say."""
    arms = {name: each for each in (work.practised(), on.arms) for name in each.names}
    return [recall(work.entries), *(skill(each, name, ITEMS) for name, each in arms.items())]


def _resumed(work: Workplace, order: Order) -> Order:
    """The order of the run to go on with, as it was given then."""
    row = work.resumable(order.resume or 0, order.method)
    given = {name: value for name, value in row.settings.items() if name in Order.__dataclass_fields__}
    recipe = given["recipe"]
    given["recipe"] = practice.Recipe(
        grpo.Settings(**recipe["grpo"]), selfplay.Settings(**recipe["selfplay"]), recipe["replay"]
    )
    # Runs of before there was a choice trained all weights.
    return Order(**{**given, "resume": row.id, "fit": Fit.of(given.get("fit") or {})})
