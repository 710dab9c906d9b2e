"""Twenty questions, on a small scale: which of a few things is meant, by questions that are answered yes or no.

    I am thinking of one of these: cat, oak, spoon, river. You have 4 questions.
    Is it alive?
    Yes.
    Is it a cat?
    Right.

A question asks for a quality, or names a thing.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from pathlib import Path

from mrclassic.tasks.environments.base import Dialogues, Reply

QUALITIES = ("alive", "an animal", "large", "made of metal", "good to eat", "able to fly", "wet", "kept indoors")
# Which of them each thing has, in their order.
_THINGS = {
    "ant": "11000000",
    "apple": "10001000",
    "bee": "11000100",
    "boat": "00100010",
    "bread": "00001001",
    "bridge": "00110000",
    "cat": "11000001",
    "cloud": "00100110",
    "cow": "11101000",
    "eagle": "11100100",
    "fern": "10000001",
    "fish": "11001010",
    "goose": "11001100",
    "horse": "11100000",
    "key": "00010001",
    "kite": "00000100",
    "milk": "00001010",
    "mirror": "00000001",
    "nail": "00010000",
    "oak": "10100000",
    "piano": "00100001",
    "plane": "00110100",
    "rain": "00000010",
    "reed": "10000010",
    "salt": "00001000",
    "ship": "00110010",
    "soup": "00001011",
    "spoon": "00010011",
    "stone": "00000000",
    "stove": "00110001",
    "whale": "11100010",
    "wheat": "10101000",
}
THINGS = {name: frozenset(at for at, has in enumerate(flags) if has == "1") for name, flags in _THINGS.items()}
_TURNS = {"4": 4, "8": 5, "16": 7}
_QUESTION = re.compile(r"is it (.+?)\?", re.IGNORECASE)


@dataclass(frozen=True)
class Round:
    """The thing that is meant, what it may still be, the things that were named, and the questions left."""

    secret: str
    open: tuple[str, ...]
    left: int


class Twenty:
    """The rules. A start is the things in their order, the one that is meant first; a level how many there are."""

    name = "twenty"
    about = "which thing is meant, by questions of yes or no"
    levels = tuple(_TURNS)

    def turns(self, level: str) -> int:
        """Enough for one who always halves what is left as well as its qualities let him."""
        return _TURNS[level]

    def draw(self, rng: random.Random, level: str) -> str:
        """Any things that can be told apart in time, whichever is meant."""
        while True:
            named = rng.sample(sorted(THINGS), int(level))
            if _longest(tuple(named)) <= self.turns(level):
                return " ".join([rng.choice(named), *named])

    def begin(self, level: str, start: str) -> Round:
        """Before the first question."""
        secret, *named = start.split()
        if secret not in named or len({*named} & {*THINGS}) != len(named) or len(named) != int(level):
            raise ValueError(f"it wants a thing and {level} different ones among which it is")
        return Round(secret, tuple(named), self.turns(level))

    def opening(self, level: str, start: str) -> str:
        """The things."""
        at = self.begin(level, start)
        return f"I am thinking of one of these: {', '.join(at.open)}. You have {at.left} questions."

    def answer(self, position: Round, completion: str) -> tuple[Round, Reply]:
        """Yes, no or right; what is no such question costs one too."""
        asked, left = _asked(completion), position.left - 1
        after = replace(position, left=left)
        if asked == position.secret:
            return replace(after, open=(position.secret,)), Reply("Right.", 1.0, True)
        if asked is None:
            words = "That cannot be answered by yes or no."
        elif isinstance(asked, str):
            after, words = replace(after, open=tuple(thing for thing in after.open if thing != asked)), "No."
        else:
            yes = asked in THINGS[position.secret]
            after = replace(after, open=tuple(thing for thing in after.open if (asked in THINGS[thing]) == yes))
            words = "Yes." if yes else "No."
        if left:
            return after, Reply(words, 0.0, False)
        return after, Reply(f"{words} It was the {position.secret}.", 0.0, True)

    def reads(self, position: Round, completion: str) -> bool:
        """Whether it is such a question."""
        return _asked(completion) is not None

    def key(self, position: Round) -> str:
        """How many things and questions are left."""
        return f"{len(position.open)} in {position.left}"

    def solve(self, level: str, start: str) -> list[str]:
        """The question that halves best what is left; of one or two, a name."""
        position, said = self.begin(level, start), []
        while True:
            said.append(_best(position.open))
            position, reply = self.answer(position, said[-1])
            if reply.done:
                return said


def _asked(completion: str) -> int | str | None:
    """The quality (its place) or the thing that is asked for."""
    found = _QUESTION.fullmatch(completion.strip())
    words = found[1].casefold() if found else ""
    if words in QUALITIES:
        return QUALITIES.index(words)
    article, _, thing = words.partition(" ")
    return thing if article in ("a", "an", "the") and thing in THINGS else None


def _best(open_: tuple[str, ...]) -> str:
    if len(open_) <= 2:
        return f"Is it {'an' if open_[0][0] in 'aeio' else 'a'} {open_[0]}?"
    return f"Is it {QUALITIES[_halving(open_)]}?"


def _halving(open_: tuple[str, ...]) -> int:
    """The quality that splits them most evenly."""
    return min(range(len(QUALITIES)), key=lambda at: abs(2 * sum(at in THINGS[thing] for thing in open_) - len(open_)))


def _longest(open_: tuple[str, ...]) -> int:
    """The questions that one who plays well needs at most."""
    if len(open_) <= 2:
        return len(open_)
    at = _halving(open_)
    parts = [tuple(thing for thing in open_ if (at in THINGS[thing]) == yes) for yes in (True, False)]
    return 1 + max(map(_longest, parts)) if all(parts) else len(open_)


def task(folder: Path | None) -> Dialogues[Round]:
    """The task; it has no files."""
    return Dialogues(Twenty())
