"""What the app remembers of itself from one evening to the next: `app.json` in the home.

Nothing depends on it: a file that is gone or unreadable is a first evening.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mrclassic import files

if TYPE_CHECKING:
    from mrclassic.home import Home

NAME = "app.json"
FEWEST, MOST = 1, 9
"""Answers that can be drawn at once."""
COOLEST, HOTTEST = 0.0, 5.0


@dataclass(frozen=True)
class Wish:
    """How answers are to be drawn: how many, and how varied (None: as the model's makers advise)."""

    count: int
    temperature: float | None


@dataclass(frozen=True)
class Memory:
    """The conversation that was open, and the step of the tour that comes next (None: it is over)."""

    conversation: int | None = None
    tour: int | None = 0
    wish: Wish | None = None
    """What was chosen in the app and is not as the settings say."""
    instead_of: Wish | None = None
    """What the settings said then: once they are changed, that is the newer choice."""


def load(home: Home) -> Memory | None:
    """What was remembered; None on a first evening."""
    try:
        facts = json.loads((home.root / NAME).read_text(encoding="utf-8"))
        kept = {name: facts.get(name) for name in ("conversation", "tour")}
        wish, instead_of = (_wish(facts.get(name)) for name in ("wish", "instead_of"))
    except (OSError, ValueError, AttributeError):
        return None
    numbers = {name: value if isinstance(value, int) else None for name, value in kept.items()}
    return Memory(**numbers, wish=wish, instead_of=instead_of)


def _wish(kept: Any) -> Wish | None:
    """A wish that can be fulfilled; None for anything else."""
    count, heat = (kept.get("count"), kept.get("temperature")) if isinstance(kept, dict) else (None, None)
    if not (isinstance(count, int) and FEWEST <= count <= MOST):
        return None
    if heat is not None and not (isinstance(heat, int | float) and COOLEST <= heat <= HOTTEST):
        return None
    return Wish(count, heat)


def save(home: Home, memory: Memory) -> None:
    """Remember it; raises OSError where it cannot be written."""
    files.replace(home.root / NAME, (json.dumps(asdict(memory)) + "\n").encode())
