"""What the sentinel remembers of a run: how it began, its last updates, its best, and what looking aside found.

"At first" is the first updates that know a number (self-play begins with some that are none of play), and stays that,
however long the run; with one exception. A curriculum that moves on to harder questions makes longer answers and
smaller rewards, and nothing is wrong. So where the mix of what is practised (`share/...`) has moved by a quarter, the
run is taken to begin anew; only the share of answers that the parser cannot find keeps its lowest beginning, because no
question is so hard that its answer may be unreadable.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from mrclassic.training.report import StepReport
from mrclassic.training.sentinel.spikes import REMEMBERED, too_large

WINDOW = 20  # updates that a mean is taken over: one odd batch must not stop a night
BEGINNING = WINDOW // 4  # updates that "at first" is the mean of
_KEPT = 60  # updates; no rule looks further back than 50
_MOVED = 0.25  # of the mix, in total variation
NOT_FOUND = "answers/not_found"


@dataclass(frozen=True)
class Look:
    """What looking aside found: (right, of how many) on held-out items and on the book. (0, 0): not measured. `step`
    and `reward` (the mean of the last updates) say when; the sentinel fills them in."""

    held_out: tuple[int, int] = (0, 0)
    book: tuple[int, int] = (0, 0)
    step: int = 0
    reward: float | None = None


@dataclass
class _Beginning:
    """Sums of each metric's first values, and the mix that was practised."""

    updates: int = 0
    total: dict[str, float] = field(default_factory=dict)
    count: dict[str, int] = field(default_factory=dict)
    mix: dict[str, float] = field(default_factory=dict)

    def add(self, metrics: Mapping[str, float]) -> None:
        self.mix = self.mix or _mix(metrics)
        self.updates += 1
        for key, value in metrics.items():
            if math.isfinite(value) and self.count.get(key, 0) < BEGINNING:
                self.total[key] = self.total.get(key, 0.0) + value
                self.count[key] = self.count.get(key, 0) + 1


class History:
    """A run so far, as the rules read it."""

    def __init__(self) -> None:
        self.updates = 0
        self.best = -math.inf  # of the mean reward over a window
        self.readable = math.inf  # the lowest beginning of `answers/not_found`
        self.looks: list[Look] = []
        self.paused: list[str] = []  # rules that ended this run before, which then went on
        self.spikes: list[int] = []  # of the last fifty updates those whose gradient stood out
        self._begun = _Beginning()
        self._recent: deque[StepReport] = deque(maxlen=_KEPT)

    def __len__(self) -> int:
        """Updates seen, from the first."""
        return self.updates

    @property
    def newest(self) -> StepReport:
        return self._recent[-1]

    def last(self, count: int) -> list[StepReport]:
        """The newest updates, oldest first; fewer where there are no more."""
        return list(self._recent)[-count:]

    def values(self, key: str, last: int = WINDOW) -> list[float]:
        """The finite values of `key` in the newest updates."""
        found = (report.metrics.get(key, math.nan) for report in self.last(last))
        return [value for value in found if math.isfinite(value)]

    def mean(self, key: str, last: int = WINDOW) -> float | None:
        """The mean of `key` over a full window of updates at least half of which knew it; else None."""
        values = self.values(key, last)
        return sum(values) / len(values) if self.updates >= last and 2 * len(values) >= last else None

    def median(self, key: str, last: int = 50) -> float | None:
        """The median of `key`, as soon as a window of values is known."""
        values = self.values(key, last)
        return median(values) if len(values) >= WINDOW else None

    def distance(self, last: int = WINDOW) -> float | None:
        """How far the model is from its reference (k3, nats a token): the middle one of a window of updates, for k3 has
        a long tail and one odd token can carry the mean of an update. (The median over tokens, `kl_median`, says little
        here: most tokens of worked answers are certain and never move.)"""
        values = self.values("kl", last)
        return median(values) if self.updates >= last and 2 * len(values) >= last else None

    def start(self, key: str) -> float | None:
        """What `key` was at first."""
        count = self._begun.count.get(key, 0)
        now = self._begun.total[key] / count if count else None
        return min(now, self.readable) if key == NOT_FOUND and now is not None else now

    def gained(self, more_than: float = 0.02) -> bool | None:
        """Whether reward rose since the beginning; None where there is none to compare. (Two points are the noise of a
        window of twenty updates with 256 completions each.)"""
        now, before = self.mean("reward"), self.start("reward")
        return None if now is None or before is None else now > before + more_than

    @property
    def moved(self) -> float:
        """How far the mix of what is practised is from what it was at first: at most so much of a reward can be owed to
        other questions."""
        return _distance(_mix(self.newest.metrics), self._begun.mix)

    # -- taking note

    def note(self, report: StepReport, look: Look | None = None) -> None:
        """Remember an update, and what was found by looking aside after it."""
        self.updates += 1
        mix = _mix(report.metrics)
        if self._begun.updates >= BEGINNING and _distance(mix, self._begun.mix) > _MOVED:
            readable = self.start(NOT_FOUND)
            self.readable = self.readable if readable is None else readable
            self._begun = _Beginning()
            self.best = -math.inf
        self._begun.add(report.metrics)
        if too_large(report.metrics.get("grad_norm", 0.0), self.values("grad_norm", REMEMBERED)):
            self.spikes.append(report.step)
        self.spikes = [step for step in self.spikes if step > report.step - REMEMBERED]
        self._recent.append(report)
        reward = self.mean("reward")
        self.best = max(self.best, -math.inf if reward is None else reward)
        if look is not None:
            self.look(look, report.step)

    def look(self, found: Look, step: int) -> None:
        """Remember what looking aside found after update `step`."""
        self.looks.append(Look(found.held_out, found.book, step, self.mean("reward")))

    # -- going on after an interruption

    def memory(self) -> list[dict[str, Any]]:
        """Everything, as plain JSON: one row about the run, then one for each update that is remembered."""
        head = {
            "updates": self.updates,
            "best": _plain(self.best),
            "readable": _plain(self.readable),
            "looks": [asdict(look) for look in self.looks],
            "paused": list(self.paused),
            "spikes": list(self.spikes),
            "begun": asdict(self._begun),
        }
        rows = [
            {"step": report.step, "metrics": dict(report.metrics), "applied": report.applied} for report in self._recent
        ]
        return [head, *rows]

    @classmethod
    def recalled(cls, memory: Sequence[Mapping[str, Any]]) -> History:
        """What `memory` gave."""
        found = cls()
        head, *rows = memory or ({},)
        if "updates" in head:
            found.updates = int(head["updates"])
            found.best = -math.inf if head["best"] is None else float(head["best"])
            found.readable = math.inf if head["readable"] is None else float(head["readable"])
            found.looks = [
                Look(_pair(look["held_out"]), _pair(look["book"]), look["step"], look["reward"])
                for look in head["looks"]
            ]
            found.paused, found.spikes = list(head["paused"]), list(head["spikes"])
            found._begun = _Beginning(**{name: _copy(value) for name, value in head["begun"].items()})
            found._recent.extend(StepReport(row["step"], row["metrics"], applied=row["applied"]) for row in rows)
        return found


def _mix(metrics: Mapping[str, float]) -> dict[str, float]:
    return {key: value for key, value in metrics.items() if key.startswith("share/") and math.isfinite(value)}


def _distance(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Total variation between two mixes; 0 where either is unknown."""
    if not one or not other:
        return 0.0
    return sum(abs(one.get(key, 0.0) - other.get(key, 0.0)) for key in {*one, *other}) / 2


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _pair(values: Sequence[int]) -> tuple[int, int]:
    return (int(values[0]), int(values[1]))


def _copy(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value
