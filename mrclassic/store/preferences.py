"""Preferences: what the picks say about taste, as plain data for whatever learns it.

    candidate   the picked one won over the others that were shown beside it
    typed       the owner's own words won over all that were shown
    edited      what the owner made of a candidate won over that candidate

Of each question the last choice that stands counts; skips, flags, and choices that were undone or taken out say nothing
about which answer was better. Candidates that say the same are one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from mrclassic.book import clean
from mrclassic.store.connection import Database, dump, now

if TYPE_CHECKING:
    from mrclassic.store.candidates import Candidates
    from mrclassic.store.conversations import Conversations
    from mrclassic.store.picks import Pick, Picks
    from mrclassic.store.ratings import Ratings

Messages = tuple[dict[str, str], ...]
IMPORTED = "imported"
_PAGE = 500  # rows of imported preferences read at a time


@dataclass(frozen=True, kw_only=True)
class Preference:
    """One choice: in the conversation `messages`, `candidates[winner]` was the best of `candidates` (at least two).

    `shown` are the positions on the screen, from 1; 0 is the owner's own words (empty: unknown). `kind` is candidate |
    typed | edited | imported; `checkpoint` is the one that drew the candidates; `pick` is the row of the choice.
    """

    messages: Messages
    candidates: tuple[str, ...]
    winner: int
    kind: str
    date: str
    shown: tuple[int, ...] = ()
    checkpoint: str | None = None
    pick: int | None = None

    def __post_init__(self) -> None:
        if len(self.candidates) < 2 or not 0 <= self.winner < len(self.candidates):
            raise ValueError("a preference has at least two candidates, and one of them won")

    @property
    def chosen(self) -> str:
        """The answer that won."""
        return self.candidates[self.winner]

    @property
    def rejected(self) -> tuple[str, ...]:
        """The answers that it won over, in their order."""
        return self.candidates[: self.winner] + self.candidates[self.winner + 1 :]

    @property
    def digest(self) -> str:
        """Names what it says, in whatever order the candidates stand (32 hexadecimal digits of a sha256)."""
        said = [[*map(_pair, self.messages)], self.chosen, sorted(self.rejected)]
        return sha256(json.dumps(said).encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class Rated:
    """A conversation down to a reply, and what the owner thought of it: 1 (poor) to 5 (splendid).

    `checkpoints` names, for each message, who drew it (None: a person wrote it, or it is not known).
    """

    conversation: int
    messages: Messages
    rating: float
    date: str
    checkpoints: tuple[str | None, ...] = ()

    @property
    def value(self) -> float:
        """The rating as a return: -1 (poor) to 1 (splendid)."""
        return (self.rating - 3.0) / 2.0


class Preferences:
    """What the store of one home has to say about taste."""

    def __init__(
        self, db: Database, conversations: Conversations, candidates: Candidates, picks: Picks, ratings: Ratings
    ) -> None:
        self._db = db
        self._conversations = conversations
        self._candidates = candidates
        self._picks = picks
        self._ratings = ratings

    def all(self) -> Iterator[Preference]:
        """The owner's own, oldest first, then the imported ones."""
        yield from self.own()
        yield from self.imported()

    def own(self) -> Iterator[Preference]:
        """What the owner chose, oldest first."""
        for pick in self._picks.choices():
            found = self.of(pick)
            if found is not None:
                yield found

    def of(self, pick: Pick) -> Preference | None:
        """What one choice says; None where there was nothing else to choose."""
        drawn = self._candidates.beside(pick)
        if pick.kind == "edited":
            drawn = [each for each in drawn if each.id == pick.candidate]
        own = pick.kind != "candidate"
        # By what they say, the winner first, so that of candidates that say the same it is the one that stays.
        said = {
            pick.text.strip(): (0 if own else next((c.shown for c in drawn if c.id == pick.candidate), 0), pick.text)
        }
        for each in drawn:
            said.setdefault(each.text.strip(), (each.shown, each.text))
        if len(said) < 2:
            return None
        # In the order shown, the owner's own words last.
        order = sorted(said.values(), key=lambda one: (one[0] == 0, one[0]))
        return Preference(
            messages=self.context(pick.prompt),
            candidates=tuple(text for _, text in order),
            winner=order.index(said[pick.text.strip()]),
            kind=pick.kind,
            date=pick.created,
            shown=tuple(place for place, _ in order),
            checkpoint=drawn[0].checkpoint,
            pick=pick.id,
        )

    def rated(self) -> Iterator[Rated]:
        """The conversations that are rated, in the order in which they were."""
        for rating in self._ratings.standing():
            last = rating.message
            if last is None:
                leaf = self._conversations.leaf(rating.conversation)
                last = leaf.id if leaf else None
            if last is None:
                continue
            path = self._conversations.path(last)
            messages = self.context(last)
            before = (None,) * (len(messages) - len(path))
            yield Rated(
                conversation=rating.conversation,
                messages=messages,
                rating=rating.score,
                date=rating.created,
                checkpoints=before + tuple(message.checkpoint for message in path),
            )

    def imported(self) -> Iterator[Preference]:
        """What came from files, in the order in which it came."""
        last = 0
        while rows := self._db.rows(
            "SELECT id, messages, candidates, winner, created FROM imported_preferences"
            " WHERE id > ? ORDER BY id LIMIT ?",
            (last, _PAGE),
        ):
            for row in rows:
                yield Preference(
                    messages=tuple(json.loads(row["messages"])),
                    candidates=tuple(json.loads(row["candidates"])),
                    winner=row["winner"],
                    kind=IMPORTED,
                    date=row["created"],
                )
            last = rows[-1]["id"]

    def take_in(self, source: str, found: Iterable[Preference]) -> int:
        """Keep preferences from the file `source`, all of them or none; return how many were new."""
        new = 0
        with self._db.transaction():
            for each in found:
                new += self._db.run(
                    "INSERT OR IGNORE INTO imported_preferences (source, digest, messages, candidates, winner, created)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (source, each.digest, dump(each.messages), dump(each.candidates), each.winner, now()),
                )
        return new

    def context(self, message: int) -> Messages:
        """The conversation down to a message, as the model reads it."""
        path = self._conversations.path(message)
        system = self._conversations.get(path[0].conversation).system
        first = ({"role": "system", "content": system},) if system else ()
        return first + tuple({"role": each.role, "content": each.content} for each in path)


def message(role: str, content: str) -> dict[str, str]:
    """A message in chat form, its text as it is kept everywhere."""
    return {"role": role, "content": clean(content)}


def _pair(message: dict[str, str]) -> tuple[str, str]:
    return message["role"], message["content"]
