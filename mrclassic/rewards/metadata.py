"""`@reward`: what a plugin says about its reward function. The function itself stays as it is, fit for TRL too."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

ATTRIBUTE = "__mrclassic_reward__"
_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Metadata:
    """What `@reward` was told.

    `range` is the lowest and the highest score; `seconds` is how long a batch may take; `memory` is how many bytes the
    function may use on top of what its imports took.
    """

    name: str | None = None
    weight: float = 1.0
    range: tuple[float, float] | None = None
    seconds: float = 60.0
    memory: int = 512 * 2**20

    def __post_init__(self) -> None:
        pair = self.range is None or (isinstance(self.range, tuple | list) and len(self.range) == 2)
        if not pair or any(not isinstance(bound, int | float) for bound in self.range or ()):
            raise ValueError(f"@reward(range={self.range!r}): write the lowest and the highest score, as in (0, 1)")
        if not isinstance(self.weight, int | float) or not math.isfinite(self.weight):
            raise ValueError(f"@reward(weight={self.weight!r}): write a number")
        if not isinstance(self.seconds, int | float) or not self.seconds > 0:
            raise ValueError(f"@reward(seconds={self.seconds!r}): write a number above 0")
        if not isinstance(self.memory, int) or self.memory <= 0:
            raise ValueError(f"@reward(memory={self.memory!r}): write a whole number of bytes, as in 2 * 2**30")


@overload
def reward(function: _Function, /) -> _Function: ...


@overload
def reward(
    *,
    name: str | None = ...,
    weight: float = ...,
    range: tuple[float, float] | None = ...,
    seconds: float = ...,
    memory: int = ...,
) -> Callable[[_Function], _Function]: ...


def reward(function: _Function | None = None, /, **told: Any) -> Any:
    """Mark a function as a reward: `@reward`, or `@reward(name="rhyme", weight=0.2, range=(0, 1), seconds=300)`."""

    def mark(marked: _Function) -> _Function:
        setattr(marked, ATTRIBUTE, Metadata(**told))
        return marked

    return mark if function is None else mark(function)


def metadata(function: object) -> Metadata:
    """What the function's `@reward` said; what goes without saying where there is none."""
    found = getattr(function, ATTRIBUTE, None)
    return found if isinstance(found, Metadata) else Metadata()
