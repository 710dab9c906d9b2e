"""One candidate answer: its digit, its text as it streams, and how it stands.

While it streams it is a plain `Static`, repainted a few times a second: five live Markdown widgets cannot keep up.
"""

from __future__ import annotations

import math

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Click
from textual.message import Message
from textual.widgets import Static

from mrclassic.tui.draw import Piece
from mrclassic.tui.visible import visible


class CandidateCard(Horizontal):
    """A card; in the narrow layout the digit stands before the text, in the wide one in the border."""

    class Clicked(Message):
        """The card was clicked; twice means: take it."""

        def __init__(self, shown: int, twice: bool) -> None:
            super().__init__()
            self.shown = shown
            self.twice = twice

    def __init__(self) -> None:
        super().__init__(classes="card")
        self.shown = 0
        self.rows = 1
        """Rows that the text takes."""
        self.fixed = False
        """Its height is set from outside, so a longer text needs no new layout."""
        self._digit = Static("", classes="card--digit", markup=False)
        self._text = Static("…", classes="card--text", markup=False)
        self._note = Static("", classes="card--note", markup=False)
        self._painted: tuple[object, ...] = ()
        self._said = ""

    def compose(self) -> ComposeResult:
        yield self._digit
        yield self._text
        yield self._note

    def begin(self, shown: int) -> None:
        """Take the place of position `shown`."""
        self._painted = ()
        if shown != self.shown:
            self.shown = shown
            self.border_title = f" {shown} "
            self._digit.update(str(shown))

    def paint(self, piece: Piece, twin: int | None, details: bool = False) -> bool:
        """Show the candidate as it is now, with its figures or without; true if it needs more or fewer rows."""
        width = self._text.content_size.width
        state = (piece.text, piece.finish_reason, twin, width, details)
        if state == self._painted:
            return False
        self._painted = state
        text = visible(piece.text.strip()) or ("(says nothing)" if piece.done else "…")
        self._text.update(text, layout=False)
        rows = self._text.visual.get_height(self._text.styles.get_rules(), width) if width else 1
        grown, self.rows = rows != self.rows, rows
        note = "  ".join(filter(None, (_note(piece, twin, short=details), _figures(piece) if details else "")))
        if note != self._said:
            self._said = note
            self.border_subtitle = note
            self._note.update(note)
            self.set_class(bool(note), "-noted")
        self.set_class(piece.done, "-done")
        self.set_class(twin is not None, "-twin")
        if grown and not self.fixed:
            # Only now is a new layout of the screen worth its price.
            self._text.refresh(layout=True)
        return grown

    def on_click(self, event: Click) -> None:
        event.stop()
        self.post_message(self.Clicked(self.shown, event.chain >= 2))


def _figures(piece: Piece) -> str:
    """Its length in tokens, and the mean log-probability of one (0 is certain; a server of another kind says none)."""
    if not piece.tokens:
        return ""
    each = "" if math.isnan(piece.logprob) else f" {piece.logprob / piece.tokens:.2f}".replace("-", "−")
    return f"{piece.tokens} tok{each}"


def _note(piece: Piece, twin: int | None, short: bool) -> str:
    """How the candidate stands, in two or three words; shorter beside figures: five cards stand on 110 columns."""
    if twin is not None:
        return f"= {twin}" if short else f"same as {twin}"
    if piece.finish_reason == "length":
        return "cut" if short else "cut short"
    return ""
