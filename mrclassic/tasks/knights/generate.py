"""Puzzles from a random source: everybody is a knight or a knave as often as not, and only one solution is left."""

from __future__ import annotations

import random

from mrclassic.tasks.knights.claims import LEAVES, Claim, Puzzle, holds
from mrclassic.tasks.knights.solve import cases

NAMES: tuple[str, ...] = (
    *(
        "Ada",
        "Alma",
        "Ben",
        "Boris",
        "Clara",
        "Cleo",
        "Dan",
        "Dora",
        "Edith",
        "Emil",
        "Felix",
        "Fiona",
        "Greta",
        "Gwen",
    ),
    *("Harald", "Hugo", "Ida", "Iris", "Jack", "Jonas", "Kate", "Kira", "Leo", "Linus", "Mara", "Maud", "Ned", "Nora"),
    *("Olga", "Paul", "Quinn", "Rosa", "Sam", "Tess", "Uma", "Victor", "Wanda", "Xena", "Yuri", "Zoe"),
)
_KINDS = ("is", "not", "and", "or", "->", "<=>")


def draw(rng: random.Random, people: int) -> Puzzle:
    """A puzzle of `people` with exactly one solution."""
    names = tuple(rng.sample(NAMES, people))
    while True:
        case = rng.getrandbits(people)
        truth = [case >> one & 1 for one in range(people)]
        claims = tuple(_claim(rng, knight, truth) for knight in truth)
        if cases(claims) == 1 << case:
            return Puzzle(names, claims)


def _claim(rng: random.Random, knight: int, truth: list[int]) -> Claim:
    """Something that a knight or a knave can say, given who is what."""
    while True:
        kind = _KINDS[int(rng.random() * len(_KINDS))]
        person, step = int(rng.random() * len(truth)), 1 + int(rng.random() * (len(truth) - 1))
        claim: Claim = (LEAVES[rng.random() < 0.5], person)
        if kind == "not":
            claim = (kind, claim)
        elif kind != "is":  # two different people
            claim = (kind, claim, (LEAVES[rng.random() < 0.5], (person + step) % len(truth)))
        if holds(claim, truth) == knight:
            return claim
