"""Does the sentinel leave healthy runs alone? Practice as a night has it, with five seeds."""

from __future__ import annotations

from collections.abc import Sequence

from mrclassic.lab.experiment import Arm, Finding, Options, Result, points
from mrclassic.lab.ground import Ground
from mrclassic.lab.methods import practise
from mrclassic.stats import wilson

_EDGE = 0.33


def arms(ground: Ground, options: Options) -> list[Arm]:
    """The same run again and again."""
    ground.edge(options.level, _EDGE, options.items)
    return [
        Arm(
            "practice",
            "GRPO as it is set in this home",
            lambda policy, seed: practise(ground, ["correct"], policy, seed, options=options.practice),
        )
    ]


def findings(results: Sequence[Result], ground: Ground) -> list[Finding]:
    """A run that ended because nothing was left to learn counts as left alone."""
    (level,) = ground.levels
    stopped = [result for result in results if result.stopped]
    low, high = wilson(len(stopped), len(results))
    words = f"{len(stopped)} of {len(results)} were stopped ({low:.0%} to {high:.0%})"
    words += "".join(f"; seed {result.seed}: {result.verdict.message}" for result in stopped if result.verdict)
    gains = "; ".join(f"seed {result.seed}: {points(*result.gain(level))}" for result in results)
    learned = all(result.gain(level)[1].low > 0 for result in results)
    return [
        Finding("the sentinel stops none of them", not stopped, words),
        Finding(f"they are healthy: held-out {level} rises in each", learned, gains),
    ]
