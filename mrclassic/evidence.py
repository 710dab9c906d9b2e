"""What a learned taste can show for itself, and whether that is enough to be used. Plain data: the app reads it too.

A taste that only guesses would teach a model to please the guess. So it is a reward only where it chose among held-out
candidates as the owner did in at least 35% of five (20% by chance), where its scores say next to nothing of length,
and where there are 200 picks at least: with fewer the share itself is known to no better than seven points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

TOP1 = 0.35  # of five candidates
_OF_FIVE = 0.2
LENGTH = 0.3
PICKS = 200


@dataclass(frozen=True)
class Point:
    """Of the learning curve: learned from `share` of the choices, it was right about `top1` of those held out."""

    share: float
    choices: int
    top1: float


@dataclass(frozen=True)
class Evidence:
    """How a taste did on choices that it had not learned from.

    `choices` is how many there were in all, `own` those between the model's own replies; `judged` of these were held
    out, and of them it named `right` (`low` to `high`: 95%), where `chance` was to be expected, and `by_length` by the
    length alone, whichever way round that is better. `length` is the correlation of score and length among the replies
    of a choice; `loss` the mean surprise in nats, `even` that of a guess; `calibration` the mean gap between how sure
    it was and how often it was right. `seen` are the numbers of the picks it learned from, `last` whether it agreed
    with the newest of those that were held out.
    """

    form: str
    checkpoint: str | None
    model_sha256: str | None
    seed: int
    choices: int
    own: int
    judged: int
    right: int
    low: float
    high: float
    chance: float
    by_length: float
    length: float
    loss: float
    even: float
    calibration: float
    temperature: float
    curve: tuple[Point, ...] = ()
    seen: tuple[int, ...] = ()
    last: tuple[tuple[int, bool], ...] = ()

    @property
    def top1(self) -> float:
        """The share of held-out choices in which it named the owner's."""
        return self.right / self.judged if self.judged else 0.0

    @property
    def wanted(self) -> float:
        """What `top1` has to be: 35% of five candidates, and as far from chance to certain with more or fewer."""
        return self.chance + (TOP1 - _OF_FIVE) / (1 - _OF_FIVE) * (1 - self.chance)

    @property
    def lacking(self) -> tuple[str, ...]:
        """What keeps it from being a reward, in words with numbers; nothing where it may be one."""
        found = []
        if self.own < PICKS:
            found.append(f"there are {self.own} picks among the model's own replies, and {PICKS} are needed")
        if self.judged and self.top1 < self.wanted:
            found.append(
                f"of {self.judged} picks that it had not seen it named {self.top1:.0%} ({self.low:.0%} to "
                f"{self.high:.0%}), and {self.wanted:.0%} are needed ({self.chance:.0%} is chance; length alone: "
                f"{self.by_length:.0%})"
            )
        if not abs(self.length) < LENGTH:
            found.append(f"its scores go with length ({self.length:+.2f}), and less than {LENGTH} is wanted")
        return tuple(found)

    @property
    def allowed(self) -> bool:
        """Whether it may be a reward."""
        return not self.lacking

    @property
    def words(self) -> str:
        """Why it may be a reward or not, as a sentence."""
        if self.allowed:
            return (
                f"Your taste may be a reward: of {self.judged} picks that it had not seen it named {self.top1:.0%} "
                f"({self.low:.0%} to {self.high:.0%}; chance {self.chance:.0%}), and its scores hardly go with length "
                f"({self.length:+.2f})."
            )
        return f"Your taste is no reward yet, it only orders replies: {'; '.join(self.lacking)}."

    def facts(self) -> dict[str, Any]:
        """As JSON values, for a manifest and for scripts."""
        return {**asdict(self), "top1": self.top1, "allowed": self.allowed}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Evidence:
        """From `facts`; raises KeyError, TypeError or ValueError where they are none."""
        known = {name: facts[name] for name in cls.__dataclass_fields__}
        known["curve"] = tuple(Point(**point) for point in known["curve"])
        known["seen"] = tuple(map(int, known["seen"]))
        known["last"] = tuple((int(pick), bool(agreed)) for pick, agreed in known["last"])
        found = cls(**known)
        if not all(math.isfinite(value) for value in (found.length, found.chance, found.temperature, found.loss)):
            raise ValueError("the evidence of the taste holds a number that is none")
        return found
