"""The documents of a home: a file of JSON lines each, written whole or not at all. The first line says where the
document came from; every other is a passage with its retellings and questions, which the owner may edit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

from mrclassic import files
from mrclassic.errors import MrClassicError, UsageError
from mrclassic.tasks import rows
from mrclassic.tasks.base import BadRow, keyed
from mrclassic.tasks.dataset import text_of
from mrclassic.tasks.documents import markdown
from mrclassic.tasks.documents.passages import Pair, Passage, of_rows
from mrclassic.tasks.documents.questions import By, Kind, Question, made, sound, written
from mrclassic.tasks.documents.retellings import VERSIONS, retellings
from mrclassic.tasks.documents.sentences import words

ENDING = ".jsonl"
LARGEST = 32 * 2**20  # bytes; more than that are no notes


@dataclass(frozen=True)
class Told:
    """A passage as it is kept: what is read, in all its versions, and what is asked of it."""

    text: str
    title: str
    retellings: tuple[str, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Document:
    """`id` begins with the file's name and ends with a hash of its content; `made` says how retellings came about."""

    id: str
    source: str
    sha256: str
    made: str
    passages: tuple[Told, ...]

    @property
    def questions(self) -> tuple[Question, ...]:
        """All of them."""
        return tuple(question for passage in self.passages for question in passage.questions)

    @property
    def facts(self) -> dict[str, Any]:
        """What there is to say of it in a list."""
        return {
            "id": self.id,
            "source": self.source,
            "made": self.made,
            "passages": len(self.passages),
            "retellings": sum(len(passage.retellings) for passage in self.passages),
            "questions": len(self.questions),
            "held_out": sum(question.held_out for question in self.questions),
        }


# What a teacher makes of a passage: retellings and pairs.
Teach = Callable[[Sequence[Passage]], Sequence[tuple[Sequence[str], Sequence[Pair]]]]


def prepare(
    path: Path, folder: Path, *, versions: int = VERSIONS, teach: Teach | None = None, made_by: str = ""
) -> tuple[Document, list[str], bool]:
    """The document that a file becomes, what in it was passed over, a sentence each, and whether it is new: where
    `folder` has it already, made in the same way, it is that one, with what the owner may have changed in it. With
    `teach`, whose name is `made_by`, its retellings go before those made by rule."""
    data = _bytes(path)
    digest = sha256(data).hexdigest()
    name = re.sub(r"[^a-z0-9]+", "-", path.name.partition(".")[0].lower()).strip("-")[:40] or "document"
    id_, made_how = f"{name}-{digest[:8]}", f"{made_by or 'rules'}, {versions} versions"
    passages, faults = _read(path, data)
    if (there := folder / f"{id_}{ENDING}").exists():
        kept = _whole(there)
        if kept and (kept.source, kept.sha256, kept.made) == (str(path.absolute()), digest, made_how):
            return kept, faults, False
    taught = teach(passages) if teach is not None else [((), ())] * len(passages)
    lower = {word for passage in passages for told in passage.told for word in words(told) if word.islower()}
    asked: list[list[Question]] = []
    told: list[Told] = []
    for place, (passage, (retold, pairs)) in enumerate(zip(passages, taught, strict=True)):
        own = [written(pair, "owner", passage) for pair in passage.pairs]
        theirs = [written(pair, "teacher", passage) for pair in pairs]
        asked.append([*own, *theirs, *made(passage, lower)])
        given = tuple(dict.fromkeys([*passage.retellings, *retold]))
        own_words = Passage(passage.told, passage.title, passage.verbatim, given, ())
        found = retellings(own_words, versions - 1, keyed("retelling", digest, place), lower)
        told.append(Told(passage.text, passage.title, tuple(found), ()))
    chosen = {id(question) for question in sound(question for those in asked for question in those)}
    whole = tuple(
        Told(each.text, each.title, each.retellings, tuple(question for question in those if id(question) in chosen))
        for each, those in zip(told, asked, strict=True)
    )
    return Document(id_, str(path.absolute()), digest, made_how, whole), faults, True


def _whole(path: Path) -> Document | None:
    """The document, unless it is damaged: then it is made again."""
    try:
        return load(path)
    except UsageError:
        return None


def _read(path: Path, data: bytes) -> tuple[list[Passage], list[str]]:
    """The passages of a file that holds `data`, and what was passed over; raises UsageError where nothing is left."""
    faults: list[str] = []
    if path.name.endswith(rows.ENDINGS):
        found = list(of_rows(path, faults))
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            number = data.count(b"\n", 0, error.start) + 1
            raise UsageError(f"{path} line {number}: not UTF-8 text; save your notes as text or Markdown.") from error
        if "\0" in text:
            raise UsageError(f"{path} is no text; save your notes as text, Markdown or JSON lines.")
        found, faults = markdown.read(text, path.name)
    if not found:
        raise UsageError(f"{path} holds nothing to learn{f': {faults[0]}' if faults else '; it is empty.'}")
    return found, faults


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(
                f"{path} is larger than {LARGEST >> 20} MiB; a corpus is for `mrclassic train base`, or split the file."
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"There is no file {path}.") from error
    except IsADirectoryError as error:
        raise UsageError(f"{path} is a folder; name the files in it.") from error
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror or error}.") from error


# --- on disk ---


def put(document: Document, folder: Path) -> Path:
    """Write the document; one of the same file that is older goes. Its path."""
    header = {"document": document.id, "source": document.source, "sha256": document.sha256, "made": document.made}
    lines = [header, *(_plain(asdict(passage)) for passage in document.passages)]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path = folder / f"{document.id}{ENDING}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        former = [header["path"] for header in _headers(folder) if header.get("source") == document.source]
        files.replace(path, text.encode("utf-8", "backslashreplace"))
        for old in former:
            if old != path:
                old.unlink(missing_ok=True)
    except OSError as error:
        raise MrClassicError(f"Cannot write {path}: {error.strerror or error}.") from error
    return path


def _plain(passage: dict[str, Any]) -> dict[str, Any]:
    """Without what is empty."""
    asked = [{key: value for key, value in each.items() if value} for each in passage.pop("questions")]
    return {key: value for key, value in {**passage, "questions": asked}.items() if value}


def paths(folder: Path) -> list[Path]:
    """The files of all documents, by name."""
    return sorted(folder.glob(f"*{ENDING}")) if folder.is_dir() else []


def _headers(folder: Path) -> Iterator[dict[str, Any]]:
    for path in paths(folder):
        for _, row in rows.scan(path):
            if isinstance(row, Mapping):
                yield {**row, "path": path}
            break


def load(path: Path) -> Document:
    """Read a document back; raises UsageError that names the line that cannot be."""
    header: Mapping[str, Any] = {}
    passages: list[Told] = []
    for line, row in rows.read(path):
        try:
            if line == 1:
                header = {name: text_of(row, name) for name in ("source", "sha256", "made")}
            else:
                passages.append(_told(row))
        except BadRow as bad:
            raise UsageError(f"{path} line {line}: {bad}; mend it, or add the document again.") from bad
    if not header:
        raise UsageError(f"{path} is empty; drop it, and add the document again.")
    return Document(path.name.removesuffix(ENDING), passages=tuple(passages), **header)


def _told(row: Mapping[str, Any]) -> Told:
    asked = row.get("questions", [])
    if not isinstance(asked, list) or not all(isinstance(each, dict) for each in asked):
        raise BadRow('its "questions" are no list of objects')
    return Told(
        text_of(row, "text", default=""),
        text_of(row, "title", default=""),
        _texts(row, "retellings"),
        tuple(map(_question, asked)),
    )


def _question(row: Mapping[str, Any]) -> Question:
    kind, by = text_of(row, "kind", default="question"), text_of(row, "by", default="owner")
    if kind not in get_args(Kind) or by not in get_args(By):
        raise BadRow(f'a question is of the "kind" {kind!r} "by" {by!r}; neither is known')
    question, answer = text_of(row, "question"), text_of(row, "answer")
    fact, reference = text_of(row, "fact", default=question), text_of(row, "reference", default="")
    return Question(question, answer, kind, by, fact, reference, _texts(row, "aliases"))  # type: ignore[arg-type]


def _texts(row: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = row.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise BadRow(f'its "{name}" are not a list of texts')
    return tuple(values)


def find(name: str, folder: Path) -> Path:
    """The document of that id, or of an id that begins so; raises UsageError for none or several."""
    found = [path for path in paths(folder) if path.name.removesuffix(ENDING) == name]
    found = found or [path for path in paths(folder) if name and path.name.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(path.name.removesuffix(ENDING) for path in found)
        raise UsageError(f"Several documents begin with {name}: {several}; write more of the one you mean.")
    raise UsageError(f"There is no document {name}; `mrclassic data list` shows those there are.")
