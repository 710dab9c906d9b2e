"""The checkpoints as the app shows them: a tree of who came from whom, and what was measured of each."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mrclassic.home import Home
    from mrclassic.store import Checkpoint, Store, Tally

_NAME = re.compile(r"\d{8}-\d{6}-(.+?)(?:-\d+)?")


@dataclass(frozen=True)
class Branch:
    """A checkpoint in the tree; `lines` is what is drawn before it."""

    id: str
    lines: str
    kind: str
    """How it was made: hatch, night, lesson, import, ..."""
    when: str
    status: str
    parent: str | None
    parameters: int
    in_use: bool
    golden: bool
    here: bool
    """Whether its files are here; pruned ones are remembered only."""
    metrics: dict[str, float] = field(default_factory=dict)
    fares: Tally | None = None
    """How it fares in comparisons with the one in use."""

    @property
    def scores(self) -> str:
        """The main ones in short: what it knows by heart, and the mean of the levels that were measured."""
        levels = [score for name, score in self.metrics.items() if ":" in name]
        book = self.metrics.get("book_recall", self.metrics.get("old_entries"))
        parts = [] if book is None else [f"book {book:.0%}"]
        return ", ".join([*parts, *([f"levels {fmean(levels):.0%}"] if levels else [])])


@dataclass(frozen=True)
class Side:
    """One side of a comparison."""

    checkpoint: str
    text: str


def tree(store: Store, home: Home) -> tuple[Branch, ...]:
    """Every checkpoint, parents before children. The line that leads to the one in use, or else to the newest, goes
    straight down; what branched off stands beside it."""
    rows = {row.id: row for row in reversed(store.checkpoints.list())}
    used, golden = store.checkpoints.in_use(), store.checkpoints.golden()
    trunk = {row.id for row in store.checkpoints.lineage(used.id)} if used else set()
    children: defaultdict[str | None, list[Checkpoint]] = defaultdict(list)
    for row in rows.values():
        children[row.parent if row.parent in rows else None].append(row)
    drawn: list[Branch] = []

    def draw(row: Checkpoint, lines: str, rest: str) -> None:
        """`lines` stand before the checkpoint itself, `rest` before what comes below it."""
        metrics = {name: float(value) for name, value in row.metrics.items() if isinstance(value, int | float)}
        other = used is not None and row.id != used.id
        drawn.append(
            Branch(
                row.id,
                lines,
                kind_of(row.id),
                datetime.fromisoformat(row.created).astimezone().strftime("%d %b %H:%M").lstrip("0"),
                row.status,
                row.parent,
                row.parameters,
                used is not None and row.id == used.id,
                golden is not None and row.id == golden.id,
                (home.checkpoints / row.path).is_dir(),
                metrics,
                store.votes.tally(row.id, used.id) if other and used else None,
            )
        )
        below = children[row.id]
        if not below:
            return
        straight = next((child for child in below if child.id in trunk), below[-1])
        for child in below:
            if child is not straight:
                draw(child, f"{rest}├─", f"{rest}│ ")
        draw(straight, rest, rest)

    for root in children[None]:
        draw(root, "", "")
    return tuple(drawn)


def kind_of(name: str) -> str:
    """How a checkpoint was made, by its name."""
    found = _NAME.fullmatch(name)
    return found[1] if found else name
