"""One candidate answer: its digit, its text as it streams, and how it stands.

It paints its own lines, and while it streams only those that have changed. A new layout of the screen costs as much as
all else: only `stand` asks for one.
"""

from __future__ import annotations

import math

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from mrclassic.tui.draw import Piece
from mrclassic.tui.lines import GrowingLines, Line
from mrclassic.tui.visible import visible

DIGIT = 3
"""Columns that the digit takes where cards are stacked."""
BORDER = 2
TAB = 4


class CandidateCard(Widget):
    """A card; where cards are stacked the digit stands before the text and the note behind it, else in the border."""

    class Clicked(Message):
        """The card was clicked; twice means: take it."""

        def __init__(self, shown: int, twice: bool) -> None:
            super().__init__()
            self.shown = shown
            self.twice = twice

    def __init__(self) -> None:
        super().__init__(classes="card")
        self.shown = 0
        self.note = ""
        """How the answer stands, in two or three words."""
        self.done = False
        self._lines = GrowingLines()
        self._stands: tuple[bool, int | None, int] = (False, None, 0)

    @property
    def rows(self) -> int:
        """Rows that the text takes."""
        return len(self._lines.lines)

    @property
    def stacked(self) -> bool:
        """Whether it stands above or below others, and not beside them."""
        return self._stands[0]

    def begin(self, shown: int) -> None:
        """Take the place of position `shown`."""
        if shown != self.shown:
            self.shown = shown
            self.border_title = f" {shown} "

    def stand(self, stacked: bool, rows: int | None) -> None:
        """Be so many rows of text high (None: as many as it takes), which is a new layout of the screen. Of an answer
        that is being written and takes more, the end is shown."""
        stands = (stacked, rows, self.rows if rows is None else rows)
        if stands != self._stands:
            self._stands = stands
            self.styles.height = "auto" if rows is None else rows + (0 if stacked else BORDER)
            self._break()
            self.refresh(layout=True)

    def paint(self, piece: Piece, twin: int | None, details: bool = False) -> None:
        """Show the candidate as it is now, with its figures or without."""
        first, height = self._first, self.content_size.height
        note = "  ".join(filter(None, (_note(piece, twin, short=details), _figures(piece) if details else "")))
        afresh = (note, piece.done) != (self.note, self.done)
        if note != self.note:
            self.note = self.border_subtitle = note
        self.done = piece.done
        self.set_class(piece.done, "-done")
        self.set_class(twin is not None, "-twin")
        changed = self._break(visible(piece.text.strip()).expandtabs(TAB) or ("(says nothing)" if piece.done else "…"))
        if afresh or self._first != first:
            self.refresh()
        elif changed < first + height:
            self.refresh(Region(0, changed - first, self.content_size.width, height - changed + first))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        self._break(width=width)
        return self.rows

    def render_line(self, y: int) -> Strip:
        self._break()
        width, style, at = self.content_size.width, self.visual_style.rich_style, y + self._first
        words = self._words(self._lines.lines[at], style) if at < self.rows else Strip([])
        if self.stacked:
            digit, note = (str(self.shown), self.note) if y == 0 else ("", "")
            title, aside = self._labels(style)
            words = words.adjust_cell_length(width - self._beside, style)
            before, after = Segment(digit.ljust(DIGIT), title), Segment(note.rjust(self._beside - DIGIT), aside)
            words = Strip([before, *words, after])
        return words.adjust_cell_length(width, style)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        return selection.extract(self._lines.text), "\n"

    def on_click(self, event: Click) -> None:
        event.stop()
        self.post_message(self.Clicked(self.shown, event.chain >= 2))

    @property
    def _first(self) -> int:
        """The first line that is shown."""
        return 0 if self.done else max(0, self.rows - self.content_size.height)

    @property
    def _beside(self) -> int:
        """Columns that stacked cards need beside their text."""
        return DIGIT + (cell_len(self.note) + 2 if self.note else 0) if self.stacked else 0

    def _break(self, text: str | None = None, width: int | None = None) -> int:
        """Bring the lines up to date; returns the first that may have changed."""
        width = self.content_size.width if width is None else width
        return self._lines.show(self._lines.text if text is None else text, width - self._beside)

    def _words(self, line: Line, style: Style) -> Strip:
        """A line, with what is selected of it, and marked with its place for whoever selects."""
        words, parts = line.words, [Segment(line.words, style)]
        selection = self.text_selection
        span = None if selection is None else selection.get_span(line.paragraph)
        if span is not None:
            begin, end = max(0, span[0] - line.start), len(words) if span[1] < 0 else max(0, span[1] - line.start)
            chosen = style + self.screen.get_component_rich_style("screen--selection")
            parts = [Segment(words[:begin], style), Segment(words[begin:end], chosen), Segment(words[end:], style)]
        return Strip([part for part in parts if part.text]).apply_offsets(line.start, line.paragraph)

    def _labels(self, style: Style) -> tuple[Style, Style]:
        """The styles of digit and note where there is no border to hold them: as they would be in the border."""
        styles, behind = self.styles, self.background_colors[1]

        def label(color: Color, auto: bool, words: Style) -> Style:
            color = behind.get_contrast_text(color.a) if auto else color
            return style + words + Style(color=(behind + color).rich_color)

        return (
            label(styles.border_title_color, styles.auto_border_title_color, styles.border_title_style),
            label(styles.border_subtitle_color, styles.auto_border_subtitle_color, styles.border_subtitle_style),
        )


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
