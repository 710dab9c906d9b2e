"""Reading the rows of a dataset: JSON lines (also gzipped) or one JSON array of objects, each row with its line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from mrclassic.errors import UsageError
from mrclassic.tasks.base import BadRow

ENDINGS = (".jsonl", ".jsonl.gz", ".json", ".json.gz")
Row = Mapping[str, Any]


def read(path: Path) -> Iterator[tuple[int, Row]]:
    """The rows of a file and the lines they begin on, from 1; raises UsageError at the first that is none."""
    return strict(scan(path), str(path))


def parse(stream: BinaryIO, name: str) -> Iterator[tuple[int, Row]]:
    """As `read`, from a stream of JSON lines, called `name` in errors."""
    return strict(_lines(stream), name)


def strict(rows: Iterable[tuple[int, Row | BadRow]], name: str) -> Iterator[tuple[int, Row]]:
    """Raise what `scan` hands over."""
    for line, row in rows:
        if isinstance(row, BadRow):
            raise UsageError(f"{name} line {line}: {row}.") from row
        yield line, row


def scan(path: Path) -> Iterator[tuple[int, Row | BadRow]]:
    """As `read`, but a row that is none is handed over as the reason, and what follows it is still read."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            kind = Path(path.name.removesuffix(".gz")).suffix
            yield from _array(stream) if kind == ".json" else _lines(stream)
    except FileNotFoundError as error:
        raise UsageError(f"There is no file {path}.") from error
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror or error}.") from error


def _lines(stream: Iterable[bytes]) -> Iterator[tuple[int, Row | BadRow]]:
    # Files end their lines at "\n" only: str.splitlines would also cut at separators that JSON leaves as they are.
    number = 0
    try:
        for number, line in enumerate(stream, start=1):
            row = line.removeprefix(b"\xef\xbb\xbf").strip()
            if row:
                yield number, _row(row)
    except (EOFError, zlib.error):
        yield number + 1, BadRow("the compressed file breaks off here; copy it again")


def _row(line: bytes) -> Row | BadRow:
    try:
        return _object(json.loads(line.decode("utf-8")))
    except (ValueError, RecursionError) as error:
        return _not_json(error)


def _object(value: object) -> Row | BadRow:
    return value if isinstance(value, dict) else BadRow('write an object such as {"question": "...", "answer": "..."}')


def _not_json(error: ValueError | RecursionError) -> BadRow:
    # JSON's own errors count lines within the line.
    why = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
    return BadRow(f"this is not JSON ({why}); mend the line")


def _array(stream: BinaryIO | gzip.GzipFile) -> Iterator[tuple[int, Row | BadRow]]:
    """One array of objects, or, as some publish under that ending, JSON lines."""
    try:
        data = stream.read()
        text = data.decode("utf-8-sig")
    except (EOFError, zlib.error):
        yield 1, BadRow("the compressed file breaks off; copy it again")
        return
    except UnicodeDecodeError as error:
        yield data.count(b"\n", 0, error.start) + 1, _not_json(error)
        return
    if not text.lstrip().startswith("["):
        yield from _lines(line.encode() for line in text.split("\n"))
        return
    decoder, line, counted = json.JSONDecoder(), 1, 0
    place, open_ = _blank(text, text.index("[") + 1), True
    while open_ and text[place : place + 1] != "]":
        line, counted = line + text.count("\n", counted, place), place
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            yield line, _not_json(error)
            return
        yield line, _object(value)
        place = _blank(text, place)
        open_ = text[place : place + 1] == ","
        place = _blank(text, place + 1) if open_ else place
    if text[place : place + 1] != "]":
        yield text.count("\n", 0, place) + 1, BadRow('the array breaks off here: there is no "]"')


def _blank(text: str, place: int) -> int:
    """The next place that is not white space."""
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place
