"""Checkpoints: their lineage, and which one is in use. The files themselves lie in the home's `checkpoints` folder."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mrclassic.errors import UsageError
from mrclassic.store.connection import Database, dump, now


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint; `path` is relative to the home's `checkpoints`.

    `status` is candidate | promoted | rejected | golden.
    """

    id: str
    path: str
    parent: str | None = None
    run: int | None = None
    status: str = "candidate"
    created: str = ""
    parameters: int = 0
    model_sha256: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of one home. Which is in use, and which golden, is a history: the last row counts."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, checkpoint: Checkpoint) -> Checkpoint:
        """Enter a checkpoint (again: the row is brought up to date; its `created` stays)."""
        values = asdict(checkpoint) | {"created": checkpoint.created or now(), "metrics": dump(checkpoint.metrics)}
        self._db.run(
            """
            INSERT INTO checkpoints (id, path, parent, run, status, created, parameters, model_sha256, metrics)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET path = excluded.path, parent = excluded.parent, run = excluded.run,
                status = excluded.status, parameters = excluded.parameters, model_sha256 = excluded.model_sha256,
                metrics = excluded.metrics""",
            tuple(values.values()),
        )
        return self.get(checkpoint.id)

    def get(self, checkpoint: str) -> Checkpoint:
        """The checkpoint of that id, or of that beginning of one; raises UsageError if there is none, or several."""
        row = self._db.row("SELECT * FROM checkpoints WHERE id = ?", (checkpoint,))
        rows = [row] if row else []
        if not rows and checkpoint:
            rows = self._db.rows("SELECT * FROM checkpoints WHERE substr(id, 1, ?) = ?", (len(checkpoint), checkpoint))
        if len(rows) != 1:
            fault = "There are several checkpoints that begin with" if rows else "There is no checkpoint"
            raise UsageError(f"{fault} {checkpoint}; see `mrclassic model list`.")
        return _checkpoint(rows[0])

    def set_status(self, checkpoint: str, status: str) -> None:
        """candidate | promoted | rejected | golden."""
        self._db.run("UPDATE checkpoints SET status = ? WHERE id = ?", (status, self.get(checkpoint).id))

    def set_metrics(self, checkpoint: str, metrics: dict[str, Any]) -> None:
        """Replace what was measured of it."""
        self._db.run("UPDATE checkpoints SET metrics = ? WHERE id = ?", (dump(metrics), self.get(checkpoint).id))

    def use(self, checkpoint: str, *, undo: bool = False) -> Checkpoint:
        """Put a checkpoint into use; `undo`: by going back to one that `former` names."""
        return self._point("in_use", checkpoint, undo)

    def in_use(self) -> Checkpoint | None:
        """The checkpoint in use."""
        return self._pointed("in_use")

    def uses(self, limit: int = 20) -> list[Checkpoint]:
        """What has been in use, newest first; the first is in use now."""
        rows = self._db.rows(
            "SELECT c.* FROM pointers p JOIN checkpoints c ON c.id = p.checkpoint"
            " WHERE p.name = 'in_use' ORDER BY p.id DESC LIMIT ?",
            (limit,),
        )
        return [_checkpoint(row) for row in rows]

    def former(self) -> Sequence[Checkpoint]:
        """What going back leads to, the nearest first. Going back takes a use away, anything else adds one."""
        rows = self._db.rows("SELECT checkpoint, undo FROM pointers WHERE name = 'in_use' ORDER BY id")
        stack: list[str] = []
        for row in rows:
            checkpoint = str(row["checkpoint"])
            if row["undo"] and checkpoint in stack:
                while stack[-1] != checkpoint:
                    stack.pop()
            elif not stack or stack[-1] != checkpoint:
                stack.append(checkpoint)
        present = stack[-1] if stack else ""
        return [self.get(each) for each in dict.fromkeys(reversed(stack)) if each != present]

    def golden(self) -> Checkpoint | None:
        """The checkpoint that every later one is measured against."""
        return self._pointed("golden")

    def set_golden(self, checkpoint: str) -> Checkpoint:
        """Make it the golden one; the former keeps the status promoted."""
        with self._db.transaction():
            former = self.golden()
            if former is not None:
                self.set_status(former.id, "promoted")
            self.set_status(checkpoint, "golden")
            return self._point("golden", checkpoint)

    def lineage(self, checkpoint: str) -> list[Checkpoint]:
        """The checkpoint and its ancestors, as far back as they are known here."""
        rows = self._db.rows(
            """
            WITH RECURSIVE up (id, depth) AS (
                SELECT ?, 0
                UNION
                SELECT c.parent, up.depth + 1 FROM checkpoints c JOIN up ON c.id = up.id
                WHERE c.parent IS NOT NULL AND up.depth < 10000
            )
            SELECT c.* FROM up JOIN checkpoints c ON c.id = up.id ORDER BY up.depth""",
            (self.get(checkpoint).id,),
        )
        return [_checkpoint(row) for row in rows]

    def _point(self, name: str, checkpoint: str, undo: bool = False) -> Checkpoint:
        found = self.get(checkpoint)
        self._db.insert("pointers", {"name": name, "checkpoint": found.id, "created": now(), "undo": int(undo)})
        return found

    def _pointed(self, name: str) -> Checkpoint | None:
        row = self._db.row(
            "SELECT c.* FROM pointers p JOIN checkpoints c ON c.id = p.checkpoint"
            " WHERE p.name = ? ORDER BY p.id DESC LIMIT 1",
            (name,),
        )
        return None if row is None else _checkpoint(row)

    def list(self, limit: int = 1000) -> list[Checkpoint]:
        """Newest first."""
        rows = self._db.rows("SELECT * FROM checkpoints ORDER BY created DESC, rowid DESC LIMIT ?", (limit,))
        return [_checkpoint(row) for row in rows]


def _checkpoint(row: sqlite3.Row) -> Checkpoint:
    return Checkpoint(**{**dict(row), "metrics": json.loads(row["metrics"])})
