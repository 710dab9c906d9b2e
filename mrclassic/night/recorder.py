"""Carries a run's numbers into the store, its state to the disk, and its progress to whoever watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from mrclassic import heartbeat
from mrclassic.store import Store
from mrclassic.training.journal import JOURNAL, Journal
from mrclassic.training.report import Sample, StepReport
from mrclassic.training.sentinel import Verdict
from mrclassic.training.state import State

FLUSH_SECONDS = 2.0  # a commit waits for the disk; one an update would cost more than the update

Watch = Callable[[StepReport], None]


class StoreRecorder:
    """A `training.loop.Recorder` on a run of the store. Steps are upserted, so a resumed run repeats no rows. `say` is
    told of each kind of warning once, at once."""

    def __init__(
        self,
        store: Store,
        run: int,
        folder: Path | None = None,
        watch: Watch | None = None,
        say: Callable[[str], None] = lambda words: None,
    ) -> None:
        self._store, self._run, self._folder, self._watch, self._say = store, run, folder, watch, say
        self._warned: set[str] = set()
        self._pending: list[StepReport] = []
        self._flushed = time.monotonic()
        self._faults: set[str] = set()
        self.reports: list[StepReport] = []

    def attach(self, state: State, *, resume: bool) -> bool:
        """Make `state` that of this run, with the run's journal. With `resume` it is taken to where it was last saved,
        and what was recorded after that is forgotten; False where nothing was saved, or nothing was to be resumed."""
        if self._folder is None:
            return False
        state.journal = Journal(self._folder / JOURNAL)
        if not resume:
            return False
        found = state.resume(self._folder)
        if state.ended is None:
            self._store.runs.rewind(self._run, state.step)
        return found

    def begin(self, state: State, steps: int, planned: Callable[[int, int], None], *, resume: bool) -> None:
        """`attach`, saying where a run of `steps` updates goes on; `planned` hears how many there are, and are done."""
        if self.attach(state, resume=resume):
            self._say(f"Going on from update {state.step} of {steps}.")
        planned(steps, state.step)

    def step(self, report: StepReport) -> None:
        heartbeat.beat(f"run {self._run}: update {report.step}")
        self._pending.append(report)
        for fault in report.faults:
            if fault not in self._faults:
                self._faults.add(fault)
                self.alarm(report.step, Verdict("warn", fault[:80], fault))
        self.reports.append(StepReport(report.step, report.metrics, (), report.seconds, report.applied))
        if self._watch is not None:
            self._watch(report)
        if time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def alarm(self, step: int, verdict: Verdict) -> None:
        self.flush()  # with the samples of this very update, which the words may name by their numbers
        if verdict.action == "warn" and verdict.rule not in self._warned:
            self._warned.add(verdict.rule)
            self._say(f"Update {step}: {verdict.message}")
        self._store.runs.alarm(self._run, step, verdict.rule, verdict.action, verdict.message)

    def save(self, state: State) -> None:
        self.flush()
        if self._folder is not None:
            state.save(self._folder)

    def flush(self) -> None:
        """Write what is pending: every step's numbers, and the samples of the newest step."""
        with self._store.transaction():
            for report in self._pending:
                self._store.runs.step(self._run, report.step, dict(report.metrics))
            for number, sample in enumerate(self.samples, start=1):
                detail = {**sample.detail, "number": number}
                self._store.runs.sample(
                    self._run, self._pending[-1].step, sample.prompt, sample.completion, sample.reward, detail
                )
        self._pending.clear()
        self._flushed = time.monotonic()

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Those of the newest update that is not written yet."""
        return self._pending[-1].samples if self._pending else ()
