"""Numbers on their way to a plot: thinned as they come, so that a night of any length takes the same room."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

MOST = 160
"""Points kept of a curve: more than a plot of this app has columns for."""


@dataclass(frozen=True)
class Curve:
    """A number of one stage by update."""

    title: str
    steps: tuple[float, ...]
    values: tuple[float, ...]
    note: str = ""
    """What stands below it: mostly the newest value."""


@dataclass(frozen=True)
class Kind:
    """A curve that a run is watched by: its title, and its name among the numbers of an update."""

    title: str
    names: tuple[str, ...]
    share: bool = False
    """Whether it is said in per cent."""


KINDS = (
    Kind("reward", ("reward",)),
    Kind("loss", ("loss",)),
    Kind("groups scored alike", ("frac_reward_zero_std",)),
    Kind("length in tokens", ("completions/mean_length",)),
    Kind("KL to the start", ("kl",)),
    Kind("entropy", ("entropy",)),
    # Looked at every so many updates only, beside what is practised (see `training.aside`).
    Kind("held-out items right", ("look/held_out",), share=True),
    Kind("of the book by heart", ("look/book",), share=True),
)


class Thinned:
    """A curve that grows. Each point is the mean of `stretch` updates; when there are too many, two become one."""

    def __init__(self) -> None:
        self.stretch = 1
        self.points: list[tuple[float, float]] = []
        self._gathered: list[float] = []
        self._last = 0.0

    def add(self, step: float, value: float) -> None:
        """The number of one update; what is not finite is left out."""
        if not math.isfinite(value):
            return
        self._gathered.append(value)
        self._last = step
        if len(self._gathered) < self.stretch:
            return
        self.points.append((step, sum(self._gathered) / len(self._gathered)))
        self._gathered.clear()
        if len(self.points) >= MOST:
            pairs = zip(self.points[::2], self.points[1::2], strict=False)
            self.points = [(later[0], (earlier[1] + later[1]) / 2) for earlier, later in pairs]
            self.stretch *= 2

    @property
    def rest(self) -> tuple[float, ...]:
        """The mean of what has come since the last point, if anything has."""
        return (sum(self._gathered) / len(self._gathered),) if self._gathered else ()

    def curve(self, title: str, share: bool = False) -> Curve | None:
        """The curve so far, its newest value in per cent where it is a `share`; None while there is no line to draw."""
        points = [*self.points, *((self._last, value) for value in self.rest)]
        if len(points) < 2:
            return None
        steps, values = zip(*points, strict=True)
        return Curve(title, steps, values, f"{values[-1]:.0%}" if share else f"{values[-1]:.3g}")


class Gathered:
    """The curves of a run, as its updates come."""

    def __init__(self) -> None:
        self._curves = {kind: Thinned() for kind in KINDS}
        self.step = 0

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """The numbers of one update."""
        self.step = max(self.step, step)
        for kind, curve in self._curves.items():
            name = next((name for name in kind.names if name in metrics), None)
            if name is not None:
                curve.add(step, float(metrics[name]))

    @property
    def curves(self) -> tuple[Curve, ...]:
        """Those that there is something of; the loss only where there is no reward."""
        found = {
            kind.title: curve for kind, each in self._curves.items() if (curve := each.curve(kind.title, kind.share))
        }
        if "reward" in found:
            found.pop("loss", None)
        return tuple(found.values())
