"""Where experiments happen: a workplace, the model in use, and what is measured before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mrclassic.model.policy import Policy
from mrclassic.night.workplace import Workplace
from mrclassic.tasks import arithmetic
from mrclassic.tasks.arms import Arms
from mrclassic.training.suites import RECALL, Suite, SuiteResult, recall, skill, summary

_GLANCE = 200  # items of each level that the level is chosen by
_MASTERED = 0.95  # there is nothing left to show on a level beyond this


@dataclass
class Ground:
    """`policy` (float32) is what every arm begins from, unless the experiment prepares another; `suites` are measured
    on it and on what comes of it."""

    work: Workplace
    policy: Policy
    checkpoint: str
    arms: Arms = field(default_factory=lambda: Arms([]))
    suites: list[Suite] = field(default_factory=list)
    also: list[Callable[[Policy], SuiteResult]] = field(default_factory=list)  # measured beside the suites
    prepared: dict[int, Any] = field(default_factory=dict)  # by seed: what an experiment found out for its arms
    remarks: list[str] = field(default_factory=list)  # for the note

    @property
    def levels(self) -> tuple[str, ...]:
        """What is practised, such as `arithmetic:3`."""
        return self.arms.names

    def choose(self, named: Sequence[str], items: int) -> None:
        """Practise and measure these levels (`NAME[:LEVEL]`), and the book."""
        self.arms = self.work.arms(named)
        book = recall(self.work.entries)
        skills = [skill(self.arms, name, items) for name in self.arms.names]
        self.suites = [Suite(RECALL, book.probes[:items]), *skills]

    def edge(self, level: str | None, near: float, items: int) -> str:
        """Choose the arithmetic level that is named, or of those not mastered the one whose held-out score is nearest
        to `near`; before anything is trained, on other items than are measured later. Returns its name."""
        if level is None:
            every = self.work.arms([arithmetic.name])
            glance = [skill(every, name, min(items, _GLANCE), rotation=7) for name in every.names]
            scores = summary(self.measure(self.policy, glance))
            open_ = [name for name, score in scores.items() if score < _MASTERED] or list(scores)
            chosen = min(open_, key=lambda name: abs(scores[name] - near))
            shown = ", ".join(f"{name} {score:.0%}" for name, score in scores.items())
            self.remarks.append(f"The level was chosen before training, nearest to {near:.0%}: {shown}.")
        else:
            chosen = level if ":" in level else f"{arithmetic.name}:{level}"
        self.choose([chosen], items)
        return chosen

    def measure(self, policy: Policy, suites: Sequence[Suite] | None = None) -> Mapping[str, SuiteResult]:
        """Greedy scores of `policy`, item by item."""
        if suites is not None:
            return self.work.measure(policy, suites)
        more = [measured(policy) for measured in self.also]
        return {**self.work.measure(policy, self.suites), **{each.name: each for each in more}}
