"""Tables of comma-separated values, row by row: what `data export --as argilla` writes, and annotators give back."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mrclassic.errors import UsageError
from mrclassic.tasks.base import BadRow

ENDINGS = (".csv", ".csv.gz")
_WIDEST = 2**24  # characters of a field; the module's own limit is less than a long conversation


def scan(path: Path) -> Iterator[tuple[int, dict[str, Any] | BadRow]]:
    """Each row by the names in the first line, with the line that it ends on. Raises UsageError where the file cannot
    be read, or is no table."""
    csv.field_size_limit(_WIDEST)
    try:
        unpacked = gzip.open if path.suffix == ".gz" else open
        with unpacked(path, "rt", encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, strict=True)
            for row in table:
                whole = None not in row and None not in row.values()
                yield table.line_num, row if whole else BadRow("it has more or fewer fields than the first line")
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (UnicodeDecodeError, csv.Error, EOFError) as error:
        raise UsageError(f"{path} is no table of comma-separated values: {error}.") from error
