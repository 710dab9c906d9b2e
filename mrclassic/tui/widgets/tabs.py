"""A line of tabs with what lies in each; the keys belong to the screen, a click tells it."""

from __future__ import annotations

from collections.abc import Mapping

from rich.cells import cell_len
from textual.content import Content
from textual.events import Click, Resize
from textual.widgets import Static

_GAPS = (3, 2, 1)


class Tabs(Static):
    """Each tab is a title and a count; a click on one runs the screen's `show_tab`."""

    def __init__(self, *, id: str) -> None:
        super().__init__("", id=id)
        self._tabs: dict[str, tuple[str, int | None]] = {}
        self._here = ""
        self._ends: dict[str, int] = {}
        """The column behind each tab, and the gap that follows it."""

    def show(self, tabs: Mapping[str, tuple[str, int | None]], here: str) -> None:
        """Show these, one of them open."""
        self._tabs, self._here = dict(tabs), here
        self._paint()

    def on_resize(self, event: Resize) -> None:
        self._paint()

    async def on_click(self, event: Click) -> None:
        for name, end in self._ends.items():
            if event.x < end:
                await self.screen.run_action(f"show_tab('{name}')")
                return

    def _paint(self) -> None:
        words = {name: title if count is None else f"{title} {count:,}" for name, (title, count) in self._tabs.items()}
        taken = sum(map(cell_len, words.values())) + 1
        gap = next((gap for gap in _GAPS if taken + gap * (len(words) - 1) <= self.size.width), _GAPS[-1])
        line = Content(" ")
        self._ends = {}
        for name, word in words.items():
            style = "bold $accent" if name == self._here else "$foreground 60%"
            line = Content.assemble(line, (word, style), " " * gap)
            self._ends[name] = line.cell_length
        self.update(line)
