"""A text box for the book's own format: questions, comments and retired lines in their colours, and each mistake said
at the end of its line."""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style
from rich.text import Text
from textual.events import Paste
from textual.widgets import TextArea

from mrclassic.tui.visible import visible

_WRAPPED = 5000
"""Lines up to which long ones are wrapped: beyond, laying them out takes seconds."""


class BookText(TextArea):
    """`mark` gives the sentences for lines (counted from 0)."""

    COMPONENT_CLASSES = {"book-text--asked", "book-text--remark", "book-text--fault"}  # noqa: RUF012 - as Textual has it

    def __init__(self) -> None:
        super().__init__(
            id="book-text",
            show_line_numbers=True,
            tab_behavior="focus",
            highlight_cursor_line=False,  # it would paint over the colours of the line
            max_checkpoints=200,
        )
        self.cursor_blink = False
        self._faults: dict[int, str] = {}

    def put(self, text: str, line: int = 0, first: int = 1) -> None:
        """Show a text, the cursor at the end of a line; `first` is the number of its first line."""
        self.soft_wrap = text.count("\n") < _WRAPPED
        self.line_number_start = first
        self.load_text(text)
        self.go(line)

    def go(self, line: int) -> None:
        """Put the cursor at the end of a line, and that line into sight."""
        row = min(line, self.document.line_count - 1)
        self.move_cursor((row, len(self.document.get_line(row))), center=True)

    def mark(self, faults: Mapping[int, str]) -> None:
        """Say these at the ends of their lines, and nothing at others."""
        if dict(faults) != self._faults:
            self._faults = dict(faults)
            self._line_cache.clear()
            self.refresh()

    def get_line(self, line_index: int) -> Text:
        """A line as it is painted."""
        words = visible(self.document.get_line(line_index))
        part = "asked" if words.startswith(">") else "remark" if words.startswith("#") else ""
        text = Text(words, end="", no_wrap=True)
        if part:
            text.stylize(self._colour(part))
        if line_index in self._faults:
            text.append(f"  ◂ {self._faults[line_index]}", self._colour("fault"))
        return text

    def _colour(self, part: str) -> Style:
        return Style(color=self.get_component_rich_style(f"book-text--{part}").color, italic=part == "fault")

    async def _on_paste(self, event: Paste) -> None:
        event.text = visible(event.text)
