"""Questions of its own: does a model that is left alone get better at held-out items that nobody trained on?

Four runs from one checkpoint, alike but for where the questions come from: the fixed generator alone; questions of its
own alone; two fifths of them the generator's; and a questioner that is paid for whatever is answered wrong. No dataset
and no human has a part in any of them; before it asks, the questioner is shown questions of all levels, no answers. The
first run has half of the time (a quarter of the updates, for it draws again what taught nothing), and the answers that
it drew are what the others may draw. Nobody is stopped: what the sentinel would have said is noted, and of the last run
it should be that the questioner has left the game.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mrclassic import curricula
from mrclassic.lab.experiment import UNWATCHED, Arm, Finding, Method, Options, Result, compare, of, points
from mrclassic.lab.ground import Ground
from mrclassic.lab.methods import practise
from mrclassic.model.policy import Policy
from mrclassic.night import practice
from mrclassic.stats import Interval
from mrclassic.tasks import arithmetic
from mrclassic.training.fits import WHOLE
from mrclassic.training.report import StepReport
from mrclassic.training.selfplay import Form
from mrclassic.training.sentinel import SELF_PLAYED
from mrclassic.training.state import State
from mrclassic.training.suites import RECALL, SuiteResult, skill, summary

_ITEMS, _GROUP = 40, 8  # answered in an update, and answers to each
_QUARTER = 4  # of the updates
_KNOWN = 100  # items of each level that the curriculum begins with
_FIXED, _OWN, _MIXED, _ZERO_SUM = "fixed", "own", "mixed", "zero_sum"
_SO_FAR = "completions/so_far"
_DIFFICULTY = ("questions/valid", "questions/success", "questions/skeletons", "questions/largest_skeleton")


def arms(ground: Ground, options: Options) -> list[Arm]:
    """The generator alone first: what it draws is the measure of the others."""
    level = options.level or arithmetic.name
    ground.choose([f"{arithmetic.name}:{level}" if level in arithmetic.levels else level], options.items)
    practice.askable(practice.Subject(ground.arms, ()))
    before = [skill(ground.arms, name, _KNOWN, rotation=7) for name in ground.levels]
    known = summary(ground.measure(ground.policy, before))
    drawn: dict[int, float] = {}  # by seed: the answers that the generator's run drew

    def alone(policy: Policy, seed: int) -> Method:
        chooser = curricula.build("bandit", ground.levels, known)
        given = {"prompts": _ITEMS, "group": _GROUP, **options.practice}
        method = practise(ground, ["correct"], policy, seed, curriculum=chooser, options=given)
        half = _clock(options.minutes / 2)

        def over(so_far: float) -> bool:
            return method.state.step >= max(1, options.steps // _QUARTER) if options.steps else half()

        return _counted(method, over, lambda so_far: drawn.update({seed: so_far}))

    def played(share: float, form: Form) -> Callable[[Policy, int], Method]:
        def begin(policy: Policy, seed: int) -> Method:
            return _counted(
                _play(ground, policy, seed, share, form, options, known),
                lambda so_far: so_far >= drawn.get(seed, float("inf")),
            )

        return begin

    return [
        Arm(_FIXED, "the generator's items alone, by the default curriculum", alone, UNWATCHED),
        Arm(_OWN, "questions of its own alone", played(0.0, "edge"), UNWATCHED, shadow=SELF_PLAYED),
        Arm(_MIXED, "two fifths of the items are the generator's", played(0.4, "edge"), UNWATCHED, shadow=SELF_PLAYED),
        Arm(
            _ZERO_SUM,
            "a question is worth what is answered wrong",
            played(0.0, "zero_sum"),
            UNWATCHED,
            shadow=SELF_PLAYED,
        ),
    ]


def _play(
    ground: Ground, policy: Policy, seed: int, share: float, form: Form, options: Options, known: dict[str, float]
) -> Method:
    """Self-play as a night does it, with as many items an update as the generator's run has."""
    work, on = ground.work, practice.Subject(ground.arms, tuple(ground.work.rewards(["correct"], ground.arms)))
    items = options.practice.get("prompts", _ITEMS)
    asked = max(1, round(items * (1 - share)))
    play = {"form": form, "questions": asked, "group": options.practice.get("group", _GROUP), "warm": 0, "fixed": share}
    recipe = practice.recipe(work, policy.tokenizer, on, seed=seed, options=options.practice, play=play)
    recipe = replace(recipe, selfplay=replace(recipe.selfplay, fixed=items - asked))
    state = practice.begin("selfplay", policy, work, on, recipe, WHOLE)
    chooser = curricula.build("bandit", ground.levels, known)
    return Method(state, practice.Stage("selfplay", state, on, chooser, recipe, work.entries).step)


def _counted(
    method: Method, over: Callable[[float], bool], told: Callable[[float], None] = lambda so_far: None
) -> Method:
    """`method` with its answers counted, over as soon as `over` says so of their number."""
    taken = 0.0

    def step(state: State) -> StepReport:
        nonlocal taken
        report = method.step(state)
        taken += report.metrics["completions"]
        told(taken)
        return replace(report, metrics={**report.metrics, _SO_FAR: taken})

    return Method(method.state, step, lambda: over(taken))


def _clock(minutes: float) -> Callable[[], bool]:
    """Whether they are over, from when it is first asked."""
    end: float | None = None

    def over() -> bool:
        nonlocal end
        end = time.monotonic() + 60 * minutes if end is None else end
        return time.monotonic() >= end

    return over


def findings(results: Sequence[Result], ground: Ground) -> list[Finding]:
    """Held-out accuracy over all levels, and what became of the questions."""
    found = []
    for name, words in ((_OWN, "questions of its own alone lift"), (_MIXED, "with two fifths fixed it lifts")):
        if runs := of(results, name):
            gains = [compare(*(_together(suites) for suites in (run.before, run.after))) for run in runs]
            found.append(_finding(f"{words} held-out accuracy", gains, lambda reach: reach.low > 0, runs))
    for first, second in ((_MIXED, _FIXED), (_OWN, _FIXED), (_MIXED, _ZERO_SUM), (_OWN, _ZERO_SUM)):
        pairs = [(one, two) for one in of(results, first) for two in of(results, second) if one.seed == two.seed]
        if pairs:
            ahead = [compare(_together(two.after), _together(one.after)) for one, two in pairs]
            runs = [one for one, _ in pairs]
            found.append(_finding(f"{first} ends ahead of {second}", ahead, lambda reach: reach.low > 0, runs))
    for name in (_OWN, _MIXED, _ZERO_SUM):
        for run in of(results, name):
            found.append(_questions(run, name == _ZERO_SUM))
    return found


def _finding(
    claim: str, differences: Sequence[tuple[float, Interval]], good: Callable[[Interval], bool], runs: Sequence[Result]
) -> Finding:
    words = (
        f"seed {run.seed}: {points(*difference)} after {(run.values(_SO_FAR) or [0.0])[-1]:,.0f} answers"
        for run, difference in zip(runs, differences, strict=True)
    )
    return Finding(claim, all(good(reach) for _, reach in differences), "; ".join(words))


def _together(suites: Mapping[str, SuiteResult]) -> SuiteResult:
    """The items of all levels as one suite."""
    scores = tuple(score for name, each in suites.items() if name != RECALL for score in each.scores)
    return SuiteResult("all levels", scores, ("",) * len(scores))


def _questions(run: Result, paid_for_failure: bool) -> Finding:
    """Valid, success and forms over time; whether the sentinel of self-play spoke, as it should of the zero-sum form
    alone."""
    curves = ((metric.partition("/")[2], run.values(metric)) for metric in _DIFFICULTY)
    shown = "; ".join(f"{name} {values[0]:.2f} to {values[-1]:.2f}" for name, values in curves if values)
    said = f"; at update {run.would[0]} the sentinel would have said: {run.would[1].message}" if run.would else ""
    claim = (
        "paid for any failure, the questioner is caught leaving the game"
        if paid_for_failure
        else (f"the questions of the run {run.arm} stay in the game")
    )
    return Finding(f"{claim} (seed {run.seed})", (run.would is not None) == paid_for_failure, f"{shown}{said}")
