"""Puzzles in words; `reading` reads them back.

    Everyone here is a knight or a knave. Knights always tell the truth, knaves always lie. You meet Zoe and Ben.
    Zoe says: "Ben is not a knight." Ben claims: "If Zoe is a knave then Ben is a knight." Who is a knight and who is a
    knave?

Names are repeated where people would say "I" or "she": what is written can be read without guessing.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from mrclassic.tasks.knights.claims import LEAVES, Claim, Puzzle, Words

HEADS = (
    "Everyone here is {a_knight} or {a_knave}. {Knights} always tell the truth, {knaves} always lie. You meet {names}.",
    "On an island live {knights}, who only say what is true, and {knaves}, who only say what is false. "
    "Here come {names}.",
    "{names} are {knights} or {knaves}. What {a_knight} says is true, what {a_knave} says is false.",
)
SPEECHES = (
    '{name} says: "{claim}."',
    '{name} claims: "{claim}."',
    "{name} says that {claim}.",
    '"{claim}," says {name}.',
)
TAIL = "Who is {a_knight} and who is {a_knave}?"


def write(puzzle: Puzzle, rng: random.Random) -> str:
    """The question, in a wording drawn from `rng`."""
    speeches = [
        rng.choice(SPEECHES).format(name=name, claim=claim_text(claim, puzzle.names, puzzle.words))
        for name, claim in zip(puzzle.names, puzzle.claims, strict=True)
    ]
    quoted = (re.sub(r'(?<=")i(?=f |t )', "I", speech) for speech in speeches)
    names = f"{', '.join(puzzle.names[:-1])} and {puzzle.names[-1]}"
    every = forms(puzzle.words)
    return " ".join([rng.choice(HEADS).format(names=names, **every), *quoted, TAIL.format(**every)])


def claim_text(claim: Claim, names: Sequence[str], words: Words) -> str:
    """The claim in words; a part that has parts of its own stands in parentheses."""
    kind, *parts = claim
    if kind in LEAVES:
        return f"{names[parts[0]]} is {article(words.knight if kind == 'telling-truth' else words.knave)}"
    if kind == "not" and parts[0][0] in LEAVES:
        return claim_text(parts[0], names, words).replace(" is ", " is not ", 1)
    sides = [claim_text(part, names, words) for part in parts]
    sides = [side if part[0] in LEAVES else f"({side})" for part, side in zip(parts, sides, strict=True)]
    if kind == "not":
        return f"it is not true that {sides[0]}"
    if kind == "->":
        return f"if {sides[0]} then {sides[1]}"
    return {"<=>": " if and only if ", "and": " and ", "or": " or "}[kind].join(sides)


def forms(words: Words) -> dict[str, str]:
    """The words in the forms that the templates ask for."""
    return {
        "knights": plural(words.knight),
        "knaves": plural(words.knave),
        "Knights": plural(words.knight).capitalize(),
        "a_knight": article(words.knight),
        "a_knave": article(words.knave),
    }


def article(word: str) -> str:
    """`a knight`, `an angel`."""
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"


def plural(word: str) -> str:
    """`knights`, `heroes`."""
    return word + ("es" if word.endswith(("s", "x", "ch", "sh", "o")) else "s")
