"""One draw of candidate answers while it streams: plain state, fed by the mind's deltas, read by the screen.

A candidate has a *slot* (where it was drawn) and a *shown* position. The two differ by a shuffle that depends on the
prompt alone, so that a liking for the leftmost card does not become a liking for the first sample, and a second look
at the same prompt finds every card where it was.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mrclassic.mind.protocol import Delta
    from mrclassic.store.candidates import Candidate

TEMPERATURE = 0.7
"""What a model is drawn at where neither the owner nor its makers say."""
WARMER = 0.3
"""So much warmer a single candidate is drawn again."""
HOTTEST = 2.0


@dataclass
class Piece:
    """One candidate as far as it has come."""

    slot: int
    shown: int
    """Position on the screen, counted from 1: the digit that picks it."""
    text: str = ""
    tokens: int = 0
    logprob: float = 0.0
    finish_reason: str | None = None
    duplicate: bool = False
    temperature: float | None = None
    """At which it was drawn in the end; `None`: as asked."""
    seed: int | None = None
    id: int | None = None
    """The stored candidate; `None` until the draw is stored."""

    @property
    def done(self) -> bool:
        """Whether it is complete and may be picked."""
        return self.finish_reason is not None


@dataclass
class Draw:
    """All candidates of one prompt."""

    prompt: int
    n: int
    seed: int
    temperature: float | None
    """As asked; `None` is left to the model, as `top_p` is."""
    top_p: float | None
    number: int = 1
    """Which draw for this prompt this is; drawing again counts on."""
    checkpoint: str | None = None
    only: int | None = None
    """The one of `pieces` that is drawn; the others stand already. `None`: all are."""
    stored: bool = False
    pieces: list[Piece] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.pieces:
            self.pieces = [Piece(slot, shown) for slot, shown in enumerate(shuffled(self.prompt, self.number, self.n))]

    def feed(self, delta: Delta) -> Piece:
        """Take one delta in; returns the candidate that it changed."""
        piece = self.pieces[delta.index if self.only is None else self.only]
        if delta.restart:
            piece.text, piece.finish_reason, piece.duplicate = "", None, False
        piece.text += delta.text
        piece.tokens, piece.logprob = delta.tokens, delta.logprob
        piece.duplicate = piece.duplicate or delta.duplicate
        piece.finish_reason = delta.finish_reason or piece.finish_reason
        piece.temperature = delta.temperature if delta.temperature is not None else piece.temperature
        self.top_p = delta.top_p if delta.top_p is not None else self.top_p
        piece.seed = delta.seed if delta.seed is not None else piece.seed
        self.checkpoint = delta.checkpoint or self.checkpoint
        return piece

    @property
    def by_position(self) -> list[Piece]:
        """The candidates in the order in which they are shown."""
        return sorted(self.pieces, key=lambda piece: piece.shown)

    @property
    def done(self) -> bool:
        """Whether nothing more will come."""
        return all(piece.done for piece in self.pieces)

    def same_as(self, piece: Piece) -> int | None:
        """The position of another candidate that says the same thing, for one that only repeats it."""
        if not piece.done:
            return None
        twins = [other for other in self.pieces if other.done and other.text.strip() == piece.text.strip()]
        first = min(twins, key=lambda other: (other.duplicate, other.shown))
        return None if first is piece else first.shown

    @property
    def repeats(self) -> bool:
        """Whether the one that was drawn by itself says what another says already."""
        drawn = None if self.only is None else self.pieces[self.only]
        return drawn is not None and any(
            other is not drawn and other.text.strip() == drawn.text.strip() for other in self.pieces
        )

    def warm(self, seed: int) -> None:
        """Draw that one once more, warmer still."""
        assert self.only is not None
        drawn = self.pieces[self.only]
        self.pieces[self.only] = Piece(drawn.slot, drawn.shown)
        self.seed, self.temperature = seed, min((self.temperature or 0.0) + WARMER, HOTTEST)


def again(draw: Draw, shown: int, seed: int) -> Draw:
    """The same candidates in their places but one, which is to be drawn anew, and warmer than it was: asked in the same
    way a model says the same."""
    pieces = [replace(piece, id=None) for piece in draw.pieces]
    place = next(place for place, piece in enumerate(pieces) if piece.shown == shown)
    before = pieces[place]
    asked = next((value for value in (before.temperature, draw.temperature) if value is not None), TEMPERATURE)
    pieces[place] = Piece(before.slot, shown)
    warmer = max(draw.temperature or 0.0, min(asked + WARMER, HOTTEST))
    return replace(draw, seed=seed, temperature=warmer, only=place, stored=False, number=draw.number + 1, pieces=pieces)


def shuffled(prompt: int, number: int, n: int) -> list[int]:
    """Positions 1..n for the slots 0..n-1: a pure function of the prompt and the number of the draw."""
    positions = list(range(1, n + 1))
    random.Random(prompt * 1009 + number).shuffle(positions)
    return positions


def restored(prompt: int, candidates: Sequence[Candidate]) -> Draw:
    """A stored draw, as it was shown."""
    pieces = [
        Piece(
            c.slot,
            c.shown,
            c.text,
            c.tokens,
            c.logprob,
            c.finish_reason or "stop",
            c.duplicate,
            c.temperature,
            c.seed,
            c.id,
        )
        for c in candidates
    ]
    first = candidates[0]
    return Draw(
        prompt,
        len(pieces),
        first.seed,
        first.temperature,
        first.top_p,
        number=first.draw,
        checkpoint=first.checkpoint,
        stored=True,
        pieces=pieces,
    )
