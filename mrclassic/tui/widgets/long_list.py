"""A list of any length, a row a line: only the rows that can be seen are ever laid out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.binding import Binding
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mrclassic.tui.visible import visible

_ASIDE_FROM = 56
"""Columns from which there is room for what stands aside."""


@dataclass(frozen=True)
class LongRow:
    """A mark of one cell in one of the `KINDS`, the words, and what stands dimmed beside them where there is room."""

    mark: str
    kind: str
    words: str
    aside: str = ""


class LongList(ScrollView, can_focus=True):
    """Arrows, Home, End and the pages move; a click or Enter chooses."""

    KINDS: ClassVar = ("good", "bad", "new", "quiet")
    COMPONENT_CLASSES: ClassVar = {
        "long-list--here",
        "long-list--kept",
        "long-list--aside",
        *(f"long-list--{kind}" for kind in KINDS),
    }
    BINDINGS: ClassVar = [
        Binding("up,k", "move(-1)", "The one before", show=False),
        Binding("down,j", "move(1)", "The next", show=False),
        Binding("pageup", "page(-1)", "A page up", show=False),
        Binding("pagedown", "page(1)", "A page down", show=False),
        Binding("home", "edge(False)", "The first", show=False),
        Binding("end", "edge(True)", "The last", show=False),
        Binding("enter", "choose", "Choose", show=False),
    ]
    highlighted: reactive[int] = reactive(0, repaint=False)

    class Highlighted(Message):
        """Another row is highlighted."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    class Chosen(Highlighted):
        """A row was chosen."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.count = 0
        self._row: Callable[[int], LongRow]

    def show(self, count: int, row: Callable[[int], LongRow], highlighted: int = 0) -> None:
        """Show so many rows, each made when it is looked at; the one highlighted is told of in any case."""
        self.count, self._row = count, row
        self.virtual_size = Size(0, count)
        place = min(max(highlighted, 0), max(count - 1, 0))
        self.set_reactive(LongList.highlighted, place)
        self.refresh()
        self._come_in_sight()
        if count:
            self.post_message(self.Highlighted(place))

    def watch_highlighted(self) -> None:
        self.refresh()
        self._come_in_sight()
        self.post_message(self.Highlighted(self.highlighted))

    def _come_in_sight(self) -> None:
        if self.count:
            self.scroll_to_region(Region(0, self.highlighted, 1, 1), animate=False, force=True, x_axis=False)

    def render_line(self, y: int) -> Strip:
        width, place = self.size.width, y + int(self.scroll_offset.y)
        style = self.rich_style
        if place >= self.count:
            return Strip.blank(width, style)
        row = self._row(place)
        words = " ".join(visible(row.words).split()) or "(nothing)"
        room = max(width - 4, 1)
        aside = ""
        if row.aside and width >= _ASIDE_FROM:
            half = min(cell_len(words), room * 3 // 5)
            words, aside = _cut(words, half), _cut("  " + " ".join(visible(row.aside).split()), room - half)
        parts = [
            Segment(f" {row.mark} ", style + self.get_component_rich_style(f"long-list--{row.kind}")),
            Segment(_cut(words, room), style),
            Segment(aside, style + self.get_component_rich_style("long-list--aside")),
        ]
        strip = Strip(parts).adjust_cell_length(width, style)
        if place != self.highlighted:
            return strip
        name = "here" if self.has_focus else "kept"
        found = self.get_component_rich_style(f"long-list--{name}")
        return Strip(Segment(segment.text, (segment.style or style) + found) for segment in strip)

    def action_move(self, by: int) -> None:
        self.highlighted = min(max(self.highlighted + by, 0), max(self.count - 1, 0))

    def action_page(self, by: int) -> None:
        self.action_move(by * max(self.size.height - 1, 1))

    def action_edge(self, last: bool) -> None:
        self.action_move(self.count if last else -self.count)

    def action_choose(self) -> None:
        if self.count:
            self.post_message(self.Chosen(self.highlighted))

    def on_click(self, event: Click) -> None:
        place = event.y + int(self.scroll_offset.y)
        if place < self.count:
            self.highlighted = place

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()


def _cut(words: str, cells: int) -> str:
    return words if cell_len(words) <= cells else set_cell_size(words, max(cells - 1, 0)).rstrip() + "…"
