"""What a checkpoint says to each entry of the book: known by heart or not, and since when that is known of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mrclassic.store.connection import Database, now

KEPT = 3
"""Checkpoints of which the measurements are kept: the one in use, and what an undo leads back to."""


@dataclass(frozen=True)
class Recall:
    """One entry, named by its hash. `said` is the greedy reply where it is another one, `chance` how likely a draw is
    the taught reply (0 to 1), if that was looked at; `measured` is when, empty in what is not stored yet."""

    entry: str
    known: bool
    said: str = ""
    chance: float | None = None
    measured: str = ""


class Recalls:
    """The measurements of one home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def keep(self, checkpoint: str, found: Iterable[Recall]) -> None:
        """Store what was measured of a checkpoint; what was measured of the same entries before gives way to it."""
        stamp = now()
        with self._db.transaction():
            for each in found:
                self._db.run(
                    "INSERT INTO recalls (checkpoint, entry, known, said, chance, created) VALUES (?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (checkpoint, entry) DO UPDATE SET known = excluded.known, said = excluded.said,"
                    " chance = excluded.chance, created = excluded.created",
                    (checkpoint, each.entry, int(each.known), each.said, each.chance, stamp),
                )
            self._db.run(
                "DELETE FROM recalls WHERE checkpoint NOT IN (SELECT checkpoint FROM recalls"
                " GROUP BY checkpoint ORDER BY max(created) DESC, max(id) DESC LIMIT ?)",
                (KEPT,),
            )

    def of(self, checkpoint: str) -> dict[str, Recall]:
        """What is known of a checkpoint, by the hash of the entry."""
        rows = self._db.rows(
            "SELECT entry, known, said, chance, created FROM recalls WHERE checkpoint = ?", (checkpoint,)
        )
        return {row[0]: Recall(row[0], bool(row[1]), row[2], row[3], row[4]) for row in rows}
