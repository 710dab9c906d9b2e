"""Solving by trying everybody as knight and as knave: all 2^n cases at once, a bit each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from mrclassic.tasks.knights.claims import Claim, holds


def solutions(claims: Sequence[Claim]) -> list[tuple[bool, ...]]:
    """Every way in which exactly the knights say what is true."""
    people, left = range(len(claims)), cases(claims)
    return [tuple(bool(case >> one & 1) for one in people) for case in range(1 << len(claims)) if left >> case & 1]


def cases(claims: Sequence[Claim]) -> int:
    """The solutions as bits: bit c is set if c is one, and bit i of c if person i is a knight in it."""
    knights, left = _knights(len(claims))
    every = left
    for knight, claim in zip(knights, claims, strict=True):
        left &= ~(knight ^ holds(claim, knights, every))
    return left


@lru_cache(maxsize=8)
def _knights(people: int) -> tuple[tuple[int, ...], int]:
    """For each person the bits of the cases in which they are a knight; and all cases."""
    every = range(1 << people)
    return tuple(sum(1 << case for case in every if case >> one & 1) for one in range(people)), (1 << len(every)) - 1
