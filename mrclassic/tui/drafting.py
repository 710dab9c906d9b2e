"""Editing the book: a stretch of it, as a text that is kept from the first stroke on and saved when it can be read.

What another program writes into the book meanwhile stays: the two are brought together when it is saved, and where both
changed the same, both versions are put before the owner and nothing is saved until one is gone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from mrclassic import book, files, merging
from mrclassic.errors import UsageError
from mrclassic.titles import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mrclassic.book import BookError, Entry
    from mrclassic.home import Home


@dataclass(frozen=True)
class Edit:
    """Lines `start` to `end` (from 0, half open) of the book as it was, `base`, are to become `text`."""

    base: str
    start: int
    end: int
    text: str
    line: int = 0
    """Where in `text` the owner begins, counted from 0."""

    @property
    def whole(self) -> bool:
        """Whether it is the whole book."""
        return self.start == 0 and self.end == self.base.count("\n") + 1

    @property
    def before(self) -> str:
        """The stretch as it was."""
        return "\n".join(self.base.split("\n")[self.start : self.end])

    @property
    def changed(self) -> bool:
        """Whether there is anything to save."""
        untouched = self.start == self.end and self.text.strip() in ("", ">")
        return self.text != self.before and not untouched


@dataclass(frozen=True)
class Outcome:
    """What came of saving: `edit` is what to go on with (of the whole book, where it clashed), `said` a sentence."""

    done: bool
    edit: Edit
    said: str


class Drafts:
    """The book of a home, being edited."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def whole(self, line: int = 1) -> Edit:
        """The whole book, beginning at a line."""
        base = book.read(self._home.book)
        return _sound(Edit(base, 0, base.count("\n") + 1, base, line - 1))

    def entry(self, wanted: Entry) -> Edit:
        """One entry; raises UsageError where it is not in the book any more."""
        base = book.read(self._home.book)
        lines = base.split("\n")
        places = [
            (start, end)
            for start, end in _paragraphs(lines)
            if lines[start].startswith(">") and wanted in book.examine("\n".join(lines[start:end]))[0]
        ]
        if not places:
            raise UsageError("The book has changed meanwhile, and this entry is not there any more.")
        start, end = min(places, key=lambda place: abs(place[0] + 1 - wanted.line))
        return _sound(Edit(base, start, end, "\n".join(lines[start:end])))

    def new(self) -> Edit:
        """An entry that is not there yet, at the end of the book."""
        base = book.read(self._home.book) or book.HEADER
        end = base.count("\n") + 1
        return Edit(base, end, end, "> ")

    def keep(self, edit: Edit) -> None:
        """Keep it, should the app end before it is saved; nothing is kept where nothing has changed. Raises OSError."""
        if not edit.changed:
            self.drop()
            return
        facts = {**asdict(edit), "kept": datetime.now().astimezone().isoformat(timespec="minutes")}
        files.replace(self._home.draft, json.dumps(facts).encode())

    def kept(self) -> tuple[Edit, str] | None:
        """What was kept and not saved, and when (day and minute)."""
        try:
            facts = json.loads(self._home.draft.read_text(encoding="utf-8"))
            when = datetime.fromisoformat(facts.pop("kept"))
            return Edit(**facts), when.strftime("%d %b %H:%M").lstrip("0")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, AttributeError):
            self.drop()  # cut short by a full disk; there is nothing in it to be read
            return None

    def drop(self) -> None:
        """Keep it no longer."""
        self._home.draft.unlink(missing_ok=True)

    def save(self, edit: Edit) -> Outcome:
        """Write it into the book, unless it cannot be read; raises MrClassicError where the file cannot be written."""
        faults = examine(edit)[1]
        if faults:
            where = faults[0].line + edit.start
            return Outcome(
                False, edit, f"Not saved: {counted(len(faults), 'mistake')} first. Line {where}: {faults[0].sentence}"
            )
        with book.lock(self._home.book):
            theirs = book.read(self._home.book)
            merged = merging.merge(edit.base, _put_in(edit), theirs)
            if merged.clashes:
                whole = Edit(theirs, 0, theirs.count("\n") + 1, merged.text, merged.clashes[0] - 1)
                return Outcome(
                    False,
                    whole,
                    f"Not saved: another program has changed the same. Both stand at line {merged.clashes[0]} now, "
                    "yours first: take one of them out.",
                )
            if merged.text != theirs:
                book.write(self._home.book, merged.text)
        self.drop()
        return Outcome(True, replace(edit, base=merged.text), f"Saved: {len(book.examine(merged.text)[0]):,} entries.")


def examine(edit: Edit) -> tuple[list[Entry], list[BookError]]:
    """The entries of the text, and its mistakes, with lines as they are in the text."""
    return book.examine(edit.text)


def _paragraphs(lines: list[str]) -> Iterator[tuple[int, int]]:
    """The ranges of lines up to a blank one, without the comments above them."""
    start = 0
    while start < len(lines):
        end = start
        while end < len(lines) and lines[end].strip():
            end += 1
        while start < end and lines[start].startswith("#"):
            start += 1
        if start < end:
            yield start, end
        start = end + 1


def _put_in(edit: Edit) -> str:
    """The book as it was, with the text in its place."""
    lines = edit.base.split("\n")
    if edit.whole:
        return edit.text
    above, below, text = lines[: edit.start], lines[edit.end :], edit.text.strip("\n")
    while above and not above[-1].strip() and (edit.start == len(lines) or not text):
        above.pop()
    if not text:
        return "\n".join([*above, *below])
    gap = [""] if above and above[-1].strip() and edit.start == len(lines) else []
    foot = [""] if not below or (below[0].strip() and not below[0].startswith("#")) else []
    return "\n".join([*above, *gap, *text.split("\n"), *foot, *below])


def _sound(edit: Edit) -> Edit:
    """Raises UsageError for a text that would not survive a text box."""
    for number, line in enumerate(edit.text.split("\n"), edit.start + 1):
        if len(line.splitlines()) > 1:
            raise UsageError(
                f"Line {number} of the book holds a character at which this editor breaks lines; edit it elsewhere."
            )
    return edit
