"""Curation: the one place where a choice becomes a message, a pick and an entry of the book.

The store commits first (message and pick, `booked = 0`), then the book is written, then `booked = 1`. A process killed
between any two of these loses nothing: `settle` carries the rest out, in the order of the picks, whoever made them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from mrclassic import book, failpoints
from mrclassic.book import Entry, Turn
from mrclassic.errors import MrClassicError, UsageError
from mrclassic.home import Home
from mrclassic.store.conversations import Message
from mrclassic.store.picks import REPLIES, Pick

if TYPE_CHECKING:
    from mrclassic.store import Store


class NotBookedError(MrClassicError):
    """The choice is stored, but the book could not be written; it follows by itself once that is mended."""


def take(store: Store, home: Home, prompt: int, text: str, kind: str, candidate: int | None = None) -> Pick:
    """Make `text` the reply to the user's message `prompt`; `kind` is candidate | typed | edited.

    Raises UsageError for an empty reply, a wrong prompt, or words that are not the candidate's; raises NotBookedError
    where the pick is stored but the book cannot be written (its `__cause__` is the reason).
    """
    return _chosen(store, home, prompt, text, kind, candidate, spoken=True)


def revise(store: Store, home: Home, prompt: int, text: str, kind: str, candidate: int | None = None) -> Pick:
    """Say at a later time what the reply to `prompt` should have been; as `take`, and the earlier pick is superseded.

    What was said since was said to the old reply, so the conversation stays as it went; only one that still waits for
    this reply gets it.
    """
    leaf = store.conversations.leaf(_asked(store, prompt).conversation)
    waits = leaf is not None and leaf.id == prompt
    return _chosen(store, home, prompt, text, kind, candidate, spoken=waits)


def _chosen(
    store: Store, home: Home, prompt: int, text: str, kind: str, candidate: int | None, *, spoken: bool
) -> Pick:
    """A pick, and its book entry; `spoken`: the reply becomes part of the conversation."""
    if kind not in REPLIES:
        raise ValueError(f"kind is one of {', '.join(REPLIES)}, not {kind!r}")
    text = book.clean(text)
    if not text.strip():
        raise UsageError("An empty reply cannot be taught; pick a candidate or type some words.")
    drawn = None if candidate is None else store.candidates.get(candidate)
    if candidate is not None and (drawn is None or drawn.prompt != prompt):
        raise UsageError(f"Candidate {candidate} does not answer message {prompt}.")
    if kind == "candidate" and drawn is not None and text.strip() != drawn.text.strip():
        raise UsageError(f"Candidate {candidate} says something else; take its own words, or say that it was edited.")
    with store.transaction():
        asked = _asked(store, prompt)
        drawn_by = drawn.checkpoint if drawn else None
        reply = (
            store.conversations.add(asked.conversation, prompt, "assistant", text, origin=kind, checkpoint=drawn_by)
            if spoken
            else None
        )
        earlier = store.picks.standing(prompt)
        pick = store.picks.record(
            prompt,
            kind,
            text=text,
            candidate=candidate,
            message=reply.id if reply else None,
            supersedes=earlier.id if earlier else None,
            entry_hash=entry_for(store, prompt, text).hash,
            booked=False,
        )
    _settle_or_say(store, home)
    return store.picks.get(pick.id)


def skip(store: Store, prompt: int) -> Pick:
    """None of the candidates will do, and the owner has no better reply: the message no longer waits for one."""
    _asked(store, prompt)
    return store.picks.record(prompt, "skip")


def flag(store: Store, prompt: int) -> Pick:
    """Mark a message to come back to."""
    _asked(store, prompt)
    return store.picks.record(prompt, "flag")


def withdraw(store: Store, prompt: int, draft: str) -> Pick:
    """Take an unanswered message back out of its conversation, for good; `draft` is kept as what is being typed.

    Recorded as an undo that supersedes no pick.
    """
    with store.transaction():
        asked = _asked(store, prompt)
        pick = store.picks.record(prompt, "undo", message=prompt)
        store.conversations.retract(prompt, pick.id)
        store.conversations.set_draft(asked.conversation, draft)
    return pick


def undo(store: Store, home: Home, conversation: int | None = None) -> Pick | None:
    """Undo the last pick that stands (of a conversation, if one is given); return the row of the undo.

    The reply and what was said after it leave the conversation, the book gets back what it held before. The row's
    `text` is the reply that was undone, `supersedes` its pick. A message that was typed after it becomes the draft.
    """
    with store.transaction():
        last = store.picks.last(conversation)
        if last is None:
            return None
        pick = _taken_back(store, last, last.message)
        if last.message is not None:
            gone = store.conversations.retract(last.message, pick.id)
            typed = [message for message in gone if message.role == "user"]
            if typed and not store.conversations.draft(typed[-1].conversation):
                store.conversations.set_draft(typed[-1].conversation, typed[-1].content)
    _settle_or_say(store, home)
    return store.picks.get(pick.id)


def redo(store: Store, home: Home, pick: Pick) -> Pick:
    """Choose once more what was undone, whatever its kind; raises as `take`."""
    if pick.kind in REPLIES:
        return take(store, home, pick.prompt, pick.text, pick.kind, candidate=pick.candidate)
    return skip(store, pick.prompt) if pick.kind == "skip" else flag(store, pick.prompt)


def retire(store: Store, home: Home, prompt: int) -> int:
    """Take back all that was chosen for `prompt`, of whatever kind; return how many picks that were.

    The book gets back what it held before; the conversation stays as it went.
    """
    _asked(store, prompt)
    with store.transaction():
        standing = store.picks.of(prompt)
        for pick in reversed(standing):
            _taken_back(store, pick, None)
    _settle_or_say(store, home)
    return len(standing)


def restore(store: Store, home: Home, prompt: int) -> Pick | None:
    """The opposite of `retire` and `skip`: skips and flags are taken down, else the last chosen reply is chosen again.

    None where nothing was ever chosen.
    """
    standing = store.picks.of(prompt)
    marks = [pick for pick in standing if pick.kind not in REPLIES]
    with store.transaction():
        for pick in reversed(marks):
            _taken_back(store, pick, None)
    if marks or standing:
        return (marks or standing)[-1]
    last = store.picks.last_reply(prompt)
    return None if last is None else revise(store, home, prompt, last.text, last.kind, last.candidate)


def _taken_back(store: Store, last: Pick, message: int | None) -> Pick:
    """The row that undoes a pick; `message` is the reply that leaves the conversation with it."""
    return store.picks.record(
        last.prompt,
        "undo",
        text=last.text,
        candidate=last.candidate,
        message=message,
        supersedes=last.id,
        entry_hash=last.entry_hash,
        booked=last.kind not in REPLIES,
    )


def settle(store: Store, home: Home) -> int:
    """Carry into the book the picks and undos that it does not show yet; return how many. Called at every start.

    Under the book's lock, so that of two processes one does it and the other finds it done. What the book held before a
    pick is committed before the book changes: after a crash it could no longer be told.
    """
    if not store.picks.waiting_for_book():
        return 0
    with book.lock(home.book):
        waiting = store.picks.waiting_for_book()
        before = book.read(home.book)
        text = before or book.HEADER
        with store.transaction():
            for pick in waiting:
                text = _applied(store, pick, text, str(home.book))
        failpoints.reached("book.noted")
        if text != before:
            book.write(home.book, text)
        failpoints.reached("book.written")
        with store.transaction():
            for pick in waiting:
                store.picks.booked(pick.id)
    return len(waiting)


def waiting(home: Home, known_hashes: Collection[str]) -> list[Entry]:
    """The entries of the book that a checkpoint has not learnt (`known_hashes`: those its manifest lists)."""
    known = frozenset(known_hashes)
    return [entry for entry in book.load(home.book) if entry.hash not in known]


def entry_for(store: Store, prompt: int, reply: str) -> Entry:
    """The conversation down to the message `prompt`, with `reply` as its end, as an entry of the book."""
    path = [(message.role, message.content) for message in store.conversations.path(prompt)]
    return entry_of([*path, ("assistant", reply)])


def entry_of(said: Iterable[tuple[str, str]]) -> Entry:
    """What was said, as (role, words) from a question to a reply, as an entry of the book.

    Messages of one role in a row are one (a question that was never answered stands before the next).
    """
    turns: list[tuple[list[str], list[str]]] = []
    for role, words in said:
        if role == "user":
            if not turns or turns[-1][1]:
                turns.append(([], []))
            turns[-1][0].append(words)
        elif role == "assistant" and turns:
            turns[-1][1].append(words)
    return Entry(tuple(Turn("\n".join(user), "\n".join(replies)) for user, replies in turns))


def _asked(store: Store, prompt: int) -> Message:
    message = store.conversations.message(prompt)
    if message.role != "user":
        raise UsageError(f"Message {prompt} is not a question; pick for a message of the user.")
    if store.conversations.retracted(prompt):
        raise UsageError(f"Message {prompt} was undone; ask again.")
    return message


def _applied(store: Store, pick: Pick, text: str, name: str) -> str:
    """The book's text with one pick or undo carried out."""
    if pick.kind == "undo":
        assert pick.supersedes is not None
        return _reverted(store, store.picks.get(pick.supersedes), text, name)
    text, old = book.with_entry(text, entry_for(store, pick.prompt, pick.text), name)
    if pick.replaced_entry is None:
        store.picks.replaced(pick.id, book.render(old) if old else "")
    return text


def _reverted(store: Store, pick: Pick, text: str, name: str) -> str:
    """The book's text as before `pick`. An entry that the owner has changed by hand since is left to the owner."""
    entry = entry_for(store, pick.prompt, pick.text)
    if book.find(text, entry.key, name) != entry:
        return text
    old = _older(store, pick)
    return book.with_entry(text, old, name)[0] if old else book.without_entry(text, entry, name)[0]


def _older(store: Store, pick: Pick) -> Entry | None:
    """What the book held before `pick`, skipping replies that were themselves undone in the meantime."""
    while pick.replaced_entry:
        old = book.parse(pick.replaced_entry)[0]
        undone = store.picks.undone_with(old.hash, pick.id)
        if undone is None:
            return old
        pick = undone
    return None


def _settle_or_say(store: Store, home: Home) -> None:
    try:
        settle(store, home)
    except MrClassicError as error:
        raise NotBookedError(f"{error} Your choice is stored and goes into the book once that is mended.") from error
