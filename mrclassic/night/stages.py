"""The stages of a night: each carried out through the shared loop, in a folder of its own, so that a night that was
cut short goes on in the stage where it stood; one that had ended hands on what it made then."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from mrclassic.model.policy import Policy
from mrclassic.night import opinions, pleasing, practice, study
from mrclassic.night.choices import choices
from mrclassic.night.means import Means
from mrclassic.night.plan import PlannedStage
from mrclassic.night.recorder import StoreRecorder, Watch
from mrclassic.night.report import Sample, StageReport
from mrclassic.rewards.taste import APART
from mrclassic.rewards.taste import NAME as TASTE
from mrclassic.store import Store
from mrclassic.training import aside, loop
from mrclassic.training.sentinel import Sentinel
from mrclassic.training.state import State
from mrclassic.training.suites import recall, skill

_T = TypeVar("_T")
_CURVE_POINTS = 40
_CURVES = (
    *("reward", "loss", "frac_reward_zero_std", "completions/mean_length", "entropy", "kl"),
    *(f"rewards/{TASTE}/mean", f"logged/{APART}", "rewards/margins", "rewards/accuracies", "chosen/shift"),
    *("questions/valid", "questions/success", "questions/skeletons"),
)
_FACTS = ("learning_rate", "grad_norm", "groups/redrawn", "questions/largest_skeleton")
_KINDS = ("questions:", "warming/")  # of facts, one for each domain


@dataclass
class Training:
    """What the stages hand on: the model, and what it took to get there."""

    policy: Policy
    run: int = 0
    steps: int = 0
    learned_book: bool = False
    moments: Mapping[str, Tensor] | None = None
    questions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Told:
    """Whom a stage listens to: `stopping` ends it to be gone on with, `enough` as done; `watch` sees its updates."""

    stopping: Callable[[], bool]
    enough: Callable[[], bool]
    watch: Watch | None


_Method = Callable[
    [Means, PlannedStage, StoreRecorder, Training, Told, bool], tuple[State, loop.Outcome]
]  # of a stage, resumed or not


def carry(means: Means, planned: PlannedStage, night: int, folder: Path, training: Training, told: Told) -> StageReport:
    """Carry out one stage on `training`, from where it was left in `folder`, and enter it in the store."""
    work, begun = means.work, time.monotonic()
    method, settings = _methods(means, planned.name)
    former = next((run for run in work.store.runs.of_night(night) if run.kind == planned.name), None)
    if former is not None and former.status == "failed":  # then, and would now
        return report(work.store, former.id, planned.name, "failed", 0.0, (str(former.facts.get("error", "")),))
    resume = None if former is None else former.id
    with work.run(planned.name, settings, means.parent.row.id, night, resume) as run:
        recorder = StoreRecorder(work.store, run, folder, told.watch, work.say)
        state, outcome = method(means, planned, recorder, training, told, resume is not None)
        if outcome.ended != "interrupted":
            recorder.save(state)  # how it ended too: whatever ends the night now, this stage is over
        if outcome.ended in ("done", "paused", "rolled back"):  # else the night goes on from before it
            training.policy, training.run = state.trainee.full_policy(), run
            training.steps += state.step
        seconds = time.monotonic() - begun + (former.facts.get("seconds", 0.0) if former else 0.0)
        work.store.runs.finish(run, outcome.ended, facts={"seconds": seconds, "steps": state.step})
    return report(work.store, run, planned.name, outcome.ended, seconds)


def _methods(means: Means, name: str) -> tuple[_Method, object]:
    """How the stage `name` is carried out, and its settings."""
    if name in opinions.STAGES:
        return _please, pleasing.settings(name, means)
    if name == "book":
        return _book, means.book
    return _practise, {"grpo": means.recipe.grpo, "selfplay": means.recipe.selfplay}[name]


def _book(
    means: Means, planned: PlannedStage, recorder: StoreRecorder, training: Training, told: Told, resume: bool
) -> tuple[State, loop.Outcome]:
    work = means.work
    state, outcome = study.train(
        work, replace(means.parent, policy=training.policy), means.bench, means.book, recorder,
        steps=planned.steps, resume=resume, fit=work.fit, stopping=told.stopping, enough=told.enough,
    )  # fmt: skip
    # The moments go on from here; the weights of this stage are not those of the night.
    moments = {name: each for name, each in state.trainee.tensors().items() if not name.startswith("master.")}
    training.moments = None if work.fit.lora else moments  # those of adapters end with them
    training.learned_book = outcome.ended != "stopped"
    return state, outcome


def _practise(
    means: Means, planned: PlannedStage, recorder: StoreRecorder, training: Training, told: Told, resume: bool
) -> tuple[State, loop.Outcome]:
    work = means.work
    settings = replace(means.recipe.grpo, seed=means.seed * 10 + (planned.name == "selfplay"))
    recipe = replace(means.recipe, grpo=settings)
    state = practice.begin(planned.name, training.policy, work, means.subject, recipe, work.fit)
    recorder.attach(state, resume=resume)
    chooser = work.curriculum(means.subject.arms, means.bench.success)
    stage = practice.Stage(planned.name, state, means.subject, chooser, means.recipe, work.entries)
    outcome = stage.run(planned.steps, recorder, told.stopping, told.enough)
    training.questions = stage.best_questions or training.questions
    return state, outcome


def _please(
    means: Means, planned: PlannedStage, recorder: StoreRecorder, training: Training, told: Told, resume: bool
) -> tuple[State, loop.Outcome]:
    method = pleasing.begin(planned.name, means, training.policy, planned.steps)
    recorder.attach(method.state, resume=resume)
    method.ready()
    skills = [skill(means.subject.arms, name, aside.ITEMS) for name in means.subject.arms.names]
    outcome = loop.run(
        method.state,
        method.step,
        steps=planned.steps,
        recorder=recorder,
        sentinel=Sentinel(method.rules),
        aside=aside.looking(skills if planned.name == TASTE else [], recall(means.work.entries)),
        stopping=told.stopping,
        enough=told.enough,
    )
    recorder.flush()
    return method.state, outcome


def report(
    store: Store, run: int, name: str, status: str, seconds: float, trouble: tuple[str, ...] = ()
) -> StageReport:
    """What a stage did, for the report: its numbers thinned, ten of its samples."""
    steps = store.runs.steps(run)
    samples = tuple(
        Sample(each.prompt, each.completion, each.reward, _note(each.detail))
        for each in evenly(store.runs.samples(run, 10_000), 10)
    )
    last = steps[-1][1] if steps else {}
    alarms = (f"step {alarm.step}: {alarm.verdict}: {alarm.message}" for alarm in store.runs.alarms(run))
    return StageReport(
        name,
        status,
        seconds,
        steps=len(steps),
        completions=int(sum(metrics.get("completions", 0) for _, metrics in steps)),
        tokens=int(sum(metrics.get("tokens", 0) for _, metrics in steps)),
        facts={key: last[key] for key in _FACTS if key in last} | _newest(steps),
        curve=curve(steps),
        alarms=(*alarms, *trouble),
        samples=samples,
        choices=choices(steps),
    )


def _note(detail: Mapping[str, Any]) -> str:
    """What there is to say of a sample beside its reward."""
    if detail.get("answer"):
        return f"answer {detail['answer']}"
    liked = detail.get("rewards", {}).get(TASTE)
    return "" if liked is None else f"taste {liked:.2f}"


def _newest(steps: Sequence[tuple[int, Mapping[str, float]]]) -> dict[str, float]:
    """The newest of each domain's facts, which not every update has."""
    return {key: value for _, metrics in steps for key, value in metrics.items() if key.startswith(_KINDS)}


def evenly(items: Sequence[_T], count: int) -> list[_T]:
    """At most `count` of `items` (newest first), oldest first, from the whole length of them."""
    ordered = list(reversed(items))
    return ordered[:: max(1, len(ordered) // count)][:count]


def curve(steps: Sequence[tuple[int, Mapping[str, float]]]) -> tuple[tuple[int, dict[str, float]], ...]:
    """The run's main numbers, thinned to at most forty points, each the mean of its stretch."""
    stretch = max(1, -(-len(steps) // _CURVE_POINTS))
    points = []
    for at in range(0, len(steps), stretch):
        part = steps[at : at + stretch]
        means = {
            key: sum(values) / len(values)
            for key in _CURVES
            if (values := [metrics[key] for _, metrics in part if key in metrics])
        }
        points.append((part[-1][0], means))
    return tuple(points)
