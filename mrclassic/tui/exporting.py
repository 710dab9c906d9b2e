"""A conversation as a file of its own: Markdown to read, JSON to go on with elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from mrclassic import files

if TYPE_CHECKING:
    from pathlib import Path

    from mrclassic.home import Home
    from mrclassic.store import Conversation, Message

FORMS = {"markdown": "md", "json": "json"}
_NAMES = {"user": "You", "assistant": "Mr. Classic", "system": "Instructions"}


def to_markdown(talk: Conversation, messages: Sequence[Message]) -> str:
    """What was said, each message below its speaker's name."""
    parts = [f"# {talk.title or 'Conversation'}"]
    if talk.system:
        parts.append(f"## {_NAMES['system']}\n\n{talk.system}")
    parts += [f"## {_NAMES[message.role]}\n\n{message.content}" for message in messages]
    return "\n\n".join(parts) + "\n"


def to_json(talk: Conversation, messages: Sequence[Message]) -> str:
    """All that is stored of it; each message names the one before it as its `parent`."""
    kept = ("id", "parent", "role", "content", "origin", "checkpoint", "created")
    said = [{name: value for name, value in asdict(message).items() if name in kept} for message in messages]
    facts = {"title": talk.title, "system": talk.system, "created": talk.created, "messages": said}
    return json.dumps(facts, ensure_ascii=False, indent=1) + "\n"


def write(home: Home, talk: Conversation, messages: Sequence[Message], form: str) -> Path:
    """Write it into the home's folder `exports`; returns the file, which replaces an earlier one. Raises OSError."""
    text = to_json(talk, messages) if form == "json" else to_markdown(talk, messages)
    name = re.sub(r"\W+", "-", talk.title.lower()).strip("-")[:40] or "conversation"
    path = home.exports / f"{talk.id}-{name}.{FORMS[form]}"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    files.replace(path, text.encode("utf-8", "replace"))
    return path
