"""The reward contract, TRL's: `f(prompts, completions, **columns) -> list[float | None]`, called by keyword.

`prompts` and `completions` are flat lists, one entry a completion; conversational prompts are lists of messages, and
then a completion is `[{"role": "assistant", "content": ...}]`. Every column of the items arrives under its own name.
`None` abstains. A reward that raises, returns the wrong length or a value that is not a finite number abstains on those
rows, and says so; it is never counted as zero, because zero teaches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

RewardFunction = Callable[..., Sequence[float | None]]


@dataclass(frozen=True)
class Weighted:
    """A reward function with its name and its weight in the sum."""

    name: str
    function: RewardFunction
    weight: float = 1.0


@dataclass(frozen=True)
class Scores:
    """`total`: the weighted sum a row (None where all abstained); `parts`: each reward's values; `faults` in words."""

    total: tuple[float | None, ...]
    parts: Mapping[str, tuple[float | None, ...]]
    faults: tuple[str, ...] = ()


def score(
    rewards: Sequence[Weighted],
    prompts: Sequence[Sequence[Mapping[str, str]]],
    completions: Sequence[str],
    columns: Mapping[str, Sequence[Any]],
) -> Scores:
    """Ask every reward about every completion."""
    conversational = [[{"role": "assistant", "content": text}] for text in completions]
    parts: dict[str, tuple[float | None, ...]] = {}
    faults: list[str] = []
    for reward in rewards:
        values, fault = _ask(reward, prompts, conversational, columns)
        parts[reward.name] = values
        if fault:
            faults.append(f"reward {reward.name}: {fault}")
    total: list[float | None] = []
    for row in range(len(completions)):
        given = [reward.weight * value for reward in rewards if (value := parts[reward.name][row]) is not None]
        total.append(sum(given) if given else None)
    return Scores(tuple(total), parts, tuple(faults))


def _ask(
    reward: Weighted,
    prompts: Sequence[Sequence[Mapping[str, str]]],
    completions: Sequence[Any],
    columns: Mapping[str, Sequence[Any]],
) -> tuple[tuple[float | None, ...], str]:
    nothing: tuple[float | None, ...] = (None,) * len(completions)
    try:
        values = reward.function(prompts=prompts, completions=completions, **columns)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever an owner's function raises must not end the night
        return nothing, f"it raised {type(error).__name__}: {error}"
    if not isinstance(values, Sequence) or isinstance(values, str | bytes) or len(values) != len(completions):
        return nothing, f"it returned {type(values).__name__}, not a list of {len(completions)} values"
    clean = tuple(_number(value) for value in values)
    odd = sum(found is None and given is not None for found, given in zip(clean, values, strict=True))
    return clean, f"{odd} values were not finite numbers" if odd else ""


def _number(value: object) -> float | None:
    if not isinstance(value, Real):  # NumPy's scalars are
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
