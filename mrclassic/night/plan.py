"""The plan of a night: what waits, what each stage will do in numbers, and how long it takes, before anything runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PlannedStage:
    """`steps` updates of `completions` each (for the book: entries), at a measured `seconds_each`."""

    name: str
    steps: int
    completions: int
    arithmetic: str
    seconds_each: float

    @property
    def minutes(self) -> float:
        return self.steps * self.seconds_each / 60


@dataclass(frozen=True)
class Plan:
    """`measuring` is the time, in seconds, for the measurements before and after."""

    minutes: float
    parent: str
    waiting: int
    mastered: tuple[str, ...]
    stages: tuple[PlannedStage, ...]
    measuring: float
    memory: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """The plan in words."""
        lines = [f"Begins from {self.parent}; {self.waiting} new book entries wait."]
        if self.mastered:
            lines.append(f"Mastered already: {', '.join(self.mastered)}.")
        for stage in self.stages:
            total = stage.steps * stage.completions
            lines.append(
                f"{stage.name}: {stage.arithmetic}, {stage.steps} updates, {total:,} in all, "
                f"about {stage.minutes:.1f} min at {stage.seconds_each:.2f} s an update."
            )
        if not self.stages:
            lines.append("Nothing waits and everything it practises is mastered: there is nothing to gain tonight.")
        lines.append(f"Measuring before and after: about {self.measuring / 60:.1f} min of {self.minutes:g}.")
        return (*lines, *self.memory)
