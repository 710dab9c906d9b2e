"""One line of facts: the checkpoint in use, the picks that wait, last night, and how the model is."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rich.cells import cell_len
from textual.content import Content
from textual.events import Resize
from textual.widgets import Static


@dataclass(frozen=True)
class Facts:
    """What the line says; an empty part is left out."""

    checkpoint: str = ""
    waiting: int | None = None
    """Picks not learnt yet; None until they have been counted."""
    night: str = ""
    mind: str = ""
    trouble: bool = False
    book: str = ""
    """What is wrong with the book."""
    lesson: str = ""
    """A lesson that is going on."""
    practice: str = ""
    """How an evening's practice goes."""


class StatusLine(Static):
    """Drops its least important parts where the terminal is narrow."""

    def __init__(self) -> None:
        super().__init__("", id="status")
        self.facts = Facts()

    def say(self, **changed: object) -> None:
        """Change some of the facts."""
        facts = replace(self.facts, **changed)  # type: ignore[arg-type]
        if facts != self.facts:
            self.facts = facts
            self._paint()

    def on_resize(self, event: Resize) -> None:
        self._paint()

    def _paint(self) -> None:
        facts = self.facts
        # Most important first: what does not fit is dropped from the end.
        parts = [
            (facts.practice, "$accent"),
            (facts.mind, "$text-error" if facts.trouble else "$foreground 60%"),
            (
                facts.book or facts.lesson or _picks(facts.waiting),
                "$text-error" if facts.book else "$accent" if facts.waiting or facts.lesson else "$foreground 60%",
            ),
            (facts.checkpoint, "$foreground 60%"),
            (facts.night, "$foreground 60%"),
        ]
        line = Content("")
        room = self.size.width - 2
        for text, style in parts:
            if not text:
                continue
            joined = Content.assemble(line, ("  ·  " if line else "", "$foreground 60%"), (text, style))
            if line and cell_len(joined.plain) > room:
                break
            line = joined
        self.update(line)


def _picks(count: int | None) -> str:
    if count is None:
        return ""
    return "no picks waiting" if not count else f"{count} {'pick' if count == 1 else 'picks'} waiting"
