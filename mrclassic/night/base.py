"""`train base` in a home: the language from a corpus, by a new model or by one that is there.

The corpus is read once, before the run begins, and written down as token ids; the run takes that along, so that it
goes on from a kill even if the files have changed. The result is a candidate, in use at once only in a home that has
no model yet.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from statistics import median
from typing import Any

from mrclassic.errors import UsageError
from mrclassic.model.policy import Policy
from mrclassic.model.shapes import SHAPES, Shape
from mrclassic.night import fitting
from mrclassic.night.recorder import StoreRecorder, Watch
from mrclassic.night.workplace import Parent, Workplace
from mrclassic.training import base, fits, hatch, loop
from mrclassic.training.corpus import files, packing, vocabulary
from mrclassic.training.corpus.order import Order as Updates
from mrclassic.training.corpus.packed import FACTS, Packed, Part
from mrclassic.training.corpus.steered import Steered
from mrclassic.training.fits import Fit
from mrclassic.training.optimizers import Kind
from mrclassic.training.report import StepReport
from mrclassic.training.sentinel import SUPERVISED, Sentinel

EPOCHS = 1.0
SAVE_SECONDS = 120.0
_PROBE_STEPS = 6
_CORPUS = "corpus"


@dataclass(frozen=True)
class Order:
    """What the caller asks for; at most one of `steps`, `minutes` and `epochs` gives the length of a new run."""

    corpora: tuple[str, ...]
    weights: tuple[str, ...] = ()  # NAME=W
    mix: str | None = None  # the curriculum that says how much of each source is read, instead of weights
    size: str = "tiny"
    origin: str | None = None  # the checkpoint to go on from, instead of a new model of `size`
    held_out: float = 0.01
    steps: int | None = None
    minutes: float | None = None
    epochs: float | None = None
    optimizer: Kind | None = None
    learning_rate: float | None = None
    tokens: int | None = None
    seed: int = 0
    compile: bool = False
    resume: int | None = None
    fit: Fit | None = None  # None: as the settings say
    recipe: base.Settings | None = None  # what all of that came to, when the run began


@dataclass(frozen=True)
class Plan:
    """What a run would be, before it begins; times are measured, memory is arithmetic."""

    parameters: int
    vocabulary: int
    context: int
    sources: tuple[dict[str, Any], ...]
    tokens_per_step: int
    steps_per_epoch: int
    steps: int
    epochs: float
    tokens: int
    seconds_per_step: float
    tokens_per_second: float
    minutes: float
    memory: tuple[str, ...]


@dataclass(frozen=True)
class Based:
    """Facts of the run; `ended` is done | paused | rolled back | stopped, `why` the sentinel's sentence.

    `held_out` has of each source the mean loss in nats on what was set aside, the perplexity that this is, and of how
    many tokens; `read` the part of all tokens that each source had, where a curriculum steered. `tokens` and their
    speed are of this part of the run, where it was resumed.
    """

    run: int
    checkpoint: str | None
    model_sha256: str | None
    steps: int
    seconds: float
    ended: str
    why: str
    tokens: int
    tokens_per_second: float
    held_out: dict[str, dict[str, float]]
    read: dict[str, float]
    in_use: bool


@dataclass(frozen=True)
class _Ready:
    """A corpus that is written down, the model that begins, and the recipe (its length perhaps not fixed yet)."""

    corpus: Packed
    policy: Policy
    parent: Parent | None
    recipe: base.Settings
    fit: Fit


def plan(work: Workplace, order: Order) -> Plan:
    """Read the corpus and measure an update; a run of the same corpus that follows does not read it again."""
    ready = _prepare(work, order)
    updates = Updates(ready.corpus, ready.recipe.tokens, order.seed)
    each = _seconds_per_step(work, ready, updates)
    steps = _steps(order, updates, each)
    per_step = updates.epoch_tokens / updates.epoch_steps
    shape = ready.policy.shape
    return Plan(
        shape.parameters,
        ready.policy.tokenizer.size,
        ready.corpus.context,
        tuple(_source(part, steps / updates.epoch_steps) for part in ready.corpus.parts),
        round(per_step),
        updates.epoch_steps,
        steps,
        steps / updates.epoch_steps,
        round(steps * per_step),
        each,
        per_step / each,
        steps * each / 60,
        _memory(work, shape, ready.recipe, ready.fit).lines(),
    )


def train(
    work: Workplace,
    order: Order,
    *,
    watch: Watch | None = None,
    planned: Callable[[int, int], None] = lambda total, done: None,
) -> Based:
    """Train by the shared loop, from the beginning or from where a run was left."""
    begun = time.monotonic()
    if order.resume is None:
        order, ready = _begun(work, order)
    else:
        order, ready = _resumed(work, order.resume)
    recipe, parent = ready.recipe, ready.parent
    updates = Updates(ready.corpus, recipe.tokens, order.seed)
    mix = _steered(work, order, updates)
    with work.run("base", order, parent.row.id if parent else None, resume=order.resume) as run:
        folder = work.folder(run)
        if order.resume is None:
            folder.mkdir(parents=True, exist_ok=True)
            ready.corpus.folder.rename(folder / _CORPUS)
        state = base.start(ready.policy, recipe, work.dtype, ready.fit)

        def show(report: StepReport) -> None:
            if watch is not None:
                watch(report)
            if report.samples:
                recorder.flush()  # it keeps those of the newest update only

        recorder = StoreRecorder(work.store, run, folder, show, work.say)
        recorder.begin(state, recipe.steps, planned, resume=order.resume is not None)
        outcome = loop.run(
            state,
            lambda s: base.step(s, updates, recipe, mix),
            steps=recipe.steps,
            recorder=recorder,
            sentinel=Sentinel(SUPERVISED),
            save_seconds=SAVE_SECONDS,
        )
        recorder.flush()
        spent = sum(report.seconds for report in recorder.reports)
        tokens = sum(int(report.metrics["tokens"]) for report in recorder.reports)
        row, scores, used = None, {}, False
        if outcome.ended != "stopped":
            recorder.save(state)  # whatever ends the measuring does not cost the training
            scores = _scores(base.held_out(state.trainee, ready.corpus, base.END_TOKENS))
            row = work.keep(
                state.trainee.full_policy(),
                "base",
                parent=parent.row if parent else None,
                run=run,
                step=state.step,
                known=(),  # what a parent knew of the book is no longer sure
                metrics={f"perplexity/{name}": score["perplexity"] for name, score in scores.items()},
                # Moments of adapters are of no use once those are merged.
                state=None if ready.fit.lora else state.trainee.tensors(),
            )
            if work.store.checkpoints.in_use() is None:
                used = work.use(row)
        why = outcome.verdict.message if outcome.verdict else ""
        facts = {"held_out": scores, "why": why, "tokens": tokens}
        work.store.runs.finish(run, outcome.ended, row.id if row else None, facts)
    work.clear(run, outcome.ended)
    return Based(
        run,
        row.id if row else None,
        row.model_sha256 if row else None,
        state.step,
        time.monotonic() - begun,
        outcome.ended,
        why,
        tokens,
        tokens / spent if spent else 0.0,
        scores,
        mix.read(state.facts) if mix and state.step else {},
        used,
    )


def _begun(work: Workplace, order: Order) -> tuple[Order, _Ready]:
    """A new run: its corpus written down, its length fixed."""
    ready = _prepare(work, order)
    updates = Updates(ready.corpus, ready.recipe.tokens, order.seed)
    each = _seconds_per_step(work, ready, updates) if order.minutes is not None else 0.0
    recipe = replace(ready.recipe, steps=_steps(order, updates, each))
    origin = ready.parent.row.id if ready.parent else None
    return replace(order, origin=origin, recipe=recipe, fit=ready.fit), replace(ready, recipe=recipe)


def _resumed(work: Workplace, run: int) -> tuple[Order, _Ready]:
    """The run to go on with, as it was begun."""
    row = work.resumable(run, "base")
    given = {name: value for name, value in row.settings.items() if name in Order.__dataclass_fields__}
    recipe = base.Settings(**given["recipe"])
    fit = Fit.of(given.get("fit") or {})
    order = Order(**{**given, "recipe": recipe, "fit": fit, "resume": row.id})
    folder = work.folder(row.id) / _CORPUS
    if not (folder / FACTS).exists():
        raise UsageError(f"Run {row.id} was ended before its corpus was its own; begin it again.")
    corpus = Packed(folder)
    parent = work.parent(order.origin) if order.origin else None
    return order, _Ready(corpus, _policy(work, order, corpus, parent), parent, recipe, fit)


def _prepare(work: Workplace, order: Order) -> _Ready:
    """The corpus as token ids, read now or left by a plan; and the model that begins."""
    if not order.corpora:
        raise UsageError("Name a corpus: files or folders of conversations or text.")
    if order.size not in SHAPES:
        raise UsageError(f"There is no size {order.size!r}; the sizes are {', '.join(SHAPES)}.")
    if not 0 <= order.held_out <= 0.5:
        raise UsageError(f"The share that is set aside is {order.held_out:g}; it is between 0 and 0.5.")
    if order.compile and work.device.type == "cpu":
        raise UsageError(
            "--compile is for GPUs; a CPU's passes are written by hand, and PyTorch cannot compile those: leave it out."
        )
    sources = files.sources([Path(each) for each in order.corpora], order.weights)
    if order.mix is not None:
        _mixable(work, order.mix, [source.name for source in sources], order.weights)
    parent = work.parent(order.origin) if order.origin else None
    shape = parent.policy.shape if parent else SHAPES[order.size]
    fit = order.fit or work.fit
    if fit.lora and parent is None:
        raise UsageError("Adapters go beside weights that know something: give --from, or leave out --lora.")
    recipe = base.recipe(shape, going_on=parent is not None, seed=order.seed)
    recipe = replace(
        recipe,
        optimizer=order.optimizer or (recipe.optimizer if fit.optimizer_state == "full" else "adamw"),
        compile=order.compile,
        learning_rate=order.learning_rate or recipe.learning_rate,
        tokens=order.tokens or recipe.tokens,
    )
    _memory(work, shape, recipe, fit)
    model = parent.row.model_sha256 if parent else f"{shape.vocab_size} {work.digest}"
    read = [(source.name, source.weight, files.fingerprint(source)) for source in sources]
    key = blake2b(json.dumps([read, order.held_out, base.context(shape), model]).encode(), digest_size=8).hexdigest()
    folder = work.home.runs / f"{_CORPUS}-{key}"
    if not (folder / FACTS).exists():
        for former in work.home.runs.glob(f"{_CORPUS}-*"):
            shutil.rmtree(former)  # of a plan that no run followed
        _write(work, order, sources, folder, parent)
    corpus = Packed(folder)
    return _Ready(corpus, _policy(work, order, corpus, parent), parent, recipe, fit)


def _mixable(work: Workplace, name: str, sources: Sequence[str], weights: Sequence[str]) -> None:
    """Raises UsageError where no curriculum of that name can steer between the sources."""
    if weights:
        raise UsageError("--mix says itself how much of each source is read; leave out --weight.")
    if len(sources) < 2:
        raise UsageError(f"{sources[0]} is all there is to read; --mix needs two sources or more.")
    work.steering(name, sources)


def _steered(work: Workplace, order: Order, updates: Updates) -> Steered | None:
    if order.mix is None:
        return None
    return Steered(updates, work.steering(order.mix, [part.name for part in updates.corpus.parts]))


def _write(work: Workplace, order: Order, sources: Sequence[files.Source], folder: Path, parent: Parent | None) -> None:
    if parent is not None:
        tokenizer, shape = parent.policy.tokenizer, parent.policy.shape
    else:
        shape = SHAPES[order.size]
        work.say(f"Learning a vocabulary of {shape.vocab_size:,} tokens.")
        aside = packing.threshold(order.held_out)
        # The book comes on top of it, and sums: their words are to be no strangers.
        tokenizer = vocabulary.learn(sources, shape.vocab_size, aside, hatch.texts(work.entries))
    work.say("Reading the corpus.")
    packing.pack(sources, folder, tokenizer, base.context(shape), order.held_out, work.say)


def _policy(work: Workplace, order: Order, corpus: Packed, parent: Parent | None) -> Policy:
    if parent is not None:
        return parent.policy
    return base.fresh(order.size, corpus.tokenizer, order.seed, str(work.device))


def _memory(work: Workplace, shape: Shape, recipe: base.Settings, fit: Fit) -> fits.Table:
    """What the training takes, by arithmetic; raises MrClassicError where the device is too small."""
    width = base.context(shape)
    load = fits.Load(rows=max(1, recipe.tokens // width), width=width, learned=width)
    found = fitting.table(work, shape, fit, load)
    found.check()
    return found


def _seconds_per_step(work: Workplace, ready: _Ready, updates: Updates) -> float:
    """The median of a few updates, on a copy; the first ones, slower, are left out."""
    recipe = replace(ready.recipe, steps=10**6)
    trial = base.start(ready.policy, recipe, work.dtype, ready.fit)
    times = [base.step(trial, updates, recipe).seconds for _ in range(_PROBE_STEPS)]
    return median(times[2:])


def _steps(order: Order, updates: Updates, each: float) -> int:
    if order.steps is not None:
        return order.steps
    if order.minutes is not None:
        return max(1, int(0.9 * order.minutes * 60 / each))  # a tenth for the measuring
    return max(1, round((order.epochs or EPOCHS) * updates.epoch_steps))


def _source(part: Part, epochs: float) -> dict[str, Any]:
    """The figures of a source, for the plan."""
    left_out = ("troubles", "openings")
    figures = {name: value for name, value in asdict(part).items() if name not in left_out}
    return {**figures, "passes": epochs * part.weight}


def _scores(found: Mapping[str, tuple[float, int]]) -> dict[str, dict[str, float]]:
    return {
        name: {"loss": loss, "perplexity": math.exp(min(loss, 100.0)), "tokens": tokens}
        for name, (loss, tokens) in found.items()
    }
