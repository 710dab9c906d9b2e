"""What an answer is worth beside the others of its group: the baseline that spares GRPO a critic."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

Group = Sequence[float | None]  # the rewards of one group; None where every reward abstained


def centred(group: Group) -> list[float]:
    """The reward less the mean of those that were given; 0 for a row that abstained.

    Not divided by the deviation, which would blow up the groups that hardly differ (Dr. GRPO, arXiv 2503.20783).
    """
    given = [reward for reward in group if reward is not None]
    if not given or min(given) == max(given):
        return [0.0] * len(group)  # exactly: the mean of equal numbers may differ from them in the last bit
    mean = sum(given) / len(given)
    return [0.0 if reward is None else reward - mean for reward in group]


def standardised(group: Group) -> list[float]:
    """Centred, and divided by the group's deviation (DeepSeekMath, arXiv 2402.03300; the same guard as TRL's)."""
    deviation = spread(group) + 1e-4
    return [advantage / deviation for advantage in centred(group)]


ADVANTAGES: Mapping[str, Callable[[Group], list[float]]] = {"centred": centred, "standardised": standardised}


def spread(rewards: Group) -> float:
    """Standard deviation (n - 1) of the rewards that were given."""
    given = [reward for reward in rewards if reward is not None]
    if len(given) < 2:
        return 0.0
    mean = sum(given) / len(given)
    return math.sqrt(sum((reward - mean) ** 2 for reward in given) / (len(given) - 1))
