"""Traces, rewards, or both in turn: which of them teaches most in the same time?

The teacher is the generator's worked answer, of which the verifier said that it is right. One arm learns traces for all
of its time, one is rewarded for all of it, and one begins with traces and goes on with rewards.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from mrclassic.lab.experiment import UNWATCHED, Arm, Finding, Method, Options, Result, compare, of, points, score_words
from mrclassic.lab.ground import Ground
from mrclassic.lab.methods import imitate, practise
from mrclassic.model.policy import Policy
from mrclassic.night import traces
from mrclassic.tasks.base import Item
from mrclassic.training.report import StepReport
from mrclassic.training.sentinel import REINFORCED
from mrclassic.training.state import State
from mrclassic.training.supervised import shuffled

_EDGE = 0.1  # the level begins where little is known: rewards alone have little to go by
_TRACES = 500
_SHARE = 0.5  # of the time that `both` spends on traces


def arms(ground: Ground, options: Options) -> list[Arm]:
    """Each from the model in use, for the same time."""
    ground.edge(options.level, _EDGE, options.items)
    ground.remarks.append(f"{_TRACES} traces; of its time `both` spends {_SHARE:.0%} on them.")
    return [
        Arm("traces", "right worked answers", lambda policy, seed: _traced(ground, policy, seed), UNWATCHED),
        Arm(
            "rewards",
            "GRPO with the verifier's reward",
            lambda policy, seed: practise(ground, ["correct"], policy, seed, options=options.practice),
            REINFORCED,
        ),
        Arm("both", "traces, then GRPO", lambda policy, seed: _both(ground, policy, seed, options), UNWATCHED),
    ]


def _traced(ground: Ground, policy: Policy, seed: int) -> Method:
    """Supervised on traces that the verifier let pass, a third of each batch the book."""
    items = traces.questions(ground.arms, _TRACES, seed)
    judged = ground.arms.check_all(items, [item.trace for item in items])
    right = [item for item, each in zip(items, judged, strict=True) if each.right]

    def draw(state: State, places: Sequence[int]) -> list[Item]:
        begun = state.step * len(places)
        return [right[shuffled(seed, begun + at, len(right), "traces")] for at in range(len(places))]

    return imitate(ground, policy, seed, draw=draw)


def _both(ground: Ground, policy: Policy, seed: int, options: Options) -> Method:
    """Traces for a share of the updates, or of the time, and then rewards on what came of them."""
    first = _traced(ground, policy, seed)
    second: Method | None = None
    begun: float | None = None

    def turned(state: State) -> bool:
        nonlocal begun
        begun = time.monotonic() if begun is None else begun
        if options.steps:
            return state.step >= options.steps * _SHARE
        return time.monotonic() - begun >= options.minutes * 60 * _SHARE

    def step(state: State) -> StepReport:
        nonlocal second
        if second is None and not turned(state):
            return first.step(state)
        if second is None:
            second = practise(ground, ["correct"], state.trainee.full_policy(), seed, options=options.practice)
            state.trainee, state.reference = second.state.trainee, second.state.reference
        # Updates are counted on: GRPO's own warm-up is over with, and the seeds of its draws are new.
        return second.step(state)

    return replace(first, step=step)


def findings(results: Sequence[Result], ground: Ground) -> list[Finding]:
    """Both against either alone, on the same held-out items."""
    (level,) = ground.levels
    found = []
    for alone in ("traces", "rewards"):
        pairs = [(one, two) for one in of(results, alone) for two in of(results, "both") if one.seed == two.seed]
        if not pairs:
            continue
        differences = [compare(one.after[level], two.after[level]) for one, two in pairs]
        words = "; ".join(
            f"seed {two.seed}: {score_words(two.before[level])} before, {score_words(one.after[level])} against "
            f"{score_words(two.after[level])} with both, {points(*difference)}"
            for (one, two), difference in zip(pairs, differences, strict=True)
        )
        held = all(reach.low > 0 for _, reach in differences)
        found.append(Finding(f"traces, then rewards, beat {alone} alone on held-out {level}", held, words))
    return found
