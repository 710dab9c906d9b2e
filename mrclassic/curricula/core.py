"""What curricula have in common: arms drawn by their shares, groups that taught nothing drawn again, a state in JSON.

A curriculum of one's own derives from `Chooser` and says two things: the share of each arm (`report`), and what it
learns from how groups went (`observe`). The attributes that it names in `kept` are its state.
"""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar

from mrclassic.curricula.contract import Answer, Draw, Outcome

_NOTHING = 1e-12  # a signal that is rounding


class Chooser(ABC):
    """A curriculum over `arms`, those of a task in order of difficulty."""

    kept: ClassVar[tuple[str, ...]] = ()  # attributes, JSON values each

    def __init__(self, arms: Sequence[str]) -> None:
        self._arms = tuple(arms)

    @abstractmethod
    def report(self) -> Mapping[str, float]:
        """The share of each arm."""

    @abstractmethod
    def observe(self, outcomes: Sequence[Outcome]) -> None:
        """Learn from how groups went."""

    def arms(self) -> Sequence[str]:
        return self._arms

    def propose(self, n: int, rng: random.Random) -> list[Draw]:
        shares = self.report()
        return [Draw(arm, shares[arm]) for arm in rng.choices(list(shares), list(shares.values()), k=n)]

    def accept(self, outcome: Outcome) -> Answer:
        """Rewards that are all alike, or unknown, teach nothing."""
        return "keep" if outcome.signal > _NOTHING else "redraw"

    def state_dict(self) -> dict[str, Any]:
        return {name.lstrip("_"): deepcopy(getattr(self, name)) for name in self.kept}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name in self.kept:
            setattr(self, name, deepcopy(state[name.lstrip("_")]))


def ladders(arms: Iterable[str]) -> dict[str, list[str]]:
    """The arms of each task in order of difficulty; an arm without levels is a ladder of its own."""
    found: dict[str, list[str]] = {}
    for arm in arms:
        found.setdefault(arm.rpartition(":")[0] or arm, []).append(arm)
    return found


def by_arm(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """The outcomes of each arm that had any. Where every reward abstained nothing is known, and that must not count as
    failure: those are left out."""
    found: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if not math.isnan(outcome.signal):
            found.setdefault(outcome.draw.arm, []).append(outcome)
    return found


def mean(values: Sequence[float]) -> float:
    """Of at least one value."""
    return sum(values) / len(values)


def proportions(weights: Mapping[str, float], even: float = 0.0) -> dict[str, float]:
    """Shares in proportion to `weights`, none below 0, with the part `even` spread evenly; all of it where none
    weighs anything."""
    total = sum(weights.values())
    even = even if total > 0 else 1.0
    return {
        arm: even / len(weights) + ((1 - even) * weight / total if total > 0 else 0.0)
        for arm, weight in weights.items()
    }


def softmax(values: Mapping[str, float], tau: float) -> dict[str, float]:
    """exp(value / tau), scaled so that the largest is 1."""
    highest = max(values.values())
    return {arm: math.exp((value - highest) / tau) for arm, value in values.items()}
