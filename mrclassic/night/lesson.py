"""A lesson in a home: what waits in the book is learned in seconds, judged, and in use from the next reply on.

What a night weighs for minutes is read through here in a second: a lesson changes little, and what it could break first
is the book itself and the sums that are mastered. Whatever it teaches, the next night measures it in full.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mrclassic.book import Entry
from mrclassic.errors import MrClassicError
from mrclassic.model.policy import WARMTH, Policy
from mrclassic.night import fitting, knowing, pruning, study
from mrclassic.night.blending import blend
from mrclassic.night.gate import GateVerdict, Kind, SuiteScores, judge
from mrclassic.night.judging import MASTERED, NEW, OLD, OVERTAKEN
from mrclassic.night.recorder import StoreRecorder, Watch
from mrclassic.night.workplace import Parent, Workplace
from mrclassic.tasks.base import keyed
from mrclassic.training import book, forced, loop
from mrclassic.training.lesson import LOOK_EVERY, Lesson, Settings, start
from mrclassic.training.rows import Row
from mrclassic.training.sentinel import Sentinel
from mrclassic.training.sentinel.optimum import not_finite
from mrclassic.training.suites import PHRASINGS, Probe, SuiteResult, recall, skill, summary

NEARER = (0.7, 0.55, 0.4)  # of the way to what was trained, where the gate refuses more
MOST = 128  # entries in one lesson; what waits beyond that goes into the next
GLANCE, ITEMS = 40, 300  # held-out items of each level: whether it is mastered; by which it is guarded if it is
WORKED = 48  # worked answers of each level, to be kept as likely as they were


@dataclass(frozen=True)
class Taught:
    """Facts of a lesson. `learned` are the questions now answered as taught, `waiting` the entries that still wait;
    `drawn` is how likely a draw at the settings' temperature is the taught answer, on average over the new entries."""

    run: int
    checkpoint: str | None
    model_sha256: str | None
    promoted: bool
    steps: int
    seconds: float
    entries: int
    new: int
    learned: tuple[str, ...]
    waiting: int
    recall: dict[str, float]
    drawn: dict[str, float]
    before: dict[str, float]
    after: dict[str, float]
    reasons: tuple[str, ...]
    forgotten: tuple[str, ...]


class _Scales:
    """What a lesson is judged by: the parent's scores, and what the gate says of the child's. A child is read through
    as quickly as the parent was (see `forced`)."""

    def __init__(self, work: Workplace, parent: Parent, fresh: Sequence[Entry], old: Sequence[Entry], run: int) -> None:
        self.work, self.parent, self.fresh, self.old = work, parent, fresh, old
        policy = parent.policy.for_replies(work.settings.dtype)
        book = [recall(fresh, NEW), recall(old, OLD), work.phrasings()]
        glanced = {name: skill(work.practised(), name, GLANCE, run) for name in work.practised().names}
        first = [*(suite for suite in book if suite.probes), *glanced.values()]
        read = forced.read(policy, first, self._warm)
        found = forced.measure(policy, first, read)
        self.mastered = tuple(name for name in glanced if found[name].score >= MASTERED)
        guarded = {name: skill(work.practised(), name, ITEMS, run) for name in self.mastered}
        self.before = {**found, **forced.measure(policy, list(guarded.values()))}
        self.suites = [suite for suite in (*book, *{**glanced, **guarded}.values()) if suite.probes]
        self.drawn = _mean(read[NEW])
        self.held = read.get(OLD, [])

    def chance(self, policy: Policy) -> float:
        """How likely a draw is the taught answer, on average over the new entries."""
        return _mean(forced.read(policy, [recall(self.fresh, NEW)], self._warm)[NEW])

    @property
    def _warm(self) -> float:
        return self.work.settings.chat.temperature or WARMTH

    def measure(self, policy: Policy) -> dict[str, SuiteResult]:
        """The scores of `policy`, as it will answer, on the same items."""
        return forced.measure(policy.for_replies(self.work.settings.dtype), self.suites)

    def judge(self, after: Mapping[str, SuiteResult]) -> GateVerdict:
        """The gate's word: something new is known, and neither the book nor what is mastered got worse."""
        golden = self._golden()
        scores = [
            SuiteScores(
                name,
                kind,
                self.before[name].scores,
                after[name].scores,
                golden[name].scores if kind == "guard" and name in golden else None,
                census=name == NEW,
            )
            for name in self.before
            if (kind := self._kind(name)) is not None
        ]
        own = self.work.settings.gate
        return judge(scores, margin=own.margin, confidence=own.confidence)

    def _kind(self, name: str) -> Kind | None:
        if name == PHRASINGS:  # only told: a new answer may rightly change what a like question gets
            return None
        if name == NEW:
            return "target"
        return "guard" if name == OLD or name in self.mastered else "watch"

    def _golden(self) -> Mapping[str, SuiteResult]:
        row = self.work.store.checkpoints.golden()
        if row is None or row.id == self.parent.row.id:
            return {}
        try:
            policy = self.work.parent(row.id).policy.for_replies(self.work.settings.dtype)
        except MrClassicError as error:
            self.work.say(f"The golden checkpoint could not be compared: {error}")
            return {}
        return forced.measure(policy, [suite for suite in self.suites if self._kind(suite.name) == "guard"])


def _mean(found: Sequence[forced.Known]) -> float:
    return sum(each.chance for each in found) / len(found)


def worked(work: Workplace, policy: Policy, seed: int) -> list[Row]:
    """Worked answers of the levels that are practised, of those where `policy` gives any of them itself."""
    arms, rows = work.practised(), []
    for name in arms.names:
        probes = [Probe.of(arms.sample(name, keyed(seed, "worked", name, at))) for at in range(WORKED)]
        these = [forced.reading(policy.tokenizer, probe, policy.shape.context) for probe in probes]
        if any(each.greedy for each in forced.known(policy, these)):
            rows += these
    return rows


def lesson(
    work: Workplace,
    *,
    seed: int | None = None,
    watch: Watch | None = None,
    planned: Callable[[int, int], None] = lambda total, done: None,
) -> Taught | None:
    """Learn what waits in the book and use the result if the gate lets it pass; None where nothing waits. What is
    refused is not kept: it is quickly made again."""
    begun = time.monotonic()
    # Torch's optimizers import it when the first one is made, which takes a second: what is measured first hides that.
    slow = threading.Thread(target=importlib.import_module, args=("torch._dynamo",), daemon=True)
    slow.start()
    own = work.settings.lesson
    fitting.check(study.plan(work, study.Order(book.Settings(batch=own.batch), fit=work.fit), None))
    parent = work.parent()
    known = set(parent.manifest.book)
    waiting = [entry for entry in work.entries if entry.hash not in known]
    fresh, old = waiting[:MOST], [entry for entry in work.entries if entry.hash in known]
    if not fresh:
        return None
    settings = Settings(own.batch, own.learning_rate, seed=0 if seed is None else seed)
    with work.run("lesson", settings, parent.row.id) as run:
        scales = _Scales(work, parent, fresh, old, run)
        skills = worked(work, parent.policy, settings.seed)
        slow.join()
        state = start(parent.policy, settings, work.dtype, work.fit)
        taught = Lesson(fresh, old, skills, settings, scales.held)
        planned(settings.most, 0)
        recorder = StoreRecorder(work.store, run, None, watch, work.say)
        outcome = loop.run(
            state,
            taught.step,
            steps=settings.most,
            recorder=recorder,
            # What is forgotten on the way comes back before the end, or the gate refuses: only a NaN ends it early.
            sentinel=Sentinel((not_finite,)),
            save_seconds=float("inf"),
            good_every=LOOK_EVERY,
            aside=taught.look,
            enough=taught.over,
        )
        recorder.flush()
        child = state.trainee.full_policy()

        def mixed(share: float) -> Policy:
            return child if share == 1.0 else blend(parent.policy, child, share)

        policy, share = taught.between(mixed)
        after = scales.measure(policy)
        verdict = scales.judge(after)
        for nearer in [each for each in NEARER if each < share]:
            if verdict.promoted:
                break
            # Less of the new, perhaps, but nothing lost: the rest waits for the next lesson.
            policy, share = mixed(nearer), nearer
            after = scales.measure(policy)
            verdict = scales.judge(after)
        before, now = summary(scales.before), summary(after)
        learned = [entry for entry, score in zip(fresh, after[NEW].scores, strict=True) if score]
        lost = _lost(old, scales.before, after)  # and so it waits again
        kept, refused = None, () if verdict.promoted else verdict.reasons
        if verdict.promoted:
            stays = (known - {entry.hash for entry in lost}) | {entry.hash for entry in learned}
            kept = work.keep(
                policy,
                "lesson",
                parent=parent.row,
                run=run,
                step=state.step,
                known=tuple(entry.hash for entry in work.entries if entry.hash in stays),
                metrics=now,
            )
            work.store.recalls.keep(kept.id, knowing.told(after, **{NEW: fresh, OLD: old}))
            refused = () if work.use(kept, instead_of=parent.wanted) else (OVERTAKEN,)
        facts = {"before": before, "after": now, "share": share, "reasons": list(refused or verdict.reasons)}
        work.store.runs.finish(run, outcome.ended, kept.id if kept else None, facts)
    if kept is not None:
        pruning.after_session(work.home, work.store, work.say)
    used = kept is not None and not refused
    return Taught(
        run=run,
        checkpoint=kept.id if kept else None,
        model_sha256=kept.model_sha256 if kept else None,
        promoted=used,
        steps=state.step,
        seconds=time.monotonic() - begun,
        entries=len(work.entries),
        new=len(fresh),
        learned=tuple(entry.turns[-1].user for entry in learned) if used else (),
        waiting=len(waiting) + (len(lost) - len(learned) if used else 0),
        recall={"before": before.get(OLD, 1.0), "after": now.get(OLD, 1.0)},
        drawn={"before": scales.drawn, "after": scales.chance(policy.for_replies(work.settings.dtype))},
        before=before,
        after=now,
        reasons=refused or verdict.reasons,
        forgotten=tuple(entry.turns[-1].user for entry in lost),
    )


def _lost(old: Sequence[Entry], before: Mapping[str, SuiteResult], after: Mapping[str, SuiteResult]) -> list[Entry]:
    """What of the book was known and is not any more."""
    if OLD not in after:
        return []
    pairs = zip(old, before[OLD].scores, after[OLD].scores, strict=True)
    return [entry for entry, was, now in pairs if was > now]
