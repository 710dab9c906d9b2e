"""A document: a piece of running text or a conversation, as a row of a file says it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

from mrclassic.model.tokenizer import Message

# Who speaks, by the names that published conversations use for them (ShareGPT's, OpenAI's).
_ROLES = {
    "system": "system",
    "human": "user",
    "user": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}
_PARTS = ("text", "input_text", "output_text")
COLUMNS = ("messages", "conversations", "turns", "text")


class BadDocument(ValueError):  # noqa: N818 - it reads as what it is
    """A row that cannot be used; the message says why, without naming the file or the line."""


@dataclass(frozen=True)
class Document:
    """Running `text`, or a conversation (`messages`)."""

    text: str = ""
    messages: tuple[Message, ...] = ()

    @cached_property
    def key(self) -> int:
        """A 64-bit hash of what it says: the same words are the same document, wherever they stand."""
        said = json.dumps([self.text, [[each["role"], each["content"]] for each in self.messages]])
        return int.from_bytes(blake2b(said.encode(), digest_size=8).digest(), "big")

    @property
    def said(self) -> list[str]:
        """Its words, without who says them."""
        return [each["content"] for each in self.messages] or [self.text]


def text(words: str) -> Document:
    """A document of running text; raises BadDocument."""
    if not words.strip():
        raise BadDocument("it is empty")
    return Document(text=_whole(words))


def conversation(turns: Sequence[tuple[str, str]]) -> Document:
    """A document of turns (role, words); raises BadDocument."""
    if not any(words.strip() for _, words in turns):
        raise BadDocument("nobody says anything in it")
    return Document(messages=tuple({"role": role, "content": _whole(words)} for role, words in turns))


def document(row: object) -> Document:
    """Read `{"messages": [{"role", "content"}]}` (OpenAI), `{"conversations": [{"from", "value"}]}` (ShareGPT),
    `{"turns": [...]}` (two who take turns) or `{"text": ...}`; raises BadDocument."""
    if not isinstance(row, Mapping):
        raise BadDocument("it is not an object")
    # A table has all its columns in every row, those that are not used as null.
    name = next((each for each in COLUMNS if row.get(each) is not None), None)
    if name is None:
        raise BadDocument(f"it has none of the fields {', '.join(COLUMNS)}")
    value = row[name]
    if name == "text":
        if not isinstance(value, str):
            raise BadDocument("its text is not a string")
        return text(value)
    if not isinstance(value, list):
        raise BadDocument(f"its {name} are not a list")
    if name == "turns":
        return conversation([(("user", "assistant")[at % 2], _string(words, "turn")) for at, words in enumerate(value)])
    who, what = ("role", "content") if name == "messages" else ("from", "value")
    return conversation([_turn(each, who, what) for each in value])


def _turn(value: Any, who: str, what: str) -> tuple[str, str]:
    if not isinstance(value, Mapping):
        raise BadDocument("one of its turns is not an object")
    speaker = value.get(who)
    role = _ROLES.get(speaker) if isinstance(speaker, str) else None
    if role is None:
        raise BadDocument(f"one of its turns is by {speaker!r}, not by {', '.join(_ROLES)}")
    return role, _string(_joined(value.get(what)), what)


def _joined(value: object) -> object:
    """A content that is a list of text parts, as OpenAI's may be, as one text; anything else as it is."""
    if not isinstance(value, list) or not value:
        return value
    texts = [each.get("text") if isinstance(each, Mapping) and each.get("type") in _PARTS else None for each in value]
    return "\n".join(texts) if all(isinstance(text, str) for text in texts) else value  # type: ignore[arg-type]


def _string(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise BadDocument(f"a {what} in it is not a string")
    return value


def _whole(words: str) -> str:
    # JSON can write half of a surrogate pair, which is no character and cannot be encoded.
    if any("\ud800" <= one <= "\udfff" for one in words):
        raise BadDocument("it holds half a character (a lone surrogate)")
    return words
