"""Cutting text into sentences, and sentences into those that stand alone and those that lean on the one before."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mrclassic.book import clean

_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-ZÀ-ÞΑ-ΩА-Я0-9])")
_ABBREVIATED = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|No|Nr|vs|etc|approx|ca|cf|Fig|Inc|Ltd|e\.g|i\.e)|\b[A-Z])\.$"
)
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_REACH = 12  # characters in which an abbreviation is looked for
# First words that point back: a sentence that begins so is not moved away from the one before it.
_LEANING = frozenset(
    _WORD.findall(
        "he she it they his her its their him them this that these those there here then now later afterwards before "
        "next first second third finally but and or so however therefore thus also still yet instead otherwise because "
        "since both neither either such another others one ones who which meanwhile besides moreover if"
    )
)


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph, each on one line; a last one without its mark gets a full stop."""
    found: list[str] = []
    whole = " ".join(clean(text).split())
    begun = 0
    for end in _END.finditer(whole):
        if _ABBREVIATED.search(whole[max(begun, end.start() - _REACH) : end.start()]):
            continue
        found.append(whole[begun : end.end()].strip())
        begun = end.end()
    if rest := whole[begun:].strip():
        found.append(rest if rest[-1] in ".!?…:;\"'”’)]" else f"{rest}.")
    return found


def leans(sentence: str) -> bool:
    """Whether it cannot be understood without the sentence before it."""
    first = _WORD.search(sentence)
    return first is None or first[0].lower() in _LEANING


def groups(told: Sequence[str]) -> list[list[str]]:
    """The sentences with those that lean on them: what may be told in another order."""
    found: list[list[str]] = []
    for sentence in told:
        if found and leans(sentence):
            found[-1].append(sentence)
        else:
            found.append([sentence])
    return found


def words(text: str) -> list[str]:
    """The words of a text as they stand."""
    return _WORD.findall(text)
