"""What an experiment is made of: arms that are trained alike but for one thing, and what their results show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mrclassic.lab.ground import Ground
from mrclassic.model.policy import Policy
from mrclassic.stats import Interval, paired_proportions, wilson
from mrclassic.training.report import StepReport
from mrclassic.training.sentinel import REINFORCED, Rule, Verdict
from mrclassic.training.sentinel.optimum import not_finite
from mrclassic.training.state import State
from mrclassic.training.suites import SuiteResult

UNWATCHED: tuple[Rule, ...] = (not_finite,)  # for arms that are to show what nobody stops


@dataclass(frozen=True)
class Options:
    """What the caller asks for. `steps` or else `minutes` is the length of each arm; `practice` are fields of
    `grpo.Settings` that go before the owner's; `items` are measured of each level and of the book."""

    minutes: float = 1.0
    steps: int | None = None
    seeds: int = 1
    level: str | None = None
    items: int = 500
    practice: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A training run that has begun: its state, one update of it, and whether it has shown what it is to show."""

    state: State
    step: Callable[[State], StepReport]
    over: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Arm:
    """One way to train, with a sentinel of these `rules`. `steps` bounds it, whatever the caller asks for. Where nobody
    is obeyed, a sentinel of the rules in `shadow` is heard."""

    name: str
    about: str
    begin: Callable[[Policy, int], Method]  # from these weights, with this seed
    rules: tuple[Rule, ...] = REINFORCED
    steps: int | None = None
    shadow: tuple[Rule, ...] = REINFORCED


@dataclass(frozen=True)
class Result:
    """What became of an arm. `trained` counts the updates made, `kept` those left after a roll back; `verdict` is the
    sentinel's word that ended it; `would` what the full sentinel first said where it was not obeyed."""

    arm: str
    seed: int
    ended: str
    trained: int
    kept: int
    seconds: float
    verdict: Verdict | None
    would: tuple[int, Verdict] | None
    before: Mapping[str, SuiteResult]
    after: Mapping[str, SuiteResult]
    curve: Sequence[tuple[int, Mapping[str, float]]]

    @property
    def stopped(self) -> bool:
        """Whether the sentinel ended it for anything but having mastered its task."""
        return self.verdict is not None and "mastered" not in self.verdict.message

    def gain(self, suite: str) -> tuple[float, Interval]:
        """The change of a suite's score, item by item, with its 95% interval."""
        return compare(self.before[suite], self.after[suite])

    def values(self, metric: str) -> list[float]:
        """A metric's curve."""
        return [metrics[metric] for _, metrics in self.curve if metric in metrics]


@dataclass(frozen=True)
class Finding:
    """A claim and whether it held here (None: nothing to tell it by), in words with numbers."""

    claim: str
    held: bool | None
    words: str


class Experiment(Protocol):
    """A module of this package. It may have `prepare(ground, options, seed)` too: the weights that the arms of a seed
    begin from, instead of those of the model in use. One that trains nothing has `tell(ground, options)` instead of all
    that: its findings."""

    def arms(self, ground: Ground, options: Options) -> list[Arm]:
        """What is compared."""
        ...

    def findings(self, results: Sequence[Result], ground: Ground) -> list[Finding]:
        """What the results say."""
        ...


def compare(one: SuiteResult, other: SuiteResult) -> tuple[float, Interval]:
    """How much better `other` did on the same items, with its 95% interval (Tango)."""
    gained = sum(b > a for a, b in zip(one.scores, other.scores, strict=True))
    lost = sum(b < a for a, b in zip(one.scores, other.scores, strict=True))
    n = len(one.scores)
    return (gained - lost) / n, paired_proportions(gained, lost, n)


def score_words(result: SuiteResult) -> str:
    """A score with its 95% interval (Wilson)."""
    right, n = int(sum(result.scores)), len(result.scores)
    low, high = wilson(right, n)
    return f"{result.score:.1%} ({low:.1%} to {high:.1%})"


def of(results: Sequence[Result], arm: str) -> list[Result]:
    """The results of one arm, by seed."""
    return [result for result in results if result.arm == arm]


def points(value: float, reach: Interval) -> str:
    """A difference in points with its interval."""
    return f"{100 * value:+.1f} points ({100 * reach.low:+.1f} to {100 * reach.high:+.1f})"
