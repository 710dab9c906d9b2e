"""The small ledgers: requests to the daemon, tombstones, trusted plugins, ratings of whole conversations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mrclassic.errors import UsageError
from mrclassic.store.connection import Database, dump, now


@dataclass(frozen=True)
class Request:
    """Something the daemon is asked to do: night | pause | resume."""

    id: int
    kind: str
    payload: dict[str, Any]
    created: str
    done: str | None
    result: dict[str, Any] | None


class Requests:
    """The daemon's letterbox."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def post(self, kind: str, payload: Mapping[str, Any] | None = None) -> int:
        """Leave a request; return its id."""
        return self._db.insert("requests", {"kind": kind, "payload": dump(dict(payload or {})), "created": now()})

    def pending(self) -> list[Request]:
        """What is not done yet, oldest first."""
        return [_request(row) for row in self._db.rows("SELECT * FROM requests WHERE done IS NULL ORDER BY id")]

    def get(self, request: int) -> Request:
        """The request of that id; raises UsageError if there is none."""
        row = self._db.row("SELECT * FROM requests WHERE id = ?", (request,))
        if row is None:
            raise UsageError(f"There is no request {request}.")
        return _request(row)

    def done(self, request: int, result: Mapping[str, Any] | None = None) -> None:
        """Answer a request."""
        values = (now(), dump(dict(result or {})), request)
        self._db.run("UPDATE requests SET done = ?, result = ? WHERE id = ?", values)


def _request(row: Any) -> Request:
    result = None if row["result"] is None else json.loads(row["result"])
    return Request(**{**dict(row), "payload": json.loads(row["payload"]), "result": result})


@dataclass(frozen=True)
class Tombstone:
    """That something was deleted: its id, the hashes of its book entries, the checkpoints that saw it. No content."""

    id: int
    kind: str
    name: str
    entries: tuple[str, ...]
    checkpoints: tuple[str, ...]
    created: str


class Tombstones:
    """What was deleted, and who may still remember it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, kind: str, name: str, entries: Sequence[str] = (), checkpoints: Sequence[str] = ()) -> int:
        """Enter a deletion."""
        values = {"kind": kind, "name": name, "entries": dump([*entries]), "checkpoints": dump([*checkpoints])}
        return self._db.insert("tombstones", values | {"created": now()})

    def list(self) -> list[Tombstone]:
        """Newest first."""
        return [
            Tombstone(row[0], row[1], row[2], tuple(json.loads(row[3])), tuple(json.loads(row[4])), row[5])
            for row in self._db.rows(
                "SELECT id, kind, name, entries, checkpoints, created FROM tombstones ORDER BY id DESC"
            )
        ]


@dataclass(frozen=True)
class Trusted:
    """A plugin file that the owner approved: this path with exactly this content."""

    id: int
    path: str
    sha256: str
    created: str
    revoked: str | None


class Trust:
    """Which plugin files the owner approved; what was revoked stays on record."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, path: str, sha256: str) -> int:
        """Approve a file with this content; an earlier approval of the path ends."""
        with self._db.transaction():
            self.revoke(path)
            return self._db.insert("trust", {"path": str(path), "sha256": sha256, "created": now()})

    def trusted(self, path: str, sha256: str) -> bool:
        """Whether the owner approved this path with this content."""
        sql = "SELECT 1 FROM trust WHERE path = ? AND sha256 = ? AND revoked IS NULL"
        return self._db.row(sql, (str(path), sha256)) is not None

    def revoke(self, path: str) -> bool:
        """End the approval of a path; return whether there was one."""
        sql = "UPDATE trust SET revoked = ? WHERE path = ? AND revoked IS NULL"
        return self._db.run(sql, (now(), str(path))) > 0

    def list(self, revoked: bool = False) -> list[Trusted]:
        """The approvals that stand, or all that were ever given."""
        sql = "SELECT id, path, sha256, created, revoked FROM trust WHERE ? OR revoked IS NULL ORDER BY path, id"
        return [Trusted(*row) for row in self._db.rows(sql, (revoked,))]


@dataclass(frozen=True)
class Rating:
    """The owner's score of a whole conversation."""

    id: int
    conversation: int
    score: float
    created: str


class Ratings:
    """Scores of whole conversations; the latest of a conversation counts."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, conversation: int, score: float) -> int:
        """Rate a conversation."""
        if self._db.row("SELECT 1 FROM conversations WHERE id = ?", (conversation,)) is None:
            raise UsageError(f"There is no conversation {conversation}.")
        return self._db.insert("ratings", {"conversation": conversation, "score": float(score), "created": now()})

    def list(self, conversation: int | None = None) -> list[Rating]:
        """The ratings, newest first; of one conversation, if one is given."""
        rows = self._db.rows(
            "SELECT id, conversation, score, created FROM ratings"
            " WHERE ?1 IS NULL OR conversation = ?1 ORDER BY id DESC",
            (conversation,),
        )
        return [Rating(*row) for row in rows]
