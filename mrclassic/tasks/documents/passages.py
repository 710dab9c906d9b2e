"""What the owner's notes are cut into: passages; and those of JSON lines (`markdown` has those of text).

A row has a `text`, or a `question` and its `answer`, or both; and where wanted `title`, `retellings`, `aliases` and
further `questions` (a list of objects with `question` and `answer`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mrclassic.book import clean
from mrclassic.tasks import rows
from mrclassic.tasks.base import BadRow
from mrclassic.tasks.dataset import text_of
from mrclassic.tasks.documents.sentences import sentences
from mrclassic.tasks.trivia import normal

ROW = " | "  # between the cells of a table's row
WORDS = 60  # of a passage: what a small model reads in one row with room to spare


@dataclass(frozen=True)
class Pair:
    """A question that somebody wrote, and its answer; `aliases` are right too."""

    question: str
    answer: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Passage:
    """A piece to be read at once: the sentences of `told`, under `title`. Of one that is `verbatim` no word may change.
    `retellings` and `pairs` are those that came with it."""

    told: tuple[str, ...]
    title: str = ""
    verbatim: bool = False
    retellings: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()

    @property
    def text(self) -> str:
        """The passage as it is read."""
        return ("\n" if self.verbatim else " ").join(self.told)


def of_rows(path: Path, faults: list[str]) -> Iterator[Passage]:
    """The passages of a file of JSON lines; rows that cannot be used become `faults`, a sentence each."""
    for number, row in rows.scan(path):
        try:
            if isinstance(row, BadRow):
                raise row
            yield from _row(row)
        except BadRow as bad:
            faults.append(f"{path.name} line {number}: {bad}.")


def _row(row: Mapping[str, Any]) -> Iterator[Passage]:
    text, title = text_of(row, "text", default=""), line(text_of(row, "title", default=""))
    pairs = [_pair(row)] if "question" in row else []
    more = row.get("questions", [])
    if not isinstance(more, list) or not all(isinstance(each, dict) for each in more):
        raise BadRow('its "questions" are not a list of objects with "question" and "answer"')
    pairs += [_pair(each) for each in more]
    retellings = tuple(filter(None, map(line, _texts(row, "retellings"))))
    found = pieces(sentences(text), title, pairs)
    if not found:
        raise BadRow('it has neither a "text" nor a "question" with its "answer"')
    yield replace(found[0], retellings=retellings)
    yield from found[1:]


def pieces(told: Sequence[str], title: str, pairs: Sequence[Pair]) -> list[Passage]:
    """Passages of `told`, each pair with the first in which its answer stands."""
    found = [Passage(tuple(piece), title) for piece in _cut(told)]
    if pairs and not found:
        return [Passage((), title, pairs=tuple(pairs))]
    for each in pairs:
        texts = (f" {normal(piece.text)} " for piece in found)
        place = next((at for at, text in enumerate(texts) if f" {normal(each.answer)} " in text), 0)
        found[place] = replace(found[place], pairs=(*found[place].pairs, each))
    return found


def _pair(row: Mapping[str, Any]) -> Pair:
    return pair(text_of(row, "question"), text_of(row, "answer"), _texts(row, "aliases"))


def line(text: str) -> str:
    """The text on one line, as it can be kept."""
    return " ".join(clean(text).split())


def pair(question: str, answer: str, aliases: Sequence[str] = ()) -> Pair:
    """A pair on single lines; raises BadRow where one of both is empty."""
    asked, given = line(question), line(answer)
    if not asked or not given:
        raise BadRow(f'its "{"answer" if asked else "question"}" is empty')
    return Pair(asked, given, tuple(filter(None, map(line, aliases))))


def _texts(row: Mapping[str, Any], name: str) -> list[str]:
    values = row.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise BadRow(f'its "{name}" are not a list of texts')
    return values


def _cut(told: Sequence[str]) -> Iterator[list[str]]:
    """Sentences in pieces of about `WORDS` words; a longer sentence is a piece of its own."""
    piece: list[str] = []
    length = 0
    for sentence in told:
        words = len(sentence.split())
        if piece and length + words > WORDS:
            yield piece
            piece, length = [], 0
        piece.append(sentence)
        length += words
    if piece:
        yield piece
