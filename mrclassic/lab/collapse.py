"""Reward design decides: paid for form alone, a model stops working things out.

First the model is taught both ways, half of the items worked and half answered outright. Then two runs of GRPO begin
from there, alike but for the reward: one pays for the form of the answer alone, the other for a right answer in the
right form or nothing. The shortest way to the slot is the surest, so the first should shrink to it and lose its
accuracy; the second has a use for its working.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mrclassic.lab.experiment import UNWATCHED, Arm, Finding, Options, Result, compare, of, points
from mrclassic.lab.ground import Ground
from mrclassic.lab.methods import imitate, practise
from mrclassic.lab.run import train
from mrclassic.model.policy import Policy
from mrclassic.tasks.base import Item
from mrclassic.training.state import State

_EDGE = 0.5
_SHARE = 0.3  # of an arm's time, for teaching both ways
_LENGTH = "completions/mean_length"


def arms(ground: Ground, options: Options) -> list[Arm]:
    """Nobody stops the first: it is to show what comes of it (what the sentinel would have said is noted)."""
    ground.edge(options.level, _EDGE, options.items)

    def paid(reward: str, words: str) -> Arm:
        return Arm(
            reward,
            words,
            lambda policy, seed: practise(ground, [reward], policy, seed, options=options.practice),
            UNWATCHED,
        )

    return [
        paid("format", "1 for the form of the answer, right or wrong"),
        paid("all_or_nothing", "1 for a right answer in the right form, else 0"),
    ]


def prepare(ground: Ground, options: Options, seed: int) -> Policy:
    """The model in use after some practice in both ways of answering."""
    method = imitate(ground, ground.policy, seed, reply=both_ways)
    train(method, replace(options, minutes=_SHARE * options.minutes))
    return method.state.trainee.full_policy()


def both_ways(item: Item, state: State, place: int) -> str:
    """Every other answer without its working."""
    return item.trace if place % 2 else item.trace.rpartition(", ")[2]


def findings(results: Sequence[Result], ground: Ground) -> list[Finding]:
    """Length and accuracy, side by side."""
    (level,) = ground.levels
    found = []
    if formed := of(results, "format"):
        lengths = [(result.values(_LENGTH)[0], result.values(_LENGTH)[-1]) for result in formed]
        words = "; ".join(f"from {first:.0f} to {last:.0f} tokens" for first, last in lengths)
        words += "".join(
            f"; the sentinel would have said at update {result.would[0]}: {result.would[1].message}"
            for result in formed
            if result.would
        )
        shrunk = all(last < 0.7 * first for first, last in lengths)
        found.append(Finding("paid for form alone, answers shrink", shrunk, words))
    pairs = [
        compare(one.after[level], two.after[level])
        for one in formed
        for two in of(results, "all_or_nothing")
        if one.seed == two.seed
    ]
    if pairs:
        words = "; ".join(points(*difference) for difference in pairs)
        held = all(reach.low > 0 for _, reach in pairs)
        found.append(Finding(f"all-or-nothing ends ahead of it on held-out {level}", held, words))
    return found
