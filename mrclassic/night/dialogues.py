"""`train td` in a home: conversations with environments, measured before and after on held-out beginnings and judged by
the gate; or the owner's own rated conversations, of which nothing is held out: what they make stays a candidate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mrclassic.errors import Refused, UsageError
from mrclassic.model.tokenizer import Tokenizer
from mrclassic.night import fitting, practice
from mrclassic.night.judging import Bench, settle
from mrclassic.night.pace import timed
from mrclassic.night.recorder import StoreRecorder, Watch
from mrclassic.night.workplace import Parent, Workplace
from mrclassic.store import Store
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import keyed
from mrclassic.training import loop, rated, td
from mrclassic.training.aside import ITEMS as ASIDE
from mrclassic.training.aside import looking
from mrclassic.training.choosing import Choosing
from mrclassic.training.fits import WHOLE, Fit, Load
from mrclassic.training.journal import digest
from mrclassic.training.rated import Rated
from mrclassic.training.report import StepReport
from mrclassic.training.sentinel import RATED, REINFORCED, Sentinel
from mrclassic.training.state import State
from mrclassic.training.suites import recall, skill, summary, turn_room

ITEMS = 400  # held-out beginnings of each level
_GLANCE = 16  # beginnings that the room for a turn is judged by
_TRIALS = 3  # updates that the pace is measured by

Planned = Callable[[int, int], None]


@dataclass(frozen=True)
class Order:
    """What a run was given, so that it can be resumed as it was begun. Where there is `rated`, that is followed and not
    `td`; `talks` then names what the rated conversations held."""

    tasks: tuple[str, ...] = ()
    steps: int = 0
    replay: int = 0
    td: td.Settings = field(default_factory=td.Settings)
    rated: rated.Settings | None = None
    fit: Fit = WHOLE
    talks: str = ""


@dataclass(frozen=True)
class Conversed:
    """Facts of a `train td` run; `ended` is done | paused | rolled back | stopped, `why` the sentinel's sentence."""

    run: int
    checkpoint: str | None
    model_sha256: str | None
    promoted: bool
    steps: int
    seconds: float
    ended: str
    why: str
    before: dict[str, float]
    after: dict[str, float]
    reasons: tuple[str, ...]
    forgotten: tuple[str, ...]


def arms_of(work: Workplace, tasks: Sequence[str]) -> Arms:
    """The dialogues of these names; raises UsageError for a task that is none."""
    if not tasks:
        raise UsageError("Name the dialogues to practise, such as --task keyturn:2.")
    arms = work.arms(tasks)
    for name in arms.names:
        if not arms.talks(name):
            raise UsageError(f"{name} is no dialogue: practise it with `mrclassic train grpo --task {name}`.")
    return arms


def settings_of(
    work: Workplace, tokenizer: Tokenizer, arms: Arms, seed: int, given: Mapping[str, Any] | None = None
) -> td.Settings:
    """The settings of such a run in this home; `given` are fields that go before them."""
    own = work.settings.practice
    shown = [arms.sample(name, keyed("room", name, at)) for name in arms.names for at in range(_GLANCE)]
    made = td.Settings(max_new=turn_room(tokenizer, shown), learning_rate=own.learning_rate, beta=own.beta, seed=seed)
    return replace(made, **(given or {}))


def converse(
    work: Workplace,
    tasks: Sequence[str] = (),
    *,
    origin: str | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    resume: int | None = None,
    replay: int | None = None,
    given: Mapping[str, Any] | None = None,
    watch: Watch | None = None,
    planned: Planned = lambda total, done: None,
) -> Conversed:
    """Practise dialogues from the checkpoint in use (or `origin`); use the result if held-out beginnings gained and
    nothing was forgotten."""
    begun = time.monotonic()
    order: Order | None = None
    if resume is not None:
        former = work.resumable(resume, "td")
        resume, origin, order = former.id, former.parent_checkpoint, _order(former.settings)
        if order.rated is not None:
            return _rate(work, order, origin, resume, watch, planned, begun)
        tasks = order.tasks
    arms = arms_of(work, tasks)
    fitting.check(plan(work, tasks, order, origin=origin, seed=seed, replay=replay, given=given))
    parent = work.parent(origin)
    if order is None:
        order = _ordered(work, parent.policy.tokenizer, arms, tasks, seed, replay, given)
        order = replace(order, steps=steps or _steps(work, parent, arms, order, minutes or 5.0))
    with work.run("td", order, parent.row.id, resume=resume) as run:
        work.pin_book(work.folder(run))
        bench = Bench(work, parent, items=ITEMS, rotation=run, practised=False, asked=arms)
        state = td.start(parent.policy, order.td, work.dtype, order.fit)
        recorder = _recorder(work, run, watch, state, resume is not None, order.steps, planned)
        success = {name: bench.before[name].score for name in arms.names}
        outcome = loop.run(
            state,
            _Stage(work, arms, order, state, success),
            steps=order.steps,
            recorder=recorder,
            sentinel=Sentinel(REINFORCED),
            aside=looking([skill(arms, name, ASIDE) for name in arms.names], recall(work.entries)),
        )
        recorder.flush()
        why = outcome.verdict.message if outcome.verdict else ""
        if outcome.ended == "stopped":
            work.store.runs.finish(run, outcome.ended, None, {"why": why})
            facts = Conversed(run, None, None, False, state.step, 0.0, outcome.ended, why, success, {}, (why,), ())
        else:
            recorder.save(state)  # whatever ends the measuring does not cost the training
            done = settle(bench, state, "td", run, outcome.ended)
            facts = Conversed(
                run, done.row.id, done.row.model_sha256, done.promoted, state.step, 0.0, outcome.ended, why,
                done.before, done.after, done.reasons, done.forgotten,
            )  # fmt: skip
    work.clear(run, outcome.ended)
    return replace(facts, seconds=time.monotonic() - begun)


def plan(
    work: Workplace,
    tasks: Sequence[str] = (),
    order: Order | None = None,
    *,
    origin: str | None = None,
    seed: int = 0,
    replay: int | None = None,
    given: Mapping[str, Any] | None = None,
) -> fitting.Plan | None:
    """What an update of a run of `order` (or of a new one) is, and its memory; see `fitting.plan`."""

    def told(found: fitting.Unloaded) -> fitting.Update:
        asked = order or _ordered(work, found.tokenizer, arms_of(work, tasks), tasks, seed, replay, given)
        along, tokens = f"{asked.replay} book entries replayed", found.shape.context
        if asked.rated is not None:
            batch = asked.rated.batch
            return f"{batch} rated conversations an update, {along}", Load(batch, tokens, tokens // 2, reference=True)
        own = asked.td
        drawn = own.starts * own.group
        update = f"{own.starts} beginnings x {own.group} conversations an update, {along}"
        return update, Load(drawn, tokens, tokens // 2, drawn, own.objective.anchored)

    return fitting.plan(work, origin, "td", order.fit if order else work.fit, told)


def _ordered(
    work: Workplace,
    tokenizer: Tokenizer,
    arms: Arms,
    tasks: Sequence[str],
    seed: int,
    replay: int | None,
    given: Mapping[str, Any] | None,
) -> Order:
    """A new run's order, its length left open."""
    each = work.settings.practice.replay if replay is None else replay
    return Order(tuple(tasks), 0, each, settings_of(work, tokenizer, arms, seed, given), None, work.fit)


class _Stage:
    """The updates of a run, with the home's curriculum between them."""

    def __init__(self, work: Workplace, arms: Arms, order: Order, state: State, success: Mapping[str, float]) -> None:
        self.arms, self.order = arms, order
        self.chooser = work.curriculum(arms, success)
        self.replay = practice.replayed(state, work.entries, order.replay)

    def __call__(self, state: State) -> StepReport:
        choosing = Choosing(state, self.arms, self.chooser)
        update = td.step(state, choosing.draw, self.arms, self.order.td, self.replay)
        return choosing.observe(update.report, update.groups)


def _steps(work: Workplace, parent: Parent, arms: Arms, order: Order, minutes: float) -> int:
    """So many updates fill the time, measured on a copy that is thrown away."""
    state = td.start(parent.policy, order.td, work.dtype, order.fit)
    stage = _Stage(work, arms, order, state, {})
    pace = timed(lambda: stage(state).metrics["tokens"], "measuring td", _TRIALS)
    return max(1, int(minutes * 60 / pace.seconds))


def _recorder(
    work: Workplace, run: int, watch: Watch | None, state: State, resume: bool, steps: int, planned: Planned
) -> StoreRecorder:
    recorder = StoreRecorder(work.store, run, work.folder(run), watch, work.say)
    recorder.begin(state, steps, planned, resume=resume)
    return recorder


def _order(given: Mapping[str, Any]) -> Order:
    """The order of a run as it was begun."""
    of_rated = given.get("rated")
    return Order(
        tuple(given["tasks"]),
        given["steps"],
        given["replay"],
        td.Settings(**given["td"]),
        rated.Settings(**of_rated) if of_rated else None,
        Fit.of(given.get("fit", {})),
        given["talks"],
    )


# --- the owner's own conversations ---


def conversations(store: Store) -> list[Rated]:
    """The conversations that were rated, each with its latest rating, oldest first."""
    latest: dict[int, float] = {}
    for rating in store.ratings.list():  # newest first
        latest.setdefault(rating.conversation, rating.score)
    found = []
    for conversation in sorted(latest):
        leaf = store.conversations.leaf(conversation)
        if leaf is None:
            continue
        system = store.conversations.get(conversation).system
        opening = ({"role": "system", "content": system},) if system else ()
        said = ({"role": each.role, "content": each.content} for each in store.conversations.path(leaf.id))
        found.append(Rated((*opening, *said), latest[conversation]))
    return found


def rate(
    work: Workplace,
    settings: rated.Settings,
    *,
    origin: str | None = None,
    steps: int | None = None,
    replay: int | None = None,
    watch: Watch | None = None,
    planned: Planned = lambda total, done: None,
) -> Conversed:
    """Learn from the rated conversations of the home; by default for three passes over them."""
    begun = time.monotonic()
    talks = rated.standardised(conversations(work.store))
    length = steps or max(1, 3 * len(talks) // settings.batch)
    order = replace(order_of(work, settings, replay), steps=length, talks=digest(talks))
    return _rate(work, order, origin, None, watch, planned, begun)


def order_of(work: Workplace, settings: rated.Settings, replay: int | None) -> Order:
    """A new run's order on rated conversations, without those and its length."""
    each = work.settings.practice.replay if replay is None else replay
    return Order((), 0, each, rated=settings, fit=work.fit)


def _rate(
    work: Workplace,
    order: Order,
    origin: str | None,
    resume: int | None,
    watch: Watch | None,
    planned: Planned,
    begun: float,
) -> Conversed:
    own = order.rated
    assert own is not None
    talks = rated.standardised(conversations(work.store))
    if digest(talks) != order.talks:
        raise Refused(f"The rated conversations are not those that run {resume} began with; begin another run.")
    fitting.check(plan(work, (), order, origin=origin))
    parent = work.parent(origin)
    suites = [recall(work.entries), *(skill(work.practised(), name, ITEMS) for name in work.practised().names)]
    with work.run("td", order, parent.row.id, resume=resume) as run:
        work.pin_book(work.folder(run))
        state = rated.start(parent.policy, own, work.dtype, order.fit)
        before = work.measure(parent.policy, suites)
        recorder = _recorder(work, run, watch, state, resume is not None, order.steps, planned)
        along = practice.replayed(state, work.entries, order.replay)
        outcome = loop.run(
            state,
            lambda s: rated.step(s, talks, own, along),
            steps=order.steps,
            recorder=recorder,
            sentinel=Sentinel(RATED),
            aside=looking([], recall(work.entries)),
        )
        recorder.flush()
        recorder.save(state)
        policy = state.trainee.full_policy()
        after = summary(work.measure(policy, suites))
        row = work.keep(
            policy, "td", parent=parent.row, run=run, step=state.step, known=parent.manifest.book, metrics=after
        )
        why = outcome.verdict.message if outcome.verdict else ""
        first = summary(before)
        work.store.runs.finish(run, outcome.ended, row.id, {"before": first, "after": after, "why": why})
    work.clear(run, outcome.ended)
    reasons = (f"Nothing shows yet that it is better; `mrclassic model use {row.id}` puts it in use.",)
    return Conversed(
        run, row.id, row.model_sha256, False, state.step, time.monotonic() - begun, outcome.ended, why, first, after,
        reasons, (),
    )  # fmt: skip
