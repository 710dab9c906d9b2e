"""Runs: what was trained, step by step. Rows of a step are written again when a resumed run takes that step again."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mrclassic.book import clean
from mrclassic.errors import UsageError
from mrclassic.store.connection import Database, dump, now


@dataclass(frozen=True)
class Run:
    """One training run; `status` is running until `finish` says otherwise."""

    id: int
    kind: str
    status: str
    settings: dict[str, Any]
    parent_checkpoint: str | None
    checkpoint: str | None
    night: int | None
    facts: dict[str, Any]
    started: str
    finished: str | None


@dataclass(frozen=True)
class Sample:
    """A completion that was kept to be looked at; `reward` is None where the reward abstained."""

    id: int
    run: int
    step: int
    prompt: str
    completion: str
    reward: float | None
    detail: dict[str, Any]
    created: str


@dataclass(frozen=True)
class Alarm:
    """What the sentinel said, and why; `verdict` is warn | pause | roll back | stop."""

    id: int
    run: int
    step: int
    rule: str
    verdict: str
    message: str
    created: str


class Runs:
    """The runs of one home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def start(
        self,
        kind: str,
        settings: Mapping[str, Any],
        parent_checkpoint: str | None = None,
        night: int | None = None,
    ) -> int:
        """Enter a run that begins now; return its id."""
        return self._db.insert(
            "runs",
            {
                "kind": kind,
                "status": "running",
                "settings": dump(dict(settings)),
                "parent_checkpoint": parent_checkpoint,
                "night": night,
                "facts": "{}",
                "started": now(),
            },
        )

    def finish(
        self, run: int, status: str, checkpoint: str | None = None, facts: Mapping[str, Any] | None = None
    ) -> None:
        """Say how it ended: done, paused, rolled back, stopped, interrupted or failed; its checkpoint, its figures."""
        values = (status, checkpoint, dump(dict(facts or {})), now(), run)
        sql = "UPDATE runs SET status = ?, checkpoint = ?, facts = ?, finished = ? WHERE id = ?"
        if not self._db.run(sql, values):
            raise UsageError(f"There is no run {run}.")

    def resume(self, run: int) -> Run:
        """Set a run that was interrupted running again."""
        self._db.run("UPDATE runs SET status = 'running', finished = NULL WHERE id = ?", (run,))
        return self.get(run)

    def rewind(self, run: int, step: int) -> None:
        """Forget what was recorded after `step`: the run goes on from there."""
        with self._db.transaction():
            for table in ("steps", "samples", "alarms"):
                self._db.run(f"DELETE FROM {table} WHERE run = ? AND step > ?", (run, step))  # noqa: S608 - our names

    def of_night(self, night: int) -> list[Run]:
        """The runs of a night, in order."""
        return [_run(row) for row in self._db.rows("SELECT * FROM runs WHERE night = ? ORDER BY id", (night,))]

    def get(self, run: int) -> Run:
        """The run of that id; raises UsageError if there is none."""
        row = self._db.row("SELECT * FROM runs WHERE id = ?", (run,))
        if row is None:
            raise UsageError(f"There is no run {run}.")
        return _run(row)

    def drawn(self, newest: int = 10) -> dict[str, str]:
        """When each arm of a curriculum was last drawn, in the `newest` runs."""
        found: dict[str, str] = {}
        for run in self._db.rows("SELECT id FROM runs ORDER BY id DESC LIMIT ?", (newest,)):
            last = self._db.row("SELECT metrics FROM steps WHERE run = ? ORDER BY step DESC LIMIT 1", (run[0],))
            shares = (name.partition("share/") for name in (json.loads(last[0]) if last else ()))
            for arm in [arm for before, mark, arm in shares if mark and not before and arm not in found]:
                # As text: a loss that is no number is kept as NaN, which SQLite's own JSON does not read.
                row = self._db.row(
                    "SELECT created FROM steps WHERE run = ? AND instr(metrics, ?) > 0 ORDER BY step DESC LIMIT 1",
                    (run[0], f"{json.dumps(f'success/{arm}', ensure_ascii=False)}:"),
                )
                if row is not None:
                    found[arm] = str(row[0])
        return found

    def step(self, run: int, step: int, metrics: Mapping[str, Any]) -> None:
        """Record the numbers of one step."""
        self._db.run(
            "INSERT INTO steps (run, step, metrics, created) VALUES (?, ?, ?, ?) ON CONFLICT (run, step)"
            " DO UPDATE SET metrics = excluded.metrics, created = excluded.created",
            (run, step, dump(dict(metrics)), now()),
        )

    def steps(self, run: int, after: int = -1, limit: int = -1) -> list[tuple[int, dict[str, Any]]]:
        """The steps of a run with their numbers: those after the step `after`, at most `limit` (-1: all)."""
        sql = "SELECT step, metrics FROM steps WHERE run = ? AND step > ? ORDER BY step LIMIT ?"
        rows = self._db.rows(sql, (run, after, limit))
        return [(int(row[0]), json.loads(row[1])) for row in rows]

    def sample(
        self,
        run: int,
        step: int,
        prompt: str,
        completion: str,
        reward: float | None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep one completion of a step."""
        prompt, completion = clean(prompt), clean(completion)
        digest = hashlib.sha256(f"{prompt}\0{completion}".encode()).hexdigest()[:16]
        self._db.run(
            "INSERT INTO samples (run, step, digest, prompt, completion, reward, detail, created)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, step, digest)"
            " DO UPDATE SET reward = excluded.reward, detail = excluded.detail, created = excluded.created",
            (run, step, digest, prompt, completion, reward, dump(dict(detail or {})), now()),
        )

    def samples(self, run: int, limit: int = 100) -> list[Sample]:
        """The latest samples of a run, newest first."""
        rows = self._db.rows(
            "SELECT id, run, step, prompt, completion, reward, detail, created FROM samples"
            " WHERE run = ? ORDER BY step DESC, id DESC LIMIT ?",
            (run, limit),
        )
        return [Sample(**{**dict(row), "detail": json.loads(row["detail"])}) for row in rows]

    def alarm(self, run: int, step: int, rule: str, verdict: str, message: str) -> None:
        """Record what the sentinel said."""
        self._db.run(
            "INSERT INTO alarms (run, step, rule, verdict, message, created) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (run, step, rule) DO UPDATE SET verdict = excluded.verdict, message = excluded.message",
            (run, step, rule, verdict, message, now()),
        )

    def alarms(self, run: int) -> list[Alarm]:
        """What the sentinel said during a run, in order."""
        sql = "SELECT id, run, step, rule, verdict, message, created FROM alarms WHERE run = ? ORDER BY step, id"
        return [Alarm(*row) for row in self._db.rows(sql, (run,))]

    def list(self, kind: str | None = None, limit: int = 100) -> list[Run]:
        """Newest first; of one kind, if one is given."""
        sql = "SELECT * FROM runs WHERE ?1 IS NULL OR kind = ?1 ORDER BY id DESC LIMIT ?2"
        return [_run(row) for row in self._db.rows(sql, (kind, limit))]


def _run(row: sqlite3.Row) -> Run:
    return Run(**{**dict(row), "settings": json.loads(row["settings"]), "facts": json.loads(row["facts"])})
