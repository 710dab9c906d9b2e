"""The first-run tour: one line at a time above the box, gone for good once it was seen or waved away.

It takes no keys: each step is over when the owner has done what it says, or when he clicks on.
"""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

STEPS = (
    ("sent", "Write something below and press Enter; five answers come."),
    ("picked", "A digit or a double click takes the best one; e edits it first, Tab leads to an answer of your own."),
    ("undone", "F8 takes a pick back, on second thoughts; /redo takes it once more."),
    ("practised", "F11 turns it round: questions are put for you, and you only pick. F11 again stops."),
    ("helped", "F1 shows every key, / in the box every command, Ctrl+P finds everything."),
)
"""What ends each step, and its words."""


class Tour(Static):
    """`step` counts from 0; None: it is over."""

    def __init__(self) -> None:
        super().__init__("", id="tour")
        self.step: int | None = None

    def on_mount(self) -> None:
        self.display = False

    def go(self, step: int | None) -> None:
        """Show this step; none, or one behind the last, ends it."""
        self.step = step if step is not None and 0 <= step < len(STEPS) else None
        self.display = self.step is not None
        if self.step is not None:
            self.update(
                Content.from_markup(
                    "[$accent]$place[/] $words  [$foreground 60%][@click=screen.tour('next')]next[/]  "
                    "[@click=screen.tour('off')]no tour[/][/]",
                    place=f"{self.step + 1} of {len(STEPS)}",
                    words=STEPS[self.step][1],
                )
            )

    def done(self, what: str) -> None:
        """The owner has done this; if the step was about it, it is over."""
        if self.step is not None and STEPS[self.step][0] == what:
            self.go(self.step + 1)
