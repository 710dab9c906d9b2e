"""What to read next: the same contract for supervised data.

The arms are sources, such as the book, a corpus and a shelf of documents. Batches are filled by their shares; now and
then the held-out loss of each source is measured, and what a source's own tokens took off it is its gain: nats, divided
by the part of the tokens that it had, as a share of the most that any source gained lately. A source that is known by
heart, or cannot be learned yet, takes nothing off and is read less (a bandit over sources: arXiv 1704.03003; over the
domains of a corpus: arXiv 2312.02406).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from mrclassic.curricula.contract import Curriculum, Draw, Outcome
from mrclassic.curricula.core import proportions

MEMORY = 0.9  # of the largest gain: gains shrink as a model learns


class Mixing:
    """The shares of sources by `curriculum`, whose arms they are; begun with the held-out `losses` (nats a token)."""

    def __init__(self, curriculum: Curriculum, losses: Mapping[str, float]) -> None:
        self._curriculum = curriculum
        self._losses = dict(losses)
        self._most = 0.0  # nats

    def shares(self) -> Mapping[str, float]:
        """Of the tokens of the next batches."""
        return self._curriculum.report()

    def looked(self, losses: Mapping[str, float], tokens: Mapping[str, float], step: int) -> None:
        """Held-out losses after the update `step`; `tokens` were read of each source since they were last measured."""
        shares, had = self.shares(), proportions(tokens)
        gains = {
            arm: (self._losses[arm] - losses[arm]) / had[arm]
            for arm in self._curriculum.arms()
            if tokens[arm] > 0 and math.isfinite(losses[arm])
        }
        self._losses |= {arm: loss for arm, loss in losses.items() if math.isfinite(loss)}
        self._most = max(MEMORY * self._most, *map(abs, gains.values()), 0.0)
        self._curriculum.observe(
            [
                Outcome(Draw(arm, shares[arm]), math.exp(-losses[arm]), step, gain=gain / (self._most or 1.0))
                for arm, gain in gains.items()
            ]
        )

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"curriculum": self._curriculum.state_dict(), "losses": dict(self._losses), "most": self._most}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self._curriculum.load_state_dict(state["curriculum"])
        self._losses, self._most = dict(state["losses"]), state["most"]


def fill(shares: Mapping[str, float], tokens: float, due: dict[str, float], take: Callable[[str], int]) -> None:
    """Fill a batch of about `tokens` by `shares`: `take` takes the next row of a source and says how long it is. What
    rows are longer than the share is owed to the next batches, in `due`, so that in the long run shares hold."""
    for arm, share in shares.items():
        due[arm] = due.get(arm, 0.0) + share * tokens
        while due[arm] > 0:
            due[arm] -= take(arm)
