"""One night: plan, practise in stages, judge, promote or keep, report.

It can be ended at any moment and gone on with: the plan is stored with the night, each stage keeps its state, and what
it comes to is entered in one transaction, so that a kill leaves either the old checkpoint in use or the new one.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from mrclassic import heartbeat
from mrclassic.book import load as read_book
from mrclassic.errors import MrClassicError, Stopped, Unwritable
from mrclassic.model.manifest import manifest
from mrclassic.model.policy import Policy
from mrclassic.night import blending, opinions, planning, practice, pruning, second, stages, study, unfinished
from mrclassic.night.gate import GateVerdict
from mrclassic.night.judging import NEW, OVERTAKEN, Bench
from mrclassic.night.means import Means
from mrclassic.night.opinions import Marks
from mrclassic.night.outlook import outlook
from mrclassic.night.plan import Plan, PlannedStage
from mrclassic.night.recorder import Watch
from mrclassic.night.report import NightReport, StageReport, write
from mrclassic.night.stages import Told, Training
from mrclassic.night.workplace import Workplace
from mrclassic.store import Checkpoint, StoreError
from mrclassic.store import Night as Row
from mrclassic.training.suites import SuiteResult, summary

GATE_ITEMS = 1800  # of each level: a third chooses between parent and child, the rest judges what was chosen
_FEWEST_ITEMS, _ITEMS_A_MINUTE = 300, 60  # a short night measures less, and is judged the more carefully for it
_OVERHEAD = 30.0  # seconds that the plan does not count: what the model can do is looked at before it trains


@dataclass(frozen=True)
class Wishes:
    """What the caller wants of this night; None leaves it to the settings."""

    minutes: float
    seed: int | None = None
    learning_rate: float | None = None
    replay: int | None = None


@dataclass(frozen=True)
class NightResult:
    """The report, its page, and the checkpoint that came out of the night (None where nothing was trained)."""

    report: NightReport
    page: Path
    candidate: str | None
    interrupted: bool


class Night:
    """The steps of one night in order; made, it has measured its parent and knows its plan; `run` carries it out.

    `former` is a night that was cut short: it goes on with its own plan, seed and book. With `glance` it measures
    little, for its plan alone: it is not to be run.
    """

    def __init__(self, work: Workplace, wishes: Wishes, former: Row | None = None, *, glance: bool = False) -> None:
        self._begun, self._started = time.monotonic(), datetime.now(UTC)
        self.work, self.former = work, former
        self._worked = 0.0  # seconds, before this process
        self.unbroken = False  # True while the caller's signal handler must wait: in an update, and in the last entry
        if former is not None:
            wishes = Wishes(**former.plan["wishes"])
            work.pin_book(unfinished.folder(work.home, former.id))
            work.as_then(former.plan["circumstances"], f"night {former.id}")
        marks = Marks(**former.plan["plan"].get("marks", {})) if former else None
        tables, self.opinions = planning.memory(work, opinions.gather(work, marks))
        self.wishes = wishes
        self.parent = work.parent(former.plan["wanted"] if former else None)
        self.items = min(GATE_ITEMS, max(_FEWEST_ITEMS, int(_ITEMS_A_MINUTE * wishes.minutes)))
        self.number = former.id if former else ((last.id if (last := work.store.nights.last()) else 0) + 1)
        seed = self.number if wishes.seed is None else wishes.seed
        subject = practice.subject(work)
        recipe = practice.recipe(
            work,
            self.parent.policy.tokenizer,
            subject,
            seed=seed,
            learning_rate=wishes.learning_rate,
            replay=wishes.replay,
        )
        self.bench = self._bench(glance)
        lesson = study.recipe(work, seed=seed)
        self.means = Means(work, self.parent, self.bench, seed, lesson, subject, recipe, self.opinions)
        self.plan = Plan.of(former.plan["plan"]) if former else planning.make(self.means, wishes.minutes, tables)
        if self.plan.parent != self.parent.row.id:
            raise MrClassicError(
                f"Night {self.number} cannot go on: its checkpoint {self.plan.parent} cannot be read any more; begin "
                "another with `mrclassic night --now`."
            )

    def _bench(self, glance: bool = False) -> Bench:
        return Bench(
            self.work,
            self.parent,
            items=self.items,
            rotation=self.number,
            practised=True,
            choosing=True,
            preferred=self.opinions.suite,
            glance=glance,
        )

    def run(
        self,
        *,
        watch: Watch | None = None,
        planned: Callable[[str, int], None] = lambda stage, steps: None,
        stopping: Callable[[], bool] = lambda: False,
        begins: Callable[[], str] = lambda: "",
    ) -> NightResult:
        """Practise, judge, promote or keep, report. `stopping` ends it between two updates, to be gone on with; so does
        `Stopped`, raised by a handler where `unbroken` is False. `begins` says at the end when the next one does."""
        store = self.work.store
        self._begins = begins
        night = self._enter()
        self._worked = unfinished.clock_in(unfinished.folder(self.work.home, night), self._begun)
        training, done = Training(self.parent.policy), list[StageReport]()
        candidate, verdict, after = None, None, dict[str, SuiteResult]()
        interrupted = True
        try:
            deadline = self._deadline(night)
            told = Told(stopping, lambda: time.monotonic() > deadline, watch)
            for each in self.plan.stages:
                if stopping():
                    raise Stopped
                store.nights.update(night, "running", each.name)
                planned(each.name, each.steps)
                done.append(self._stage(each, night, training, told))
            if stopping():
                raise Stopped
            store.nights.update(night, "running", "gate")
            heartbeat.beat("judging")
            if training.steps:
                self._catch_up(training)
                candidate = self._keep(training)
                candidate, verdict, after = self._judge(night, training, candidate)
            self.unbroken, interrupted = True, False
        except Stopped:
            candidate = None
        except BaseException as error:
            store.nights.finish(night, "interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
            raise
        with self._whole():
            result = self._settle(night, done, training, candidate, verdict, after, interrupted)
        if interrupted:
            unfinished.clock_out(unfinished.folder(self.work.home, night), self._spent)
        else:
            shutil.rmtree(unfinished.folder(self.work.home, night), ignore_errors=True)
            pruning.after_session(self.work.home, store, self.work.say)
        return result

    def _enter(self) -> int:
        """The night's row, and beside it what it needs to go on."""
        work, store = self.work, self.work.store
        if self.former is not None:
            return store.nights.resume(self.former.id).id
        unfinished.sweep(work.home, store, self.number)
        night = store.nights.start(
            {
                "lines": list(self.plan.lines()),
                "minutes": self.wishes.minutes,
                "seed": self.means.seed,
                "wanted": self.parent.wanted.id,
                "wishes": asdict(self.wishes),
                "plan": asdict(self.plan),
                "settings": unfinished.settings_of(work.settings),
                "circumstances": work.circumstances,
                "process": os.getpid(),
            },
            # As it counts its minutes: what it can do was measured, and its pace, before there was anything to enter.
            self._started.isoformat(timespec="microseconds"),
        )
        work.pin_book(unfinished.folder(work.home, night))
        return night

    @property
    def _spent(self) -> float:
        """Seconds that the night has worked, in this process and before."""
        return self._worked + time.monotonic() - self._begun

    def _deadline(self, night: int) -> float:
        """When what is left of the minutes is for judging; but what is left of the plan has its time, however few they
        are."""
        judging = self.plan.measuring - self.bench.seconds
        runs = self.work.store.runs
        done = {run.kind: len(runs.steps(run.id)) for run in runs.of_night(night)}
        planned = sum(max(0, each.steps - done.get(each.name, 0)) * each.seconds_each for each in self.plan.stages)
        left = self.wishes.minutes * 60 - self._worked
        return max(self._begun + left - judging, time.monotonic() + planned + _OVERHEAD)

    def _catch_up(self, training: Training) -> None:
        """Where another model came into use while the night was cut short (a lesson, say), what the night learned is
        added to that one, and both are judged by the book as it is now."""
        present = self.work.store.checkpoints.in_use()
        if self.former is None or present is None or present.id == self.parent.wanted.id:
            return
        self.work.say(f"{present.id} came into use meanwhile; what this night learned is carried over to it.")
        former, self.parent = self.parent, self.work.parent()
        self.work.take_book()
        training.policy = blending.carried(former.policy, training.policy, self.parent.policy)
        self.bench = self._bench()

    def _stage(self, each: PlannedStage, night: int, training: Training, told: Told) -> StageReport:
        folder = unfinished.folder(self.work.home, night) / each.name
        try:
            with self._whole():
                found = stages.carry(self.means, each, night, folder, training, told)
        except (Unwritable, StoreError):  # the others would be lost like this one; with room again it goes on
            raise
        except (MrClassicError, RuntimeError) as error:
            # What the earlier stages trained is not lost with this one.
            self.work.say(f"The stage {each.name} failed: {error}")
            return StageReport(each.name, "failed", 0.0, alarms=(str(error),))
        return found

    @contextmanager
    def _whole(self) -> Iterator[None]:
        self.unbroken = True
        try:
            yield
        finally:
            self.unbroken = False

    def _keep(self, training: Training) -> Checkpoint:
        """Save what was trained as a candidate, before the long measuring that could fail."""
        fresh = [suite for suite in self.bench.suites if suite.name == NEW] if training.learned_book else []
        return self._candidate(training, training.policy, self.work.measure(training.policy, fresh))

    def _candidate(self, training: Training, policy: Policy, after: Mapping[str, SuiteResult]) -> Checkpoint:
        return self.work.keep(
            policy,
            "night",
            parent=self.parent.row,
            run=training.run,
            step=training.steps,
            known=self.bench.known(after),
            metrics={},
            state=training.moments,
        )

    def _judge(
        self, night: int, training: Training, trained: Checkpoint
    ) -> tuple[Checkpoint, GateVerdict, dict[str, SuiteResult]]:
        """What is judged, which may lie between the parent and what was `trained`, and the gate's word on it."""
        chosen = blending.judged(self.bench, training.policy)
        verdict = second.confirmed(chosen.verdict, self.work.store, night)
        if chosen.share == 1.0:
            return trained, verdict, chosen.after
        self.work.store.checkpoints.set_status(trained.id, "rejected")
        return self._candidate(training, chosen.policy, chosen.after), verdict, chosen.after

    def _settle(
        self,
        night: int,
        done: Sequence[StageReport],
        training: Training,
        candidate: Checkpoint | None,
        verdict: GateVerdict | None,
        after: dict[str, SuiteResult],
        interrupted: bool,
    ) -> NightResult:
        """Promote or reject, report, and close the night: all of it, or nothing."""
        store = self.work.store
        with store.transaction():
            if candidate is not None and verdict is not None:
                store.checkpoints.set_metrics(candidate.id, {**summary(after), **self.bench.guards(verdict)})
                store.recalls.keep(candidate.id, self.bench.recalled(after))
                if verdict.promoted and not self.work.use(candidate, instead_of=self.parent.wanted):
                    verdict = replace(verdict, verdict="keep", reasons=(OVERTAKEN,))
                if not verdict.promoted:
                    store.checkpoints.set_status(candidate.id, "rejected")
            started = store.nights.get(night).started
            report = self._report(night, started, done, verdict, after, candidate, training.questions, interrupted)
            page = write(report, self.work.home.nights)
            store.nights.finish(
                night,
                "interrupted" if interrupted else "done",
                gate=asdict(verdict) if verdict else None,
                report_path=page.name,
                checkpoint=candidate.id if candidate else None,
            )
        return NightResult(report, page, candidate.id if candidate else None, interrupted)

    def _waiting(self) -> int:
        """How much of the book, as it stands now, the model in use does not know."""
        row = self.work.store.checkpoints.in_use()
        known = set(manifest(self.work.home.checkpoints / row.path).book) if row else set()
        return sum(entry.hash not in known for entry in read_book(self.work.home.book))

    def _report(
        self,
        night: int,
        started: str,
        done: Sequence[StageReport],
        verdict: GateVerdict | None,
        after: dict[str, SuiteResult],
        candidate: Checkpoint | None,
        questions: tuple[str, ...],
        interrupted: bool,
    ) -> NightReport:
        promoted = bool(verdict and verdict.promoted and candidate)
        forgotten, learned = self.bench.changes(after)
        waiting, scores = self._waiting(), after if promoted else self.bench.before
        words = f"{waiting} book entries wait." if waiting else "No book entries wait."
        if interrupted:
            words = f"The night was cut short; `mrclassic night --now --resume` goes on with it. {words}"
        levels = {name: scores[name].score for name in self.bench.arms.names if name in scores}
        return NightReport(
            night=night,
            started=started,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            minutes=self.wishes.minutes,
            device=str(self.work.device),
            checkpoint_before=self.parent.row.id,
            checkpoint_after=candidate.id if promoted and candidate else self.parent.row.id,
            plan=self.plan.words,
            stages=tuple(done),
            gate=verdict,
            suites_before=summary(self.bench.before),
            suites_after=summary(after),
            forgotten=forgotten,
            learned=learned,
            promoted=promoted,
            waiting_next=words,
            best_questions=questions,
            price=self.work.settings.night.price_per_hour,
            worked=self._spent / 60,
            tonight=outlook(self._begins(), self.work.settings, levels, waiting, self.opinions.shares),
        )
