"""What the page of the book asks of the store: every entry, retired ones too, with what the model knows of it.

Everything here runs on the store's thread (`store_thread.py`) and knows no widget.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mrclassic import book, retiring, shipped
from mrclassic.book import BookError, Entry
from mrclassic.tui import practice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mrclassic.home import Home
    from mrclassic.store import Recall, Store

FILTERS = {
    "all": "All",
    "known": "Known",
    "lost": "Not known",
    "waiting": "Waiting",
    "retired": "Retired",
}
STATES = {
    "known": "Known by heart",
    "lost": "Learned, and not known by heart",
    "learned": "Learned; what is left of it has not been measured",
    "waiting": "Waits to be learned",
    "overruled": "Not taught: another reply to the same stands further down in the book",
    "retired": "Retired: taught no longer",
}
SOURCES = {
    "": "from everywhere",
    "starter": "from the starter book",
    "picked": "from your picks",
    "written": "by hand, or imported",
}


@dataclass(frozen=True)
class Item:
    """One entry. `state` is one of `STATES`, `source` of `SOURCES`; `prompt` the question in the chat whose pick wrote
    it, `words` what a search looks through."""

    entry: Entry
    state: str
    source: str
    chapter: str
    recall: Recall | None
    prompt: int | None
    words: str


@dataclass(frozen=True)
class Shelved:
    """The book: its entries in their order, and the mistakes in it."""

    items: tuple[Item, ...]
    faults: tuple[BookError, ...]
    checkpoint: str
    """The model in use; empty where nothing has hatched."""
    measured_of: str
    """The checkpoint that the measurements are of: the one in use, or the nearest it came from that was measured."""

    def count(self, state: str) -> int:
        """How many entries a filter shows."""
        return sum(state in ("all", item.state) for item in self.items)


def found(items: Iterable[Item], state: str, source: str, words: str) -> list[Item]:
    """The items of a filter and a source in which all of the words stand, upper or lower case."""
    sought = words.casefold().split()
    return [
        item
        for item in items
        if state in ("all", item.state) and source in ("", item.source) and all(each in item.words for each in sought)
    ]


class Library:
    """The book of a home, and what its models know of it."""

    def __init__(self, home: Home, store: Callable[[], Store]) -> None:
        self._home = home
        self._open = store
        self._last: tuple[object, Shelved] | None = None

    def shelved(self) -> Shelved:
        """The book as it is now. Raises BookError where it is no text at all."""
        from mrclassic.store import learnt

        store, written = self._open(), self._written()
        used = store.checkpoints.in_use()
        measured_of, recalls = "", {}
        for row in store.checkpoints.lineage(used.id) if used else ():
            if recalls := store.recalls.of(row.id):
                measured_of = row.id
                break
        learned = learnt.known(store, self._home)
        prompts = {pick.entry_hash: pick.prompt for pick in store.picks.choices()}
        items = []
        for item in written.items:
            name = item.entry.hash
            recall = recalls.get(name)
            state = item.state
            if state == "waiting" and name in learned:
                state = "learned" if recall is None else "known" if recall.known else "lost"
            source = "picked" if name in prompts else item.source
            items.append(Item(item.entry, state, source, item.chapter, recall, prompts.get(name), item.words))
        return Shelved(tuple(items), written.faults, used.id if used else "", measured_of)

    def _written(self) -> Shelved:
        """What the file says by itself, read anew where it has changed: no model has learned any of it."""
        facts = self._home.book.stat() if self._home.book.exists() else None
        state = (facts.st_ino, facts.st_mtime_ns, facts.st_size) if facts else None
        if self._last is not None and self._last[0] == state:
            return self._last[1]
        text = book.read(self._home.book)
        entries, faults = book.examine(text, str(self._home.book))
        present = set(entries)
        away = {entry for entry in retiring.retired(text) if entry not in present}
        latest = {_conversation(entry): entry.line for entry in entries}
        every = sorted([*entries, *away], key=lambda entry: entry.line)
        items = []
        for entry, chapter in zip(every, practice.chapters(text.split("\n"), every), strict=True):
            overruled = entry not in away and latest[_conversation(entry)] != entry.line
            where = "retired" if entry in away else "overruled" if overruled else "waiting"
            source = "starter" if entry.hash in self._starter else "written"
            words = "\n".join(part for turn in entry.turns for part in (turn.user, turn.reply)).casefold()
            items.append(Item(entry, where, source, chapter, None, None, words))
        written = Shelved(tuple(items), tuple(faults), "", "")
        self._last = (state, written)
        return written

    def retire(self, entry: Entry) -> bool:
        """Teach an entry no longer; returns whether it was still there."""
        return retiring.put_away(self._home.book, entry)

    def restore(self, entry: Entry) -> bool:
        """Teach a retired entry again; returns whether it was still there. Raises as `retiring.restore`."""
        return retiring.bring_back(self._home.book, entry)

    @cached_property
    def _starter(self) -> frozenset[str]:
        """The entries that every home begins with."""
        return frozenset(entry.hash for entry in book.load(shipped.folder("data") / "personality.txt"))


def _conversation(entry: Entry) -> tuple[object, ...]:
    """What `Entry.key` names, without the sum that takes long over ten thousand entries."""
    return entry.turns[:-1], entry.turns[-1].user
