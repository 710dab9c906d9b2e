"""What a curriculum chose to practise in a stage, and why: made of the numbers of its updates, told in the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mrclassic.sparkline import sparkline

_POINTS = 16
_SHARE, _SUCCESS = "share/", "success/"


@dataclass(frozen=True)
class Choice:
    """What a curriculum made of an arm: the share of the questions that it gave it, over time, and how they were
    answered (nothing where it was never drawn)."""

    arm: str
    shares: tuple[float, ...]
    success: tuple[float, ...] = ()


def choices(steps: Sequence[tuple[int, Mapping[str, float]]]) -> tuple[Choice, ...]:
    """What the curriculum made of each arm, thinned; one arm alone is no choice."""
    arms = dict.fromkeys(key.removeprefix(_SHARE) for _, metrics in steps for key in metrics if key.startswith(_SHARE))
    if len(arms) < 2:
        return ()
    return tuple(Choice(arm, _thinned(steps, f"{_SHARE}{arm}"), _thinned(steps, f"{_SUCCESS}{arm}")) for arm in arms)


def _thinned(steps: Sequence[tuple[int, Mapping[str, float]]], key: str) -> tuple[float, ...]:
    """A metric's curve in at most `_POINTS`, each the mean of its stretch."""
    values = [metrics[key] for _, metrics in steps if key in metrics and math.isfinite(metrics[key])]
    stretch = max(1, -(-len(values) // _POINTS))
    parts = (values[at : at + stretch] for at in range(0, len(values), stretch))
    return tuple(sum(part) / len(part) for part in parts)


MASTERED, BEYOND = 0.95, 0.05  # success beyond which there is little to learn


def told(choice: Choice) -> str:
    """An arm with its share and success over time, and what they mean to a curriculum."""
    share = f"{_way(choice.shares)} of the questions"
    if not choice.success:
        return f"- `{choice.arm}`: {share}, never drawn"
    last = choice.success[-1]
    why = "mastered" if last >= MASTERED else "beyond reach so far" if last <= BEYOND else "something to learn"
    return f"- `{choice.arm}`: {share}, {_way(choice.success)} answered right: {why}"


def _way(values: Sequence[float]) -> str:
    """From where to where, and how it went there."""
    return f"{sparkline(values, _POINTS)} {in_percent(values[0])} -> {in_percent(values[-1])}"


def in_percent(value: float) -> str:
    """A share in words."""
    return f"{value:.0%}" if math.isfinite(value) else "?"
