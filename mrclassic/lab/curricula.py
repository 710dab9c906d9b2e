"""Does it matter what is practised next? GRPO on all levels of arithmetic at once, alike but for the curriculum, until
the mean score of held-out items reaches a fixed mark; what counts is how many answers that took, those of groups that
were drawn again too.

Every curriculum begins with what the model can do before, as in a night. The mark is looked for every few updates on
items that nobody trains on, the same for all, and taken on the line between two looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mrclassic import curricula
from mrclassic.lab.experiment import UNWATCHED, Arm, Finding, Method, Options, Result, of
from mrclassic.lab.ground import Ground
from mrclassic.lab.methods import practise
from mrclassic.model.policy import Policy
from mrclassic.tasks import arithmetic
from mrclassic.training.report import StepReport
from mrclassic.training.state import State
from mrclassic.training.suites import Suite, measure, skill, summary

MARK = 0.55  # a hatched tiny begins at about 0.46: the sums of three digits are then mastered by two thirds
WANTED = 0.6  # of the answers that the control needs
_EVERY = 5  # updates between looks
_LOOKED, _KNOWN = 160, 100  # items of each level: of a look, and of what is known before
_COMPARED = {"uniform": "every level as often as every other", "bandit": "where success is near one half"}
_MEAN, _TAKEN, _SO_FAR = "held_out/mean", "mark/completions", "completions/so_far"


def arms(ground: Ground, options: Options) -> list[Arm]:
    """The control and the default curriculum."""
    level = options.level or arithmetic.name
    ground.choose([f"{arithmetic.name}:{level}" if level in arithmetic.levels else level], options.items)
    looked = [skill(ground.arms, name, _LOOKED, rotation=3) for name in ground.levels]
    before = [skill(ground.arms, name, _KNOWN, rotation=7) for name in ground.levels]
    known = summary(ground.measure(ground.policy, before))
    shown = ", ".join(f"{name} {score:.0%}" for name, score in known.items())
    ground.remarks.append(f"The mark is a mean score of {MARK:.0%}. Known before: {shown}.")

    def arm(name: str, about: str) -> Arm:
        def begin(policy: Policy, seed: int) -> Method:
            chooser = curricula.build(name, ground.levels, known)
            method = practise(ground, ["correct"], policy, seed, curriculum=chooser, options=options.practice)
            return _marked(method, looked)

        return Arm(name, about, begin, UNWATCHED)

    return [arm(name, about) for name, about in _COMPARED.items()]


def _marked(method: Method, looked: Sequence[Suite]) -> Method:
    """`method` with looks at held-out items, over as soon as their mean score has reached the mark."""
    taken = 0.0  # completions so far
    looks = [(taken, _mean(method.state, looked)[_MEAN])]

    def reached() -> bool:
        return looks[-1][1] >= MARK

    def step(state: State) -> StepReport:
        nonlocal taken
        report = method.step(state)
        taken += report.metrics["completions"]
        found: dict[str, float] = {}
        if state.step % _EVERY == 0:
            found = _mean(state, looked)
            looks.append((taken, found[_MEAN]))
            if reached():
                found[_TAKEN] = crossed(looks)
        return replace(report, metrics={**report.metrics, **found, _SO_FAR: taken})

    return Method(method.state, step, reached)


def _mean(state: State, looked: Sequence[Suite]) -> dict[str, float]:
    """The scores of all levels and their mean."""
    scores = summary(measure(state.trainee.policy, looked))
    return {f"held_out/{name}": score for name, score in scores.items()} | {_MEAN: sum(scores.values()) / len(scores)}


def crossed(looks: Sequence[tuple[float, float]]) -> float:
    """The completions at which the line to the last look, the first at or above the mark, crosses it."""
    if len(looks) == 1:
        return looks[0][0]
    (one, below), (two, above) = looks[-2:]
    return one + (two - one) * (MARK - below) / (above - below)


def findings(results: Sequence[Result], ground: Ground) -> list[Finding]:
    """Answers to the mark, seed by seed."""
    control, default = _COMPARED
    pairs = [(one, two) for one in of(results, control) for two in of(results, default) if one.seed == two.seed]
    if not pairs:
        return []
    told = [_beside(one, two) for one, two in pairs]
    verdicts = [verdict for verdict, _ in told]
    held = False if False in verdicts else None if None in verdicts else True
    claim = (
        f"to a mean score of {MARK:.0%} the {default} takes at most {WANTED:.0%} of the answers that {control} takes"
    )
    return [Finding(claim, held, "; ".join(words for _, words in told))]


def _beside(control: Result, default: Result) -> tuple[bool | None, str]:
    """Whether one seed bears the claim out, and how many answers each took; one that never got there took more than it
    was given."""
    (all_alike, arrived), (chosen, ended) = _taken(control), _taken(default)
    share = chosen / all_alike
    good = share <= WANTED
    held = (good if arrived else good or None) if ended else (None if good or not arrived else False)
    shown = [f"{'' if whole else 'more than '}{count:,.0f}" for count, whole in ((chosen, ended), (all_alike, arrived))]
    return held, f"seed {default.seed}: {shown[0]} against {shown[1]} ({share:.0%})"


def _taken(result: Result) -> tuple[float, bool]:
    """The completions that an arm took to the mark, or all that it had; and whether it got there."""
    found = result.values(_TAKEN)
    return (found[-1], True) if found else (result.values(_SO_FAR)[-1], False)
