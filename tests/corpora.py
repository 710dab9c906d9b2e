"""Small corpora, written to files, and packed for the models of `micro`."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import micro

from mrclassic.model.tokenizer import Tokenizer
from mrclassic.training.corpus import files, packing
from mrclassic.training.corpus.packed import Packed

WORDS = ("hello", "rain", "sums", "good", "name", "night", "day", "sleep", "like", "what", "you", "classic")
TOKENIZER = Tokenizer.train([" ".join(WORDS) * 3], micro.SHAPE.vocab_size)


def say(rng: random.Random, words: int) -> str:
    """So many words."""
    return " ".join(rng.choice(WORDS) for _ in range(words))


def talks(count: int, seed: int = 0, turns: int = 4, words: int = 6) -> list[dict[str, Any]]:
    """Conversations of up to `turns` turns of up to `words` words, each different."""
    rng = random.Random(seed)
    return [
        {"turns": [f"{at} {say(rng, rng.randint(1, words))}" for _ in range(rng.randint(2, turns))]}
        for at in range(count)
    ]


def write(path: Path, rows: Sequence[Any]) -> Path:
    """JSON lines, gzipped where the name says so; a row that is a string is written as it is."""
    lines = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_bytes(gzip.compress(lines.encode()) if path.suffix == ".gz" else lines.encode())
    return path


def pack(
    folder: Path, *paths: Path, weights: Sequence[str] = (), context: int = micro.SHAPE.context, held_out: float = 0.1
) -> Packed:
    """The files at `paths` as one corpus in `folder`."""
    return packing.pack(files.sources(paths, weights), folder, TOKENIZER, context, held_out, say=lambda words: None)
