"""What an owner is shown before a plugin is trusted: its whole text, and what has changed since it last was."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

Sign = Literal[" ", "+", "-"]
_LINE = re.compile("\r\n|\r|\n")  # what ends a line for Python, and nothing else: no line may hide behind another


@dataclass(frozen=True)
class Line:
    """A line of the file as it is, new (`+`) or as it was (` `), or one that is gone (`-`). `number` is its place,
    counted from 1: in the file that it is of."""

    sign: Sign
    number: int
    text: str


def lines(now: str, before: str | None = None) -> tuple[Line, ...]:
    """Every line of `now` in order, and where they stood those of `before` that are gone; nothing is new where there is
    no `before`."""
    new = _split(now)
    if not before:
        return tuple(Line(" ", place, text) for place, text in enumerate(new, 1))
    old = _split(before)
    found: list[Line] = []
    for kind, first, last, begin, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            found += [Line(" ", at + 1, new[at]) for at in range(begin, end)]
        else:
            found += [Line("-", at + 1, old[at]) for at in range(first, last)]
            found += [Line("+", at + 1, new[at]) for at in range(begin, end)]
    return tuple(found)


def _split(text: str) -> list[str]:
    """The lines; what ends the last one begins no other."""
    found = _LINE.split(text)
    return found if found[-1] else found[:-1]
