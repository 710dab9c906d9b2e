"""`train distill` in a home: right answers are gathered from a teacher, learned with the book replayed, and judged by
the gate on held-out items; `train grpo` can go on from there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mrclassic import files
from mrclassic.errors import Refused, UsageError
from mrclassic.mind.teacher import KEY, Teacher
from mrclassic.model.policy import Policy
from mrclassic.night import fitting, traces
from mrclassic.night.judging import Bench, settle
from mrclassic.night.recorder import StoreRecorder, Watch
from mrclassic.night.traces import Gathered, Terms
from mrclassic.night.workplace import Workplace
from mrclassic.tasks.arms import Arms
from mrclassic.training import distill, loop
from mrclassic.training.distill import Trace
from mrclassic.training.fits import WHOLE, Fit
from mrclassic.training.memories import memories
from mrclassic.training.sentinel import SUPERVISED, Sentinel

ITEMS = 500  # held-out items of each level
FEWEST = 32  # right answers: no weight moves on less
_KEPT = "traces.json"  # in a run's folder

Planned = Callable[[int, int], None]


@dataclass(frozen=True)
class Source:
    """Where answers come from; exactly one of `url` (with its `model`), `file` and `checkpoint`. `key` names the
    variable of the environment that holds the server's key."""

    url: str | None = None
    model: str | None = None
    key: str = KEY
    file: str | None = None
    checkpoint: str | None = None

    def __post_init__(self) -> None:
        if sum(each is not None for each in (self.url, self.file, self.checkpoint)) != 1:
            raise UsageError("Say where the answers come from: one of --teacher, --traces and --checkpoint.")
        if (self.url is None) != (self.model is None):
            raise UsageError("A teacher needs its address and its model: --teacher URL --teacher-model NAME.")


@dataclass(frozen=True)
class Order:
    """What a run was given, so that it can be resumed as it was begun."""

    tasks: tuple[str, ...]
    source: Source
    items: int = 1000
    terms: Terms = field(default_factory=Terms)
    distill: distill.Settings = field(default_factory=distill.Settings)
    steps: int | None = None
    fit: Fit = WHOLE


@dataclass(frozen=True)
class Distilled:
    """Facts of a `train distill` run."""

    run: int
    checkpoint: str
    model_sha256: str
    promoted: bool
    steps: int
    seconds: float
    asked: int
    kept: int
    wrong: int
    held_out: int
    too_long: int
    failed: int
    cost: float
    cut: str
    before: dict[str, float]
    after: dict[str, float]
    reasons: tuple[str, ...]
    forgotten: tuple[str, ...]


def plan(work: Workplace, order: Order, origin: str | None) -> fitting.Plan | None:
    """What an update is, and its memory; see `fitting.plan`."""
    own = order.distill
    update = f"{own.fresh} answers an update and {own.batch - own.fresh} rows of what is known, {own.epochs} epochs"
    return fitting.plan(work, origin, "distill", order.fit, fitting.studying(update, own.batch))


def learn(
    work: Workplace,
    order: Order | None,
    *,
    origin: str | None = None,
    resume: int | None = None,
    watch: Watch | None = None,
    planned: Planned = lambda total, done: None,
    passed: Planned = lambda total, done: None,
) -> Distilled:
    """Gather traces and train them from the checkpoint in use (or `origin`); use the result if held-out items gained
    and nothing was forgotten. With `resume` the order is that of the run."""
    begun = time.monotonic()
    if resume is not None:
        former = work.resumable(resume, "distill")
        resume, origin, order = former.id, former.parent_checkpoint, _order(former.settings)
    if order is None:
        raise UsageError("There is neither an order nor a run to go on with.")
    arms = work.arms(order.tasks)
    for name in arms.names:
        if arms.talks(name):
            raise UsageError(f"{name} is a dialogue: practise it with `mrclassic train td --task {name}`.")
    fitting.check(plan(work, order, origin))
    parent, own = work.parent(origin), order.distill
    with work.run("distill", order, parent.row.id, resume=resume) as run:
        work.pin_book(work.folder(run))
        found = _gathered(work, order, arms, parent.policy, work.folder(run), passed)
        total = order.steps or own.steps(len(found.traces))
        bench = Bench(work, parent, items=ITEMS, rotation=run, practised=False, asked=arms)
        recorder = StoreRecorder(work.store, run, work.folder(run), watch, work.say)
        state = distill.start(parent.policy, own, work.dtype, work.moments(parent.row), order.fit)
        skills = memories(parent.policy, own.seed, bench.remembered)
        recorder.begin(state, total, planned, resume=resume is not None)
        outcome = loop.run(
            state,
            lambda s: distill.step(s, distill.draw(s, found.traces, bench.old, skills, own), own, total),
            steps=total,
            recorder=recorder,
            sentinel=Sentinel(SUPERVISED),
        )
        recorder.save(state)  # whatever ends the measuring does not cost the training
        settled = settle(bench, state, "distill", run, outcome.ended)
    work.clear(run, outcome.ended)
    counts = {name: value for name, value in asdict(found).items() if name != "traces"}
    return Distilled(
        run=run,
        checkpoint=settled.row.id,
        model_sha256=settled.row.model_sha256,
        promoted=settled.promoted,
        steps=state.step,
        seconds=time.monotonic() - begun,
        kept=len(found.traces),
        **counts,
        before=settled.before,
        after=settled.after,
        reasons=settled.reasons,
        forgotten=settled.forgotten,
    )


def _gathered(work: Workplace, order: Order, arms: Arms, pupil: Policy, folder: Path, passed: Planned) -> Gathered:
    """The traces of the run: those that it began with, once they are there."""
    kept = folder / _KEPT
    if kept.exists():
        facts = json.loads(kept.read_text(encoding="utf-8"))
        facts["traces"] = tuple(Trace(tuple(each["messages"]), each["reply"]) for each in facts["traces"])
        return Gathered(**facts)
    said = _said(work, order, arms, passed)
    found = traces.verified(said, arms, pupil)
    work.say(
        f"{len(found.traces):,} of {found.asked:,} answers are kept: {found.wrong:,} were wrong, {found.failed:,} did "
        f"not come, {found.too_long:,} are too long, {found.held_out:,} are about held-out questions."
    )
    if found.cut:
        work.say(f"Not all was asked: {found.cut}.")
    if len(found.traces) < FEWEST:
        raise Refused(
            f"Only {len(found.traces)} right answers were found; it takes {FEWEST} to learn from them. Try another "
            "teacher, more --items, or words that say how to answer (--words)."
        )
    files.make_folder(folder)
    files.replace(kept, json.dumps(asdict(found)).encode())
    return found


def _said(work: Workplace, order: Order, arms: Arms, passed: Planned) -> traces.Said:
    source, seed = order.source, order.distill.seed
    if source.file is not None:
        return traces.from_file(Path(source.file), arms)
    items = traces.questions(arms, order.items, seed)
    if source.checkpoint is not None:
        return traces.from_policy(work.parent(source.checkpoint).policy, items, seed, passed)
    assert source.url is not None
    assert source.model is not None
    with ExitStack() as open_:
        teacher = open_.enter_context(Teacher(source.url, source.model, source.key))
        work.say(f"The questions go to {teacher.host}.")
        return traces.from_teacher(teacher, items, order.terms, work.home.root / "teachers", passed)


def _order(given: Mapping[str, Any]) -> Order:
    """The order of a run as it was begun."""
    terms = given["terms"]
    return Order(
        tuple(given["tasks"]),
        Source(**given["source"]),
        given["items"],
        Terms(**{**terms, "prices": tuple(terms["prices"])}),
        distill.Settings(**given["distill"]),
        given["steps"],
        Fit.of(given.get("fit", {})),
    )
