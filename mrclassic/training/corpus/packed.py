"""A corpus as token ids on the disk: one long array of them, and a table of the windows that training learns.

A window is a document, or as much of a long one as the context holds; the first of its ids is only ever read, every
later one is learned. Training maps the file, so that no more of it is in memory than an update looks at.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrclassic.model.tokenizer import Message, Tokenizer

TOKENS, TABLE, FACTS = "tokens.bin", "windows.npz", "corpus.json"


@dataclass(frozen=True)
class Part:
    """What one source came to. Tokens are those that are learned; `openings` begin documents that are set aside."""

    name: str
    weight: float
    documents: int
    tokens: int
    held_out: int
    held_out_tokens: int
    duplicates: int
    broken: int
    troubles: tuple[str, ...]
    openings: tuple[tuple[Message, ...] | str, ...]


class Packed:
    """What `packing.pack` wrote, opened."""

    def __init__(self, folder: Path) -> None:
        facts: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        self.folder = folder
        self.parts = tuple(
            Part(
                **{
                    **part,
                    "troubles": tuple(part["troubles"]),
                    "openings": tuple(each if isinstance(each, str) else tuple(each) for each in part["openings"]),
                }
            )
            for part in facts["parts"]
        )
        self.context: int = facts["context"]
        self.tokens: NDArray[Any] = np.memmap(folder / TOKENS, np.dtype(facts["format"]), "r")
        with np.load(folder / TABLE) as table:
            self.starts: NDArray[np.int64] = table["starts"]
            self.lengths: NDArray[np.int32] = table["lengths"]
            self._source: NDArray[np.int16] = table["source"]
            self._held_out: NDArray[np.bool_] = table["held_out"]

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The one whose ids these are."""
        return Tokenizer.load(self.folder)

    def windows(self, source: int, held_out: bool = False) -> NDArray[np.int64]:
        """The windows of a source that are trained, or that are set aside."""
        return np.flatnonzero((self._source == source) & (self._held_out == held_out))

    def ids(self, window: int) -> NDArray[Any]:
        """The token ids of a window."""
        start = int(self.starts[window])
        return self.tokens[start : start + int(self.lengths[window])]


def facts(parts: list[Part], context: int, format_: str) -> str:
    """The text of the file that says what the others hold."""
    return json.dumps({"parts": [asdict(part) for part in parts], "context": context, "format": format_}, indent=2)
