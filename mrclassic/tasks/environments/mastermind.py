"""Mastermind: a code of letters; after each guess one hears how many are in place and how many elsewhere.

My code has 2 letters out of B C F H, and they may repeat. You have 5 guesses.
B B
1 in place, 0 elsewhere.
B C
Right.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from operator import eq
from pathlib import Path

from mrclassic.tasks.environments.base import Dialogues, Reply

LETTERS = "ABCDEFGH"
_SIZES = {"2": (4, 5), "3": (5, 7), "4": (6, 10)}  # by the letters of a code: letters in play, guesses


@dataclass(frozen=True)
class Board:
    """The code, the letters in play, what it may still be (places among all codes in order), the guesses left."""

    code: str
    letters: str
    open: tuple[int, ...]
    left: int


class Mastermind:
    """The rules. A start is the letters in play and the code; a level is the length of the code."""

    name = "mastermind"
    about = "a code of letters, by how many are right"
    levels = tuple(_SIZES)

    def turns(self, level: str) -> int:
        """More than one needs who only says what it may still be."""
        return _SIZES[level][1]

    def draw(self, rng: random.Random, level: str) -> str:
        """Any letters, any code of them."""
        letters = "".join(sorted(rng.sample(LETTERS, _SIZES[level][0])))
        return f"{letters} {''.join(rng.choice(letters) for _ in range(int(level)))}"

    def begin(self, level: str, start: str) -> Board:
        """Before the first guess."""
        letters, code = start.split()
        count, guesses = _SIZES[level]
        known = len(set(letters)) == len(letters) == count and set(letters) <= set(LETTERS)
        if not known or "".join(sorted(letters)) != letters or len(code) != int(level) or not set(code) <= set(letters):
            raise ValueError(f"it wants {count} letters in order and a code of {level} of them")
        return Board(code, letters, tuple(range(count ** int(level))), guesses)

    def opening(self, level: str, start: str) -> str:
        """The letters."""
        at = self.begin(level, start)
        return (
            f"My code has {level} letters out of {' '.join(at.letters)}, and they may repeat. "
            f"You have {at.left} guesses."
        )

    def answer(self, position: Board, completion: str) -> tuple[Board, Reply]:
        """How many letters are right; what is no code costs a guess too."""
        guess, left = _guess(position, completion), position.left - 1
        if guess == position.code:
            return replace(position, open=(), left=left), Reply("Right.", 1.0, True)
        if guess is None:
            after, words = replace(position, left=left), "That is no code."
        else:
            told = marks(guess, position.code)
            places = tuple(map(position.letters.index, guess))
            after = replace(position, open=_still(len(position.letters), position.open, places, told), left=left)
            words = f"{told[0]} in place, {told[1]} elsewhere."
        if left:
            return after, Reply(words, 0.0, False)
        return after, Reply(f"{words} It was {' '.join(position.code)}.", 0.0, True)

    def reads(self, position: Board, completion: str) -> bool:
        """Whether it is a code."""
        return _guess(position, completion) is not None

    def key(self, position: Board) -> str:
        """How many codes and guesses are left."""
        return f"{len(position.code)}: {len(position.open)} in {position.left}"

    def solve(self, level: str, start: str) -> list[str]:
        """The first code that it may still be."""
        position, said = self.begin(level, start), []
        while True:
            code = _codes(len(position.letters), int(level))[position.open[0]]
            said.append(" ".join(position.letters[at] for at in code))
            position, reply = self.answer(position, said[-1])
            if reply.done:
                return said


def marks(guess: Sequence[object], code: Sequence[object]) -> tuple[int, int]:
    """Letters of `guess` that are in place, and those that are in the code elsewhere."""
    placed = sum(map(eq, guess, code))
    return placed, sum(min(guess.count(one), code.count(one)) for one in set(guess)) - placed


@lru_cache(maxsize=len(_SIZES))
def _codes(letters: int, length: int) -> tuple[tuple[int, ...], ...]:
    """All codes in the order of the alphabet, as places among the letters in play."""
    return tuple(product(range(letters), repeat=length))


@lru_cache(maxsize=4096)
def _still(letters: int, open_: tuple[int, ...], guess: tuple[int, ...], told: tuple[int, int]) -> tuple[int, ...]:
    """Those of `open_` for which `guess` would be told the same."""
    codes = _codes(letters, len(guess))
    return tuple(place for place in open_ if marks(guess, codes[place]) == told)


def _guess(position: Board, completion: str) -> str | None:
    guess = completion.strip().removesuffix(".").replace(" ", "").upper()
    return guess if len(guess) == len(position.code) and set(guess) <= set(position.letters) else None


def task(folder: Path | None) -> Dialogues[Board]:
    """The task; it has no files."""
    return Dialogues(Mastermind())
