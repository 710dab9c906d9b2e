"""How was this conversation? One key answers."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

WORDS = {1: "poor", 2: "weak", 3: "fair", 4: "good", 5: "splendid"}


def stars(score: int) -> str:
    """A score of five as it is shown."""
    return "★" * score + "☆" * (len(WORDS) - score)


class RatingScreen(ModalScreen[int | None]):
    """Closes with the score, 0 to take the rating back, or None."""

    BINDINGS: ClassVar = [
        *(Binding(str(score), f"rate({score})", word, show=False) for score, word in WORDS.items()),
        Binding("0,backspace", "rate(0)", "No rating", show=False),
        Binding("escape,enter,q,f12", "rate(-1)", "Close", show=False),
    ]

    def __init__(self, score: float | None) -> None:
        super().__init__()
        self._score = 0 if score is None else round(score)

    def compose(self) -> ComposeResult:
        with Vertical(id="rating"):
            yield Static("As far as it has come, this conversation is", classes="rating--words", markup=False)
            for score, word in WORDS.items():
                mark = ("  ▸ ", "$accent") if score == self._score else ("    ", "")
                yield Static(Content.assemble(mark, (f"{score}  {stars(score)}", "$accent"), "  ", word))
            if self._score:
                yield Static("0 takes the rating back", classes="rating--words", markup=False)

    def on_mount(self) -> None:
        page = self.query_one("#rating")
        page.border_title = "Rate"
        page.border_subtitle = "Esc closes"

    def action_rate(self, score: int) -> None:
        """Answer."""
        self.dismiss(None if score < 0 else score)
