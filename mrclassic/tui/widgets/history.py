"""The conversation so far. Only the last messages are mounted; earlier ones come on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.containers import VerticalScroll
from textual.events import Click
from textual.widgets import Static

from mrclassic.tui.keys import bindings
from mrclassic.tui.widgets.bubble import Bubble

MOUNTED = 20
"""Messages mounted at first, and with each step back: layout time grows with what is mounted."""

MOST = 60
"""Messages mounted at most by what is said in one sitting."""

WELCOME = """\
Good day. I am Mr. Classic, and I am yours: I live on this machine and learn only from you.

Write something below. I shall give five answers; pick the one you like best with its digit, or write a better one. \
What you pick I learn by heart."""


@dataclass(frozen=True)
class Line:
    """A message as the history shows it."""

    role: str
    text: str
    note: str = ""
    message: int | None = None
    """The stored message; `None` until it is stored."""


class History(VerticalScroll):
    """Scrolls; stays at the end while messages are added."""

    BINDINGS: ClassVar = bindings("history")

    def __init__(self) -> None:
        super().__init__(id="history")
        self._earlier: list[Line] = []
        self._showing = asyncio.Lock()
        self.chosen: Bubble | None = None
        """The message that fork and copy mean."""

    def on_mount(self) -> None:
        self.anchor()

    async def show(self, lines: Sequence[Line]) -> None:
        """Replace everything by this conversation."""
        async with self._showing:
            self._earlier, self.chosen = [], None
            with self.app.batch_update():
                await self.remove_children()
                self._earlier = list(lines[:-MOUNTED])
                shown: list[Static | Bubble] = [_bubble(line) for line in lines[-MOUNTED:]]
                if not lines:
                    shown = [_welcome()]
                await self.mount_all([self._earlier_line(), *shown])
        self.anchor()
        self.scroll_end(animate=False)

    def add(self, line: Line) -> Bubble:
        """Append one message and scroll to it."""
        self.query("#welcome").remove()
        self._thin()
        bubble = _bubble(line)
        self.mount(bubble)
        self.choose(None)
        self.anchor()
        return bubble

    def _thin(self) -> None:
        """Of a long evening the oldest messages are unmounted; they come back like all earlier ones."""
        bubbles = self.bubbles
        if len(bubbles) >= MOST:
            gone = bubbles[:-MOUNTED]
            self._earlier += [Line(each.role, each.text, each.note, each.message) for each in gone]
            with self.app.batch_update():
                self.remove_children(gone)
            self._show_earlier(self.query_one("#earlier", Static))

    def choose(self, bubble: Bubble | None) -> None:
        """Mark a message as the one that is meant."""
        if self.chosen is not None:
            self.chosen.remove_class("-chosen")
        self.chosen = bubble
        if bubble is not None:
            bubble.add_class("-chosen")
            bubble.scroll_visible(animate=False)

    def find(self, message: int) -> None:
        """Choose this stored message, if it is mounted."""
        for bubble in self.bubbles:
            if bubble.message == message:
                self.call_after_refresh(self.choose, bubble)

    def action_choose(self, by: int) -> None:
        """The message before or after; the first step chooses the last one."""
        bubbles = self.bubbles
        if bubbles:
            place = bubbles.index(self.chosen) + by if self.chosen in bubbles else len(bubbles) - 1
            self.choose(bubbles[min(max(place, 0), len(bubbles) - 1)])

    @on(Bubble.Clicked)
    def _meant(self, event: Bubble.Clicked) -> None:
        self.choose(event.said)

    def take_back(self) -> None:
        """Remove the last message."""
        bubbles = self.bubbles
        if bubbles:
            bubbles[-1].remove()
        if len(bubbles) < 2 and not self._earlier:
            self.mount(_welcome())

    @property
    def bubbles(self) -> list[Bubble]:
        """The mounted messages, oldest first."""
        return list(self.query(Bubble))

    async def action_earlier(self) -> None:
        """Go to the beginning; from there, mount the messages before it."""
        if self.scroll_y > 0 or not self._earlier:
            self.scroll_home(animate=False)
            return
        more, self._earlier = self._earlier[-MOUNTED:], self._earlier[:-MOUNTED]
        line = self.query_one("#earlier", Static)
        await self.mount_all([_bubble(m) for m in more], after=line)
        self._show_earlier(line)

    @on(Click, "#earlier")
    async def _clicked(self) -> None:
        self.scroll_home(animate=False)
        await self.action_earlier()

    def _earlier_line(self) -> Static:
        line = Static(id="earlier", markup=False)
        self._show_earlier(line)
        return line

    def _show_earlier(self, line: Static) -> None:
        line.display = bool(self._earlier)
        line.update(f"▲ {len(self._earlier)} earlier messages")


def _bubble(line: Line) -> Bubble:
    return Bubble(line.role, line.text, line.note, line.message)


def _welcome() -> Static:
    return Static(WELCOME, id="welcome", markup=False)
