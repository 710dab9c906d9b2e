"""The experiments by name, one module each."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from mrclassic.errors import UsageError

if TYPE_CHECKING:
    from mrclassic.lab.experiment import Experiment


@dataclass(frozen=True)
class Entry:
    """An experiment in the list; `minutes` of each arm and `seeds` unless asked otherwise."""

    name: str
    about: str
    minutes: float
    seeds: int

    def load(self) -> Experiment:
        """Its module; only now what computes is imported."""
        return cast("Experiment", import_module(f"mrclassic.lab.{self.name}"))


_ALL = (
    Entry("learning", "GRPO against supervised training, random rewards, and the run that collapses", 30, 3),
    Entry("healthy", "five healthy runs, of which the sentinel must stop none", 10, 5),
    Entry("drift", "style drifts away from the parser; the sentinel must name it within 60 updates", 10, 3),
    Entry("collapse", "a reward for form alone against all-or-nothing: what becomes of the working", 10, 2),
    Entry("gate", "two hundred simulated nights: how often the gate promotes by chance, or misses a loss", 1, 1),
    Entry("lessons", "fifty new answers in ten lessons, beside the same by single-example updates", 60, 3),
    Entry("knights", "knights and knaves, two people to six: worked answers by stages, then rewards", 15, 1),
    Entry("stages", "knights and knaves by stages of success, against all sizes at once, at equal tokens", 10, 3),
    Entry(
        "curricula", "what to practise next: answers that a curriculum needs to a fixed score, against all alike", 60, 3
    ),
    Entry("selfplay", "questions of its own, alone and beside fixed ones, against the generator and zero-sum", 60, 3),
    Entry("mixing", "what to read next: sources by what they take off the held-out loss, against their sizes", 15, 3),
    Entry("stories", "stories told in the same words against varied ones: what can be asked for afterwards", 10, 3),
    Entry("taste", "owners whose taste is known: what is learned of it from 50 to 2,000 picks", 15, 1),
    Entry("dpo", "an owner's picks by each loss, the owner known, beside picks by lot: who is preferred", 10, 3),
    Entry("overoptimization", "practice for a learned taste, its owner known: what guards keep it from", 10, 2),
    Entry("hh", "which of two replies people preferred: heads beside length alone and a bag of words", 10, 1),
    Entry(
        "credit", "TD against uniform credit where one turn of ten decides: updates to nine tenths of the best", 30, 3
    ),
    Entry("distill", "a teacher's right answers, rewards, or both in turn: what teaches most in the same time", 10, 3),
    Entry("growing", "a model grown to the next size: the same at first, then ahead of the one it came from", 20, 3),
)
EXPERIMENTS: Mapping[str, Entry] = MappingProxyType({each.name: each for each in _ALL})


def get(name: str) -> Entry:
    """The experiment of that name; raises UsageError with the nearest one there is."""
    if name not in EXPERIMENTS:
        near = difflib.get_close_matches(name, EXPERIMENTS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(EXPERIMENTS)}."
        raise UsageError(f"There is no experiment {name!r}; {hint}")
    return EXPERIMENTS[name]
