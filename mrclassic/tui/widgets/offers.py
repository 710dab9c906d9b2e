"""The ways to complete a command, above the answer box: shown while there are some, walked with the arrows."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.widgets import Static

from mrclassic.tui.commands import Offer

ROWS = 6


class Offers(Static):
    """Takes no focus: the box keeps it, and hands the keys over."""

    class Clicked(Message):
        """A row was clicked."""

        def __init__(self, offer: Offer) -> None:
            super().__init__()
            self.offer = offer

    def __init__(self) -> None:
        super().__init__("", id="offers")
        self._offers: Sequence[Offer] = ()
        self._chosen = 0
        self._top = 0

    def on_mount(self) -> None:
        self.display = False

    def show(self, offers: Sequence[Offer]) -> None:
        """Show these; none hides it."""
        if list(offers) != list(self._offers):
            self._offers, self._chosen, self._top = offers, 0, 0
            self.display = bool(offers)
            self._paint()

    @property
    def chosen(self) -> Offer | None:
        """The one that is highlighted."""
        return self._offers[self._chosen] if self._offers else None

    def step(self, by: int) -> None:
        """Highlight another one."""
        self._chosen = (self._chosen + by) % len(self._offers)
        self._top = min(max(self._top, self._chosen - ROWS + 1), self._chosen)
        self._paint()

    def on_click(self, event: Click) -> None:
        place = self._top + event.y
        if place < len(self._offers):
            self.post_message(self.Clicked(self._offers[place]))

    def _paint(self) -> None:
        rows = []
        wide = max((len(offer.shown) for offer in self._offers), default=0)
        for place, offer in list(enumerate(self._offers))[self._top : self._top + ROWS]:
            here = place == self._chosen
            mark = ("▸ ", "$accent") if here else ("  ", "")
            shown = (offer.shown.ljust(wide + 2), "bold $accent" if here else "$foreground 80%")
            rows.append(Content.assemble(mark, shown, (offer.help, "$foreground 60%")))
        self.update(Content("\n").join(rows))
