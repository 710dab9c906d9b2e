"""A choice: of several replies to one conversation, the one that its owner preferred. What taste is learned from.

Plain data, known to the store that reads it from picks and to training that learns from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Literal

Kind = Literal["candidate", "typed", "edited", "imported", "voted"]
FOLDS = 5


@dataclass(frozen=True)
class Choice:
    """`prompt` is the conversation as (role, words), `replies` differ from each other, `winner` is the place of the
    preferred one. Typed, it stands beside all that were shown; edited, beside the reply that it was made from;
    imported, somebody chose it elsewhere; voted, one checkpoint's reply was found better than another's. `pick` is the
    store's number for it, of a vote below zero. Raises ValueError where nothing was chosen between."""

    prompt: tuple[tuple[str, str], ...]
    replies: tuple[str, ...]
    winner: int = 0
    kind: Kind = "candidate"
    pick: int | None = None

    def __post_init__(self) -> None:
        if len(set(self.replies)) != len(self.replies) or len(self.replies) < 2:
            raise ValueError("a choice is between two or more replies that differ")
        if not 0 <= self.winner < len(self.replies) or not self.prompt:
            raise ValueError("a choice has a prompt, and its winner is one of its replies")

    @property
    def messages(self) -> list[dict[str, str]]:
        """The prompt as messages."""
        return [{"role": role, "content": words} for role, words in self.prompt]

    @property
    def drawn(self) -> bool:
        """Whether the model itself said the preferred reply: how well taste is known is judged by these alone, because
        what a person wrote is told from what a small model says without any taste, and what was chosen elsewhere may
        be another's."""
        return self.kind == "candidate"

    @cached_property
    def digest(self) -> bytes:
        """Of the prompt: two choices with the same one are never on both sides of a split."""
        said = "\x1e".join(f"{role}\x1f{words}" for role, words in self.prompt)
        return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8, person=b"choices").digest()

    @property
    def fold(self) -> int:
        """Which of the `FOLDS` parts it belongs to, fixed by its prompt: more picks move none to another part."""
        return int.from_bytes(self.digest[:4]) % FOLDS

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The winner beside each of the others: (chosen, rejected)."""
        chosen = self.replies[self.winner]
        return [(chosen, other) for place, other in enumerate(self.replies) if place != self.winner]


def choice(
    prompt: Iterable[tuple[str, str]],
    winner: str,
    others: Sequence[str],
    kind: Kind = "candidate",
    pick: int | None = None,
) -> Choice | None:
    """`winner` preferred to `others`, in an order that has nothing to do with it; None where it stands alone."""
    replies = sorted({winner, *others}, key=lambda text: blake2b(text.encode("utf-8", "surrogatepass")).digest())
    if len(replies) < 2:
        return None
    return Choice(tuple(prompt), tuple(replies), replies.index(winner), kind, pick)
