"""When a gradient stands out from those before it so far that it is better skipped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

REMEMBERED, NEEDED = 50, 20  # norms: so many are looked at, and before there are so many nobody can tell
_TIMES = 10.0
_CLIP = 1.0  # what `Trainee.update` clips to: a smaller gradient moves no weight further than an ordinary step


def too_large(norm: float, before: Sequence[float]) -> bool:
    """Whether a gradient of this norm, more than ten times the median of those `before` it, should be skipped.

    Only those before it count: at the beginning of a run gradients fall by themselves, and what was ordinary then is
    large against what comes after. A norm below the clip is never too large: late in a run most gradients are tiny,
    and ten times nothing is nothing.
    """
    known = [value for value in before[-REMEMBERED:] if math.isfinite(value)]
    return len(known) >= NEEDED and norm > max(_CLIP, _TIMES * median(known))
