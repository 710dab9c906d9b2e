"""Votes: which of two checkpoints the owner found better at a question.

Not picks: a pick says what is right, and the book teaches it; the better of two answers may still be wrong. Taste alone
learns from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mrclassic.store.connection import Database, now

Choice = Literal["first", "second", "both", "neither"]
_BETTER = ("first", "second")


@dataclass(frozen=True)
class Vote:
    """One comparison, as it stood on the screen: `first` and `second` are checkpoints, their texts what they said."""

    id: int
    prompt: str
    first: str
    second: str
    first_text: str
    second_text: str
    choice: Choice
    blind: bool
    created: str


@dataclass(frozen=True)
class Tally:
    """How often one checkpoint was better than another, worse, and neither of it."""

    better: int = 0
    worse: int = 0
    equal: int = 0

    @property
    def votes(self) -> int:
        """All of them."""
        return self.better + self.worse + self.equal


class Votes:
    """The comparisons of one home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(
        self, prompt: str, first: str, second: str, first_text: str, second_text: str, choice: Choice, *, blind: bool
    ) -> int:
        """Enter a vote; returns its id."""
        values = {"prompt": prompt, "first": first, "second": second, "first_text": first_text}
        values |= {"second_text": second_text, "choice": choice, "created": now()}
        return self._db.insert("votes", {**values, "blind": int(blind)})

    def newest(self, limit: int = 100) -> list[Vote]:
        """Newest first; all of them with a limit of -1."""
        sql = (
            "SELECT id, prompt, first, second, first_text, second_text, choice, blind, created FROM votes"
            " ORDER BY id DESC LIMIT ?"
        )
        return [Vote(**{**dict(row), "blind": bool(row["blind"])}) for row in self._db.rows(sql, (limit,))]

    def decided(self, last: int | None = None) -> list[Vote]:
        """Those that found one better, oldest first; of several between the same two answers the last. As it stood
        after the vote `last`, if one is given."""
        then = [vote for vote in reversed(self.newest(-1)) if last is None or vote.id <= last]
        last_of = {(vote.prompt, frozenset((vote.first_text, vote.second_text))): vote for vote in then}
        return sorted((vote for vote in last_of.values() if vote.choice in _BETTER), key=lambda vote: vote.id)

    def tally(self, checkpoint: str, other: str) -> Tally:
        """How `checkpoint` fares against `other`, wherever each of them stood."""
        rows = self._db.rows(
            "SELECT CASE WHEN choice IN ('both', 'neither') THEN 'equal'"
            " WHEN (choice = 'first') = (first = ?1) THEN 'better' ELSE 'worse' END AS fate, COUNT(*) AS number"
            " FROM votes WHERE (first = ?1 AND second = ?2) OR (first = ?2 AND second = ?1) GROUP BY fate",
            (checkpoint, other),
        )
        return Tally(**{row["fate"]: int(row["number"]) for row in rows})

    def questions(self, limit: int = 200) -> Sequence[str]:
        """What the owner began conversations with, each once, newest first."""
        rows = self._db.rows(
            "SELECT content, MAX(id) AS latest FROM messages WHERE role = 'user' AND parent IS NULL"
            " AND retracted IS NULL GROUP BY content ORDER BY latest DESC LIMIT ?",
            (limit,),
        )
        return [str(row["content"]) for row in rows]

    def voted(self, one: str, other: str) -> set[str]:
        """The questions at which these two have been compared."""
        rows = self._db.rows(
            "SELECT DISTINCT prompt FROM votes WHERE (first = ?1 AND second = ?2) OR (first = ?2 AND second = ?1)",
            (one, other),
        )
        return {str(row[0]) for row in rows}
