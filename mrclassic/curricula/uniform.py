"""Every arm as often as every other."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mrclassic.curricula.contract import Draw, Outcome


class Uniform:
    """The plainest curriculum, and the control that others are measured against."""

    def __init__(self, arms: Sequence[str]) -> None:
        self._arms = tuple(arms)

    def arms(self) -> Sequence[str]:
        return self._arms

    def propose(self, n: int, rng: random.Random) -> list[Draw]:
        return [Draw(rng.choice(self._arms), 1 / len(self._arms)) for _ in range(n)]

    def accept(self, outcome: Outcome) -> Literal["keep", "redraw"]:
        return "keep"

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        return None

    def report(self) -> Mapping[str, float]:
        return dict.fromkeys(self._arms, 1 / len(self._arms))
