"""Entries of the book that are taught no longer and kept where they stand, to come back some day.

    #- > What is your favourite colour?
    #- A deep green, like old leather chairs.

Each of their lines is a comment to whatever reads the book (`book.py`); taking the marks away brings the entry back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from mrclassic import book
from mrclassic.book import BookError, Entry
from mrclassic.errors import UsageError

MARK = "#- "


def retired(text: str) -> list[Entry]:
    """The retired entries of a book's text, in their order; marked lines that are no entry are none."""
    return [entry for entry, _, _ in _spans(book.clean(text).split("\n"))]


def retire(text: str, entry: Entry) -> tuple[str, bool]:
    """The text with `entry` retired wherever it stands, and whether it stood there; raises BookError."""
    lines = book.clean(text).split("\n")
    found = False
    for old, start, end in reversed(list(book.spans(lines))):
        if old == entry:
            comments = [line for line in lines[start:end] if line.startswith("#")]
            lines[start:end] = [*comments, *(MARK + line for line in lines[start:end] if not line.startswith("#"))]
            found = True
    return "\n".join(lines), found


def restore(text: str, entry: Entry) -> tuple[str, bool]:
    """The text with the retired `entry` back in its place, and whether it was there. Raises UsageError where the book
    has another reply to the same by now, and BookError."""
    other = book.find(text, entry.key)
    if other is not None and other != entry:
        raise UsageError(
            f"The book has another reply to that by now ({' '.join(other.reply.split())[:60]!r}, line {other.line}); "
            "retire that one first."
        )
    lines = book.clean(text).split("\n")
    for old, start, end in reversed(list(_spans(lines))):
        if old == entry:
            plain = [] if other is not None else [line.removeprefix(MARK) for line in lines[start:end]]
            before, after = "".join(lines[:start][-1:]).strip(), "".join(lines[end : end + 1]).strip()
            above = [""] if plain and before and not before.startswith("#") else []
            below = [""] if plain and after else []
            lines[start:end] = [*above, *plain, *below]
            return "\n".join(lines), True
    return text, False


def without(text: str, entry: Entry) -> str:
    """The text without that entry among the retired ones."""
    lines = book.clean(text).split("\n")
    for old, start, end in reversed(list(_spans(lines))):
        if old == entry:
            del lines[start : end + (end < len(lines) and not lines[end].strip())]
    return "\n".join(lines)


def put_away(path: Path, entry: Entry) -> bool:
    """Retire an entry of the book at `path`; returns whether it was there. Raises BookError, MrClassicError."""
    return _changed(path, entry, retire)


def bring_back(path: Path, entry: Entry) -> bool:
    """Bring a retired entry of the book at `path` back; returns whether it was there. Raises as `restore`."""
    return _changed(path, entry, restore)


def _changed(path: Path, entry: Entry, change: Callable[[str, Entry], tuple[str, bool]]) -> bool:
    with book.lock(path):
        text, found = change(book.read(path), entry)
        if found:
            book.write(path, text)
    return found


def _spans(lines: list[str]) -> Iterator[tuple[Entry, int, int]]:
    """Each retired entry with the half-open range of lines that it takes (0-based)."""
    start = 0
    while start < len(lines):
        end = start
        while end < len(lines) and lines[end].startswith(MARK):
            end += 1
        if end > start:
            try:
                (entry,) = book.parse("\n".join(line.removeprefix(MARK) for line in lines[start:end]))
            except (BookError, ValueError):  # a line of dashes, or a remark of the owner's
                pass
            else:
                yield Entry(entry.turns, line=start + 1), start, end
        start = max(end, start + 1)
