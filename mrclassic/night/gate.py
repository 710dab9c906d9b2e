"""The gate: may the model of this night replace the one in use?

Both models answered the same items in the same order; what is judged is the difference item by item. The child is
promoted only if

- at least one *target* (what the night practised) gained: the lower bound of its paired gain is above 0;
- no target got worse: none has its whole interval below 0;
- no *watched* suite got worse in the same sense: a half-learnt skill flips on so many items that only a large guard
  could tell a loss of a few points from chance, but a loss that is beyond chance still refuses;
- every *guard* (what must not be lost) holds: the lower bound of its paired gain is above -margin, against the parent
  and, where given, against the golden checkpoint, so that small losses cannot add up over the months. A target may be
  *held* as well: a skill that an earlier night was promoted for is practised further, but not at any price.

Four decisions that the numbers depend on:

- Several targets are several chances to be lucky. The error is shared out (Bonferroni): with m sampled targets each
  is judged at 1 - (1 - confidence) / m. Guards are not, for a guard can only refuse.
- A guard in which no single item got worse passes whatever its size. An interval of 100 items reaches 3.7 points even
  if nothing changed, and a test that the parent itself could not pass protects nothing. One lost item of 100 does
  refuse at the usual margin: give a guard enough items (`stats.items_needed`).
- Where the items are all there is (every new entry of the book, answered greedily) there is no sample to generalise
  from: mark the suite `census`, and the difference is taken as the plain fact that it is. A skill is never a census.
- A half-learnt skill flips on a fifth of its items from one checkpoint to the next, so that a bound at 95% would refuse
  half of the nights that lost nothing. `HALF_LEARNT` is the confidence for those: with 1,000 items it refuses 97 of 100
  losses of five points and lets 9 of 10 unchanged skills pass (`mrclassic lab run gate` measures both). With fewer
  items than that takes `half_learnt` is surer, so that such losses are refused as before; what pays for it are the
  unchanged skills, of which with 200 items only half pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal, get_args

from mrclassic.stats import Interval, paired_mean, paired_proportions
from mrclassic.titles import counted

Kind = Literal["target", "guard", "watch"]
HELD_OUT = "held_out_picks"  # the suite of those that nothing was learned from
HALF_LEARNT = 0.5  # the confidence of a guard on which many items flip by chance; see above
_FLIPPING = 0.2  # the share of items that flip
_SPARED = 0.02  # by how much a loss that must be seen exceeds a margin
_SURE = NormalDist().inv_cdf(0.96)


@dataclass(frozen=True)
class SuiteScores:
    """Paired scores of one suite: the same items in the same order for every model; higher is better.

    `margin` is the suite's own, for a guard whose scores are not shares of right answers (a text loss, negated), and so
    is `confidence` (see `HALF_LEARNT`). `held` makes a target a guard too.
    """

    name: str
    kind: Kind
    parent: tuple[float, ...]
    child: tuple[float, ...]
    golden: tuple[float, ...] | None = None
    census: bool = False
    margin: float | None = None
    confidence: float | None = None
    held: bool = False


@dataclass(frozen=True)
class SuiteVerdict:
    """What the gate found in one suite. `gain`, `low` and `high` are child minus parent; `passed` is that a target
    gained or a guard held, `lost` that the suite speaks against the child."""

    name: str
    kind: Kind
    n: int
    parent: float
    child: float
    gain: float
    low: float
    high: float
    passed: bool
    reason: str
    golden: float | None = None
    golden_low: float | None = None
    lost: bool = False


@dataclass(frozen=True)
class Trial:
    """One way between parent and child on the items that choose: `share` 0 is the parent, 1 the child as it was
    trained. `refused` are the gate's words against it, `gain` the mean gain of its targets, `forgotten` the questions
    of the book that it does not answer any more."""

    share: float
    refused: tuple[str, ...]
    gain: float
    forgotten: tuple[str, ...] = ()


@dataclass(frozen=True)
class GateVerdict:
    """Promote the child, or keep the parent and the child as a candidate; `reasons` are sentences for the owner.

    `share` is how far from the parent to the trained model the judged one lies, `trials` those it was chosen from."""

    verdict: Literal["promote", "keep"]
    reasons: tuple[str, ...]
    suites: tuple[SuiteVerdict, ...] = ()
    share: float = 1.0
    trials: tuple[Trial, ...] = ()

    @property
    def promoted(self) -> bool:
        return self.verdict == "promote"


def half_learnt(items: int) -> float:
    """The confidence of a half-learnt guard of so many items: the least, from `HALF_LEARNT` on, at which a loss of two
    points more than its margin is refused in 96 of 100 cases if a fifth of the items flips."""
    chance = math.sqrt(_FLIPPING / items)
    return max(HALF_LEARNT, 2 * NormalDist().cdf(_SURE - _SPARED / chance) - 1)


def judge(suites: Sequence[SuiteScores], *, margin: float = 0.03, confidence: float = 0.95) -> GateVerdict:
    """Weigh the suites by the rules above.

    `margin` is in score units (0.03 = three points); `confidence` is that of the two-sided intervals shown.
    Raises ValueError for suites that cannot be judged: no items, lengths that differ, a score that is not finite, a
    name given twice, a single real-valued item that is only a sample.
    """
    for allowed in (margin, *(suite.margin for suite in suites if suite.margin is not None)):
        if allowed < 0 or not math.isfinite(allowed):
            raise ValueError(f"a margin of {allowed} is not a loss that could be allowed")
    for sure in (confidence, *(suite.confidence for suite in suites if suite.confidence is not None)):
        if not 0 < sure < 1:
            raise ValueError(f"a confidence of {sure} is not between 0 and 1")
    names = [suite.name for suite in suites]
    for suite in suites:
        _check(suite, names)
    chances = max(1, sum(suite.kind == "target" and not suite.census for suite in suites))
    strict = 1 - (1 - confidence) / chances
    verdicts = tuple(_weighed(suite, margin, confidence, strict) for suite in suites)
    targets = [verdict for verdict in verdicts if verdict.kind == "target"]
    lost = [verdict for verdict in verdicts if verdict.lost]
    gained = [verdict for verdict in targets if verdict.passed]
    if not targets:
        return GateVerdict("keep", ("Nothing was practised that could be measured, so there is no gain.",), verdicts)
    if gained and not lost:
        return GateVerdict("promote", tuple(verdict.reason for verdict in verdicts if verdict.passed), verdicts)
    against = lost if gained else [*(verdict for verdict in targets if not verdict.lost), *lost]
    return GateVerdict("keep", tuple(verdict.reason for verdict in against), verdicts)


def _weighed(suite: SuiteScores, margin: float, confidence: float, strict: float) -> SuiteVerdict:
    if suite.kind == "guard":
        return _guard(suite, margin, confidence)
    found = _target(suite, strict if suite.kind == "target" else confidence)
    if suite.held and not found.lost:
        guard = _guard(suite, margin, confidence)
        found = replace(found, golden=guard.golden, golden_low=guard.golden_low)
        return replace(found, lost=True, reason=guard.reason) if guard.lost else found
    return found


def _check(suite: SuiteScores, names: Sequence[str]) -> None:
    if names.count(suite.name) > 1:
        raise ValueError(f"two suites are called {suite.name}")
    if suite.kind not in get_args(Kind):
        raise ValueError(f"suite {suite.name}: {suite.kind!r} is none of {', '.join(get_args(Kind))}")
    if not suite.parent:
        raise ValueError(f"suite {suite.name} has no items")
    for who, scores in (("child", suite.child), ("golden", suite.golden)):
        if scores is not None and len(scores) != len(suite.parent):
            raise ValueError(
                f"suite {suite.name}: {len(suite.parent)} scores of the parent, {len(scores)} of the {who}; "
                "they must be of the same items"
            )
    for who, scores in (("parent", suite.parent), ("child", suite.child), ("golden", suite.golden)):
        for item, score in enumerate(scores or ()):
            if not math.isfinite(score):
                raise ValueError(f"suite {suite.name}: the {who}'s score of item {item} is {score}, not a number")


def _target(suite: SuiteScores, confidence: float) -> SuiteVerdict:
    gain = _gain(suite.parent, suite.child)
    interval = _interval(suite, suite.parent, confidence)
    passed = interval.low > 0 and gain > 0
    if passed:
        verb = "gained"
    elif interval.high < 0:
        verb = "got worse"
    elif gain == 0:
        verb = "did not change"
    else:
        verb = "changed by no more than chance"
    reason = f"{suite.name} {verb}: {_numbers(suite, suite.parent, interval)}"
    return replace(_verdict(suite, interval, passed, reason), lost=interval.high < 0)


def _guard(suite: SuiteScores, margin: float, confidence: float) -> SuiteVerdict:
    margin = margin if suite.margin is None else suite.margin
    confidence = confidence if suite.confidence is None else suite.confidence
    interval = _interval(suite, suite.parent, confidence)
    golden = None if suite.golden is None else _interval(suite, suite.golden, confidence)
    kept = _kept(suite.parent, suite.child, interval, margin)
    golden_kept = golden is None or _kept(suite.golden or (), suite.child, golden, margin)
    if not kept:
        reason = f"{suite.name} may have lost more than {_points(margin)}: {_numbers(suite, suite.parent, interval)}"
    elif not golden_kept:
        assert golden is not None
        reason = (
            f"{suite.name} may lie more than {_points(margin)} below the golden checkpoint: "
            f"{_numbers(suite, suite.golden or (), golden)}"
        )
    elif not _lost(suite.parent, suite.child):
        reason = f"{suite.name} held: no item got worse ({_numbers(suite, suite.parent, interval)})"
    else:
        reason = f"{suite.name} held: {_numbers(suite, suite.parent, interval)}"
    held = kept and golden_kept
    return replace(_verdict(suite, interval, held, reason, golden), lost=not held)


def _kept(before: Sequence[float], after: Sequence[float], interval: Interval, margin: float) -> bool:
    return interval.low > -margin or not _lost(before, after)


def _lost(before: Sequence[float], after: Sequence[float]) -> int:
    return sum(new < old for old, new in zip(before, after, strict=True))


def _gain(before: Sequence[float], after: Sequence[float]) -> float:
    """The mean difference, summed exactly, so that equal scores differ by exactly 0."""
    return math.fsum(new - old for old, new in zip(before, after, strict=True)) / len(before)


def _interval(suite: SuiteScores, before: Sequence[float], confidence: float) -> Interval:
    after = suite.child
    if suite.census:
        gain = _gain(before, after)
        return Interval(gain, gain)
    if all(score in (0.0, 1.0) for score in (*before, *after)):
        lost = _lost(before, after)
        return paired_proportions(_lost(after, before), lost, len(before), confidence)
    try:
        return paired_mean([new - old for old, new in zip(before, after, strict=True)], confidence)
    except ValueError as error:
        raise ValueError(f"suite {suite.name}: {error}") from error


def _verdict(
    suite: SuiteScores, interval: Interval, passed: bool, reason: str, golden: Interval | None = None
) -> SuiteVerdict:
    return SuiteVerdict(
        name=suite.name,
        kind=suite.kind,
        n=len(suite.parent),
        parent=_mean(suite.parent),
        child=_mean(suite.child),
        gain=_gain(suite.parent, suite.child),
        low=interval.low,
        high=interval.high,
        passed=passed,
        reason=reason,
        golden=None if suite.golden is None else _mean(suite.golden),
        golden_low=None if golden is None else golden.low,
    )


def _mean(scores: Sequence[float]) -> float:
    return math.fsum(scores) / len(scores)


def _points(margin: float) -> str:
    points = round(100 * margin, 2)
    return "1 point" if points == 1 else f"{points:g} points"


def _numbers(suite: SuiteScores, before: Sequence[float], interval: Interval) -> str:
    """`41.0% -> 47.5%, +6.5 points (between +2.1 and +10.9; 1,000 items)`, with plain numbers for other scores."""
    n = len(before)
    items = counted(n, "item")
    old, new = _mean(before), _mean(suite.child)
    gain = _gain(before, suite.child)
    if all(0 <= score <= 1 for score in (*before, *suite.child)):
        change = f"{old:.1%} -> {new:.1%}, {100 * gain:+.1f} points"
        reach = f"between {100 * interval.low:+.1f} and {100 * interval.high:+.1f}"
    else:
        change = f"{old:.4g} -> {new:.4g}, {gain:+.4g}"
        reach = f"between {interval.low:+.4g} and {interval.high:+.4g}"
    return f"{change} ({items}, all there are)" if suite.census else f"{change} ({reach}; {items})"
