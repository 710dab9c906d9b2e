"""A text that grows at its end, broken into lines of a width: only its last line is broken anew.

Breaking is greedy, so that what is appended cannot change a line but the last.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells

_WORD = re.compile(r"\s*\S+\s*")


@dataclass(frozen=True)
class Line:
    """A line as it is shown, and where it begins: in which paragraph, and at which of its characters."""

    words: str
    paragraph: int
    start: int


class GrowingLines:
    """The lines of `text` at `width` cells; no text is one empty line."""

    def __init__(self) -> None:
        self.text = ""
        self.width = 0
        self.lines: list[Line] = [Line("", 0, 0)]

    def show(self, text: str, width: int) -> int:
        """Take on a text; returns the first line that may have changed, which is `len(lines)` where none has."""
        width = max(width, 1)
        grows = width == self.width and text.startswith(self.text)
        if grows and len(text) == len(self.text):
            return len(self.lines)
        last = self.lines[-1] if grows else Line("", 0, 0)
        kept = len(self.lines) - 1 if grows else 0
        self.text, self.width = text, width
        del self.lines[kept:]
        at = last.start
        for number, paragraph in enumerate(text.split("\n")[last.paragraph :], last.paragraph):
            starts = [at, *broken(paragraph, width, at)]
            ends = [*starts[1:], len(paragraph)]
            self.lines += [
                Line(paragraph[start:end].rstrip(), number, start) for start, end in zip(starts, ends, strict=True)
            ]
            at = 0
        return kept


def broken(paragraph: str, width: int, at: int = 0) -> list[int]:
    """Where the lines after the one that begins at `at` begin: at the first word that does not fit, or within one that
    is longer than a line."""
    starts: list[int] = []
    used, begins = 0, at
    while (match := _WORD.match(paragraph, begins)) is not None:
        begins, ends = match.span()
        word = match[0]
        length = cell_len(word.rstrip())
        if used and used + length > width:
            starts.append(begins)
            used = 0
        if length > width:
            pieces = [piece for piece in chop_cells(word.rstrip(), width) if piece]
            for piece in pieces[:-1]:
                begins += len(piece)
                starts.append(begins)
            used = cell_len(pieces[-1]) + cell_len(word) - length
        else:
            used += cell_len(word)
        begins = ends
    return starts
