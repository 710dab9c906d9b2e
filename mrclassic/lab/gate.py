"""How often the gate is wrong: whole nights simulated item by item, judged by the code that judges the real ones.

Parent and child answer the same items. How sure a model is of an item is a normal variable, that of the child is
correlated with that of the parent so that a given share of verdicts flips by chance alone, and a mixture of the two is
as sure as the mixture of both: so the choice between parent and child is simulated too, with the numbers of items that
a night really uses. What the parent can do is that of the model in use. A loss is planted in every mixture alike, for
that is the hardest to see; an improvement, as weights have it, in proportion to the way from parent to child.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from mrclassic.lab.experiment import Finding, Options
from mrclassic.lab.ground import Ground
from mrclassic.night import blending
from mrclassic.night.gate import GateVerdict, Kind, SuiteScores, half_learnt, judge
from mrclassic.night.judging import EARNED, FEW, MASTERED, OLD, UNLEARNT
from mrclassic.night.run import GATE_ITEMS
from mrclassic.stats import wilson
from mrclassic.training.suites import skill

NIGHTS = 200
PLANTED = 0.05
_FALSE, _FOUND, _REFUSED = 0.05, 0.80, 0.95  # what the gate must reach
_FLIPS = {"book": 0.004, "mastered": 0.01, "half": 0.2}  # shares of items that flip from one checkpoint to the next
_GLANCE = 200  # items that the model in use is measured on

_normal = NormalDist()


@dataclass(frozen=True)
class Simulated:
    """A suite: what the parent can do of it, how many items choose and how many judge (0 choose: it is whole)."""

    name: str
    kind: Kind
    score: float
    choosing: int
    judging: int
    flips: float
    held: bool = False
    gain: float = 0.0  # planted, at the child
    loss: float = 0.0  # planted, in every mixture

    @property
    def half_learnt(self) -> bool:
        return (self.held or self.kind == "guard") and self.score < MASTERED


@dataclass(frozen=True)
class Nights:
    """Of how many nights so many were promoted, and how often each way from parent to child was judged."""

    promoted: int
    nights: int
    shares: Mapping[float, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return self.promoted / self.nights


def simulate(suites: Sequence[Simulated], seed: int, nights: int = NIGHTS) -> Nights:
    """`nights` nights on these suites."""
    rng = np.random.default_rng(seed)
    promoted, shares = 0, dict.fromkeys(blending.SHARES, 0)
    for _ in range(nights):
        drawn = {suite.name: rng.standard_normal((2, suite.choosing + suite.judging)) for suite in suites}

        def weighed(share: float, chooses: bool, drawn: Mapping[str, np.ndarray] = drawn) -> GateVerdict:
            return judge([scores(suite, drawn[suite.name], share, chooses) for suite in suites])

        share, _ = blending.choose(lambda share, weighed=weighed: weighed(share, True))  # type: ignore[misc]
        promoted += weighed(share, False).promoted
        shares[share] += 1
    return Nights(promoted, nights, shares)


def scores(suite: Simulated, drawn: np.ndarray, share: float, chooses: bool) -> SuiteScores:
    """The paired scores of a night: `drawn` (2, items) is how sure the parent is, and what is new in the child."""
    part = (
        slice(None) if not suite.choosing else slice(None, suite.choosing) if chooses else slice(suite.choosing, None)
    )
    parent, fresh = drawn[:, part]
    alike = _correlation(suite.score, suite.flips)
    child = alike * parent + np.sqrt(1 - alike**2) * fresh
    mixed = (1 - share) * parent + share * child
    mixed /= np.sqrt((1 - share) ** 2 + share**2 + 2 * share * (1 - share) * alike)  # equally good, whatever the share
    target = min(1.0, max(0.0, suite.score + share * suite.gain - suite.loss))
    return SuiteScores(
        suite.name,
        suite.kind,
        _right(parent, suite.score),
        _right(mixed, target),
        confidence=half_learnt(len(parent)) if suite.half_learnt else None,
        held=suite.held,
    )


def _right(sure: np.ndarray, score: float) -> tuple[float, ...]:
    threshold = _normal.inv_cdf(min(1 - 1e-9, max(1e-9, 1 - score)))
    return tuple((sure > threshold).astype(float).tolist())


@lru_cache(maxsize=64)
def _correlation(score: float, flips: float) -> float:
    """The correlation of two normal variables that lie on different sides of the threshold with probability `flips`."""
    score = min(1 - 1e-6, max(1e-6, score))
    flips = min(flips, 1.6 * score * (1 - score))  # two that know nothing of each other flip 2 p (1 - p)
    low, high = 0.0, 0.999999
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _apart(score, middle) > flips else (low, middle)
    return low


def _apart(score: float, alike: float) -> float:
    """The probability that of two normal variables exactly one exceeds the threshold, summed numerically."""
    threshold = _normal.inv_cdf(1 - score)
    grid = np.linspace(threshold, 8.0, 2001)
    heights = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi)
    below = np.array([_normal.cdf((threshold - alike * x) / np.sqrt(1 - alike**2)) for x in grid[::20]])
    return 2 * float(np.trapezoid(heights[::20] * below, grid[::20]))


# --- the nights that are simulated ---


def usual(success: Mapping[str, tuple[float, int]], book: int) -> list[Simulated]:
    """The suites of a night: the book's `book` entries, and levels with what can be done of them and their items."""
    found = [Simulated(OLD, "guard", 1 - 1e-4, 0, book, _FLIPS["book"])]
    for name, (score, items) in success.items():
        mastered = score >= MASTERED
        count = min(items, GATE_ITEMS if UNLEARNT < score < MASTERED else FEW)
        kind: Kind = "guard" if mastered else "target"
        flips = _FLIPS["mastered" if mastered else "half"]
        score = min(max(score, 0.002), 0.999)
        found.append(Simulated(name, kind, score, count // 3, count - count // 3, flips))
    return found


def with_earned(suites: Sequence[Simulated], score: float = 0.45) -> list[Simulated]:
    """And a level that an earlier night was promoted for, half-learnt, which is not practised any more."""
    count = GATE_ITEMS
    return [*suites, Simulated("earned", "guard", score, count // 3, count - count // 3, _FLIPS["half"])]


def planted(suites: Sequence[Simulated], name: str, **planted: float) -> list[Simulated]:
    """The same with a gain or a loss in one of them."""
    return [replace(suite, **planted) if suite.name == name else suite for suite in suites]  # type: ignore[arg-type]


def practised_at(suites: Sequence[Simulated], score: float) -> tuple[list[Simulated], str]:
    """The suites with the target that has most room set to `score`, and its name."""
    targets = [suite for suite in suites if suite.kind == "target"]
    chosen = max(targets, key=lambda suite: suite.score).name
    return [_half_learnt(suite, score) if suite.name == chosen else suite for suite in suites], chosen


def _half_learnt(suite: Simulated, score: float, held: bool = False, count: int = GATE_ITEMS) -> Simulated:
    return replace(suite, score=score, choosing=count // 3, judging=count - count // 3, held=held)


def tell(ground: Ground, options: Options) -> list[Finding]:
    """The error rates, with the book and the levels of this home; `seeds` times as many nights."""
    success = measured(ground)
    shown = ", ".join(f"{name} {score:.0%} ({items:,} items)" for name, (score, items) in success.items())
    ground.remarks.append(f"Simulated nights have {len(ground.work.entries)} book entries and the levels {shown}.")
    return findings(usual(success, len(ground.work.entries)), NIGHTS * options.seeds)


def measured(ground: Ground) -> dict[str, tuple[float, int]]:
    """What the model in use can do of each level that is practised, and how many held-out items that has."""
    levels = ground.work.practised()
    found = ground.measure(ground.policy, [skill(levels, name, _GLANCE, rotation=3) for name in levels.names])
    return {name: (result.score, len(levels.held_out(name))) for name, result in found.items()}


def findings(suites: Sequence[Simulated], nights: int = NIGHTS, seed: int = 1) -> list[Finding]:
    """The three bars, each in the case that is hardest for it, and what else is worth knowing."""
    found = []

    def rate(name: str, nights_: Sequence[Simulated]) -> Nights:
        return simulate(nights_, seed + len(name), nights)

    for score in (0.25, 0.45, 0.7):
        here, target = practised_at(suites, score)
        same = rate("same", here)
        words = f"{target} at {score:.0%}: {_share(same.promoted, nights)} promoted"
        found.append(Finding(f"of equal checkpoints at most {_FALSE:.0%} are promoted", same.rate <= _FALSE, words))
        gained = rate("gained", planted(here, target, gain=PLANTED))
        words = f"{target} at {score:.0%}: {_share(gained.promoted, nights)} promoted; judged: {_ways(gained)}"
        claim = f"a planted gain of 5 points is promoted in at least {_FOUND:.0%}"
        found.append(Finding(claim, gained.rate >= _FOUND, words))
    here, target = practised_at(suites, 0.45)
    here = with_earned(planted(here, target, gain=2 * PLANTED))
    held = [replace(suite, held=True) if suite.name == target else suite for suite in here]
    guards = [suite.name for suite in here if suite.kind == "guard" and suite.judging >= 100]
    claim = f"a planted loss of 5 points in a guarded suite is refused in at least {_REFUSED:.0%}"
    for name in guards:
        lost = rate(name, planted(here, name, loss=PLANTED))
        words = f"in {name}, while {target} gains 10 points: {_share(nights - lost.promoted, nights)} refused"
        found.append(Finding(claim, 1 - lost.rate >= _REFUSED, words))
    others = [suite.name for suite in here if suite.kind == "target" and suite.name != target]
    second = [_half_learnt(suite, 0.45, held=True) if suite.name in others[:1] else suite for suite in held]
    for name in others[:1]:
        lost = rate(name, planted(second, name, loss=PLANTED))
        words = f"in {name}, promoted before and practised further, at 45%: {_share(nights - lost.promoted, nights)}"
        found.append(Finding(claim, 1 - lost.rate >= _REFUSED, f"{words} refused"))
    for name, count in ((name, count) for name in others[:1] for count in (EARNED, 600, 300)):
        level = _half_learnt(next(suite for suite in here if suite.name == name), 0.45, held=True, count=count)
        there = planted([level if suite.name == name else suite for suite in held], name, loss=PLANTED)
        short = rate(f"{name} {count}", there)
        where = "a short night" if count == EARNED else f"of which there are but {count} items"
        words = f"in {name}, promoted before, {where}: {_share(nights - short.promoted, nights)} refused"
        found.append(Finding(claim, 1 - short.rate >= _REFUSED, words))
    kept = rate("unharmed", held)
    words = f"{_share(kept.promoted, nights)} promoted of nights that gain 10 points with a half-learnt skill guarded"
    found.append(Finding("a guard on a half-learnt skill lets good nights pass", None, words))
    return found


def _share(count: int, of: int) -> str:
    low, high = wilson(count, of)
    return f"{count} of {of} ({low:.1%} to {high:.1%})"


def _ways(nights: Nights) -> str:
    return ", ".join(f"{share:g}: {count}" for share, count in nights.shares.items() if count)
