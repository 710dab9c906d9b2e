"""A grown model against the one it was grown from: nothing is lost on the way, and what it then learns goes further.

Both go on with worked answers and the book, the same rows in the same order at the same rate. A third arm makes one
update at a rate of nothing: the grown model as it is, measured like the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from mrclassic.errors import UsageError
from mrclassic.lab.experiment import UNWATCHED, Arm, Finding, Method, Options, Result, compare, of, points, score_words
from mrclassic.lab.ground import Ground
from mrclassic.lab.methods import imitate
from mrclassic.model import growing
from mrclassic.model.policy import Policy
from mrclassic.model.shapes import SHAPES, Shape
from mrclassic.training.suites import RECALL

_EDGE = 0.0  # the level of which least is known: one that both master tells them not apart
_RATE = 7e-4


def arms(ground: Ground, options: Options) -> list[Arm]:
    """As it is and grown, both trained on; and grown, left alone."""
    ground.edge(options.level, _EDGE, options.items)
    target = _next(ground.policy)
    shape = growing.larger(ground.policy.shape, target)
    ground.remarks.append(f"Grown, it has {shape.parameters:,} parameters: {shape.hidden} wide, {shape.layers} layers.")

    def begin(policy: Policy, seed: int, grown: bool, rate: float) -> Method:
        return imitate(ground, growing.grow(policy, target, seed) if grown else policy, seed, rate=rate)

    return [
        Arm("untouched", "grown, and nothing more", lambda policy, seed: begin(policy, seed, True, 0.0), UNWATCHED, 1),
        Arm("as it is", "trained on", lambda policy, seed: begin(policy, seed, False, _RATE), UNWATCHED),
        Arm("grown", "grown, then trained on", lambda policy, seed: begin(policy, seed, True, _RATE), UNWATCHED),
    ]


def _next(policy: Policy) -> Shape:
    """The next size of the program's that is larger."""
    for shape in SHAPES.values():
        if shape.hidden > policy.shape.hidden and shape.layers >= policy.shape.layers:
            return shape
    raise UsageError("This model is as large as any size here; begin with a smaller one (`--from`).")


def findings(results: Sequence[Result], ground: Ground) -> list[Finding]:
    """What growing changed, and what it was good for."""
    (level,) = ground.levels
    found = []
    if alone := of(results, "untouched"):
        changed = [
            sum(a != b for a, b in zip(result.before[name].replies, result.after[name].replies, strict=True))
            for result in alone
            for name in result.before
        ]
        words = "; ".join(
            f"{RECALL} {score_words(result.before[RECALL])} before, {score_words(result.after[RECALL])} after"
            for result in alone
        )
        asked = sum(len(scores.replies) for result in alone for scores in result.before.values())
        held = all(
            result.before[name].scores == result.after[name].scores for result in alone for name in result.before
        )
        found.append(
            Finding(
                "growing changes no score", held, f"{words}; {sum(changed)} of {asked:,} replies differ in a letter"
            )
        )
    pairs = [(one, two) for one in of(results, "as it is") for two in of(results, "grown") if one.seed == two.seed]
    if pairs:
        differences = [compare(one.after[level], two.after[level]) for one, two in pairs]
        words = "; ".join(
            f"{score_words(one.after[level])} in {one.trained} updates and {one.seconds:.0f} s against "
            f"{score_words(two.after[level])} in {two.trained} and {two.seconds:.0f} s, {points(*difference)}"
            for (one, two), difference in zip(pairs, differences, strict=True)
        )
        held = all(reach.low > 0 for _, reach in differences)
        found.append(Finding(f"trained on, the grown one passes the other on held-out {level}", held, words))
    return found
