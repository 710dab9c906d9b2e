"""One night: plan, practise in stages, judge, promote or keep, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from mrclassic.book import load as read_book
from mrclassic.errors import MrClassicError
from mrclassic.model.manifest import manifest
from mrclassic.model.policy import Policy
from mrclassic.night import drill, practice, study
from mrclassic.night.gate import GateVerdict
from mrclassic.night.judging import NEW, OVERTAKEN, Bench
from mrclassic.night.plan import Plan, PlannedStage
from mrclassic.night.recorder import StoreRecorder, Watch
from mrclassic.night.report import NightReport, Sample, StageReport, write
from mrclassic.night.workplace import Parent, Workplace
from mrclassic.store import Checkpoint
from mrclassic.tasks import arithmetic
from mrclassic.training import book, grpo, loop
from mrclassic.training.report import StepReport
from mrclassic.training.state import State
from mrclassic.training.suites import SuiteResult, summary

GATE_ITEMS = 800  # of each level
_T = TypeVar("_T")
_CURVE_POINTS = 40
_CURVES = ("reward", "loss", "frac_reward_zero_std", "completions/mean_length", "entropy", "kl", "questions/valid")
_FACTS = ("learning_rate", "grad_norm", "groups/redrawn", "questions/success", "questions/largest_skeleton")
_TRIALS = 4  # updates that the speed of the book stage is measured on


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


class Stopped(Exception):  # noqa: N818 - raised by the caller's signal handler, and only while `Night.judging`
    """The caller wants the night to end now, in the middle of judging."""


@dataclass
class _Training:
    """What the stages hand on: the model, and what it took to get there."""

    policy: Policy
    run: int = 0
    steps: int = 0
    learned_book: bool = False
    moments: Mapping[str, Tensor] | None = None
    questions: tuple[str, ...] = ()


class Night:
    """The steps of one night in order; made, it has measured its parent and knows its plan; `run` carries it out."""

    def __init__(self, work: Workplace, wishes: Wishes) -> None:
        self.work, self.wishes = work, wishes
        self.fit = work.fit
        self.memory = self._memory()
        self.parent: Parent = work.parent()
        self.number = (last.id if (last := work.store.nights.last()) else 0) + 1
        self.seed = self.number if wishes.seed is None else wishes.seed
        self.book = study.recipe(work, seed=self.seed)
        self.subject = practice.subject(work)
        self.recipe = practice.recipe(
            work,
            self.parent.policy.tokenizer,
            self.subject,
            seed=self.seed,
            learning_rate=wishes.learning_rate,
            replay=wishes.replay,
        )
        self.bench = Bench(work, self.parent, items=GATE_ITEMS, rotation=self.number, practised=True)
        self.new = self.bench.new
        self.plan = self._plan()
        self.judging = False

    def _plan(self) -> Plan:
        """Step arithmetic from speeds measured now; the counts are then fixed and no longer depend on the clock."""
        work, bench = self.work, self.bench
        golden = work.store.checkpoints.golden()
        compared = golden is not None and golden.id != self.parent.row.id
        measuring = (3 if compared else 2) * bench.seconds + 5
        left = max(10.0, self.wishes.minutes * 60 - measuring)
        stages: list[PlannedStage] = []
        if self.new:
            steps = self.book.steps(len(work.entries), len(self.new))
            each = self._book_seconds()
            words = f"{len(self.new)} new among {len(work.entries)} entries, {self.book.batch} an update"
            stages.append(PlannedStage("book", steps, self.book.batch, words, each))
            left = max(5.0, left - steps * each)
        if len(bench.mastered) < len(bench.success):
            stages += self._practice_stages(left)
        chosen = tuple(stage for stage in stages if stage.steps > 0)
        return Plan(
            self.wishes.minutes, self.parent.row.id, len(self.new), bench.mastered, chosen, measuring, self.memory
        )

    def _memory(self) -> tuple[str, ...]:
        """The tables of the night's stages, before a model is loaded; raises MrClassicError where one does not fit."""
        work = self.work
        study_ = study.Order(study.recipe(work, seed=0), fit=self.fit)
        plans = [
            study.plan(work, study_, None),
            *(drill.plan(work, drill.Order(name)) for name in ("grpo", "selfplay")),
        ]
        for each in plans:
            if each is not None:
                each.table.check()
        return tuple(line for each in plans if each is not None for line in each.lines())

    def _practice_stages(self, left: float) -> list[PlannedStage]:
        """GRPO and, of sums, self-play within `left` seconds."""
        # Of the tasks it is sums that the model can ask itself about.
        asked = arithmetic.name in self.subject.arms.tasks
        by_itself = self.work.settings.practice.selfplay if asked else 0.0
        together, play = self.recipe.grpo, self.recipe.selfplay
        each = self._practice_seconds("grpo")
        words = f"{together.prompts} questions x {together.group} answers = {together.completions} completions"
        stages = [PlannedStage("grpo", int(left * (1 - by_itself) / each), together.completions, words, each)]
        if by_itself:
            each = self._practice_seconds("selfplay")
            answers = (play.questions + play.fixed) * play.group
            words = (
                f"({play.questions} own + {play.fixed} fixed questions) x {play.group} answers = {answers} completions"
            )
            stages.append(PlannedStage("selfplay", int(left * by_itself / each), answers, words, each))
        return stages

    def _practice_seconds(self, method: str) -> float:
        return practice.seconds_per_step(
            method, self.parent.policy, self.work, self.subject, self.recipe, self.bench.success, self.fit
        )

    def _book_seconds(self) -> float:
        """The time of one book update, measured on a copy that is thrown away."""
        state = book.start(self.parent.policy, self.book, self.work.dtype, None, self.fit)
        times = []
        for _ in range(_TRIALS):
            begun = time.monotonic()
            rows = book.draw(state, self.work.entries, self.new, (), self.book)
            book.step(state, rows, self.book, _TRIALS)
            times.append(time.monotonic() - begun)
        return sorted(times)[_TRIALS // 2]

    def run(
        self,
        *,
        watch: Watch | None = None,
        planned: Callable[[str, int], None] = lambda stage, steps: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> NightResult:
        """Practise, judge, promote or keep, report. `stopping` ends it early: what was trained is kept, not judged."""
        store = self.work.store
        for row in store.nights.list():
            if row.status in ("planned", "running"):  # killed: this one holds the lock, so no other can be running
                store.nights.finish(row.id, "interrupted")
        plan = {"lines": list(self.plan.lines()), "minutes": self.wishes.minutes, "seed": self.seed}
        night = store.nights.start(plan)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        training = _Training(self.parent.policy)
        stages: list[StageReport] = []
        try:
            for each in self.plan.stages:
                if stopping():
                    break
                store.nights.update(night, "running", each.name)
                planned(each.name, each.steps)
                try:
                    stages.append(self._stage(each, night, training, watch, stopping))
                except (MrClassicError, RuntimeError) as error:  # out of memory is a RuntimeError
                    # What the earlier stages trained is not lost with this one.
                    self.work.say(f"The stage {each.name} failed: {error}")
                    stages.append(StageReport(each.name, "failed", 0.0, alarms=(str(error),)))
            interrupted = stopping()
            store.nights.update(night, "running", "gate")
            candidate = self._keep(training) if training.steps else None
            verdict, after = (
                (None, {}) if interrupted or candidate is None else self._judge(training, candidate, stopping)
            )
            interrupted = interrupted or (verdict is None and stopping())
        except BaseException as error:
            store.nights.finish(night, "interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
            raise
        report = self._report(night, started, stages, verdict, after, candidate, training.questions, interrupted)
        page = write(report, self.work.home.nights)
        store.nights.finish(
            night,
            "interrupted" if interrupted else "done",
            gate=asdict(verdict) if verdict else None,
            report_path=page.name,
            checkpoint=candidate.id if candidate else None,
        )
        return NightResult(report, page, candidate.id if candidate else None, interrupted)

    def _stage(
        self,
        planned: PlannedStage,
        night: int,
        training: _Training,
        watch: Watch | None,
        stopping: Callable[[], bool],
    ) -> StageReport:
        """Carry out one stage on `training`, and enter it in the store."""
        work, begun = self.work, time.monotonic()
        settings = {"book": self.book, "grpo": self.recipe.grpo, "selfplay": self.recipe.selfplay}[planned.name]
        with work.run(planned.name, settings, self.parent.row.id, night) as run:
            recorder = StoreRecorder(work.store, run, None, watch, work.say)  # cut short, a night keeps no state
            if planned.name == "book":
                state, outcome = study.train(
                    work, training.policy, self.parent, self.new, self.book, run, recorder,
                    steps=planned.steps, fit=self.fit, stopping=stopping,
                )  # fmt: skip
                # The moments go on from here; the weights of this stage are not those of the night.
                tensors = state.trainee.tensors().items()
                moments = {name: tensor for name, tensor in tensors if not name.startswith("master.")}
                training.moments = None if self.fit.lora else moments  # those of adapters end with them
                training.learned_book = outcome.ended != "stopped"
            else:
                state, outcome = self._practise(planned, training, recorder, stopping)
            if outcome.ended != "stopped":  # nothing of that is worth keeping; the night goes on from before it
                training.policy, training.run = state.trainee.full_policy(), run
                training.steps += state.step
            seconds = time.monotonic() - begun
            work.store.runs.finish(run, outcome.ended, facts={"seconds": seconds, "steps": state.step})
        return stage_report(planned.name, outcome.ended, seconds, recorder, work, run)

    def _practise(
        self, planned: PlannedStage, training: _Training, recorder: StoreRecorder, stopping: Callable[[], bool]
    ) -> tuple[State, loop.Outcome]:
        settings = replace(self.recipe.grpo, seed=self.seed * 10 + (planned.name == "selfplay"))
        state = grpo.start(training.policy, settings, self.work.dtype, self.fit)
        chooser = self.work.curriculum(self.subject.arms, self.bench.success)
        stage = practice.Stage(planned.name, state, self.subject, chooser, self.recipe, self.work.entries)
        outcome = stage.run(planned.steps, recorder, stopping)
        training.questions = stage.best_questions() or training.questions
        return state, outcome

    def _keep(self, training: _Training) -> Checkpoint:
        """Save what was trained as a candidate, before the long measuring that could fail."""
        fresh = [suite for suite in self.bench.suites if suite.name == NEW] if training.learned_book else []
        known = self.bench.known(self.work.measure(training.policy, fresh))
        return self.work.keep(
            training.policy,
            "night",
            parent=self.parent.row,
            run=training.run,
            step=training.steps,
            known=known,
            metrics={},
            state=training.moments,
        )

    def _judge(
        self, training: _Training, candidate: Checkpoint, stopping: Callable[[], bool]
    ) -> tuple[GateVerdict | None, dict[str, SuiteResult]]:
        """Measure the candidate on the same items, let the gate decide, promote or reject."""
        store = self.work.store
        self.judging = True
        try:
            if stopping():  # said since the last update
                raise Stopped
            after = self.bench.measure(training.policy)
            verdict = self.bench.judge(after)
        except Stopped:  # judging takes longer than whoever ends a night will wait
            self.work.say("Ended before it was judged.")
            return None, {}
        finally:
            self.judging = False
        store.checkpoints.set_metrics(candidate.id, summary(after))
        if verdict.promoted and not self.work.use(candidate, instead_of=self.parent.wanted):
            verdict = GateVerdict("keep", (OVERTAKEN,), verdict.suites)
        if not verdict.promoted:
            store.checkpoints.set_status(candidate.id, "rejected")
        return verdict, after

    def _waiting(self) -> str:
        """What of the book, as it stands now, the model in use does not know."""
        row = self.work.store.checkpoints.in_use()
        known = set(manifest(self.work.home.checkpoints / row.path).book) if row else set()
        count = sum(entry.hash not in known for entry in read_book(self.work.home.book))
        return f"{count} book entries wait." if count else "No book entries wait."

    def _report(
        self,
        night: int,
        started: str,
        stages: Sequence[StageReport],
        verdict: GateVerdict | None,
        after: dict[str, SuiteResult],
        candidate: Checkpoint | None,
        questions: tuple[str, ...],
        interrupted: bool,
    ) -> NightReport:
        promoted = bool(verdict and verdict.promoted and candidate)
        forgotten, learned = self.bench.changes(after)
        words = self._waiting()
        if interrupted:
            words = "The night was cut short; what it trained is kept as a candidate. " + words
        return NightReport(
            night=night,
            started=started,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            minutes=self.wishes.minutes,
            device=str(self.work.device),
            checkpoint_before=self.parent.row.id,
            checkpoint_after=candidate.id if promoted and candidate else self.parent.row.id,
            plan=self.plan.lines(),
            stages=tuple(stages),
            gate=verdict,
            suites_before=summary(self.bench.before),
            suites_after=summary(after),
            forgotten=forgotten,
            learned=learned,
            promoted=promoted,
            waiting_next=words,
            best_questions=questions,
        )


def stage_report(
    name: str, status: str, seconds: float, recorder: StoreRecorder, work: Workplace, run: int
) -> StageReport:
    """What a stage did, for the report: its numbers thinned, ten of its samples."""
    reports = recorder.reports
    samples = tuple(
        Sample(
            each.prompt,
            each.completion,
            each.reward,
            f"answer {each.detail['answer']}" if "answer" in each.detail else "",
        )
        for each in evenly(work.store.runs.samples(run, 10_000), 10)
    )
    return StageReport(
        name,
        status,
        seconds,
        steps=len(reports),
        completions=int(sum(report.metrics.get("completions", 0) for report in reports)),
        tokens=int(sum(report.metrics.get("tokens", 0) for report in reports)),
        facts={key: reports[-1].metrics[key] for key in _FACTS if reports and key in reports[-1].metrics},
        curve=curve(reports),
        alarms=tuple(recorder.alarms),
        samples=samples,
    )


def evenly(items: Sequence[_T], count: int) -> list[_T]:
    """At most `count` of `items` (newest first), oldest first, from the whole length of them."""
    ordered = list(reversed(items))
    return ordered[:: max(1, len(ordered) // count)][:count]


def curve(reports: Sequence[StepReport]) -> tuple[tuple[int, dict[str, float]], ...]:
    """The run's main numbers, thinned to at most forty points, each the mean of its stretch."""
    stretch = max(1, -(-len(reports) // _CURVE_POINTS))
    points = []
    for at in range(0, len(reports), stretch):
        part = reports[at : at + stretch]
        means = {
            key: sum(values) / len(values)
            for key in _CURVES
            if (values := [report.metrics[key] for report in part if key in report.metrics])
        }
        points.append((part[-1].step, means))
    return tuple(points)
