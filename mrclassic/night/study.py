"""Studying the book in a home: train until the new entries are known, measure, and promote if nothing was forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from mrclassic.errors import UsageError
from mrclassic.night import fitting
from mrclassic.night.judging import Bench, settle
from mrclassic.night.recorder import StoreRecorder, Watch
from mrclassic.night.workplace import Parent, Workplace
from mrclassic.training import book, loop
from mrclassic.training.fits import WHOLE, Fit
from mrclassic.training.memories import memories
from mrclassic.training.sentinel import SUPERVISED, Sentinel
from mrclassic.training.state import State

ITEMS = 500  # of each level


@dataclass(frozen=True)
class Order:
    """What a run was given, so that it can be resumed as it was begun; `steps` None: as many as the book needs."""

    book: book.Settings
    steps: int | None = None
    fit: Fit = WHOLE


@dataclass(frozen=True)
class Studied:
    """Facts of a `train book` run."""

    run: int
    checkpoint: str
    model_sha256: str
    promoted: bool
    steps: int
    seconds: float
    entries: int
    new: int
    before: dict[str, float]
    after: dict[str, float]
    reasons: tuple[str, ...]
    forgotten: tuple[str, ...]


def recipe(work: Workplace, *, seed: int, epochs: int | None = None) -> book.Settings:
    """The settings of book training in this home."""
    own = work.settings.book
    return book.Settings(epochs or own.epochs, own.batch, own.learning_rate, seed=seed)


def train(
    work: Workplace,
    parent: Parent,
    bench: Bench,
    settings: book.Settings,
    recorder: StoreRecorder,
    *,
    steps: int,
    resume: bool,
    fit: Fit,
    planned: Callable[[int, int], None] = lambda total, done: None,
    stopping: Callable[[], bool] = lambda: False,
    enough: Callable[[], bool] = lambda: False,
) -> tuple[State, loop.Outcome]:
    """The training itself, through the shared loop, from `parent`, which `bench` has measured."""
    state = book.start(parent.policy, settings, work.dtype, work.moments(parent.row), fit)
    recorder.begin(state, steps, planned, resume=resume)
    skills = memories(parent.policy, settings.seed, bench.remembered)
    outcome = loop.run(
        state,
        lambda s: book.step(s, book.draw(s, work.entries, bench.new, skills, settings), settings, steps),
        steps=steps,
        recorder=recorder,
        sentinel=Sentinel(SUPERVISED),
        stopping=stopping,
        enough=enough,
    )
    recorder.flush()
    return state, outcome


def plan(work: Workplace, order: Order, origin: str | None) -> fitting.Plan | None:
    """What an update of the book is, and its memory; see `fitting.plan`."""
    own = order.book
    update = f"{own.batch} entries an update, {own.epochs} times the whole book"
    return fitting.plan(work, origin, "book", order.fit, fitting.studying(update, own.batch))


def study_book(
    work: Workplace,
    *,
    origin: str | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    resume: int | None = None,
    everything: bool = False,
    watch: Watch | None = None,
    planned: Callable[[int, int], None] = lambda total, done: None,
) -> Studied | None:
    """Train the book from the checkpoint in use (or `origin`); None if nothing waits, unless `everything` is asked."""
    begun = time.monotonic()
    order = Order(recipe(work, seed=seed, epochs=epochs), steps, work.fit)
    if resume is not None:
        former = work.resumable(resume, "book")
        resume = former.id
        settings = book.Settings(**former.settings["book"])
        order = Order(settings, former.settings["steps"], Fit.of(former.settings.get("fit", {})))
        origin = former.parent_checkpoint
    elif not work.entries:
        raise UsageError(f"The book {work.home.book} has no entries; pick some answers, or write them there.")
    fitting.check(plan(work, order, origin))
    parent = work.parent(origin)
    if work.learnt(parent) and not everything and resume is None:
        return None
    with work.run("book", order, parent.row.id, resume=resume) as run:
        work.pin_book(work.folder(run))
        bench = Bench(work, parent, items=ITEMS, rotation=run, practised=False)
        total = order.steps or order.book.steps(len(work.entries), len(bench.new))
        recorder = StoreRecorder(work.store, run, work.folder(run), watch, work.say)
        state, outcome = train(
            work, parent, bench, order.book, recorder,
            steps=total, resume=resume is not None, fit=order.fit, planned=planned,
        )  # fmt: skip
        recorder.save(state)  # whatever ends the measuring does not cost the training
        settled = settle(bench, state, "book", run, outcome.ended)
    work.clear(run, outcome.ended)
    return Studied(
        run=run,
        checkpoint=settled.row.id,
        model_sha256=settled.row.model_sha256,
        promoted=settled.promoted,
        steps=state.step,
        seconds=time.monotonic() - begun,
        entries=len(work.entries),
        new=len(bench.new),
        before=settled.before,
        after=settled.after,
        reasons=settled.reasons,
        forgotten=settled.forgotten,
    )
