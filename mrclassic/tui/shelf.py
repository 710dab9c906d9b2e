"""What the list of conversations asks of the store: the last ones, those that a search finds, and what is done to one.

Each is a function of the store, run on a thread beside the screen's; none knows a widget.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from mrclassic.tui import exporting
from mrclassic.tui.widgets.conversations import Entry

if TYPE_CHECKING:
    from pathlib import Path

    from mrclassic.home import Home
    from mrclassic.store import Conversation, Hit, Store

Kind = Literal["own", "imported", "archived"]
"""What is listed: imported are those in which nothing was said here yet; archived, of both, those put away."""
FOUND = 50
"""Hits that a search shows."""
UNNAMED = "New conversation"


def entries(store: Store, limit: int, kind: Kind) -> tuple[Entry, ...]:
    """The conversations of a kind, those last spoken in first."""
    talks = store.conversations.list(limit, archived=kind == "archived", from_files=kind == "imported")
    return tuple(map(_entry, talks))


def title(store: Store, conversation: int) -> str:
    """The title of one, as the list has it."""
    return store.conversations.get(conversation).title or UNNAMED


def find(store: Store, words: str) -> tuple[Entry, ...]:
    """The conversations in which a message holds `words`: each once, with what was said there last."""
    return _said(store.conversations.worded(words, FOUND))


def find_more(store: Store, words: str, found: Sequence[Entry]) -> tuple[Entry, ...]:
    """What was found, behind it the conversations whose title holds `words`, and, where nothing was found, the messages
    that hold them as written. No index helps here: it takes longer."""
    entries = found or _said(store.conversations.literally(words, FOUND))
    known = {entry.id for entry in entries}
    return (*entries, *(_entry(talk) for talk in store.conversations.titled(words, FOUND) if talk.id not in known))


def _said(hits: Sequence[Hit]) -> tuple[Entry, ...]:
    found: dict[int, Entry] = {}
    for hit in hits:
        entry = Entry(hit.conversation, hit.title or UNNAMED, " ".join(hit.snippet.split()), hit.message)
        found.setdefault(hit.conversation, entry)
    return tuple(found.values())


def delete(store: Store, home: Home, conversation: int) -> int:
    """Delete it for good; returns how many checkpoints were trained on something of it."""
    from mrclassic.store import forgetting

    found = forgetting.find(store, home, "conversation", str(conversation))
    forgetting.forget(store, home, found)
    return len(found.saw)


def export(store: Store, home: Home, conversation: int, form: str) -> Path:
    """Write it to a file; returns which."""
    talk = store.conversations.get(conversation)
    return exporting.write(home, talk, store.conversations.messages(conversation), form)


def _entry(talk: Conversation) -> Entry:
    return Entry(talk.id, talk.title or UNNAMED, _day(talk.updated))


def _day(stamp: str) -> str:
    """A UTC time stamp as a day and minute of the owner's clock."""
    return datetime.fromisoformat(stamp).astimezone().strftime("%d %b %H:%M").lstrip("0")
