"""Guessing a number: after each guess one hears whether it is higher or lower.

    I am thinking of a number from 12 to 21. You have 4 guesses.
    16.
    Higher.
    19.
    Right.

There are just as many guesses as halving what is left takes.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from pathlib import Path

from mrclassic.tasks.environments.base import Dialogues, Reply

_LOWEST = 900  # where a range begins at most
_NUMBER = re.compile(r"([0-9]{1,4})[.?]?")  # \d would also match other scripts' digits


@dataclass(frozen=True)
class Range:
    """The secret, what it may still be, and the guesses that are left."""

    secret: int
    low: int
    high: int
    left: int


class Guessing:
    """The rules. A start is the range and the secret; a level the size of the range."""

    name = "guessing"
    about = "a number, by higher and lower"
    levels: tuple[str, ...] = ("10", "30", "100")

    def turns(self, level: str) -> int:
        """As many as halving takes: of 2^n - 1 numbers, n."""
        return int(level).bit_length()

    def draw(self, rng: random.Random, level: str) -> str:
        """Any range of the level's size."""
        low = rng.randint(0, _LOWEST)
        return f"{low} {low + int(level) - 1} {rng.randint(low, low + int(level) - 1)}"

    def begin(self, level: str, start: str) -> Range:
        """Before the first guess."""
        low, high, secret = map(int, start.split())
        if not 0 <= low <= secret <= high or high - low + 1 != int(level):
            raise ValueError(f"it wants the ends of a range of {level} numbers and one of them")
        return Range(secret, low, high, self.turns(level))

    def opening(self, level: str, start: str) -> str:
        """The range."""
        at = self.begin(level, start)
        return f"I am thinking of a number from {at.low} to {at.high}. You have {at.left} guesses."

    def answer(self, position: Range, completion: str) -> tuple[Range, Reply]:
        """Higher, lower or right; what is no number costs a guess too."""
        after, guess = replace(position, left=position.left - 1), _guess(completion)
        if guess == position.secret:
            return replace(after, low=guess, high=guess), Reply("Right.", 1.0, True)
        if guess is None:
            words = "That is no number."
        elif guess < position.secret:
            after, words = replace(after, low=max(after.low, guess + 1)), "Higher."
        else:
            after, words = replace(after, high=min(after.high, guess - 1)), "Lower."
        if after.left:
            return after, Reply(words, 0.0, False)
        return after, Reply(f"{words} It was {position.secret}.", 0.0, True)

    def reads(self, position: Range, completion: str) -> bool:
        """Whether it is a number."""
        return _guess(completion) is not None

    def key(self, position: Range) -> str:
        """How many numbers and guesses are left: prospects depend on nothing else."""
        return f"{position.high - position.low + 1} in {position.left}"

    def solve(self, level: str, start: str) -> list[str]:
        """The middle, always."""
        position, said = self.begin(level, start), []
        while True:
            said.append(f"{(position.low + position.high) // 2}.")
            position, reply = self.answer(position, said[-1])
            if reply.done:
                return said


def _guess(completion: str) -> int | None:
    found = _NUMBER.fullmatch(completion.strip())
    return int(found[1]) if found else None


def task(folder: Path | None) -> Dialogues[Range]:
    """The task; it has no files."""
    return Dialogues(Guessing())
