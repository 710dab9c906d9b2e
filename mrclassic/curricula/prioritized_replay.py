"""Questions that taught something come again: half of the draws repeat an item, half are new.

What an item's last group taught is its priority; items are drawn by the rank of that, mixed with how long ago they
were last seen, because a priority grows old (prioritized experience replay, arXiv 1511.05952; prioritized level
replay, arXiv 2010.03934). New items come from all arms alike.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from mrclassic.curricula.contract import Draw, Outcome
from mrclassic.curricula.core import Chooser, proportions

REPLAY = 0.5  # share of the draws, once enough is remembered
STALE = 0.3  # of which by age
ITEMS = 256  # remembered; beyond that, what taught least goes
ENOUGH = 32


class PrioritizedReplay(Chooser):
    """Names items by chance, so that a draw is a function of the state and the caller's randomness alone."""

    kept = ("_items",)

    def __init__(self, arms: Sequence[str], success: Mapping[str, float] | None = None) -> None:
        super().__init__(arms)
        self._items: list[list[Any]] = []  # (arm, name, priority, step when last seen)

    def propose(self, n: int, rng: random.Random) -> list[Draw]:
        weights, share = self._weights(), self.report()
        replay = REPLAY if weights else 0.0
        draws = []
        for _ in range(n):
            if rng.random() < replay:
                arm, name, *_ = rng.choices(self._items, weights)[0]
            else:
                arm, name = rng.choice(self._arms), f"{rng.getrandbits(48):012x}"
            draws.append(Draw(arm, share[arm], name))
        return draws

    def report(self) -> Mapping[str, float]:
        weights = self._weights()
        even = (1 - REPLAY if weights else 1.0) / len(self._arms)
        shares = dict.fromkeys(self._arms, even)
        for (arm, *_), weight in zip(self._items, weights, strict=bool(weights)):
            shares[arm] += REPLAY * weight
        return shares

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        remembered = {(arm, name): [arm, name, priority, step] for arm, name, priority, step in self._items}
        for each in outcomes:
            if each.draw.item and each.signal >= 0:  # not NaN
                found = [each.draw.arm, each.draw.item, each.signal, each.step]
                remembered[each.draw.arm, each.draw.item] = found
        kept = sorted(remembered.values(), key=lambda item: (-item[2], -item[3], item[1]))
        self._items = kept[:ITEMS]

    def _weights(self) -> list[float]:
        """The probability of each remembered item, which stand by priority; none while there are few."""
        if len(self._items) < ENOUGH:
            return []
        now = max(step for *_, step in self._items)
        rank = proportions({str(place): 1 / (place + 1) for place in range(len(self._items))})
        age = proportions({str(place): float(now - item[3]) for place, item in enumerate(self._items)})
        return [(1 - STALE) * rank[place] + STALE * age[place] for place in rank]
