"""What the people of a puzzle say: a small expression tree, in the notation of the published puzzles.

    ("telling-truth", 0)    ("lying", 1)    ("not", claim)    ("and", claim, claim, ...)    ("or", claim, claim, ...)
    ("->", if, then)        ("<=>", one, other)                people are numbered from 0

Two puzzles have the same *shape* if one becomes the other by renaming people and saying the same in other words ("not
a knave" for "a knight", "if A then B" for "not A, or B", the sides of an "and" exchanged).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

Claim = tuple[Any, ...]

FEWEST, MOST = 2, 8  # people
DEEPEST = 6  # levels of a claim; the published ones have two
_LONGEST = 20_000  # characters of a published claim list; the longest has 600
LEAVES = ("telling-truth", "lying")
_ARITY = {"not": (1, 1), "->": (2, 2), "<=>": (2, 2), "and": (2, 8), "or": (2, 8)}


@dataclass(frozen=True)
class Words:
    """What those who tell the truth and those who lie are called; singular and small."""

    knight: str = "knight"
    knave: str = "knave"


@dataclass(frozen=True)
class Puzzle:
    """Who is there, and what each of them says."""

    names: tuple[str, ...]
    claims: tuple[Claim, ...]
    words: Words = Words()


def holds(claim: Claim, knights: Sequence[int] | Mapping[int, int], every: int = 1) -> int:
    """Whether the claim is true when `knights[i]` says whether i is a knight; bitwise over many cases at once, `every`
    being all ones."""
    kind, *parts = claim
    if kind in LEAVES:
        knight: int = knights[parts[0]]
        return knight if kind == "telling-truth" else knight ^ every
    values = [holds(part, knights, every) for part in parts]
    if kind == "not":
        return values[0] ^ every
    if kind == "->":
        return values[0] ^ every | values[1]
    if kind == "<=>":
        return values[0] ^ values[1] ^ every
    total = values[0]
    for value in values[1:]:
        total = total & value if kind == "and" else total | value
    return total


def mentioned(claim: Claim) -> Iterator[int]:
    """The people that the claim is about, in its order, with repetitions."""
    if claim[0] in LEAVES:
        yield claim[1]
    else:
        for part in claim[1:]:
            yield from mentioned(part)


def read(value: object, people: int) -> tuple[Claim, ...]:
    """One claim for each of `people`, from Python's notation or from lists; raises ValueError with the reason."""
    if isinstance(value, str):
        if len(value) > _LONGEST:
            raise ValueError('its "statements" are too long')
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
            raise ValueError('its "statements" cannot be read') from error
    if not isinstance(value, list | tuple) or len(value) != people:
        raise ValueError(f'its "statements" are not a list of {people}, one for each person')
    return tuple(_claim(each, people, DEEPEST) for each in value)


def _claim(value: object, people: int, depth: int) -> Claim:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError('one of its "statements" is not a claim such as ("lying", 1)')
    kind, *parts = value
    if kind in LEAVES:
        if len(parts) != 1 or type(parts[0]) is not int or not 0 <= parts[0] < people:
            raise ValueError(f'one of its "statements" is about nobody among the {people}')
        return (kind, parts[0])
    if not isinstance(kind, str) or kind not in _ARITY:
        raise ValueError(f'one of its "statements" begins with {str(kind)[:20]!r}, not one of {", ".join(_ARITY)}')
    fewest, most = _ARITY[kind]
    if not fewest <= len(parts) <= most or depth == 1:
        raise ValueError(f'one of its "statements" has {"too many levels" if depth == 1 else f"an odd {kind!r}"}')
    return (kind, *(_claim(part, people, depth - 1) for part in parts))


def shape(claims: Sequence[Claim]) -> str:
    """The same for puzzles of the same shape; for others different, but for rare look-alikes of many people.

    Colour refinement: what each person says and what is said of them, twice over, with the people in it known by their
    colours alone. For two people it is exact.
    """
    people = range(len(claims))
    about = [set(mentioned(claim)) for claim in claims]
    colours = ["?"] * len(claims)
    for _ in range(2):
        colours = [
            _digest(
                _normal(claims[me], [*colours[:me], "me", *colours[me + 1 :]]),
                *sorted(
                    _normal(claims[other], [{me: "you", other: "me"}.get(one, colours[one]) for one in people])
                    for other in people
                    if other != me and me in about[other]
                ),
            )
            for me in people
        ]
    return _digest(*sorted(colours))


def is_held_out(claims: Sequence[Claim]) -> bool:
    """Whether the shape belongs to the quarter that training never draws."""
    return int(_digest("the held-out quarter", shape(claims))[:2], 16) < 64


def _normal(claim: Claim, people: Sequence[str], positive: bool = True) -> str:
    """The claim (or, if not `positive`, its denial) in one of the ways in which it can be said."""
    kind, *parts = claim
    if kind in LEAVES:
        return f"{'+' if (kind == 'telling-truth') == positive else '-'}{people[parts[0]]}"
    if kind == "not":
        return _normal(parts[0], people, not positive)
    if kind == "<=>":
        one, other = parts
        return min(
            f"iff({min(ways)},{max(ways)})"
            for side in (True, False)
            for ways in [(_normal(one, people, side), _normal(other, people, side == positive))]
        )
    if kind == "->":
        kind, parts = "or", [("not", parts[0]), parts[1]]
    sides = sorted({_normal(part, people, positive) for part in parts})
    return f"{kind if positive else {'and': 'or', 'or': 'and'}[kind]}({','.join(sides)})"


def _digest(*parts: str) -> str:
    return blake2b("\x1f".join(parts).encode(), digest_size=8).hexdigest()
