"""Ratings: what the owner thought of a conversation as far as it had come, from 1 (poor) to 5 (splendid).

Five steps, not a thumb: scales of two to four are the least reliable and tell least apart, and little is gained beyond
seven (Preston and Colman, Acta Psychologica 104, 2000); five are a key each, the very keys that pick an answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from mrclassic.errors import UsageError
from mrclassic.store.connection import Database, now

LOWEST, HIGHEST = 1, 5
TAKEN_BACK = 0


@dataclass(frozen=True)
class Rating:
    """A score of a conversation down to its message `message` (None in rows from before that was kept: all of it).

    A `score` of 0 takes the earlier ones back.
    """

    id: int
    conversation: int
    score: float
    created: str
    message: int | None


_RATING = "SELECT id, conversation, score, created, message FROM ratings"
# The latest of its conversation, unless it took the rating back or what it was given for was undone.
_STANDS = """
    score > 0 AND id = (SELECT max(r.id) FROM ratings r WHERE r.conversation = ratings.conversation)
    AND (message IS NULL OR EXISTS (SELECT 1 FROM messages m WHERE m.id = ratings.message AND m.retracted IS NULL))"""


class Ratings:
    """Scores of conversations; rows are only ever added, and the latest of a conversation counts."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, conversation: int, score: float) -> Rating:
        """Rate a conversation as far as it has come (1 to 5; 0 takes the rating back); raises UsageError."""
        if score != TAKEN_BACK and not LOWEST <= score <= HIGHEST:
            raise UsageError(f"A rating is a number from {LOWEST} (poor) to {HIGHEST} (splendid), not {score:g}.")
        with self._db.transaction():
            if self._db.row("SELECT 1 FROM conversations WHERE id = ?", (conversation,)) is None:
                raise UsageError(f"There is no conversation {conversation}.")
            # Up to the last reply: a question that still waits for one is no part of what was rated.
            message = self._db.value(
                "SELECT max(id) FROM messages WHERE conversation = ? AND role = 'assistant' AND retracted IS NULL",
                (conversation,),
            )
            if message is None:
                raise UsageError(f"Nothing was answered in conversation {conversation} yet; there is nothing to rate.")
            values = {"conversation": conversation, "score": float(score), "created": now(), "message": message}
            rating = self._db.insert("ratings", values)
        return Rating(*self._db.rows(f"{_RATING} WHERE id = ?", (rating,))[0])

    def of(self, conversation: int) -> Rating | None:
        """The rating of a conversation that stands."""
        row = self._db.row(f"{_RATING} WHERE conversation = ? AND {_STANDS}", (conversation,))
        return None if row is None else Rating(*row)

    def standing(self) -> list[Rating]:
        """The ratings that stand, oldest first."""
        return [Rating(*row) for row in self._db.rows(f"{_RATING} WHERE {_STANDS} ORDER BY id")]

    def list(self, conversation: int | None = None) -> list[Rating]:
        """All that were ever given, newest first; of one conversation, if one is given."""
        sql = f"{_RATING} WHERE ?1 IS NULL OR conversation = ?1 ORDER BY id DESC"
        return [Rating(*row) for row in self._db.rows(sql, (conversation,))]
