"""Which windows every update learns: a pure function of the seed and the update's number, so that a run that was killed
goes on from its number alone.

An epoch shows every document of a source of weight 1 once, of weight 2 twice, of weight 0.5 every second one (and the
others in the next epoch), all of them shuffled together and dealt into updates of about as many tokens each.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrclassic.errors import UsageError
from mrclassic.tasks.base import keyed
from mrclassic.training.corpus.packed import Packed

Places = NDArray[np.int64]


class Order:
    """The updates of about `tokens` learned tokens each."""

    def __init__(self, corpus: Packed, tokens: int, seed: int) -> None:
        self.corpus, self.seed = corpus, seed
        self.tokens = max(tokens, corpus.context)  # less than a window would leave updates empty
        self._windows = [corpus.windows(source) for source in range(len(corpus.parts))]
        self._epoch = lru_cache(maxsize=1)(self._deal)
        self._pass = lru_cache(maxsize=2 * len(self._windows))(self._shuffled)
        weights = [part.weight for part in corpus.parts]
        if not any(math.floor(weight * len(its)) for weight, its in zip(weights, self._windows, strict=True)):
            raise UsageError("The weights are so small that an epoch would be empty; raise one of them.")
        self.epoch_tokens = sum(part.tokens * part.weight for part in corpus.parts)
        self.epoch_steps = max(1, int(self.epoch_tokens / self.tokens))

    def windows(self, step: int) -> Places:
        """The windows of the update after `step` others; at least one."""
        epoch, at = divmod(step, self.epoch_steps)
        order, bounds = self._epoch(epoch)
        high = max(1, int(bounds[at + 1]))
        return order[min(int(bounds[at]), high - 1) : high]

    def nth(self, source: int, at: int) -> int:
        """The window at place `at` of an endless walk over a source, each pass over it shuffled anew."""
        through, place = divmod(at, len(self._windows[source]))
        return int(self._pass(source, through)[place])

    def _deal(self, epoch: int) -> tuple[Places, Places]:
        """The windows of an epoch in order, and where each update begins."""
        chosen = [self._walk(source, epoch) for source in range(len(self._windows))]
        order = np.concatenate(chosen)
        self._random("mix", epoch).shuffle(order)
        tokens = np.cumsum(self.corpus.lengths[order] - 1, dtype=np.int64)
        shares = np.arange(self.epoch_steps + 1) * (tokens[-1] / self.epoch_steps)
        bounds = np.searchsorted(tokens - 1, shares)  # an update begins with the window that its first token is in
        bounds[-1] = len(order)
        return order, bounds

    def _walk(self, source: int, epoch: int) -> Places:
        """The part of an endless walk over a source that falls into an epoch; each pass over it is shuffled anew."""
        count = len(self._windows[source])
        weight = self.corpus.parts[source].weight
        at, end = math.floor(epoch * weight * count), math.floor((epoch + 1) * weight * count)
        pieces = [self._windows[source][:0]]
        while at < end:
            through, place = divmod(at, count)
            piece = self._pass(source, through)[place : place + end - at]
            pieces.append(piece)
            at += len(piece)
        return np.concatenate(pieces)

    def _shuffled(self, source: int, through: int) -> Places:
        return self._random("source", source, through).permutation(self._windows[source])

    def _random(self, *key: Any) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64(keyed(self.seed, *key).getrandbits(64)))
