"""`train dpo` in a home: learn from picks, and from votes between checkpoints, which of two replies to prefer, measure
that on those that were held out, and use the result if more of them are preferred now and nothing was forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mrclassic.choices import Choice
from mrclassic.errors import Refused
from mrclassic.night import fitting, practice
from mrclassic.night.gate import HELD_OUT
from mrclassic.night.judging import Bench, settle
from mrclassic.night.recorder import StoreRecorder, Watch
from mrclassic.night.workplace import Workplace
from mrclassic.store import tasting
from mrclassic.training import aside, dpo, loop
from mrclassic.training.fits import WHOLE, Fit
from mrclassic.training.sentinel import PREFERRED, Sentinel
from mrclassic.training.suites import Probe, Suite, recall

ITEMS = 500  # of each level
_FOLD = 0  # that is held out: a fifth of the prompts, the same ones always


@dataclass(frozen=True)
class Order:
    """What a run was given, so that it can be resumed as it was begun; `last` is the newest of its picks, `vote` of its
    votes."""

    dpo: dpo.Settings = field(default_factory=dpo.Settings)
    steps: int | None = None
    last: int = 0
    vote: int = 0
    fit: Fit = WHOLE


@dataclass(frozen=True)
class Preferred:
    """Facts of a `train dpo` run."""

    run: int
    checkpoint: str
    model_sha256: str
    promoted: bool
    loss: str
    beta: float
    steps: int
    seconds: float
    ended: str
    why: str
    picks: int
    pairs: int
    held_out: int
    margin: float
    before: dict[str, float]
    after: dict[str, float]
    reasons: tuple[str, ...]
    forgotten: tuple[str, ...]


def train(
    work: Workplace,
    settings: dpo.Settings,
    *,
    origin: str | None = None,
    steps: int | None = None,
    resume: int | None = None,
    watch: Watch | None = None,
    planned: Callable[[int, int], None] = lambda total, done: None,
) -> Preferred:
    """Train on the picks and votes of this home from the checkpoint in use (or `origin`)."""
    begun = time.monotonic()
    every = tasting.said(work.store)
    until = tasting.newest_of(every)
    order = Order(settings, steps, until.pick, until.vote, work.fit)
    if resume is not None:
        former = work.resumable(resume, "dpo")
        resume, origin = former.id, former.parent_checkpoint
        told = former.settings
        fit = Fit.of(told.get("fit", {}))
        order = Order(dpo.Settings(**told["dpo"]), told["steps"], told["last"], told.get("vote", 0), fit)
        every = tasting.said(work.store, tasting.Until(order.last, order.vote))
    own = order.dpo
    learned, held = parted(every)
    if not held:
        raise Refused(
            f"None of your {len(every)} picks and votes is held out, so nothing could be measured (a fifth of the "
            "questions is, by chance); pick on."
        )
    fitting.check(plan(work, order, origin))
    parent = work.parent(origin)
    pairs = dpo.pairs(parent.policy, learned)
    total = order.steps or own.steps(len(pairs))
    with work.run("dpo", order, parent.row.id, resume=resume) as run:
        work.pin_book(work.folder(run))
        bench = Bench(work, parent, items=ITEMS, rotation=run, practised=False, preferred=suite(held))
        recorder = StoreRecorder(work.store, run, work.folder(run), watch, work.say)
        state = dpo.start(parent.policy, own, work.dtype, order.fit)
        if recorder.attach(state, resume=resume is not None):
            work.say(f"Going on from update {state.step} of {total}.")
        dpo.freeze(state, pairs, own)
        planned(total, state.step)
        rows = practice.replayed(state, bench.old, own.replay)
        outcome = loop.run(
            state,
            lambda s: dpo.step(s, pairs, own, total, rows),
            steps=total,
            recorder=recorder,
            sentinel=Sentinel(PREFERRED),
            aside=aside.looking([], recall(bench.old)),
        )
        recorder.save(state)  # whatever ends the measuring does not cost the training
        margins = [report.metrics["rewards/margins"] for report in recorder.reports[-10:]]
        settled = settle(bench, state, "dpo", run, outcome.ended)
    work.clear(run, outcome.ended)
    return Preferred(
        run=run,
        checkpoint=settled.row.id,
        model_sha256=settled.row.model_sha256,
        promoted=settled.promoted,
        loss=own.loss,
        beta=own.strength,
        steps=state.step,
        seconds=time.monotonic() - begun,
        ended=outcome.ended,
        why=outcome.verdict.message if outcome.verdict else "",
        picks=len(learned),
        pairs=len(pairs),
        held_out=len(held),
        margin=sum(margins) / len(margins) if margins else 0.0,
        before=settled.before,
        after=settled.after,
        reasons=settled.reasons,
        forgotten=settled.forgotten,
    )


def parted(every: Sequence[Choice]) -> tuple[list[Choice], list[Choice]]:
    """Those to learn from, and those that are held out."""
    learned, held = ([each for each in every if (each.fold == _FOLD) == out] for out in (False, True))
    return learned, held


def suite(held: Sequence[Choice]) -> Suite:
    """Picks that were held out: is the preferred reply likelier, a token, than each of the others?"""
    probes = []
    for each in held:
        chosen = each.replies[each.winner]
        others = tuple(reply for reply in each.replies if reply != chosen)
        probes.append(Probe(tuple(each.messages), chosen, others=others))
    return Suite(HELD_OUT, tuple(probes), how="preferred")


def plan(work: Workplace, order: Order, origin: str | None) -> fitting.Plan | None:
    """What an update is, and its memory; see `fitting.plan`."""
    own = order.dpo
    update = f"{own.batch} pairs an update by the {own.loss} loss, {own.replay} book entries replayed"
    return fitting.plan(work, origin, "dpo", order.fit, fitting.studying(update, 2 * own.batch))
