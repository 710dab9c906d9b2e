"""What the practice page reads of the store: the scores of each level over time, and how a curriculum chooses.

Everything here runs on the store's thread (`store_thread.py`) and knows no widget.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mrclassic.tui.curves import Thinned

if TYPE_CHECKING:
    from mrclassic.store import Run, Store

MASTERED, BEYOND = 0.95, 0.05
"""Success beyond which there is little to learn, as the reports of nights say it too."""
_AT_ONCE = 1000  # updates read at one look: the picks of the owner wait behind it
_LOOKED_AT = 20  # runs among which the newest that practised is looked for


@dataclass(frozen=True)
class Point:
    """What the model in use could do when it was measured."""

    when: str
    score: float
    checkpoint: str
    items: int | None = None


@dataclass(frozen=True)
class Skill:
    """A level: what was measured of it, oldest first, and when it was last practised (ISO 8601; empty: never)."""

    name: str
    points: tuple[Point, ...] = ()
    drawn: str = ""

    @property
    def score(self) -> float | None:
        """The newest."""
        return self.points[-1].score if self.points else None


def skills(store: Store) -> dict[str, Skill]:
    """Every level that was ever measured of the model in use and its ancestors, or practised."""
    points: defaultdict[str, dict[str, Point]] = defaultdict(dict)
    for point, name in sorted(_measured(store), key=lambda each: each[0].when):
        points[name][point.when] = point
    drawn = store.runs.drawn()
    return {
        name: Skill(name, tuple(points[name].values()) if name in points else (), drawn.get(name, ""))
        for name in sorted({*points, *drawn})
    }


def _measured(store: Store) -> Iterator[tuple[Point, str]]:
    """Of each checkpoint on the way to the one in use what was measured when it was made; of each night that kept the
    old one what that could do then."""
    used = store.checkpoints.in_use()
    line = store.checkpoints.lineage(used.id) if used else []
    items = {}
    for night in store.nights.list():
        gate = night.gate or {}
        suites = [suite for suite in gate.get("suites", ()) if ":" in suite["name"]]
        items[night.checkpoint] = {suite["name"]: suite["n"] for suite in suites}
        if gate.get("verdict") == "keep" and night.finished:
            for suite in suites:
                yield Point(night.finished, float(suite["parent"]), "", int(suite["n"])), suite["name"]
    for row in line:
        for name, score in row.metrics.items():
            if ":" in name and isinstance(score, int | float):
                yield Point(row.created, float(score), row.id, items.get(row.id, {}).get(name)), name


def words(text: str) -> tuple[str, ...]:
    """The parts of a list in the settings."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def practised(name: str, tasks: Iterable[str]) -> bool:
    """Whether words such as `arithmetic` or `gsm8k:1` name this level."""
    return any(name == word or name.startswith(f"{word}:") for word in tasks)


def day(when: str) -> str:
    """A moment as one says it."""
    return datetime.fromisoformat(when).astimezone().strftime("%d %b %H:%M").lstrip("0")


@dataclass(frozen=True)
class Arm:
    """What a curriculum made of a level in its run: its share of the questions, the success of its answers, and the
    signal that it gave, each over time; `signals` are empty in runs from before they were kept."""

    name: str
    shares: tuple[float, ...]
    success: tuple[float, ...] = ()
    signals: tuple[float, ...] = ()

    @property
    def why(self) -> str:
        """What its share follows from, in words."""
        if not self.success:
            return "not drawn so far" if self.shares[-1] > 0 else "closed so far"
        last = self.success[-1]
        found = "mastered" if last >= MASTERED else "beyond reach so far" if last <= BEYOND else "something to learn"
        return found + (f", signal {self.signals[-1]:.2f}" if self.signals else "")


@dataclass(frozen=True)
class Choosing:
    """A run in which a curriculum chose: its number, kind and night, whether it goes on, its arms by share."""

    run: int
    kind: str
    night: int | None
    started: str
    going_on: bool
    step: int
    arms: tuple[Arm, ...]
    more: bool
    """Whether there are updates that have not been read yet: look again."""


_CURVES = ("share", "success", "signal")


class Choices:
    """Looks again and again at the newest run that practised, and remembers what it has read of it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._run: tuple[int, str] | None = None
        self._passed: set[tuple[int, str]] = set()  # runs that are over and practised nothing
        self._step = 0
        self._curves: dict[str, dict[str, Thinned]] = {}

    def look(self) -> Choosing | None:
        """How it stands; None where nothing was practised yet."""
        run = self._newest()
        if run is None:
            return None
        if self._run != (run.id, run.status):  # what was taken up again goes back: it is read anew
            self._run, self._step = (run.id, run.status), 0
            self._curves = {kind: defaultdict(Thinned) for kind in _CURVES}
        rows = self._store.runs.steps(run.id, self._step, _AT_ONCE)
        for step, metrics in rows:
            self._step = step
            self._add(step, metrics)
        arms = [
            Arm(name, *(_values(self._curves[kind][name]) for kind in _CURVES)) for name in list(self._curves["share"])
        ]
        arms.sort(key=lambda arm: -arm.shares[-1])
        return Choosing(
            run.id,
            run.kind,
            run.night,
            run.started,
            run.status == "running",
            self._step,
            tuple(arms),
            len(rows) == _AT_ONCE,
        )

    def _newest(self) -> Run | None:
        for run in self._store.runs.list(limit=_LOOKED_AT):
            if self._run == (run.id, run.status):
                return run
            if (run.id, run.status) not in self._passed:
                first = self._store.runs.steps(run.id, 0, 1)
                if any(name.startswith("share/") for _, metrics in first for name in metrics):
                    return run
                if run.status != "running":
                    self._passed.add((run.id, run.status))
        return None

    def _add(self, step: int, metrics: Mapping[str, Any]) -> None:
        for name, value in metrics.items():
            kind, mark, arm = name.partition("/")
            if mark and kind in self._curves:
                self._curves[kind][arm].add(step, float(value))


def _values(curve: Thinned) -> tuple[float, ...]:
    """A curve so far."""
    return (*(value for _, value in curve.points), *curve.rest)


def bar(share: float, cells: int) -> tuple[str, str]:
    """A share as a bar: its full and its empty part. What is not nothing shows."""
    full = min(cells, max(round(share * cells), 1 if share > 0 else 0))
    return "━" * full, "━" * (cells - full)
