"""What the screen shows of the store, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mrclassic.titles import title
from mrclassic.tui.draw import Draw
from mrclassic.tui.widgets.conversations import Entry
from mrclassic.tui.widgets.history import Line

if TYPE_CHECKING:
    from mrclassic.store.nights import Night

NOTES = {"typed": "your own answer", "edited": "edited by you"}


@dataclass(frozen=True)
class View:
    """One conversation as it stands."""

    conversation: int | None = None
    title: str = ""
    system: str = ""
    """What the model is told before everything that is said."""
    lines: tuple[Line, ...] = ()
    prompt: int | None = None
    """The user's message that still waits for an answer."""
    draw: Draw | None = None
    """Its last stored draw; `None` if none was stored."""
    draft: str = ""
    said: str = ""
    """One sentence for the owner about how this view came about."""
    trouble: str = ""
    """Why the book must wait; empty while it can be written."""


@dataclass(frozen=True)
class Standing:
    """The facts of the status line and the list of conversations, read together."""

    checkpoint: str
    waiting: int
    night: str
    trouble: str
    """Why the book cannot be read or written; empty while it can."""
    entries: tuple[Entry, ...]
    imported: int
    """How many conversations lie apart from the owner's own."""


def night_words(night: Night | None, *, practising: bool = False, waiting: bool = False) -> str:
    """The last night in a few words; `practising` says whether one has the device now, `waiting` whether one waits for
    it. (What the store says of a night that was killed is older.)"""
    if waiting and not practising:
        return "a night waits until you pause"
    if night is None:
        return "no night yet"
    if night.status in ("planned", "running"):
        if not practising:
            return "the night was cut short"
        return f"practising: {title(night.stage)}" if night.stage else "practising"
    if night.status == "interrupted":
        return "the night gave way to you" if night.stage == "gave way" else "the night was cut short"
    if night.status == "done":
        verdict = str((night.gate or {}).get("verdict", "")) or "done"
        return f"last night: {verdict}"
    return "last night failed"


def title_of(text: str) -> str:
    """A conversation's title: the beginning of its first message."""
    line = " ".join(text.split())
    return line if len(line) <= 40 else line[:39].rstrip() + "…"
