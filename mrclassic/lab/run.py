"""Carries out an experiment: every arm with every seed, from the same weights and for the same time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mrclassic.lab.experiment import Arm, Experiment, Finding, Method, Options, Result
from mrclassic.lab.ground import Ground
from mrclassic.model.policy import Policy
from mrclassic.training import aside, loop
from mrclassic.training.report import StepReport
from mrclassic.training.sentinel import REINFORCED, Sentinel, Verdict
from mrclassic.training.state import State
from mrclassic.training.suites import RECALL, SuiteResult

_ENDLESS = 10**9  # updates, where the time decides
_POINTS = 60  # of a curve that are kept

Prepare = Callable[[Ground, Options, int], Policy]


@dataclass
class Watcher:
    """Keeps the curve in memory; asks a full sentinel beside the one that is obeyed."""

    watch: Callable[[StepReport], None] = lambda report: None
    shadow: Sentinel = field(default_factory=lambda: Sentinel(REINFORCED))
    would: tuple[int, Verdict] | None = None
    reports: list[StepReport] = field(default_factory=list)

    def step(self, report: StepReport) -> None:
        self.reports.append(replace(report, samples=()))
        verdict = self.shadow.judge(report)
        if self.would is None and verdict.action not in ("continue", "warn"):
            self.would = (report.step, verdict)
        self.watch(report)

    def alarm(self, step: int, verdict: Verdict) -> None:
        """It comes back with the outcome."""

    def save(self, state: State) -> None:
        """An experiment is not resumed; it is run again."""


def carry_out(
    experiment: Experiment,
    ground: Ground,
    options: Options,
    *,
    watch: Callable[[StepReport], None] = lambda report: None,
    planned: Callable[[Sequence[Arm]], object] = lambda arms: None,
    begun: Callable[[str, int | None], object] = lambda name, steps: None,
    done: Callable[[Sequence[Result], Sequence[Finding]], object] = lambda results, findings: None,
) -> tuple[list[Result], list[Finding]]:
    """Run `experiment`; `done` hears the results so far after each arm, so that an interruption loses one arm only."""
    if (tell := getattr(experiment, "tell", None)) is not None:
        found: list[Finding] = tell(ground, options)
        done([], found)
        return [], found
    arms = experiment.arms(ground, options)
    planned(arms)
    prepare: Prepare | None = getattr(experiment, "prepare", None)
    results: list[Result] = []
    findings: list[Finding] = []
    before = None if prepare else ground.measure(ground.policy)
    for seed in range(1, options.seeds + 1):
        policy = ground.policy
        if prepare:
            begun(f"preparing, seed {seed}", None)
            policy = prepare(ground, options, seed)
            before = ground.measure(policy)
        assert before is not None
        for arm in arms:
            begun(f"{arm.name}, seed {seed}", options.steps)
            results.append(_one(arm, seed, policy, before, ground, options, watch))
            findings = experiment.findings(results, ground)
            done(results, findings)
    return results, findings


def train(method: Method, options: Options) -> None:
    """Go on with `method`, unwatched, for as long as `options` say: how what arms begin from is prepared."""
    steps, over = _length(options)
    steps += method.state.step
    while method.state.step < steps and not over():
        method.step(method.state)


def _length(options: Options, bound: int | None = None) -> tuple[int, Callable[[], bool]]:
    """How many updates at most, and whether the time is up: by count where one is given, else by a clock that starts
    when it is first asked."""
    steps = options.steps or _ENDLESS
    end: float | None = None

    def over() -> bool:
        nonlocal end
        end = time.monotonic() + options.minutes * 60 if end is None else end
        return not options.steps and time.monotonic() >= end

    return min(steps, bound or steps), over


def _one(
    arm: Arm,
    seed: int,
    policy: Policy,
    before: Mapping[str, SuiteResult],
    ground: Ground,
    options: Options,
    watch: Callable[[StepReport], None],
) -> Result:
    """Train one arm with one seed, and measure what came of it."""
    method = arm.begin(policy, seed)
    watcher = Watcher(watch, Sentinel(arm.shadow))
    book = next(suite for suite in ground.suites if suite.name == RECALL)
    look = aside.looking([suite for suite in ground.suites if suite is not book], book)
    steps, over = _length(options, arm.steps)
    outcome = loop.run(
        method.state,
        method.step,
        steps=steps,
        recorder=watcher,
        sentinel=Sentinel(arm.rules),
        save_seconds=float("inf"),
        aside=look if len(arm.rules) > 1 else None,
        stopping=lambda: over() or method.over(),
    )
    after = ground.measure(method.state.trainee.full_policy())
    return Result(
        arm.name,
        seed,
        "done" if outcome.ended == "interrupted" else outcome.ended,
        len(watcher.reports),
        outcome.steps,
        outcome.seconds,
        outcome.verdict,
        watcher.would if len(arm.rules) == 1 else None,
        before,
        after,
        _curve(watcher.reports),
    )


def _curve(reports: Sequence[StepReport]) -> list[tuple[int, dict[str, float]]]:
    """Means over stretches, and always the ends."""
    stretch = max(1, -(-len(reports) // _POINTS))
    points = []
    for at in range(0, len(reports), stretch):
        part = reports[at : at + stretch]
        names = dict.fromkeys(name for report in part for name in report.metrics)
        values = {name: [report.metrics[name] for report in part if name in report.metrics] for name in names}
        points.append((part[-1].step, {name: sum(found) / len(found) for name, found in values.items()}))
    return points
