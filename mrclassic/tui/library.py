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
    "": "everywhere",
    "starter": "the starter book",
    "picked": "your picks",
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

    def shelved(self) -> Shelved:
        """The book as it is now. Raises BookError where it is no text at all."""
        from mrclassic.store import learnt

        store, text = self._open(), book.read(self._home.book)
        entries, faults = book.examine(text, str(self._home.book))
        away = [entry for entry in retiring.retired(text) if entry not in set(entries)]
        used = store.checkpoints.in_use()
        measured_of, recalls = "", {}
        for row in store.checkpoints.lineage(used.id) if used else ():
            if recalls := store.recalls.of(row.id):
                measured_of = row.id
                break
        learned = learnt.known(store, self._home)
        counts = {entry.key: entry.line for entry in entries}
        prompts = {pick.entry_hash: pick.prompt for pick in store.picks.choices()}
        lines = text.split("\n")
        items = []
        every = sorted([*entries, *away], key=lambda entry: entry.line)
        for entry, chapter in zip(every, practice.chapters(lines, every), strict=True):
            recall = recalls.get(entry.hash)
            if entry in away:
                state = "retired"
            elif counts[entry.key] != entry.line:
                state = "overruled"
            elif entry.hash not in learned:
                state = "waiting"
            else:
                state = "learned" if recall is None else "known" if recall.known else "lost"
            source = "picked" if entry.hash in prompts else "starter" if entry.hash in self._starter else "written"
            words = "\n".join(message["content"] for message in entry.messages).casefold()
            items.append(Item(entry, state, source, chapter, recall, prompts.get(entry.hash), words))
        return Shelved(tuple(items), tuple(faults), used.id if used else "", measured_of)

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
