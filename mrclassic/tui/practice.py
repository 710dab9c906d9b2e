"""What Mr. Classic is asked in an evening's practice: the next question, and why it is asked now.

    recall     the book's own questions: those that the model in use is known to answer otherwise, the least likely
               answer first, then those that the last nights forgot, then those not asked for longest
    list       the owner's list, a line each, in its order: `prompts.txt` in the home
    phrasing   other ways to ask what the book answers, from the program's `data/held_out.txt`
    topic      the first question of a chapter of the book (a comment above its entries) of which nothing was asked

The four take turns; one that has nothing left lets the next one ask. Nothing is asked twice in an evening, answered or
skipped. All of it follows from what is given: no chance, no clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mrclassic import book, shipped
from mrclassic.book import Entry
from mrclassic.retiring import MARK

if TYPE_CHECKING:
    from mrclassic.home import Home
    from mrclassic.store.recalls import Recall

SOURCES = {
    "recall": "from the book",
    "list": "from your list",
    "phrasing": "asked another way",
    "topic": "a topic not asked yet",
}
PROMPTS = "prompts.txt"
_REPORTS = 7  # nights whose reports are looked at for what was forgotten


@dataclass(frozen=True)
class Question:
    """What to ask, and which of the `SOURCES` asks it."""

    text: str
    source: str


@dataclass(frozen=True)
class Material:
    """What questions are taken from."""

    entries: Sequence[Entry] = ()
    chapters: Sequence[str] = ()
    """The chapter of each entry, in the same order."""
    forgotten: Sequence[str] = ()
    """Questions that nights reported as forgotten, the latest first."""
    measured: Mapping[str, Recall] = field(default_factory=dict)
    """What the model in use is known to say to entries, by their hash; it outweighs what a night reported once."""
    prompts: Sequence[str] = ()
    phrasings: Sequence[str] = ()


def next_question(material: Material, asked: Mapping[str, str], evening: Iterable[str], turn: int) -> Question | None:
    """The question of this turn (counted from 0); None when nothing is left.

    `asked` holds when each text was last asked (ISO 8601, as stored), `evening` what was asked this evening.
    """
    over = frozenset(map(_plain, evening))
    before = {_plain(text): when for text, when in sorted(asked.items(), key=lambda item: item[1])}
    finders = {"recall": _recall, "list": _list, "phrasing": _phrasing, "topic": _topic}
    names = list(SOURCES)
    for step in range(len(names)):
        name = names[(turn + step) % len(names)]
        text = next((text for text in finders[name](material, before) if _plain(text) not in over), None)
        if text is not None:
            return Question(text, name)
    return None


def _recall(material: Material, before: Mapping[str, str]) -> list[str]:
    texts = {_plain(entry.turns[0].user): entry for entry in _openings(material)}
    measured = {key: found for key, entry in texts.items() if (found := material.measured.get(entry.hash))}
    wrong = sorted(
        (key for key, found in measured.items() if not found.known),
        key=lambda key: (measured[key].chance is None, measured[key].chance or 0.0, before.get(key, "")),
    )
    known = measured.keys() - set(wrong)
    forgotten = [key for text in material.forgotten if (key := _plain(text)) in texts and key not in known]
    # Never asked comes before asked long ago; the hash scatters what the book holds side by side.
    rest = sorted(texts, key=lambda key: (before.get(key, ""), texts[key].hash))
    return [texts[key].turns[0].user for key in (*wrong, *forgotten, *rest)]


def _list(material: Material, before: Mapping[str, str]) -> list[str]:
    return [text for text in material.prompts if _plain(text) not in before]


def _phrasing(material: Material, before: Mapping[str, str]) -> list[str]:
    return [text for text in material.phrasings if _plain(text) not in before]


def _topic(material: Material, before: Mapping[str, str]) -> list[str]:
    first: dict[str, str] = {}
    met = set()
    for entry, chapter in zip(material.entries, material.chapters, strict=True):
        text = entry.turns[0].user
        if len(entry.turns) == 1:
            first.setdefault(chapter, text)
        if _plain(text) in before:
            met.add(chapter)
    return [text for chapter, text in first.items() if chapter not in met]


def _openings(material: Material) -> list[Entry]:
    return [entry for entry in material.entries if len(entry.turns) == 1]


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


# What the home and the program hold.


def read(home: Home, measured: Mapping[str, Recall]) -> Material:
    """The material as it stands, and what was `measured` of the model in use; raises BookError where the book cannot
    be read. A file that is not there is empty."""
    text = book.read(home.book)
    lines = text.split("\n")
    entries = list({entry.key: entry for entry in book.parse(text, str(home.book))}.values())
    shown = book.load(shipped.folder("data") / "held_out.txt")
    return Material(
        entries=entries,
        chapters=chapters(lines, entries),
        forgotten=_forgotten(home.nights),
        measured=measured,
        prompts=_lines(home.root / PROMPTS),
        phrasings=[entry.turns[0].user for entry in sorted(shown, key=lambda entry: entry.hash)],
    )


def chapters(lines: Sequence[str], entries: Iterable[Entry]) -> list[str]:
    """The last comment of a single line that stands by itself above each entry."""
    named, chapter, above = [""], "", ""
    for number, line in enumerate(lines):
        alone = not above.startswith("#") and (number + 1 == len(lines) or not lines[number + 1].strip())
        said = line.startswith("#") and not line.startswith(MARK)
        chapter, above = line.lstrip("# ").strip() if said and alone else chapter, line
        named.append(chapter)
    return [named[entry.line] for entry in entries]


def _lines(path: Path) -> list[str]:
    """The lines of the owner's list; empty ones and those that begin with # are none."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except FileNotFoundError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _forgotten(folder: Path) -> list[str]:
    """The questions that the reports of the last nights name as forgotten, the latest night first."""
    reports = sorted(folder.glob("night-*.json"), key=lambda path: (len(path.name), path.name), reverse=True)
    found: list[str] = []
    for path in reports[:_REPORTS]:
        try:
            found += [str(change["question"]) for change in json.loads(path.read_text(encoding="utf-8"))["forgotten"]]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a report that cannot be read says nothing of what was forgotten
    return list(dict.fromkeys(found))
