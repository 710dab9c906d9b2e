"""Conversations: trees of messages, each linked to its parent, with a draft of what is typed but not sent."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from mrclassic.book import clean
from mrclassic.errors import UsageError
from mrclassic.store.connection import Database, dump, now
from mrclassic.store.mending import drop_copy


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
_MESSAGE = "SELECT id, conversation, parent, role, content, origin, checkpoint, created FROM messages"
_BELOW = (
    "WITH RECURSIVE down (id) AS (SELECT ? UNION SELECT m.id FROM messages m JOIN down ON m.parent = down.id)"
    " SELECT id FROM down"
)
_SNIPPET = 80


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

    def archive(self, conversation: int, archived: bool = True) -> None:
        """Put it out of the list, or back."""
        self._touch(conversation, "UPDATE conversations SET archived = ? WHERE id = ?", int(archived))

    def delete(self, conversation: int, seen_by: Sequence[str] = ()) -> None:
        """Really delete its messages, candidates and picks; a tombstone keeps only ids and hashes.

        `seen_by` are the checkpoints known to have been trained on it. What it put into the book stays there: the book
        is the owner's own file.
        """
        self.get(conversation)
        with self._db.transaction():
            hashes = self._db.rows(
                "SELECT DISTINCT p.entry_hash FROM picks p JOIN messages m ON m.id = p.prompt"
                " WHERE m.conversation = ? AND p.entry_hash IS NOT NULL",
                (conversation,),
            )
            self._db.insert(
                "tombstones",
                {
                    "kind": "conversation",
                    "name": str(conversation),
                    "entries": dump([row[0] for row in hashes]),
                    "checkpoints": dump([*seen_by]),
                    "created": now(),
                },
            )
            # A retracted message names the pick that undid it, and that pick goes in the same stroke.
            self._db.run("UPDATE messages SET retracted = NULL WHERE conversation = ?", (conversation,))
            # A comparison of checkpoints keeps the question in its own words.
            self._db.run(
                "DELETE FROM votes WHERE prompt IN (SELECT content FROM messages WHERE conversation = ?)",
                (conversation,),
            )
            self._db.run("DELETE FROM conversations WHERE id = ?", (conversation,))
            # The full-text index would keep the words until its next merge.
            self._db.run("INSERT INTO messages_fts (messages_fts) VALUES ('optimize')")
        self._db.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        drop_copy(self._db.path)

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
        """Messages that hold all words of `text` (the last may be a beginning), newest first; else those that hold it
        literally, which also finds text written without spaces between words.

        Not ranked: the index walks backwards and stops at `limit`, while a rank would be computed for every match.
        """
        text = clean(text).replace("\0", " ").strip()
        if not text:
            return []
        words = " ".join('"' + word.replace('"', '""') + '"' for word in text.split()) + "*"
        rows = self._db.rows(
            """
            SELECT m.conversation, m.id, c.title, m.role, snippet(messages_fts, 0, '', '', '…', 12), m.created
            FROM messages_fts JOIN messages m ON m.id = messages_fts.rowid JOIN conversations c ON c.id = m.conversation
            WHERE messages_fts MATCH ? AND m.retracted IS NULL ORDER BY messages_fts.rowid DESC LIMIT ?""",
            (words, limit),
        )
        rows = rows or self._db.rows(
            """
            SELECT m.conversation, m.id, c.title, m.role,
                substr(m.content, max(1, instr(m.content, ?) - ?), ?), m.created
            FROM messages m JOIN conversations c ON c.id = m.conversation
            WHERE instr(m.content, ?) > 0 AND m.retracted IS NULL ORDER BY m.id DESC LIMIT ?""",
            (text, _SNIPPET // 4, _SNIPPET, text, limit),
        )
        return [Hit(*row) for row in rows]

    def spoken(self) -> Sequence[tuple[int, str]]:
        """All that the owner wrote and did not take back, in order: (conversation, text)."""
        query = "SELECT conversation, content FROM messages WHERE role = 'user' AND retracted IS NULL ORDER BY id"
        return [(int(row[0]), str(row[1])) for row in self._db.rows(query)]

    def _touch(self, conversation: int, sql: str, value: object) -> None:
        if not self._db.run(sql, (value, conversation)):
            raise UsageError(f"There is no conversation {conversation}.")

    def list(self, limit: int = 100, archived: bool = False) -> list[Conversation]:
        """The conversations last spoken in first."""
        query = f"{_CONVERSATION} WHERE archived = ? ORDER BY updated DESC, id DESC LIMIT ?"
        return [_conversation(row) for row in self._db.rows(query, (int(archived), limit))]


def _conversation(row: sqlite3.Row) -> Conversation:
    return Conversation(**{**dict(row), "archived": bool(row["archived"])})
