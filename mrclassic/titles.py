"""What the stages of a night are called where their owner reads of them."""

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
