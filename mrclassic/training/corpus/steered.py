"""Which windows every update learns where a curriculum steers the mix: as many tokens of each source as its share.

Each source is walked through pass by pass, shuffled anew each time, as in `order`; how far, and what the curriculum
has learned of it, lies in the facts of the state that is trained, so that a run which was killed goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mrclassic.curricula.contract import Curriculum
from mrclassic.curricula.core import proportions
from mrclassic.curricula.mixing import Mixing, fill
from mrclassic.errors import UsageError
from mrclassic.training.corpus.order import Order, Places

_FACTS = "mix"


class Steered:
    """Updates of about as many tokens as those of `order`, whose sources are the arms of `curriculum`. Raises
    UsageError where one could not be measured."""

    def __init__(self, order: Order, curriculum: Curriculum) -> None:
        self._order, self._curriculum = order, curriculum
        self.sources = tuple(part.name for part in order.corpus.parts)
        for part in order.corpus.parts:
            if not part.held_out:
                raise UsageError(
                    f"Nothing of {part.name} is set aside, so what it teaches cannot be measured; raise --held-out, or "
                    "leave out --mix."
                )

    def begin(self, facts: dict[str, Any], losses: Mapping[str, float]) -> None:
        """Before the first update, with the held-out losses (nats a token) of the sources."""
        mixing = Mixing(self._curriculum, losses)
        none = dict.fromkeys(self.sources, 0)
        facts[_FACTS] = {"windows": {**none}, "tokens": {**none}, "since": {**none}, "due": {}} | _kept(mixing)

    def windows(self, facts: dict[str, Any]) -> Places:
        """The windows of the next update, at least one; they count as read."""
        mix, corpus = facts[_FACTS], self._order.corpus
        taken: list[int] = []

        def take(name: str) -> int:
            taken.append(self._order.nth(self.sources.index(name), mix["windows"][name]))
            tokens = int(corpus.lengths[taken[-1]]) - 1
            mix["windows"][name] += 1
            mix["tokens"][name] += tokens
            mix["since"][name] += tokens
            return tokens

        while not taken:
            fill(mix["shares"], self._order.tokens, mix["due"], take)
        return np.array(taken, np.int64)

    def looked(self, facts: dict[str, Any], losses: Mapping[str, float], step: int) -> dict[str, float]:
        """The new share of each source, by its held-out loss after the update `step`."""
        mix = facts[_FACTS]
        mixing = Mixing(self._curriculum, losses)
        mixing.load_state_dict(mix["mixing"])
        mixing.looked(losses, mix["since"], step)
        mix |= {"since": dict.fromkeys(self.sources, 0)} | _kept(mixing)
        return dict(mix["shares"])

    def read(self, facts: Mapping[str, Any]) -> dict[str, float]:
        """What part of all tokens each source had."""
        return proportions(facts[_FACTS]["tokens"])


def _kept(mixing: Mixing) -> dict[str, Any]:
    return {"mixing": mixing.state_dict(), "shares": dict(mixing.shares())}
