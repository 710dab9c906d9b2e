"""The nights and their reports, as the app reads them: the page beside its JSON, in the home's folder `nights`.

The app may load nothing that computes, so a report is read here as the plain JSON that it is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrclassic.titles import title
from mrclassic.tui.curves import Curve
from mrclassic.tui.visible import visible

if TYPE_CHECKING:
    from mrclassic.store.nights import Night

_WORDS = {"promote": "promoted", "keep": "kept the old", "interrupted": "cut short"}
_FIRST = ("reward", "loss")  # the curve that a stage is shown by: the first of these that it has


@dataclass(frozen=True)
class Listed:
    """A night in the list."""

    id: int
    when: str
    words: str
    page: Path | None


@dataclass(frozen=True)
class Page:
    """A report: its text (Markdown), and a curve of each stage."""

    text: str
    curves: tuple[Curve, ...] = ()


def listed(nights: Sequence[Night], folder: Path) -> tuple[Listed, ...]:
    """The nights as the list shows them, in the order given."""
    rows = []
    for night in nights:
        verdict = str((night.gate or {}).get("verdict", ""))
        words = _WORDS.get(verdict or night.status, night.status)
        when = datetime.fromisoformat(night.started).astimezone().strftime("%d %b %H:%M").lstrip("0")
        rows.append(Listed(night.id, when, words, folder / night.report if night.report else None))
    return tuple(rows)


def read(night: Listed) -> Page:
    """The report of a night, or a sentence where there is none."""
    if night.page is None:
        return Page(f"Night {night.id} has no report: it is {night.words}.")
    try:
        text = night.page.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return Page(f"The report of night {night.id} cannot be read: {error.strerror or error}.")
    try:
        facts = json.loads(night.page.with_suffix(".json").read_text(encoding="utf-8"))
        curves = tuple(curve for stage in facts["stages"] if (curve := _curve(stage)) is not None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        curves = ()  # the page says all of it in words
    return Page(visible(text), curves)


def _curve(stage: Mapping[str, Any]) -> Curve | None:
    for name in _FIRST:
        points = [(float(step), float(row[name])) for step, row in stage["curve"] if name in row]
        points = [(step, value) for step, value in points if math.isfinite(value)]
        if len(points) > 1:
            steps, values = zip(*points, strict=True)
            return Curve(visible(f"{title(stage['name'])}: {name} by update"), steps, values)
    return None
