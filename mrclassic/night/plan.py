"""The plan of a night: what waits, what each stage will do in numbers, and how long it takes, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mrclassic.titles import counted, title

_WORTH_TELLING = 6.0  # seconds


@dataclass(frozen=True)
class PlannedStage:
    """`steps` updates of `completions` each (for the book: entries), at a measured `seconds_each` and `tokens_each`;
    `epochs` is how often the whole book is shown."""

    name: str
    steps: int
    completions: int
    arithmetic: str
    seconds_each: float
    tokens_each: float = 0.0
    epochs: float | None = None

    @property
    def minutes(self) -> float:
        return self.steps * self.seconds_each / 60

    @property
    def tokens(self) -> float:
        return self.steps * self.tokens_each

    def line(self) -> str:
        """The stage in words."""
        parts = [self.arithmetic, counted(self.steps, "update")]
        if self.epochs is not None:
            parts.append(f"{self.epochs:.1f} times the whole book")
        parts += [f"{self.steps * self.completions:,} in all", f"{_count(self.tokens)} tokens"]
        time = f"about {self.minutes:.1f} min at {self.seconds_each:.2f} s an update"
        return f"{title(self.name)}: {', '.join(parts)}, {time}."


@dataclass(frozen=True)
class Plan:
    """`measuring` is the time, in seconds, for the measurements before and after, `pacing` what it took to find out how
    long an update takes; `price` of an hour, 0 for none; `off` why something of what the owner said is not learned
    from, `marks` what the rest is (see `opinions.Marks`)."""

    minutes: float
    parent: str
    waiting: int
    mastered: tuple[str, ...]
    stages: tuple[PlannedStage, ...]
    measuring: float
    memory: tuple[str, ...] = ()
    price: float = 0.0
    off: tuple[str, ...] = ()
    marks: Mapping[str, Any] = field(default_factory=dict)
    pacing: float = 0.0

    @property
    def expected(self) -> float:
        """Minutes that all of it takes."""
        return sum(stage.minutes for stage in self.stages) + (self.measuring + self.pacing) / 60

    def lines(self) -> tuple[str, ...]:
        """The plan in words, with the tables of what its stages take of the memory."""
        return (*self.words, *self.memory)

    @property
    def words(self) -> tuple[str, ...]:
        """The plan in words."""
        lines = [f"Begins from {self.parent}; {self.waiting} new book entries wait."]
        if self.mastered:
            lines.append(f"Mastered already: {', '.join(self.mastered)}.")
        lines += [*(stage.line() for stage in self.stages), *self.off]
        if not self.stages and self.measuring >= self.minutes * 60:
            lines.append("Measuring alone takes longer than the night: there is no time left to practise.")
        elif not self.stages:
            lines.append("Nothing waits and everything it practises is mastered: there is nothing to gain tonight.")
        pacing = f", and {self.pacing / 60:.1f} to find its pace" if self.pacing >= _WORTH_TELLING else ""
        lines.append(f"Measuring before and after: about {self.measuring / 60:.1f} min of {self.minutes:g}{pacing}.")
        if self.stages:
            tokens = sum(stage.tokens for stage in self.stages)
            cost = f", which costs about {self.expected / 60 * self.price:.2f}" if self.price else ""
            lines.append(f"Together: {_count(tokens)} tokens in about {self.expected:.1f} min{cost}.")
        return tuple(lines)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Plan:
        """The plan whose fields `facts` are."""
        stages = tuple(PlannedStage(**stage) for stage in facts["stages"])
        words = {name: tuple(facts[name]) for name in ("mastered", "memory", "off") if name in facts}
        return cls(**{**facts, **words, "stages": stages})


def _count(tokens: float) -> str:
    return f"{tokens / 1e6:.1f}M" if tokens >= 1e6 else f"{tokens / 1e3:.0f}k" if tokens >= 1e4 else f"{tokens:.0f}"
