"""The curriculum contract. An *arm* is something that can be practised or read, such as `arithmetic:2` or `notes`.

`propose` names the arms of the next groups; `accept` may ask to draw a group again; `observe` is told how they went.
State is plain JSON, so that a resumed run goes on as if it had never stopped; randomness comes from the caller.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Answer = Literal["keep", "redraw"]


@dataclass(frozen=True)
class Draw:
    """One group to practise: its arm, and the probability with which that was drawn. The same `item` of an arm is the
    same question again, in a run of the same seed; without a name it is a new one."""

    arm: str
    probability: float
    item: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a group went: `success` is the mean score, in [0, 1] where the rewards are, NaN where nobody could tell;
    `step` counts updates.

    What else the caller knows: the rewards' standard deviation within the group (`spread`), and for what is read rather
    than practised the held-out loss that it took off (`gain`, between -1 and 1: a share of the most that any did).
    """

    draw: Draw
    success: float
    step: int
    spread: float | None = None
    gain: float | None = None

    @property
    def signal(self) -> float:
        """How much there was to learn, in [0, 1]: the gain, where that is known; else four times the variance of the
        rewards, which is 4p(1-p) for right and wrong, 1 at one half and 0 at both ends. NaN where nobody could tell."""
        if self.gain is not None:
            return max(0.0, self.gain)
        if math.isnan(self.success):
            return math.nan
        variance = self.success * (1 - self.success) if self.spread is None else self.spread**2
        return max(0.0, min(1.0, 4 * variance))


class Curriculum(Protocol):
    """See the module's docstring. `core.Chooser` holds what most of them have in common."""

    def arms(self) -> Sequence[str]:
        """All arms."""
        ...

    def propose(self, n: int, rng: random.Random) -> list[Draw]:
        """The arms of the next `n` groups: a function of the state (which it may move on) and of `rng`."""
        ...

    def accept(self, outcome: Outcome) -> Answer:
        """Whether to learn from a group or to draw another in its place."""
        ...

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        """Learn from how the groups went, those that were drawn again too."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        ...

    def report(self) -> Mapping[str, float]:
        """The share of each arm as things stand; they add up to 1."""
        ...
