"""The store into a file, in a form that others read: row by row, and the file stands there whole or not at all."""

from __future__ import annotations

import codecs
import csv
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrclassic import files
from mrclassic.errors import MrClassicError, Refused
from mrclassic.exchange import forms
from mrclassic.exchange.forms import Talk
from mrclassic.store.preferences import message
from mrclassic.store.queues import QUEUES

if TYPE_CHECKING:
    from mrclassic.home import Home
    from mrclassic.store import Question, Store

NAMES = {
    "trl": "preferences.jsonl",
    "conversations": "replies.jsonl",
    "sharegpt": "conversations.jsonl",
    "messages": "messages.jsonl",
    "argilla": "picks.csv",
}
"""The forms, and what the file is called in a folder."""
_UTF8 = codecs.getwriter("utf-8")
_STATUS = {"done": "submitted"}  # the other three are called the same there


def give_out(store: Store, home: Home, path: Path, form: str, *, force: bool = False) -> tuple[Path, int]:
    """Write the store's content to a file, or into a folder under the name that the form has; gzipped where the name
    ends with .gz. Returns the file and how many rows it has. Raises Refused for a file that is there already (`force`
    writes over it) and for one that the home lives on, MrClassicError where it cannot be written; then all is left as
    it was."""
    target = path / NAMES[form] if path.is_dir() else path
    try:
        if _lived_on(home, target):
            raise Refused(f"{target} belongs to your home folder; name a file elsewhere, or one in {home.exports}.")
        if target.exists() and not force:
            raise Refused(f"{target} is there already; name another file, or write over it with --force.")
        with files.replacing(target) as file:
            # Without a time in it, the same content is the same file.
            zipped = gzip.GzipFile(target.name[:-3], "wb", fileobj=file, mtime=0) if target.suffix == ".gz" else None
            with zipped or nullcontext():
                text = _UTF8(zipped or file)
                rows = _table(store, text) if form == "argilla" else _lines(_ROWS[form](store), text)
        return target, rows
    except OSError as error:
        raise MrClassicError(f"Cannot write {target}: {error.strerror or error}; nothing was changed.") from error


def _lived_on(home: Home, target: Path) -> bool:
    """Whether a file lies in the home and is no export, or is one that the home knows by a link, as a book may be."""
    real = target.resolve()
    if real.is_relative_to(home.exports.resolve()):
        return False
    return real.is_relative_to(home.root.resolve()) or any(real == each.resolve() for each in home.root.iterdir())


def _lines(rows: Iterator[Mapping[str, Any]], file: codecs.StreamWriter) -> int:
    count = 0
    for row in rows:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
        count += 1
    return count


def _preferences(store: Store) -> Iterator[dict[str, Any]]:
    """The owner's own and the imported ones."""
    for found in store.preferences.all():
        yield from forms.pairs(found)


def _replies(store: Store) -> Iterator[dict[str, Any]]:
    """Every reply that the owner picked or wrote, and that stands."""
    for pick in store.picks.choices():
        yield forms.completion(
            Talk(messages=(*store.preferences.context(pick.prompt), message("assistant", pick.text)))
        )


def talks(store: Store) -> Iterator[Talk]:
    """The conversations as they stand, each down to its last reply; one that has none is left out."""
    for conversation in store.conversations.all():
        leaf = store.conversations.leaf(conversation.id)
        said = [*store.preferences.context(leaf.id)] if leaf else []
        while said and said[-1]["role"] != "assistant":
            said.pop()
        rating = store.ratings.of(conversation.id)
        if any(each["role"] == "user" for each in said):
            yield Talk(messages=tuple(said), title=conversation.title, rating=rating.score if rating else None)


_ROWS: dict[str, Callable[[Store], Iterator[dict[str, Any]]]] = {
    "trl": _preferences,
    "conversations": _replies,
    "messages": lambda store: map(forms.openai, talks(store)),
    "sharegpt": lambda store: map(forms.sharegpt, talks(store)),
}


def _table(store: Store, file: codecs.StreamWriter) -> int:
    """A record a question, with all that was shown and what was chosen, in Argilla's words (docs.argilla.io)."""
    width = store.candidates.most()
    shown = [f"response_{place}" for place in range(1, width + 1)]
    table = csv.writer(file)
    table.writerow(["id", "status", "context", "prompt", *shown, "choice", "answer", "kind", "date", "checkpoint"])
    count = 0
    for queue in QUEUES:
        for question in store.queues.each(queue):
            table.writerow(_record(store, question, width))
            count += 1
    return count


def _record(store: Store, question: Question, width: int) -> list[object]:
    pick = store.picks.standing(question.prompt)
    drawn = store.candidates.beside(pick) if pick else store.candidates.for_prompt(question.prompt)
    texts = {each.shown: each.text for each in drawn}
    choice = next((f"response_{each.shown}" for each in drawn if pick and each.id == pick.candidate), "")
    before = store.preferences.context(question.prompt)[:-1]
    return [
        question.prompt,
        _STATUS.get(question.queue, question.queue),
        forms.told(before),
        question.text,
        *(texts.get(place, "") for place in range(1, width + 1)),
        choice if question.kind == "candidate" else "",
        question.reply,
        question.kind,
        question.date,
        drawn[0].checkpoint or "" if drawn else "",
    ]
