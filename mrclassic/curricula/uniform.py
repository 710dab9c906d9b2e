"""Every arm as often as every other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mrclassic.curricula.contract import Outcome
from mrclassic.curricula.core import Chooser


class Uniform(Chooser):
    """The plainest curriculum, and the control that others are measured against."""

    def __init__(self, arms: Sequence[str], success: Mapping[str, float] | None = None) -> None:
        super().__init__(arms)

    def report(self) -> Mapping[str, float]:
        return dict.fromkeys(self._arms, 1 / len(self._arms))

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        return None
