"""The questions that were answered with candidates, by what has become of them: the queues of whoever reviews picks.

pending     nothing was chosen yet
draft       flagged, to come back to
done        a reply was picked or written
discarded   skipped, or taken out again while the conversation stays as it went
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mrclassic.store.connection import Database
from mrclassic.store.picks import STANDS

QUEUES = ("pending", "draft", "done", "discarded")


@dataclass(frozen=True)
class Question:
    """One question. `reply` is the reply that stands ("" for none), `kind` how it came about (candidate | typed |
    edited | ""), `date` that of the last choice, or of the question."""

    prompt: int
    conversation: int
    queue: str
    text: str
    reply: str
    kind: str
    date: str


# What was chosen last and stands decides: a flag after a pick asks for another look at it, a pick answers the flag.
_QUEUED = f"""
    WITH asked AS (
        SELECT m.id, m.conversation, m.content, m.created,
            (SELECT max(p.id) FROM picks p WHERE p.prompt = m.id AND {STANDS}) AS last,
            (SELECT max(p.id) FROM picks p
                WHERE p.prompt = m.id AND p.kind IN ('candidate', 'typed', 'edited') AND {STANDS}) AS reply,
            EXISTS (SELECT 1 FROM messages r
                WHERE r.parent = m.id AND r.role = 'assistant' AND r.retracted IS NULL) AS answered
        FROM messages m WHERE m.role = 'user' AND m.retracted IS NULL
            AND (m.id IN (SELECT prompt FROM draws) OR m.id IN (SELECT prompt FROM picks))
    ), queued AS (
        SELECT asked.id, conversation,
            CASE WHEN l.kind = 'flag' THEN 'draft'
                WHEN l.kind = 'skip' THEN 'discarded'
                WHEN l.id IS NOT NULL THEN 'done'
                WHEN answered THEN 'discarded'
                ELSE 'pending' END AS queue,
            content, coalesce(r.text, ''), coalesce(r.kind, ''), coalesce(l.created, asked.created) AS date
        FROM asked LEFT JOIN picks l ON l.id = asked.last LEFT JOIN picks r ON r.id = asked.reply
    )"""  # noqa: S608 - all of it is from this program
_OF_ONE = _QUEUED + " SELECT * FROM queued WHERE queue = ? ORDER BY date DESC, id DESC LIMIT ?"  # noqa: S608
_COUNTS = _QUEUED + " SELECT queue, count(*) FROM queued GROUP BY queue"  # noqa: S608


class Queues:
    """The questions of one home, by queue."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def list(self, queue: str, limit: int = 1000) -> list[Question]:
        """Those of one queue, the latest choice first."""
        return [Question(*row) for row in self._db.rows(_OF_ONE, (queue, limit))]

    def each(self, queue: str) -> Sequence[Question]:
        """All of one queue."""
        return self.list(queue, -1)  # to SQLite no limit

    def counts(self) -> dict[str, int]:
        """How many lie in each queue."""
        found = {row[0]: row[1] for row in self._db.rows(_COUNTS)}
        return {queue: found.get(queue, 0) for queue in QUEUES}
