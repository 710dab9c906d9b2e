"""What the app remembers of itself from one evening to the next: `app.json` in the home.

Nothing depends on it: a file that is gone or unreadable is a first evening.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from mrclassic import files

if TYPE_CHECKING:
    from mrclassic.home import Home

NAME = "app.json"


@dataclass(frozen=True)
class Memory:
    """The conversation that was open, and the step of the tour that comes next (None: it is over)."""

    conversation: int | None = None
    tour: int | None = 0


def load(home: Home) -> Memory | None:
    """What was remembered; None on a first evening."""
    try:
        facts = json.loads((home.root / NAME).read_text(encoding="utf-8"))
        kept = {name: facts.get(name) for name in ("conversation", "tour")}
    except (OSError, ValueError, AttributeError):
        return None
    return Memory(**{name: value if isinstance(value, int) else None for name, value in kept.items()})


def save(home: Home, memory: Memory) -> None:
    """Remember it; raises OSError where it cannot be written."""
    files.replace(home.root / NAME, (json.dumps(asdict(memory)) + "\n").encode())
