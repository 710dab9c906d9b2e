"""Conversations: trees of messages, each linked to its parent, with a draft of what is typed but not sent."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mrclassic.book import clean
from mrclassic.errors import UsageError
from mrclassic.store.connection import Database, now


@dataclass(frozen=True)
class Conversation:
    """A conversation; `messages` counts those that were not undone."""

    id: int
    title: str
    system: str
    created: str
    updated: str
    archived: bool
    messages: int


@dataclass(frozen=True)
class Message:
    """One message; `origin` is user | candidate | typed | edited."""

    id: int
    conversation: int
    parent: int | None
    role: str
    content: str
    origin: str
    checkpoint: str | None
    created: str


@dataclass(frozen=True)
class Hit:
    """A message that a search found, with a snippet around the first match."""

    conversation: int
    message: int
    title: str
    role: str
    snippet: str
    created: str


_CONVERSATION = """
    SELECT id, title, system, created, updated, archived,
        (SELECT count(*) FROM messages m WHERE m.conversation = c.id AND m.retracted IS NULL) AS messages
    FROM conversations c"""
_COUNTED = "SELECT count(*) FROM conversations"
_MESSAGE = "SELECT id, conversation, parent, role, content, origin, checkpoint, created FROM messages"
_BELOW = (
    "WITH RECURSIVE down (id) AS (SELECT ? UNION SELECT m.id FROM messages m JOIN down ON m.parent = down.id)"
    " SELECT id FROM down"
)
# As the indexes have it. Where something was said here after a file was taken in, that is the owner's own now.
_OWN = "(imported IS NULL OR updated > created)"
_FROM_FILES = "imported IS NOT NULL AND updated <= created"
_SNIPPET = 80
_TITLE = 40


class Conversations:
    """The conversations of one home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def create(self, title: str = "", system: str = "") -> Conversation:
        """Open a new conversation."""
        moment = now()
        values = {"title": clean(title), "system": clean(system), "created": moment, "updated": moment}
        return self.get(self._db.insert("conversations", values))

    def get(self, conversation: int) -> Conversation:
        """The conversation of that id; raises UsageError if there is none."""
        row = self._db.row(f"{_CONVERSATION} WHERE id = ?", (conversation,))
        if row is None:
            raise UsageError(f"There is no conversation {conversation}.")
        return _conversation(row)

    def rename(self, conversation: int, title: str) -> None:
        """Give it another title."""
        self._touch(conversation, "UPDATE conversations SET title = ? WHERE id = ?", clean(title))

    def instruct(self, conversation: int, system: str) -> None:
        """Give it other instructions; they stand before its messages whenever the model is asked."""
        self._touch(conversation, "UPDATE conversations SET system = ? WHERE id = ?", clean(system))

    def archive(self, conversation: int, archived: bool = True) -> None:
        """Put it out of the list, or back."""
        self._touch(conversation, "UPDATE conversations SET archived = ? WHERE id = ?", int(archived))

    def take_in(self, messages: Sequence[Mapping[str, str]], digest: str, title: str = "") -> int | None:
        """Keep a conversation from elsewhere, in chat form; returns its id, or None where `digest` is here already."""
        with self._db.transaction():
            if self._db.row("SELECT 1 FROM conversations WHERE imported = ?", (digest,)) is not None:
                return None
            system, *_ = [*(m["content"] for m in messages[:1] if m["role"] == "system"), ""]
            first = next((m["content"] for m in messages if m["role"] == "user"), "")
            conversation = self.create(title or " ".join(first.split())[:_TITLE], system).id
            self._db.run("UPDATE conversations SET imported = ? WHERE id = ?", (digest, conversation))
            parent: int | None = None
            for message in messages[1:] if system else messages:
                values = {
                    "conversation": conversation,
                    "parent": parent,
                    "role": message["role"],
                    "content": clean(message["content"]),
                    "origin": "candidate" if message["role"] == "assistant" else "user",
                    "created": now(),
                }
                parent = self._db.insert("messages", values)
        return conversation

    def all(self) -> Iterator[Conversation]:
        """Every conversation, archived ones included, oldest first."""
        for row in self._db.rows("SELECT id FROM conversations ORDER BY id"):
            yield self.get(row[0])

    def add(
        self,
        conversation: int,
        parent: int | None,
        role: str,
        content: str,
        origin: str = "user",
        checkpoint: str | None = None,
    ) -> Message:
        """Add a message below `parent` (None: the first of a conversation or of another branch)."""
        moment = now()
        values = {
            "conversation": conversation,
            "parent": parent,
            "role": role,
            "content": clean(content),
            "origin": origin,
            "checkpoint": checkpoint,
            "created": moment,
        }
        with self._db.transaction():
            self.get(conversation)
            if parent is not None and self.message(parent).conversation != conversation:
                raise UsageError(f"Message {parent} is not part of conversation {conversation}.")
            message = self._db.insert("messages", values)
            self._db.run("UPDATE conversations SET updated = ? WHERE id = ?", (moment, conversation))
            return self.message(message)

    def message(self, message: int) -> Message:
        """The message of that id; raises UsageError if there is none."""
        row = self._db.row(f"{_MESSAGE} WHERE id = ?", (message,))
        if row is None:
            raise UsageError(f"There is no message {message}.")
        return Message(*row)

    def retracted(self, message: int) -> bool:
        """Whether an undo took the message out of its conversation."""
        return self._db.value("SELECT retracted FROM messages WHERE id = ?", (message,)) is not None

    def path(self, message: int) -> list[Message]:
        """The messages from the root down to this one."""
        rows = self._db.rows(
            """
            WITH RECURSIVE up (id, depth) AS (
                SELECT ?, 0
                UNION ALL
                SELECT m.parent, up.depth + 1 FROM messages m JOIN up ON m.id = up.id WHERE m.parent IS NOT NULL
            )
            SELECT m.id, m.conversation, m.parent, m.role, m.content, m.origin, m.checkpoint, m.created
            FROM up JOIN messages m ON m.id = up.id ORDER BY up.depth DESC""",
            (message,),
        )
        if not rows:
            raise UsageError(f"There is no message {message}.")
        return [Message(*row) for row in rows]

    def leaf(self, conversation: int) -> Message | None:
        """The latest message that was not undone."""
        row = self._db.row(
            f"{_MESSAGE} WHERE conversation = ? AND retracted IS NULL ORDER BY id DESC LIMIT 1", (conversation,)
        )
        return None if row is None else Message(*row)

    def below(self, message: int) -> Message:
        """The latest message on the branch that goes through this one: itself where nothing follows."""
        row = self._db.row(
            f"{_MESSAGE} WHERE retracted IS NULL AND id IN ({_BELOW}) ORDER BY id DESC LIMIT 1", (message,)
        )
        return self.message(message) if row is None else Message(*row)

    def fork(self, message: int) -> Conversation:
        """A new conversation that begins with the messages down to this one, under the same instructions."""
        path = self.path(message)
        old = self.get(path[0].conversation)
        with self._db.transaction():
            new, parent = self.create(old.title, old.system), None
            for each in path:
                parent = self.add(new.id, parent, each.role, each.content, each.origin, each.checkpoint).id
        return self.get(new.id)

    def messages(self, conversation: int) -> list[Message]:
        """All its messages that were not undone, of every branch, in the order in which they were said."""
        query = f"{_MESSAGE} WHERE conversation = ? AND retracted IS NULL ORDER BY id"
        return [Message(*row) for row in self._db.rows(query, (conversation,))]

    def openings(self, limit: int = 5000) -> list[tuple[str, str]]:
        """The latest first messages of the owner's (text and moment), newest first; those taken back are left out."""
        query = (
            "SELECT content, created FROM messages WHERE role = 'user' AND parent IS NULL AND retracted IS NULL"
            " ORDER BY id DESC LIMIT ?"
        )
        return [(str(row[0]), str(row[1])) for row in self._db.rows(query, (limit,))]

    def replies(self, prompt: int) -> list[Message]:
        """The replies to a message that were not undone, oldest first."""
        query = f"{_MESSAGE} WHERE parent = ? AND role = 'assistant' AND retracted IS NULL ORDER BY id"
        return [Message(*row) for row in self._db.rows(query, (prompt,))]

    def retract(self, message: int, undo: int) -> list[Message]:
        """Take a message and all that hangs below it out of the conversation; return them, oldest first."""
        with self._db.transaction():
            gone = self._db.rows(f"{_MESSAGE} WHERE retracted IS NULL AND id IN ({_BELOW}) ORDER BY id", (message,))
            for row in gone:
                self._db.run("UPDATE messages SET retracted = ? WHERE id = ?", (undo, row["id"]))
        return [Message(*row) for row in gone]

    def set_draft(self, conversation: int, text: str) -> None:
        """Keep what is typed but not sent, so that a crash does not lose it."""
        self._touch(conversation, "UPDATE conversations SET draft = ? WHERE id = ?", clean(text))

    def draft(self, conversation: int) -> str:
        """What was typed and not sent."""
        return str(self._db.value("SELECT draft FROM conversations WHERE id = ?", (conversation,)) or "")

    def search(self, text: str, limit: int = 50) -> list[Hit]:
        """Messages that hold all words of `text`; where there is none, the `literally` found ones."""
        return self.worded(text, limit) or self.literally(text, limit)

    def worded(self, text: str, limit: int = 50) -> list[Hit]:
        """Messages that hold all words of `text` (the last may be a beginning), newest first.

        Not ranked: the index walks backwards and stops at `limit`, while a rank would be computed for every match.
        """
        words = " ".join('"' + word.replace('"', '""') + '"' for word in _sought(text).split()) + "*"
        if len(words) == 1:
            return []
        rows = self._db.rows(
            """
            SELECT m.conversation, m.id, c.title, m.role, snippet(messages_fts, 0, '', '', '…', 12), m.created
            FROM messages_fts JOIN messages m ON m.id = messages_fts.rowid JOIN conversations c ON c.id = m.conversation
            WHERE messages_fts MATCH ? AND m.retracted IS NULL ORDER BY messages_fts.rowid DESC LIMIT ?""",
            (words, limit),
        )
        return [Hit(*row) for row in rows]

    def literally(self, text: str, limit: int = 50, newest: int = 100_000) -> list[Hit]:
        """Messages that hold `text` as it is written, newest first: this also finds what is written without spaces
        between words. No index knows it, so only the `newest` messages are read."""
        text = _sought(text)
        if not text:
            return []
        rows = self._db.rows(
            """
            SELECT m.conversation, m.id, c.title, m.role,
                substr(m.content, max(1, instr(m.content, ?) - ?), ?), m.created
            FROM messages m JOIN conversations c ON c.id = m.conversation
            WHERE m.id > (SELECT max(id) FROM messages) - ? AND instr(m.content, ?) > 0 AND m.retracted IS NULL
            ORDER BY m.id DESC LIMIT ?""",
            (text, _SNIPPET // 4, _SNIPPET, newest, text, limit),
        )
        return [Hit(*row) for row in rows]

    def titled(self, words: str, limit: int = 50) -> list[Conversation]:
        """The conversations whose title holds `words` as written, whatever their case; those in the list first."""
        words = clean(words).strip()
        if not words:
            return []
        pattern = "%" + re.sub(r"([%_\\])", r"\\\1", words) + "%"
        query = f"{_CONVERSATION} WHERE title LIKE ? ESCAPE '\\' ORDER BY archived, updated DESC, id DESC LIMIT ?"
        return [_conversation(row) for row in self._db.rows(query, (pattern, limit))]

    def spoken(self) -> Sequence[tuple[int, str]]:
        """All that the owner wrote and did not take back, in order: (conversation, text). What came from files is not
        the owner's."""
        query = (
            "SELECT conversation, content FROM messages WHERE role = 'user' AND retracted IS NULL"
            " AND conversation NOT IN (SELECT id FROM conversations WHERE imported IS NOT NULL) ORDER BY id"
        )
        return [(int(row[0]), str(row[1])) for row in self._db.rows(query)]

    def _touch(self, conversation: int, sql: str, value: object) -> None:
        if not self._db.run(sql, (value, conversation)):
            raise UsageError(f"There is no conversation {conversation}.")

    def from_files(self) -> int:
        """How many came from files and lie apart: nothing was said in them here, and they were not put away."""
        return int(self._db.value(f"{_COUNTED} WHERE archived = 0 AND {_FROM_FILES}"))

    def list(self, limit: int = 100, archived: bool = False, from_files: bool = False) -> list[Conversation]:
        """The owner's own, last spoken in first; or those `from_files`; or of both the ones that were put away."""
        which = "" if archived else f" AND {_FROM_FILES if from_files else _OWN}"
        query = f"{_CONVERSATION} WHERE archived = ?{which} ORDER BY updated DESC, id DESC LIMIT ?"
        return [_conversation(row) for row in self._db.rows(query, (int(archived), limit))]


def _sought(text: str) -> str:
    return clean(text).replace("\0", " ").strip()


def _conversation(row: sqlite3.Row) -> Conversation:
    return Conversation(**{**dict(row), "archived": bool(row["archived"])})
