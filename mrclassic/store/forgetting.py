"""Forgetting: a conversation, a pick, or whatever holds some words, out of everything that this home keeps.

    found = find(store, home, "text", "my sister Anna")     what would go, and who saw it
    forget(store, home, found)                              it is gone; returns the files that still hold it

The book goes first, then the pages of the nights, then the rows: broken off, the same command finds what is left. What
a model has learned stays in its weights, so the checkpoints whose manifests list an erased entry are named, with those
that were trained on from them, and the last one of the line in use that never saw it. A tombstone keeps ids and hashes,
and nothing of what was said.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mrclassic import book, files, retiring
from mrclassic.book import Entry
from mrclassic.errors import MrClassicError, UsageError
from mrclassic.store import curation, learnt, tasting
from mrclassic.store.erasing import Rows

if TYPE_CHECKING:
    from mrclassic.home import Home
    from mrclassic.store import Store
    from mrclassic.store.runs import Run

Kind = Literal["conversation", "pick", "text"]

TELLING = 16
"""Characters from which a text is looked for inside others: shorter ones ("yes", "How are you?") are said everywhere,
and count only where they are all that is said."""
_BLANK = "(forgotten)"
_CHUNK = 2**20
_WEIGHTS = (".safetensors", ".sock", ".lock")  # files in which no text stands


@dataclass(frozen=True, kw_only=True)
class Found:
    """What would be forgotten. `saw`: checkpoints that were trained on it, or from one that was, newest first;
    `before`: the nearest ancestor of the one in use that was not, if its files are still here."""

    kind: Kind
    name: str
    rows: Rows
    entries: tuple[Entry, ...]
    comments: int
    hashes: tuple[str, ...]
    pages: tuple[Path, ...]
    saw: tuple[str, ...]
    before: str | None
    tastes: tuple[Path, ...]
    """What was learned of the owner's taste from picks that go; it goes with them, and is learned anew in seconds."""
    words: tuple[str, ...]
    """The texts themselves."""

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to forget."""
        return not (self.rows or self.entries or self.comments or self.pages)

    def holds(self, text: str) -> bool:
        """Whether a text is, or holds, what is to be forgotten."""
        return _holds(text, self.words, anywhere=self.kind == "text")


def find(store: Store, home: Home, kind: Kind, name: str) -> Found:
    """What would be forgotten; raises UsageError for what is not there."""
    curation.settle(store, home)
    erasing = store.erasing
    if kind == "text":
        words: tuple[str, ...] = (name,)
        if not name.strip():
            raise UsageError("There are no words to look for; say which.")
        roots = erasing.messages(lambda text: _holds(text, words, anywhere=True))
    elif kind == "pick":
        roots = [_pick(store, name)]
    else:
        roots = erasing.of_conversation(store.conversations.get(_number(name, kind)).id)
    messages = erasing.branch(roots)
    if kind != "text":
        words = tuple(erasing.texts(messages))

    def holds(text: str) -> bool:
        return _holds(text, words, anywhere=kind == "text")

    held = {store.conversations.message(each).conversation: None for each in messages}
    if kind == "conversation":
        held[int(name)] = None
    whole = tuple(each for each in held if {*erasing.of_conversation(each)} <= {*messages})
    # A conversation is named after its first message.
    first = (message for message in map(store.conversations.message, messages) if message.parent is None)
    unnamed = {message.conversation for message in first} - {*whole}
    touched = {each for each in erasing.conversations(holds) if kind == "text" or each in held} - {*whole}
    keys, hashes = _booked(store, messages)
    gone = frozenset(messages)
    kept = {pick.entry_hash for pick in store.picks.choices() if pick.prompt not in gone}
    written = book.read(home.book)
    away = retiring.retired(written)
    entries = tuple(
        entry
        for entry in (*book.parse(written, str(home.book)), *away)
        if (entry.key in keys and entry.hash not in kept)
        or (kind == "text" and any(holds(each["content"]) for each in entry.messages))
    )
    hashes |= {entry.hash for entry in entries}
    picks = [pick.id for message in messages for pick in store.picks.written(message)]
    votes = erasing.votes(holds)
    rows = Rows(
        messages=tuple(messages),
        conversations=whole,
        candidates=tuple(erasing.candidates(holds)) if kind == "text" else (),
        preferences=tuple(erasing.preferences(holds)) if kind == "text" else (),
        samples=tuple(erasing.samples(holds)),
        votes=tuple(votes),
        recalls=tuple(erasing.recalls(holds)),
        touched=tuple(sorted(touched)),
        unnamed=tuple(sorted(unnamed)),
    )
    saw = _saw(store, home, hashes, erasing.heard(rows))
    return Found(
        kind=kind,
        name=name,
        rows=rows,
        entries=entries,
        comments=sum(_comment(line, holds) for line in _but(written, away).split("\n")) if kind == "text" else 0,
        hashes=tuple(sorted(hashes)),
        pages=tuple(
            page for page in sorted(home.nights.glob("*")) if page.is_file() and _page(page, words, kind) is not None
        ),
        saw=saw,
        before=_before(store, home, saw),
        tastes=tasting.learned_from(home, [*picks, *(-vote for vote in votes)], erasing.imported(rows.preferences)),
        words=words,
    )


def forget(store: Store, home: Home, found: Found) -> list[Path]:
    """Delete it for good; returns the files of the home that still hold some of it (notes, logs, damaged databases)."""
    with book.lock(home.book):
        before = text = book.read(home.book)
        for entry in found.entries:
            text = _but(book.without_entry(text, entry, str(home.book))[0], [entry])
        if found.comments:
            text = "\n".join(line for line in text.split("\n") if not _comment(line, found.holds))
        if text != before:
            book.write(home.book, text)
    for path in sorted(home.runs.glob("*/book.txt")):  # a run or night that is resumed would learn it again
        with suppress(MrClassicError):  # one that cannot be read is told of as a file that still holds it
            _take_out(path, found)
    for folder in found.tastes:
        shutil.rmtree(folder)
    if home.draft.exists() and _still(home.draft, found):
        home.draft.unlink()
    for page in found.pages:
        if (content := _page(page, found.words, found.kind)) is not None:
            files.replace(page, content.encode("utf-8", "backslashreplace"))
    # The words themselves would be what was to be forgotten.
    name = found.name if found.kind != "text" else hashlib.sha256(found.name.encode()).hexdigest()[:16]
    with store.transaction():
        store.tombstones.add(found.kind, name, found.hashes, found.saw)
        store.erasing.erase(found.rows, found.entries, found.holds)
    store.erasing.scour()
    return [path for path in _kept_files(home) if _still(path, found)]


def _take_out(kept: Path, found: Found) -> None:
    """Out of the book that an unfinished run began with."""
    gone, entries = {entry.hash for entry in found.entries}, book.load(kept)
    if found.kind == "text":
        gone |= {entry.hash for entry in entries if any(found.holds(each["content"]) for each in entry.messages)}
    left = [entry for entry in entries if entry.hash not in gone]
    if len(left) < len(entries):
        files.replace(kept, "\n".join(map(book.render, left)).encode())


def _holds(text: str, words: Sequence[str], *, anywhere: bool) -> bool:
    low = text.casefold()
    if anywhere:
        return any(each.casefold() in low for each in words)
    stripped = text.strip()
    return any(each.strip() == stripped or (len(each) >= TELLING and each.casefold() in low) for each in words)


def _but(text: str, away: Sequence[Entry]) -> str:
    """The book's text without these among its retired entries."""
    for entry in away:
        text = retiring.without(text, entry)
    return text


def _comment(line: str, holds: Any) -> bool:
    return line.startswith("#") and bool(holds(line))


def _number(name: str, kind: str) -> int:
    if not name.isdecimal():
        raise UsageError(f"A {kind} is named by its number, not {name!r}.")
    return int(name)


def _pick(store: Store, name: str) -> int:
    """The question of a pick: it goes with all that was answered to it and said after it."""
    try:
        return store.picks.get(_number(name, "pick")).prompt
    except KeyError:
        raise UsageError(f"There is no pick {name}; the page of the picks in the app (F4) numbers them.") from None


def _booked(store: Store, messages: Sequence[int]) -> tuple[set[str], set[str]]:
    """The conversations (`key`) and entries (`hash`) of the book that the picks for these messages have written."""
    keys: set[str] = set()
    hashes: set[str] = set()
    for message in messages:
        for pick in store.picks.written(message):
            keys.add(curation.entry_for(store, message, pick.text).key)
            hashes.add(pick.entry_hash or "")
    return keys, hashes - {""}


def _saw(store: Store, home: Home, hashes: set[str], heard: Mapping[str, str]) -> tuple[str, ...]:
    rows = store.checkpoints.list()
    known = {row.id: learnt.book_of(home.checkpoints / row.path) or frozenset() for row in rows}
    saw = {row.id for row in rows if known[row.id] & hashes}
    # What was said of replies no manifest lists: it is learned with all of its kind that was said before a run.
    for run in store.runs.list(limit=-1):
        since = heard.get(_opinion(run))
        if since is not None and run.started >= since:
            made = run.checkpoint or (run.night and store.nights.get(run.night).checkpoint)
            saw |= {made} if made else set()
    while more := {row.id for row in rows if row.parent in saw and row.id not in saw}:
        saw |= more
    return tuple(row.id for row in rows if row.id in saw)


def _opinion(run: Run) -> str:
    """What of an owner's opinions a run learns from, by the kind of run that learns from nothing else; "" for none."""
    if run.kind == "td":
        return "" if run.settings.get("tasks") else "td"  # dialogues of a task are not rated by anybody
    rewards = [str(each).partition("=")[0] for each in run.settings.get("rewards") or ()]
    return "dpo" if run.kind in ("dpo", "taste") or "taste" in rewards else ""  # the picks, or a taste made of them


def _before(store: Store, home: Home, saw: Sequence[str]) -> str | None:
    used = store.checkpoints.in_use()
    for row in store.checkpoints.lineage(used.id) if used and used.id in saw else ():
        if row.id not in saw and learnt.book_of(home.checkpoints / row.path) is not None:
            return row.id
    return None


def _page(path: Path, words: Sequence[str], kind: Kind) -> str | None:
    """The page of a night, or its figures, without what is to be forgotten; None where it holds nothing of it."""
    sought = [line.strip() for each in words for line in each.split("\n")]
    telling = [each for each in sought if len(each) >= TELLING or (kind == "text" and each)]
    if not telling:
        return None
    pattern = re.compile("|".join(map(re.escape, sorted(telling, key=len, reverse=True))), re.IGNORECASE)
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".json":
        try:
            facts = json.loads(text)
        except ValueError:
            facts = None
        if facts is not None:
            blank = _blanked(facts, pattern)
            return None if blank == facts else json.dumps(blank, indent=1, ensure_ascii=False) + "\n"
    blank_text = pattern.sub(_BLANK, text)
    return None if blank_text == text else blank_text


def _blanked(value: Any, pattern: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return pattern.sub(_BLANK, value)
    if isinstance(value, list):
        return [_blanked(each, pattern) for each in value]
    if isinstance(value, dict):
        return {name: _blanked(each, pattern) for name, each in value.items()}
    return value


def _kept_files(home: Home) -> Iterator[Path]:
    """The files of the home in which words may stand; what checkpoints keep of them, their manifests tell."""
    for path in sorted(home.root.rglob("*")):
        if path.is_file() and path.suffix not in _WEIGHTS and home.checkpoints not in path.parents:
            yield path


def _still(path: Path, found: Found) -> bool:
    """Whether a file has one of the texts in it, as it is or as JSON writes it."""
    telling = [each for each in found.words if found.kind == "text" or len(each) >= TELLING]
    sought = {
        form.lower().encode()
        for each in telling
        for form in (each, *(json.dumps(each, ensure_ascii=a)[1:-1] for a in (True, False)))
    }
    if not sought:
        return False
    overlap = max(map(len, sought))
    tail = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            # bytes.lower knows only ASCII; other alphabets are found as they were written.
            window = tail + chunk.lower()
            if any(each in window for each in sought):
                return True
            tail = window[-overlap:]
    return False
