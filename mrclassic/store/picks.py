"""Picks: what the owner chose, as rows that are only ever added; an undo is a row that supersedes another.

`store.curation` is what writes them; here is their record and what can be read from it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from mrclassic.store.connection import Database, now

REPLIES = ("candidate", "typed", "edited")  # the kinds that put an entry into the book


@dataclass(frozen=True)
class Pick:
    """One choice. `kind` is candidate | typed | edited | skip | flag | undo.

    `supersedes` is the pick that this one undoes, or the earlier reply to the same message. `replaced_entry` is what
    the book held for the same conversation, as it was written there: "" is nothing, None is not looked at yet.
    `booked` is whether the book shows it.
    """

    id: int
    prompt: int
    kind: str
    candidate: int | None
    text: str
    message: int | None
    supersedes: int | None
    replaced_entry: str | None
    entry_hash: str | None
    booked: bool
    created: str


_PICK = (
    "SELECT id, prompt, kind, candidate, text, message, supersedes, replaced_entry, entry_hash, booked, created"
    " FROM picks p"
)
STANDS = "p.kind <> 'undo' AND NOT EXISTS (SELECT 1 FROM picks u WHERE u.supersedes = p.id AND u.kind = 'undo')"


class Picks:
    """The picks of one home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def record(
        self,
        prompt: int,
        kind: str,
        *,
        text: str = "",
        candidate: int | None = None,
        message: int | None = None,
        supersedes: int | None = None,
        entry_hash: str | None = None,
        booked: bool = True,
    ) -> Pick:
        """Add a row. `booked=False`: the book does not show it yet (see `curation.settle`)."""
        values = {
            "prompt": prompt,
            "kind": kind,
            "candidate": candidate,
            "text": text,
            "message": message,
            "supersedes": supersedes,
            "entry_hash": entry_hash,
            "booked": int(booked),
            "created": now(),
        }
        return self.get(self._db.insert("picks", values))

    def get(self, pick: int) -> Pick:
        """The pick of that id."""
        row = self._db.row(f"{_PICK} WHERE id = ?", (pick,))
        if row is None:
            raise KeyError(pick)
        return _pick(row)

    def history(self, limit: int = 100) -> list[Pick]:
        """The latest rows, newest first, undos included."""
        return [_pick(row) for row in self._db.rows(f"{_PICK} ORDER BY id DESC LIMIT ?", (limit,))]

    def last(self, conversation: int | None = None) -> Pick | None:
        """The latest pick that still stands (of a conversation, if one is given)."""
        where = STANDS
        if conversation is not None:
            where += " AND p.prompt IN (SELECT id FROM messages WHERE conversation = ?)"
        given = () if conversation is None else (conversation,)
        row = self._db.row(f"{_PICK} WHERE {where} ORDER BY id DESC LIMIT 1", given)
        return None if row is None else _pick(row)

    def standing(self, prompt: int) -> Pick | None:
        """The latest reply that was picked for a message and still stands."""
        where = f"p.prompt = ? AND p.kind IN ('candidate', 'typed', 'edited') AND {STANDS}"
        row = self._db.row(f"{_PICK} WHERE {where} ORDER BY id DESC LIMIT 1", (prompt,))
        return None if row is None else _pick(row)

    def replies(self, limit: int) -> list[Pick]:
        """Of the latest `limit` replies that were picked or written and still stand, the last to each message."""
        where = f"p.kind IN ('candidate', 'typed', 'edited') AND {STANDS}"
        where += " AND p.prompt IN (SELECT id FROM messages WHERE retracted IS NULL)"
        rows = self._db.rows(f"{_PICK} WHERE {where} ORDER BY id DESC LIMIT ?", (limit,))
        return list({pick.prompt: pick for pick in map(_pick, reversed(rows))}.values())

    def choices(self) -> Iterator[Pick]:
        """Of each message that was not taken back, the reply that was picked for it last and stands; oldest first."""
        where = f"p.kind IN ('candidate', 'typed', 'edited') AND {STANDS}"
        where += " AND p.prompt IN (SELECT id FROM messages WHERE retracted IS NULL)"
        last = f"SELECT max(p.id) FROM picks p WHERE {where} GROUP BY p.prompt ORDER BY 1"  # noqa: S608 - our own words
        rows = self._db.rows(last)
        for row in rows:
            yield self.get(row[0])

    def of(self, prompt: int) -> list[Pick]:
        """The picks for a message that stand, oldest first."""
        return [_pick(row) for row in self._db.rows(f"{_PICK} WHERE p.prompt = ? AND {STANDS} ORDER BY id", (prompt,))]

    def written(self, prompt: int) -> list[Pick]:
        """The replies that were ever picked for a message, undone ones included."""
        where = "p.prompt = ? AND p.kind IN ('candidate', 'typed', 'edited')"
        return [_pick(row) for row in self._db.rows(f"{_PICK} WHERE {where} ORDER BY id", (prompt,))]

    def last_reply(self, prompt: int) -> Pick | None:
        """The reply that was last picked for a message, whether it still stands or not."""
        where = "p.prompt = ? AND p.kind IN ('candidate', 'typed', 'edited')"
        row = self._db.row(f"{_PICK} WHERE {where} ORDER BY id DESC LIMIT 1", (prompt,))
        return None if row is None else _pick(row)

    def waiting_for_book(self) -> list[Pick]:
        """Rows that the book does not show yet, oldest first."""
        return [_pick(row) for row in self._db.rows(f"{_PICK} WHERE booked = 0 ORDER BY id")]

    def undone_with(self, entry_hash: str, before: int) -> Pick | None:
        """The latest pick before `before` that wrote this entry, if it was undone since."""
        row = self._db.row(
            f"{_PICK} WHERE entry_hash = ? AND kind <> 'undo' AND id < ? ORDER BY id DESC LIMIT 1", (entry_hash, before)
        )
        if row is None or self._db.row(f"{_PICK} WHERE id = ? AND {STANDS}", (row["id"],)):
            return None
        return _pick(row)

    def replaced(self, pick: int, entry: str) -> None:
        """Note what the book held before this pick."""
        self._db.run("UPDATE picks SET replaced_entry = ? WHERE id = ?", (entry, pick))

    def booked(self, pick: int) -> None:
        """Note that the book shows this pick."""
        self._db.run("UPDATE picks SET booked = 1 WHERE id = ?", (pick,))


def _pick(row: sqlite3.Row) -> Pick:
    return Pick(**{**dict(row), "booked": bool(row["booked"])})
