"""What stages of a night, and how many of something, are called where their owner reads of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Their runs are called as their methods are, which says little of what is learned from.
_TITLES: Mapping[str, str] = MappingProxyType(
    {"dpo": "your picks (dpo)", "td": "your ratings (td)", "taste": "your taste"}
)


def title(stage: str) -> str:
    """The stage in words; its name where that says it."""
    return _TITLES.get(stage, stage)


def counted(count: float, word: str) -> str:
    """1 update, 2 updates, 1,500 entries of the book."""
    return f"{count:,.0f} {word if count == 1 else _plural(word)}"


def _plural(word: str) -> str:
    first, _, rest = word.partition(" of ")
    first = first[:-1] + "ies" if first.endswith("y") else first + "s"
    return f"{first} of {rest}" if rest else first
