"""The candidate answers of one prompt: cards side by side, or stacked where the terminal is narrow."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.events import Resize
from textual.widgets import Static

from mrclassic.tui.draw import Draw, Piece
from mrclassic.tui.keys import bindings
from mrclassic.tui.widgets.candidate_card import BORDER, CandidateCard

REPAINTS_PER_SECOND = 8
"""Of each card: fast enough to read along, slow enough that five streams leave the processor to the model."""
TURNS = 5
"""Cards are repainted in turn, so that a key waits for one of them and not for all; more cards have longer turns."""

SIDE_BY_SIDE = 110
"""Columns from which five cards stand side by side; narrower, each would hold three words a row."""

STEP = 3
"""Cards side by side have so many rows, or twice, or three times as many."""


class Candidates(Vertical, can_focus=True):
    """Takes the digits, arrows and letters while answers wait; hidden when none do."""

    BINDINGS: ClassVar = bindings("candidates")

    def __init__(self, count: int, take: Callable[[Piece], None], edit: Callable[[Piece], None]) -> None:
        """`take` and `edit` are called at once, not by message: the next key already belongs to what they show."""
        super().__init__(id="candidates")
        self._take = take
        self._edit = edit
        self.draw: Draw | None = None
        self.highlighted = 1
        self.note = ""
        self.waking = False
        self.prefix = ""
        """Stands before what is said of the draw."""
        self.details = False
        """Whether length and log-probability of each answer are shown."""
        self._head = Static("", id="candidates--note", markup=False)
        self._cards = [CandidateCard() for _ in range(count)]
        """Kept from draw to draw: mounting them anew would cost a tenth of a second."""
        self._table = Container(*self._cards, id="cards")
        self._columns = 0
        self._rows = 0
        """Rows that every card has while answers are written; at first as many as the last answers took."""
        self._next = 0

    def compose(self) -> ComposeResult:
        yield self._head
        yield self._table

    def on_mount(self) -> None:
        self.display = False
        self._turns = self.set_interval(1 / REPAINTS_PER_SECOND / TURNS, self._turn, pause=True)

    @property
    def chosen(self) -> Piece | None:
        """The highlighted candidate."""
        return self._piece(self.highlighted)

    async def show(self, draw: Draw, highlighted: int | None = None) -> None:
        """Show this draw; it may still be streaming, and is repainted while it does."""
        self.draw = draw
        self.note = ""
        with self.app.batch_update():
            more = [CandidateCard() for _ in range(len(draw.pieces) - len(self._cards))]
            if more:
                self._cards += more
                await self._table.mount_all(more)
            for card, piece in zip(self._cards, draw.by_position, strict=False):
                card.begin(piece.shown)
            for index, card in enumerate(self._cards):
                card.display = index < len(draw.pieces)
            self._table.styles.grid_size_columns = len(draw.pieces)
            self.remove_class("-failed")
            self.display = True
            self.repaint_cards()
            self._highlight(highlighted or draw.by_position[0].shown)
        self._turns.resume()
        self.call_after_refresh(self.repaint_cards)  # the width of cards that were hidden is known only now

    def fail(self, sentence: str) -> None:
        """Say why there are no answers."""
        self.note = sentence
        self.add_class("-failed")
        self.repaint_cards()

    def clear(self) -> None:
        """Show no answers."""
        self.draw = None
        self.display = False
        self._turns.pause()

    def _turn(self) -> None:
        """Bring the next card up to date; all of them at the end, and then no more."""
        if self.draw is None or not self.display:
            return
        if self.draw.done or self.note:
            self._turns.pause()
            self.repaint_cards()
        else:
            self._next += 1
            self._repaint(self._pairs()[self._next % len(self.draw.pieces)])

    def repaint_cards(self) -> None:
        """Bring all cards up to date with the draw."""
        if self.draw is not None and self.display:
            self._repaint(*self._pairs())

    def _repaint(self, *pairs: tuple[CandidateCard, Piece]) -> None:
        assert self.draw is not None
        for card, piece in pairs:
            card.paint(piece, self.draw.same_as(piece), self.details)
        self._stand()
        head = self.note or self.prefix + self._state()
        if head != str(self._head.content):
            self._head.update(head)

    def _stand(self) -> None:
        """Give the cards their heights, seldom anew. While answers are written all cards are equally high, and double
        until the room is used up; complete answers are shown whole, side by side in steps."""
        assert self.draw is not None
        pairs, stacked = self._pairs(), self.app.size.width < SIDE_BY_SIDE
        tallest = max(card.rows for card, _ in pairs)
        step = 1 if stacked else STEP
        if self.draw.done:
            self._rows = -(-tallest // step) * step
        else:
            room = max(self._room // len(pairs) if stacked else self._room - BORDER, step)
            rows = max(self._rows, step)
            self._rows = min(rows if tallest <= rows else max(2 * rows, tallest), room)
        self._table.styles.height = "auto" if stacked else self._rows + BORDER
        for card, piece in pairs:
            whole = stacked and piece.done and (self.draw.done or self.draw.only is not None)
            card.stand(stacked, None if whole else self._rows)

    @property
    def _room(self) -> int:
        """Rows that there are for cards."""
        most = self.styles.max_height
        return int(self.app.size.height * (most.value if most else 100) / 100) - 1

    def on_resize(self, event: Resize) -> None:
        if event.size.width != self._columns:
            self._columns = event.size.width
            self.call_after_refresh(self.repaint_cards)

    def _pairs(self) -> list[tuple[CandidateCard, Piece]]:
        """The cards in use with what they show."""
        return list(zip(self._cards, self.draw.by_position, strict=False)) if self.draw else []

    def _state(self) -> str:
        assert self.draw is not None
        if self.draw.done:
            return "Which one?"
        if self.waking and not any(piece.text for piece in self.draw.pieces):
            return "Mr. Classic is waking up…"
        return "Mr. Classic is writing…"

    def _piece(self, shown: int) -> Piece | None:
        pieces = self.draw.pieces if self.draw else []
        return next((piece for piece in pieces if piece.shown == shown), None)

    def _highlight(self, shown: int) -> None:
        self.highlighted = shown
        for card, piece in self._pairs():
            chosen = piece.shown == shown
            card.set_class(chosen, "-highlighted")
            if chosen:
                card.scroll_visible(animate=False)

    def _step(self, by: int) -> None:
        if self.draw is not None:
            positions = [piece.shown for piece in self.draw.by_position]
            place = positions.index(self.highlighted) if self.highlighted in positions else 0
            self._highlight(positions[(place + by) % len(positions)])

    def action_next(self) -> None:
        self._step(1)

    def action_previous(self) -> None:
        self._step(-1)

    def action_pick(self, shown: int) -> None:
        piece = self._piece(shown)
        if piece is None:
            return
        self._highlight(shown)
        if self._ready(piece):
            self._take(piece)

    def action_take(self) -> None:
        self.action_pick(self.highlighted)

    def action_details(self) -> None:
        """Show or hide how long and how likely each answer is."""
        self.details = not self.details
        self.repaint_cards()

    def action_copy(self) -> None:
        """Copy the highlighted answer, through the terminal (OSC 52), which also works over ssh."""
        if self.chosen is not None:
            self.app.copy_to_clipboard(self.chosen.text)
            self.notify("Copied.", timeout=2)

    def action_edit(self) -> None:
        piece = self._piece(self.highlighted)
        if piece is not None and self._ready(piece):
            self._edit(piece)

    def _ready(self, piece: Piece) -> bool:
        if not piece.done:
            self.notify("This answer is not finished yet.", timeout=2)
        elif not piece.text.strip():
            self.notify("This answer says nothing; pick another, or write your own with Tab.", timeout=4)
        return piece.done and bool(piece.text.strip())

    def on_candidate_card_clicked(self, event: CandidateCard.Clicked) -> None:
        event.stop()
        self.focus()
        self._highlight(event.shown)
        if event.twice:
            self.action_take()
