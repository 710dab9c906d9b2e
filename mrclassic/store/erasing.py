"""Erasing rows so that no byte of them is left in any file of the database: tables, full-text index, log, copy.

`forgetting` says what goes; here is how.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

from mrclassic.book import Entry
from mrclassic.store.connection import BUSY_SECONDS, Database, StoreError
from mrclassic.store.mending import drop_copy

Holds = Callable[[str], bool]
"""Whether a text is, or holds, what is to be forgotten."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows by table. `messages` are whole branches: whatever hangs below one of them is among them."""

    messages: tuple[int, ...] = ()
    conversations: tuple[int, ...] = ()
    candidates: tuple[int, ...] = ()
    preferences: tuple[int, ...] = ()
    samples: tuple[int, ...] = ()
    votes: tuple[int, ...] = ()
    recalls: tuple[int, ...] = ()
    touched: tuple[int, ...] = ()
    """Conversations that stay, and lose their title, draft or instructions where these hold it."""
    unnamed: tuple[int, ...] = ()
    """Those that lose their title in any case: it was the beginning of a message that goes."""

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) for each in fields(self))


class Erasing:
    """Looking through, and taking out of, the database of one home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of_conversation(self, conversation: int) -> list[int]:
        """Its messages."""
        return self._ids("SELECT id FROM messages WHERE conversation = ?", conversation)

    def branch(self, roots: Sequence[int]) -> list[int]:
        """These messages and all that was said after them."""
        found: set[int] = set()
        fresh = list(roots)
        while fresh:
            found.update(fresh)
            below = (each for one in fresh for each in self._ids("SELECT id FROM messages WHERE parent = ?", one))
            fresh = [each for each in below if each not in found]
        return sorted(found)

    def messages(self, holds: Holds) -> list[int]:
        """The messages that hold it, and the questions to which something that holds it was chosen."""
        said = self._holding("SELECT id, content FROM messages", holds)
        picked = self._holding("SELECT prompt, text FROM picks", holds)
        drawn = self._holding("SELECT p.prompt, c.text FROM picks p JOIN candidates c ON c.id = p.candidate", holds)
        return sorted({*said, *picked, *drawn})

    def candidates(self, holds: Holds) -> list[int]:
        """The candidates that hold it."""
        return self._holding("SELECT id, text FROM candidates", holds)

    def preferences(self, holds: Holds) -> list[int]:
        """The imported preferences that hold it."""
        words = "SELECT id, messages || char(10) || candidates FROM imported_preferences"
        return [row for row, text in self._texts(words) if any(map(holds, _strings(text)))]

    def samples(self, holds: Holds) -> list[int]:
        """The samples kept of runs that hold it."""
        kept = [*self._holding("SELECT id, prompt FROM samples", holds)]
        kept += self._holding("SELECT id, completion FROM samples", holds)
        kept += [row for row, text in self._texts("SELECT id, detail FROM samples") if any(map(holds, _strings(text)))]
        return sorted({*kept})

    def votes(self, holds: Holds) -> list[int]:
        """The comparisons of checkpoints in which it was asked or answered: they keep the words themselves."""
        said = (self._holding(f"SELECT id, {part} FROM votes", holds) for part in _COMPARED)  # noqa: S608 - our own
        return sorted({row for found in said for row in found})

    def heard(self, rows: Rows) -> dict[str, str]:
        """When the first of what these rows say of replies was said, by the kind of run that learns from such: picks,
        votes and imported preferences (`dpo`), ratings (`td`). A candidate was judged by the pick beside it."""
        queries: dict[str, tuple[tuple[str, Sequence[int]], ...]] = {
            "dpo": (
                ("SELECT created FROM picks WHERE prompt = ?", rows.messages),
                (
                    "SELECT p.created FROM candidates c JOIN draws d ON d.id = c.draw JOIN picks p "
                    "ON p.prompt = d.prompt WHERE c.id = ?",
                    rows.candidates,
                ),
                (_IMPORTED, rows.preferences),
                ("SELECT created FROM votes WHERE id = ?", rows.votes),
            ),
            "td": (
                (
                    "SELECT r.created FROM messages m JOIN ratings r ON r.conversation = m.conversation WHERE m.id = ?",
                    rows.messages,
                ),
            ),
        }
        found = {kind: [first for each in asked if (first := self._first(*each))] for kind, asked in queries.items()}
        return {kind: min(dates) for kind, dates in found.items() if dates}

    def imported(self, preferences: Sequence[int]) -> str | None:
        """When the first of these was imported."""
        return self._first(_IMPORTED, preferences)

    def recalls(self, holds: Holds) -> list[int]:
        """What checkpoints said to entries of the book, where that holds it."""
        return self._holding("SELECT id, said FROM recalls", holds)

    def conversations(self, holds: Holds) -> list[int]:
        """Those whose title, draft or instructions hold it."""
        parts = (f"SELECT id, {part} FROM conversations" for part in _PARTS)  # noqa: S608 - names of our own
        return sorted({row for part in parts for row in self._holding(part, holds)})

    def texts(self, messages: Sequence[int]) -> list[str]:
        """All that is said in these messages, and all that was drawn and chosen for them."""
        found: dict[str, None] = {}
        for message in messages:
            for query in (
                "SELECT content FROM messages WHERE id = ?",
                "SELECT c.text FROM candidates c JOIN draws d ON d.id = c.draw WHERE d.prompt = ?",
                "SELECT text FROM picks WHERE prompt = ?",
            ):
                found.update(dict.fromkeys(str(row[0]) for row in self._db.rows(query, (message,))))
        return [text for text in found if text.strip()]

    def erase(self, rows: Rows, gone: Sequence[Entry], holds: Holds) -> None:
        """Take the rows out, for good; `gone` are the entries that left the book. Inside the caller's transaction."""
        for message in rows.messages:
            # A retracted message names the pick that undid it, and that pick goes in the same stroke.
            self._db.run("UPDATE messages SET retracted = NULL WHERE id = ?", (message,))
        for message in sorted(rows.messages, reverse=True):  # what hangs below first: a cascade has a depth
            self._db.run("DELETE FROM messages WHERE id = ?", (message,))
        for table, ids in (
            ("conversations", rows.conversations),
            ("candidates", rows.candidates),
            ("imported_preferences", rows.preferences),
            ("samples", rows.samples),
            ("votes", rows.votes),
            ("recalls", rows.recalls),
        ):
            for row in ids:
                self._db.run(f"DELETE FROM {table} WHERE id = ?", (row,))  # noqa: S608 - names of our own
        for conversation in rows.touched:
            for part in _PARTS:
                text = self._db.value(f"SELECT {part} FROM conversations WHERE id = ?", (conversation,))  # noqa: S608
                if holds(str(text)):
                    self._db.run(f"UPDATE conversations SET {part} = '' WHERE id = ?", (conversation,))  # noqa: S608
        for conversation in rows.unnamed:
            self._db.run("UPDATE conversations SET title = '' WHERE id = ?", (conversation,))
        hashes = {entry.hash for entry in gone}
        for entry in hashes:
            self._db.run("DELETE FROM recalls WHERE entry = ?", (entry,))
        for pick, replaced in self._texts("SELECT id, replaced_entry FROM picks WHERE replaced_entry <> ''"):
            if holds(replaced) or _hash(replaced) in hashes:
                self._db.run("UPDATE picks SET replaced_entry = '' WHERE id = ?", (pick,))
        # The full-text index would keep the words until its next merge.
        self._db.run("INSERT INTO messages_fts (messages_fts) VALUES ('optimize')")

    def scour(self) -> None:
        """Write the database anew without what was erased, and empty its log; raises StoreError where another program
        keeps the log from being emptied."""
        drop_copy(self._db.path)
        self._db.run("VACUUM")  # a page that was rearranged keeps old cells in its gaps
        deadline = time.monotonic() + BUSY_SECONDS
        while (row := self._db.row("PRAGMA wal_checkpoint(TRUNCATE)")) is not None and row[0]:
            if time.monotonic() > deadline:
                raise StoreError(
                    f"It is erased, but another program is reading {self._db.path}, and its log still holds what was; "
                    "end that program, and the log goes with it."
                )
            time.sleep(0.05)

    def _ids(self, query: str, value: int) -> list[int]:
        return [int(row[0]) for row in self._db.rows(query, (value,))]

    def _first(self, query: str, ids: Sequence[int]) -> str | None:
        return min((str(row[0]) for each in ids for row in self._db.rows(query, (each,))), default=None)

    def _texts(self, query: str) -> Iterator[tuple[int, str]]:
        for row in self._db.rows(query):
            yield int(row[0]), str(row[1])

    def _holding(self, query: str, holds: Holds) -> list[int]:
        return [row for row, text in self._texts(query) if holds(text)]


_PARTS = ("title", "draft", "system")
_IMPORTED = "SELECT created FROM imported_preferences WHERE id = ?"
_COMPARED = ("prompt", "first_text", "second_text")


def _hash(text: str) -> str:
    from mrclassic import book

    entries = book.parse(text)
    return entries[0].hash if entries else ""


def _strings(text: str) -> Iterator[str]:
    """The strings in lines of JSON, as they were before they were written there."""
    for line in text.split("\n"):
        waiting = [json.loads(line)]
        while waiting:
            value = waiting.pop()
            if isinstance(value, str):
                yield value
            elif isinstance(value, dict):
                waiting += [*value, *value.values()]
            elif isinstance(value, list):
                waiting += value
