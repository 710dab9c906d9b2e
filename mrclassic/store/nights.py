"""Nights: each from its plan to its gate and report."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mrclassic.errors import UsageError
from mrclassic.store.connection import Database, dump, now


@dataclass(frozen=True)
class Night:
    """One night; `status` is planned | running | done | failed | interrupted, `report` the path of its page."""

    id: int
    status: str
    stage: str
    started: str
    finished: str | None
    plan: dict[str, Any]
    gate: dict[str, Any] | None
    report: str | None
    checkpoint: str | None


class Nights:
    """The nights of one home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def start(self, plan: Mapping[str, Any], started: str | None = None) -> int:
        """Enter a planned night; return its id. It has `started` (UTC, ISO 8601) when its measuring began, or now."""
        values = {"status": "planned", "stage": "plan", "started": started or now(), "plan": dump(dict(plan))}
        return self._db.insert("nights", values)

    def update(self, night: int, status: str, stage: str) -> None:
        """Say where it stands."""
        self._change(night, "UPDATE nights SET status = ?, stage = ? WHERE id = ?", status, stage)

    def resume(self, night: int) -> Night:
        """Set a night that was cut short running again."""
        self._change(night, "UPDATE nights SET status = 'running', finished = NULL WHERE id = ?")
        return self.get(night)

    def finish(
        self,
        night: int,
        status: str,
        gate: Mapping[str, Any] | None = None,
        report_path: str | None = None,
        checkpoint: str | None = None,
    ) -> None:
        """Say how it ended: done | failed | interrupted, the gate's verdict, its page, the checkpoint it made."""
        self._change(
            night,
            "UPDATE nights SET status = ?, finished = ?, gate = ?, report = ?, checkpoint = ? WHERE id = ?",
            status,
            now(),
            None if gate is None else dump(dict(gate)),
            None if report_path is None else str(report_path),
            checkpoint,
        )

    def get(self, night: int) -> Night:
        """The night of that id; raises UsageError if there is none."""
        row = self._db.row("SELECT * FROM nights WHERE id = ?", (night,))
        if row is None:
            raise UsageError(f"There is no night {night}.")
        return _night(row)

    def last(self) -> Night | None:
        """The latest night."""
        return next(iter(self.list(limit=1)), None)

    def list(self, limit: int = 100) -> list[Night]:
        """Newest first."""
        return [_night(row) for row in self._db.rows("SELECT * FROM nights ORDER BY id DESC LIMIT ?", (limit,))]

    def _change(self, night: int, sql: str, *values: object) -> None:
        if not self._db.run(sql, (*values, night)):
            raise UsageError(f"There is no night {night}.")


def _night(row: sqlite3.Row) -> Night:
    gate = None if row["gate"] is None else json.loads(row["gate"])
    return Night(**{**dict(row), "plan": json.loads(row["plan"]), "gate": gate})
