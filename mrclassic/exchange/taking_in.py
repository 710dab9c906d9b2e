"""Files into the store: all that can be read of them, or, where something fails, nothing.

A preference becomes an imported preference, which taste can learn from; a conversation one in the list. Neither goes
into the book unless that is asked for. What was there before is known by what it says, and is not taken twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mrclassic import book
from mrclassic.errors import UsageError
from mrclassic.exchange import forms, tables
from mrclassic.exchange.forms import Talk
from mrclassic.store import curation
from mrclassic.store.preferences import Preference
from mrclassic.tasks import rows
from mrclassic.tasks.base import BadRow

if TYPE_CHECKING:
    from mrclassic.book import Entry
    from mrclassic.home import Home
    from mrclassic.store import Store

_KEPT = 1000  # faults that are kept with their lines; beyond, they are counted


@dataclass
class TakenIn:
    """What came of an import. `faults` are sentences with file and line; `odd` counts all rows left out."""

    preferences: int = 0
    conversations: int = 0
    known: int = 0
    """Rows, preferences and conversations, that were there already."""
    odd: int = 0
    booked: int = 0
    """Entries that the book did not have."""
    faults: list[str] = field(default_factory=list)


def take_in(store: Store, home: Home, paths: Sequence[Path], form: str = "auto", *, into_book: bool = False) -> TakenIn:
    """Read `paths` as `form`; raises UsageError for a file that cannot be read or has no row that can be used."""
    found = TakenIn()
    entries: list[Entry] = []
    with store.transaction():
        for path in paths:
            usable = 0
            for each in grouped(_rows(path, form, found)):
                usable += 1
                _keep(store, path, each, found)
                if into_book:
                    entries += _entries(each)
            if not usable:
                why = f": {found.faults[-1]}" if found.odd else ""
                raise UsageError(f"There is no row in {path} that can be used{why or '.'}")
    if entries:
        # After the store: said again, the same command finds the rows known and still writes the book.
        found.booked = book.put_all(home.book, entries)
    return found


def grouped(found: Iterator[Preference | Talk]) -> Iterator[Preference | Talk]:
    """Preferences in a row that chose the same in the same conversation are one choice among several."""
    last: Preference | None = None
    for each in found:
        if not isinstance(each, Preference):
            if last is not None:
                yield last
                last = None
            yield each
        elif last is not None and (each.messages, each.chosen) == (last.messages, last.chosen):
            last = replace(last, candidates=tuple(dict.fromkeys((*last.candidates, *each.rejected))))
        else:
            if last is not None:
                yield last
            last = each
    if last is not None:
        yield last


def _rows(path: Path, form: str, found: TakenIn) -> Iterator[Preference | Talk]:
    scan = tables.scan if path.name.endswith(tables.ENDINGS) else rows.scan
    # An array may stand on a line, or on lines that nobody counts.
    array = path.name.removesuffix(".gz").endswith(".json")
    for number, (line, row) in enumerate(scan(path), start=1):
        try:
            if isinstance(row, BadRow):
                raise row
            yield forms.read(row, form)
        except BadRow as error:
            found.odd += 1
            if found.odd <= _KEPT:
                found.faults.append(f"{path} line {line}{f', row {number}' if array else ''}: {error}.")


def _keep(store: Store, path: Path, each: Preference | Talk, found: TakenIn) -> None:
    if isinstance(each, Preference):
        new = store.preferences.take_in(path.name, [each])
        found.preferences += new
    else:
        conversation = store.conversations.take_in(each.messages, each.digest, each.title)
        new = int(conversation is not None)
        found.conversations += new
        if conversation is not None and each.rating is not None and each.messages[-1]["role"] == "assistant":
            store.ratings.add(conversation, each.rating)
    found.known += 1 - new


def _entries(each: Preference | Talk) -> Iterator[Entry]:
    """Every reply with what was said before it, as a pick would have written it."""
    said = [(one["role"], one["content"]) for one in each.messages]
    if isinstance(each, Preference):
        said.append(("assistant", each.chosen))
    for at, (role, words) in enumerate(said):
        last = at == len(said) - 1
        asked = any(before == "user" for before, _ in said[:at])
        if role == "assistant" and asked and words.strip() and (last or isinstance(each, Talk)):
            yield curation.entry_of(said[: at + 1])
