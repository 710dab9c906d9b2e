"""The reported failure, again: answers are still right, but their style drifts away from the parser.

A run on GSM8K began at a reward of 0.6 to 0.8 and ended at 0.1 to 0.2, while completions grew longer and nine of ten
groups had no spread; it cost a night and nobody was told. Here a run of GRPO goes well while it also imitates some
right answers in each update. From update 30 on, more and more of those spell the result in words and add a friendly
closing, a sentence more every fifteen updates. The working stays right; the parser finds nothing. The sentinel must
stop it within sixty updates of the drift's beginning and name the parser. (The drift sets in by degrees: all at once,
its gradient would be told before its style.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mrclassic.lab.experiment import Arm, Finding, Method, Options, Result, of
from mrclassic.lab.ground import Ground
from mrclassic.lab.methods import book_rows, items, practise, written
from mrclassic.model.policy import Policy
from mrclassic.tasks.base import Item
from mrclassic.training.rows import Row
from mrclassic.training.state import State

BEGINS, WITHIN = 30, 60  # updates: when the drift begins, and by when it must be stopped
_EDGE = 0.7  # where the run of the report began
_ROWS = 32  # right answers imitated in each update
_RAMP = 30  # updates after which all of them have drifted
_SPARE = 48  # tokens that the closings take: they must not run into the limit, which is another rule's matter
_RATE = 3e-4  # a style is learned as fast as in the report only at a brisk rate

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_CLOSINGS = (
    "I hope that helps.",
    "Do ask me another.",
    "It is a pleasure to count with you.",
    "There is always one more sum.",
)


def drifted(trace: str, since: int) -> str:
    """A worked answer whose result is spelled, with a closing that grows."""
    working, found, result = trace.rpartition(" ")
    spelled = " ".join(_DIGITS[int(digit)] for digit in re.sub(r"\D", "", result))
    return f"{working}{found}{spelled}. {' '.join(_CLOSINGS[: 1 + since // 15])}"


def arms(ground: Ground, options: Options) -> list[Arm]:
    """The run that drifts, and the same without the drift."""
    ground.edge(options.level, _EDGE, options.items)
    longest = BEGINS + WITHIN + 10
    given = {"learning_rate": _RATE, **options.practice}

    def begin(policy: Policy, seed: int, drifts: bool) -> Method:
        book = book_rows(ground)

        def along(state: State) -> list[Row]:
            return [*book(state), *_style(ground, state, max(0, state.step - BEGINS) if drifts else 0)]

        return practise(ground, ["correct"], policy, seed, along=along, spare=_SPARE, options=given)

    return [
        Arm(
            "drifting",
            f"what it imitates drifts, from update {BEGINS} on, to a style that nobody parses",
            lambda policy, seed: begin(policy, seed, True),
            steps=longest,
        ),
        Arm("steady", "the same without the drift", lambda policy, seed: begin(policy, seed, False), steps=longest),
    ]


def _style(ground: Ground, state: State, since: int) -> list[Row]:
    """Right answers to items like the next update's; `since` updates into the drift a share of them in its style."""
    shown: list[Item] = items(ground, state, range(1000, 1000 + _ROWS))
    away = _ROWS * since // _RAMP
    return [
        written(state.trainee.policy, item, drifted(item.trace, since) if place < away else item.trace)
        for place, item in enumerate(shown)
    ]


def findings(results: Sequence[Result], ground: Ground) -> list[Finding]:
    """When it was stopped, and in which words."""
    found = []
    if runs := of(results, "drifting"):
        after = {result.seed: result.trained - BEGINS for result in runs if result.verdict is not None}
        named = all(result.verdict is not None and "parser" in result.verdict.message for result in runs)
        held = named and len(after) == len(runs) and all(0 <= steps <= WITHIN for steps in after.values())
        words = "; ".join(
            f"seed {result.seed}: {after[result.seed]} updates after it began: {result.verdict.message}"
            if result.verdict
            else f"seed {result.seed}: never stopped"
            for result in runs
        )
        found.append(Finding(f"stopped within {WITHIN} updates of the drift, the parser named", held, words))
    if runs := of(results, "steady"):
        stopped = [result for result in runs if result.stopped]
        words = f"{len(stopped)} of {len(runs)} stopped"
        words += "".join(f"; seed {result.seed}: {result.verdict.message}" for result in stopped if result.verdict)
        found.append(Finding("without the drift it is left alone", not stopped, words))
    return found
