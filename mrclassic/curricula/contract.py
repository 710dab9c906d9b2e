"""The curriculum contract. An *arm* is something that can be practised, such as `arithmetic:2`.

`propose` names the arms of the next groups; `accept` may ask to draw a group again; `observe` is told how they went.
State is plain JSON, so that a resumed run goes on as if it had never stopped; randomness comes from the caller.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class Draw:
    """One group to practise: its arm, and the probability with which it was drawn."""

    arm: str
    probability: float


@dataclass(frozen=True)
class Outcome:
    """How a group went: `success` is the mean score in [0, 1], NaN where nobody could tell; `step` counts updates."""

    draw: Draw
    success: float
    step: int


class Curriculum(Protocol):
    """See the module's docstring."""

    def arms(self) -> Sequence[str]:
        """All arms."""
        ...

    def propose(self, n: int, rng: random.Random) -> list[Draw]:
        """The arms of the next `n` groups."""
        ...

    def accept(self, outcome: Outcome) -> Literal["keep", "redraw"]:
        """Whether to learn from a group or to draw another in its place."""
        ...

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        """Learn from how the groups went."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        ...

    def report(self) -> Mapping[str, float]:
        """The share of each arm as things stand."""
        ...
