"""The files of a corpus: found, told apart by their content, and read row by row; never one of them whole.

JSON lines, one JSON array, plain text, any of these gzipped, and Parquet. A row that cannot be used is handed over as
the reason, with its line, and what follows it is still read.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b, file_digest
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, Literal

from mrclassic.errors import UsageError
from mrclassic.training.corpus.documents import COLUMNS, BadDocument, Document, document, text

Kind = Literal["lines", "array", "text", "parquet"]

HEAD = 2**16  # bytes that tell what a file is
LONGEST = 2**24  # bytes of one row: sixteen megabytes of anything are no document
CHUNK = 2**20  # characters of an array looked at together
PIECE = 2**14  # bytes of running text after which the next blank line ends a document
_SEPARATOR = b"<|endoftext|>"  # how collections of short texts part them


@dataclass(frozen=True)
class Source:
    """Files under one name; an epoch shows each of its documents `weight` times."""

    name: str
    files: tuple[Path, ...]
    weight: float = 1.0


@dataclass(frozen=True)
class Found:
    """A row of a file: what it says, or why it cannot be used. `line` counts from 1 (of Parquet: the row)."""

    file: Path
    line: int
    what: Document | BadDocument


def sources(paths: Sequence[Path], weights: Sequence[str] = ()) -> list[Source]:
    """The sources that files and folders are, by the names of these; `weights` are words such as `letters=2`."""
    named: dict[str, tuple[Path, ...]] = {}
    for path in paths:
        files = _files(path)
        if not files:
            raise UsageError(f"There is no file in the folder {path}.")
        name = path.resolve().name if path.is_dir() else path.name.removesuffix(".gz").rsplit(".", 1)[0]
        if name in named:
            raise UsageError(f"Two sources are called {name!r}; rename one of them, or put both into one folder.")
        named[name] = files
    given = dict(_weight(word, named) for word in weights)
    return [Source(name, files, given.get(name, 1.0)) for name, files in named.items()]


def _files(path: Path) -> tuple[Path, ...]:
    if path.is_dir():
        inside = (each for each in path.rglob("*") if each.is_file())
        return tuple(sorted(each for each in inside if not any(_hidden(part) for part in each.relative_to(path).parts)))
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    return (path,)


def _hidden(part: str) -> bool:
    return part.startswith(".")


def _weight(word: str, named: Iterable[str]) -> tuple[str, float]:
    name, sign, value = word.rpartition("=")
    if not sign or name not in named:
        raise UsageError(f"The weight {word!r} names no source; write NAME=W, where NAME is {' or '.join(named)}.")
    try:
        weight = float(value)
    except ValueError:
        weight = 0.0
    if not 0 < weight <= 1000:
        raise UsageError(f"The weight of {name} is {value!r}; it is a number above 0 and at most 1000.")
    return name, weight


def fingerprint(source: Source) -> str:
    """A hash of all that the files of `source` hold."""
    found = blake2b(digest_size=16)
    for path in source.files:
        try:
            with path.open("rb") as file:
                found.update(file_digest(file, "blake2b").digest())
        except OSError as error:
            raise _unreadable(path, error) from error
    return found.hexdigest()


def read(source: Source) -> Iterator[Found]:
    """Every row of every file, in order."""
    for path in source.files:
        for line, what in _read(path):
            yield Found(path, line, what)


Row = tuple[int, Document | BadDocument]


def _read(path: Path) -> Iterator[Row]:
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as stream:
            try:
                kind = kind_of(stream.read(HEAD), path)
            except (EOFError, zlib.error, gzip.BadGzipFile):
                kind = "lines"  # too broken to look at; reading says where
            stream.seek(0)
            if kind == "parquet":
                yield from _parquet(path)
            else:
                yield from {"lines": _lines, "array": _array, "text": _text}[kind](stream)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"Cannot read {path}: {error.strerror or error}.")


def kind_of(head: bytes, path: Path) -> Kind:
    """What a file that begins with `head` is; raises UsageError for what no corpus is."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if b"\0" in head:
        raise UsageError(f"{path} is neither text nor JSON lines nor Parquet; leave it out of the corpus.")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"[") and start[1:].lstrip()[:1] in (b"{", b"]"):
        return "array"
    if start.startswith(b"{") and start[1:].lstrip()[:1] == b'"':
        return "lines"
    return "text"


def _numbered(stream: BinaryIO | gzip.GzipFile) -> Iterator[tuple[int, bytes | BadDocument]]:
    """Lines from 1, their ends taken off; of one that is too long only the reason is handed over."""
    number = 0
    try:
        while line := stream.readline(LONGEST):
            number += 1
            if len(line) == LONGEST and not line.endswith(b"\n"):
                while (rest := stream.readline(LONGEST)) and not rest.endswith(b"\n"):
                    pass
                yield number, BadDocument(f"the line is longer than {LONGEST:,} bytes")
            else:
                yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
    except (EOFError, zlib.error, gzip.BadGzipFile):
        yield number + 1, BadDocument("the compressed file breaks off here; copy it again")


def _lines(stream: BinaryIO | gzip.GzipFile) -> Iterator[Row]:
    for number, line in _numbered(stream):
        if isinstance(line, BadDocument):
            yield number, line
        elif line.strip():
            yield number, _parsed(line)


def _parsed(line: bytes) -> Document | BadDocument:
    try:
        return document(json.loads(line))
    except BadDocument as error:
        return error
    except (ValueError, RecursionError) as error:
        return _not_json(error)


def _not_json(error: ValueError | RecursionError) -> BadDocument:
    # JSON's own errors count lines within the row.
    why = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
    return BadDocument(f"it is not JSON ({why})")


def _array(stream: BinaryIO | gzip.GzipFile) -> Iterator[Row]:
    """The objects of one array, a megabyte of text at a time."""
    decoder, line = json.JSONDecoder(), 1
    words = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace")
    buffer, place = "", 0
    try:
        buffer = words.read(CHUNK).lstrip().removeprefix("[")
        while True:
            before = place
            while place < len(buffer) and buffer[place] in " \t\r\n,":
                place += 1
            line += buffer.count("\n", before, place)
            if buffer[place : place + 1] == "]":
                return
            try:
                value, after = decoder.raw_decode(buffer, place)
            except (ValueError, RecursionError) as error:
                more = words.read(max(CHUNK, len(buffer) - place))
                if not more or len(buffer) - place > LONGEST:
                    yield line, _not_json(error)
                    return
                buffer, place = buffer[place:] + more, 0
                continue
            try:
                yield line, document(value)
            except BadDocument as error:
                yield line, error
            line += buffer.count("\n", place, after)
            place = after
    except (EOFError, zlib.error, gzip.BadGzipFile):
        yield line, BadDocument("the compressed file breaks off here; copy it again")


def _text(stream: BinaryIO | gzip.GzipFile) -> Iterator[Row]:
    """Running text, in documents that end at a separator, or at a blank line once they are long enough."""
    piece: list[bytes] = []
    begun = size = 0
    for number, line in _numbered(stream):
        if isinstance(line, BadDocument):
            yield number, line
            continue
        separates = line.strip() == _SEPARATOR
        if separates or (size >= PIECE and not line.strip()) or size >= 4 * PIECE:
            yield from _piece(begun, piece)
            piece, size = [], 0
        if not separates and (piece or line.strip()):
            begun = begun if piece else number
            piece.append(line)
            size += len(line)
    yield from _piece(begun, piece)


def _piece(line: int, lines: Sequence[bytes]) -> Iterator[Row]:
    if not lines:
        return
    try:
        yield line, text(b"".join(lines).decode("utf-8").strip())
    except UnicodeDecodeError as error:
        at = line + error.object.count(b"\n", 0, error.start)
        yield at, BadDocument("it is not UTF-8, and the passage around it is left out")
    except BadDocument as error:
        yield line, error


def _parquet(path: Path) -> Iterator[Row]:
    if find_spec("pyarrow") is None:
        raise UsageError(f"{path} is Parquet, and pyarrow, which reads that, is not installed: pip install pyarrow.")
    parquet, arrow = import_module("pyarrow.parquet"), import_module("pyarrow")
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            columns = [name for name in COLUMNS if name in file.schema_arrow.names]
            if not columns:
                raise UsageError(f"{path} has none of the columns {', '.join(COLUMNS)}; name a file that has one.")
            for batch in file.iter_batches(batch_size=1024, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    try:
                        yield number, document(row)
                    except BadDocument as error:
                        yield number, error
    except (OSError, arrow.ArrowException) as error:  # the library has both for bytes that make no sense
        yield number + 1, BadDocument(f"the file is damaged from here on ({str(error).splitlines()[0]}); copy it again")
