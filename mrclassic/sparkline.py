"""A curve in one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

CELLS = 32
_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], cells: int = CELLS) -> str:
    """A curve in one line of text; longer curves are averaged into `cells`, what is not a number shows as `!`."""
    if not values:
        return ""
    count = min(cells, len(values))
    edges = [round(i * len(values) / count) for i in range(count + 1)]
    means = [sum(values[start:end]) / (end - start) for start, end in pairwise(edges)]
    finite = [mean for mean in means if math.isfinite(mean)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    # Halved, so that the distance between the largest numbers there are is a number too.
    reach = high / 2 - low / 2
    heights = [(mean / 2 - low / 2) / reach if reach else 0.5 for mean in means]
    top = len(_BARS) - 1
    return "".join(
        _BARS[int(height * top + 0.5)] if math.isfinite(mean) else "!"
        for mean, height in zip(means, heights, strict=True)
    )
