"""What a night works with."""

from __future__ import annotations

from dataclasses import dataclass, field

from mrclassic.night import practice
from mrclassic.night.judging import Bench
from mrclassic.night.opinions import Opinions
from mrclassic.night.workplace import Parent, Workplace
from mrclassic.training import book


@dataclass(frozen=True)
class Means:
    """All of it follows from the home, the settings and the seed; `opinions` also from when the night was planned."""

    work: Workplace
    parent: Parent
    bench: Bench
    seed: int
    book: book.Settings
    subject: practice.Subject
    recipe: practice.Recipe
    opinions: Opinions = field(default_factory=Opinions)
