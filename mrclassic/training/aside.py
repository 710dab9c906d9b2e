"""The look aside: while a run trains on one thing, a few held-out items and a part of the book are measured.

Greedy replies to at most two hundred short prompts, every twenty-five updates of 256 completions each: about 3% of the
time. The sentinel reads it as "does the task follow the reward" and "is the book still there".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mrclassic.tasks.base import keyed
from mrclassic.training.sentinel import Look
from mrclassic.training.state import State
from mrclassic.training.suites import Suite, SuiteResult, measure

ITEMS = 96  # held-out items in all, and as many book entries: a standard error of 5 points and less


def looking(held_out: Sequence[Suite], book: Suite, items: int = ITEMS) -> Callable[[State], Look]:
    """Measures the same `items` of `held_out` (evenly from its suites) and of `book` whenever it is called."""
    each = max(1, items // max(1, len(held_out)))
    skills = [_part(suite, each, at) for at, suite in enumerate(held_out)]
    memory = _part(book, items, "book")

    def look(state: State) -> Look:
        results = measure(state.trainee.policy, [suite for suite in (*skills, memory) if suite.probes])
        recalled = results.pop(memory.name, None)
        return Look(_counts(list(results.values())), _counts([] if recalled is None else [recalled]))

    return look


def _part(suite: Suite, count: int, place: object) -> Suite:
    """`count` of its probes, always the same, under a name that no other has."""
    probes = keyed("aside", suite.name).sample(suite.probes, min(count, len(suite.probes)))
    return replace(suite, name=f"{suite.name} {place}", probes=tuple(probes))


def _counts(results: Sequence[SuiteResult]) -> tuple[int, int]:
    scores = [score for result in results for score in result.scores]
    return int(sum(scores)), len(scores)
