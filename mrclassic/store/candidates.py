"""Candidates: the replies that were drawn for a message, with all that is needed to draw them again."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from mrclassic.book import clean
from mrclassic.store.connection import Database, now

if TYPE_CHECKING:
    from mrclassic.store.picks import Pick


@dataclass(frozen=True, kw_only=True)
class NewCandidate:
    """A reply as drawn. `slot` is its row in the draw, `shown` the position (from 1) at which the owner saw it."""

    slot: int
    shown: int
    text: str
    tokens: int
    logprob: float
    finish_reason: str | None
    seed: int
    temperature: float
    top_p: float
    checkpoint: str | None
    duplicate: bool = False


@dataclass(frozen=True, kw_only=True)
class Candidate(NewCandidate):
    """A reply as stored: `prompt` is the message it answers, `draw` groups those drawn together."""

    id: int
    prompt: int
    draw: int


_CANDIDATE = "SELECT c.*, d.prompt FROM candidates c JOIN draws d ON d.id = c.draw"


class Candidates:
    """The candidates of one home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add_draw(self, prompt: int, drawn: Sequence[NewCandidate]) -> list[Candidate]:
        """Store the replies drawn together for a message."""
        with self._db.transaction():
            draw = self._db.insert("draws", {"prompt": prompt, "created": now()})
            for candidate in drawn:
                values = asdict(candidate) | {"text": clean(candidate.text), "draw": draw}
                values["logprob"] = None if math.isnan(candidate.logprob) else candidate.logprob
                self._db.insert("candidates", values)
        return self.for_prompt(prompt)

    def for_prompt(self, prompt: int) -> list[Candidate]:
        """The last draw for a message, in the order shown."""
        last = "(SELECT max(id) FROM draws WHERE prompt = ?)"
        rows = self._db.rows(f"{_CANDIDATE} WHERE c.draw = {last} ORDER BY c.shown", (prompt,))
        return [_candidate(row) for row in rows]

    def beside(self, pick: Pick) -> list[Candidate]:
        """What was shown when a choice was made, in that order: the draw of its candidate, else the last before it."""
        draw = self._db.value("SELECT draw FROM candidates WHERE id = ?", (pick.candidate,))
        if draw is None:
            sql = "SELECT max(id) FROM draws WHERE prompt = ? AND created <= ?"
            draw = self._db.value(sql, (pick.prompt, pick.created))
        if draw is None:  # the clock was set back in between
            draw = self._db.value("SELECT max(id) FROM draws WHERE prompt = ?", (pick.prompt,))
        rows = self._db.rows(f"{_CANDIDATE} WHERE c.draw = ? ORDER BY c.shown", (draw,))
        return [_candidate(row) for row in rows]

    def most(self) -> int:
        """The highest position at which a candidate was ever shown; 0 while none was."""
        return int(self._db.value("SELECT coalesce(max(shown), 0) FROM candidates"))

    def get(self, candidate: int) -> Candidate | None:
        """The candidate of that id."""
        row = self._db.row(f"{_CANDIDATE} WHERE c.id = ?", (candidate,))
        return None if row is None else _candidate(row)

    def last_unanswered(self) -> int | None:
        """The last user message that has candidates and neither a reply nor a pick that says what it should be."""
        found = self._db.value(
            """
            SELECT m.id FROM draws d CROSS JOIN messages m ON m.id = d.prompt
            JOIN conversations c ON c.id = m.conversation
            WHERE m.role = 'user' AND m.retracted IS NULL AND NOT c.archived
                AND NOT EXISTS (
                    SELECT 1 FROM messages r WHERE r.parent = m.id AND r.role = 'assistant' AND r.retracted IS NULL)
                AND NOT EXISTS (
                    SELECT 1 FROM picks p WHERE p.prompt = m.id AND p.kind NOT IN ('flag', 'undo') AND NOT EXISTS (
                        SELECT 1 FROM picks u WHERE u.supersedes = p.id AND u.kind = 'undo'))
            ORDER BY d.prompt DESC LIMIT 1"""
        )
        return None if found is None else int(found)


def _candidate(row: sqlite3.Row) -> Candidate:
    values = dict(row)
    values["duplicate"] = bool(values["duplicate"])
    values["logprob"] = math.nan if values["logprob"] is None else values["logprob"]
    return Candidate(**values)
