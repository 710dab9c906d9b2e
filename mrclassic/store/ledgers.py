"""The small ledgers: requests to the daemon, and tombstones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mrclassic.errors import UsageError
from mrclassic.store.connection import Database, dump, now


@dataclass(frozen=True)
class Request:
    """Something the daemon is asked to do: night | stop | pause | resume."""

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
