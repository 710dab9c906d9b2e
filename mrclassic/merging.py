"""Bringing together what two writers made of the same text, paragraph by paragraph: nothing of either is lost.

    merged = merge(base, mine, theirs)

A paragraph that one of them changed, added or took out is as that one left it. Where both changed the same, both
versions stand in the result, mine first, and `clashes` has the lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True)
class Merged:
    """The text, and the lines (from 1) at which both versions of something stand."""

    text: str
    clashes: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Change:
    """base[start:end] became `new`."""

    start: int
    end: int
    new: tuple[str, ...]


def merge(base: str, mine: str, theirs: str) -> Merged:
    """The text with both writers' changes since `base`. Blank lines between paragraphs are as I have them, where the
    paragraphs are mine."""
    if theirs in (base, mine):
        return Merged(mine)
    if mine == base:
        return Merged(theirs)
    blanks = dict(_paragraphs(theirs)) | dict(_paragraphs(mine))
    before = [text for text, _ in _paragraphs(base)]
    own = _changes(before, [text for text, _ in _paragraphs(mine)])
    others = _changes(before, [text for text, _ in _paragraphs(theirs)])
    made: list[str] = []
    both: list[int] = []  # places in `made`
    at = 0
    while own or others:
        start = min(change.start for change in (*own[:1], *others[:1]))
        made += before[at:start]
        left, right, end = _meeting(own, others, start)
        one, other = _applied(before, left, start, end), _applied(before, right, start, end)
        if one == other or not right:
            made += one
        elif not left:
            made += other
        else:
            if start != end:  # two additions at one place do not contradict each other
                both.append(len(made))
            made += [*one, *(each for each in other if each not in one)]
        at = end
    made += before[at:]
    return _laid_out(made, blanks, both, mine.endswith("\n") or theirs.endswith("\n"))


def _meeting(own: list[_Change], others: list[_Change], start: int) -> tuple[list[_Change], list[_Change], int]:
    """Takes the changes that begin at `start` off their lists, and those that overlap them; and where they end."""
    taken: tuple[list[_Change], list[_Change]] = ([], [])
    end, more = start, True
    while more:
        more = False
        for waiting, mine in zip((own, others), taken, strict=True):
            while waiting and (waiting[0].start == start or waiting[0].start < end):
                mine.append(waiting.pop(0))
                end, more = max(end, mine[-1].end), True
    return *taken, end


def _applied(before: Sequence[str], changes: Sequence[_Change], start: int, end: int) -> list[str]:
    made: list[str] = []
    for change in changes:
        made += [*before[start : change.start], *change.new]
        start = change.end
    return [*made, *before[start:end]]


def _changes(before: Sequence[str], after: Sequence[str]) -> list[_Change]:
    # What is alike at both ends is most of it, and need not be searched.
    head, most = 0, min(len(before), len(after))
    while head < most and before[head] == after[head]:
        head += 1
    foot = 0
    while foot < most - head and before[-1 - foot] == after[-1 - foot]:
        foot += 1
    old, new = before[head : len(before) - foot], after[head : len(after) - foot]
    return [
        _Change(head + a, head + b, tuple(new[c:d]))
        for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        if tag != "equal"
    ]


def _paragraphs(text: str) -> list[tuple[str, int]]:
    """Lines up to a blank one, and how many blank ones follow."""
    found: list[tuple[str, int]] = []
    lines: list[str] = []
    blank = 0
    for line in text.split("\n"):
        if not line.strip():
            blank += 1
            continue
        if blank and lines:
            found.append(("\n".join(lines), blank))
            lines = []
        blank = 0
        lines.append(line)
    return [*found, ("\n".join(lines), 1)] if lines else found


def _laid_out(made: Sequence[str], blanks: dict[str, int], both: Sequence[int], ended: bool) -> Merged:
    lines: list[str] = []
    starts: list[int] = []
    for paragraph in made:
        starts.append(len(lines) + 1)
        lines += [*paragraph.split("\n"), *[""] * blanks.get(paragraph, 1)]
    while lines and not lines[-1]:
        lines.pop()
    text = "\n".join(lines) + ("\n" if ended and lines else "")
    return Merged(text, tuple(starts[place] for place in both if place < len(starts)))
