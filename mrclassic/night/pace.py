"""How long an update takes, measured on a copy before anything is planned by it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from mrclassic import heartbeat


@dataclass(frozen=True)
class Pace:
    """What an update took, measured: seconds, and the tokens that it trained on or drew."""

    seconds: float
    tokens: float


def timed(update: Callable[[], float], words: str, trials: int, within: float = math.inf) -> Pace:
    """The median time of `update`, which returns its tokens: of so many `trials`, fewer where they would take more than
    `within` seconds, but one. The heart beats in these `words`."""
    times, tokens = [], []
    for _ in range(trials):
        begun = time.monotonic()
        tokens.append(update())
        times.append(time.monotonic() - begun)
        heartbeat.beat(words)
        if sum(times) > within:
            break
    return Pace(sorted(times)[len(times) // 2], sum(tokens) / len(tokens))
