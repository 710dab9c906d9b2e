"""A random model as a checkpoint's folder, and the facts of its card, for tests of what is exported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import micro
import torch
import vocabularies

from mrclassic.model import checkpoint
from mrclassic.model.decoder import Decoder
from mrclassic.model.exporting.card import Ancestor, Card, Night
from mrclassic.model.exporting.folder import Folder
from mrclassic.model.policy import Policy
from mrclassic.model.tokenizer import Tokenizer

CARD = Card(
    id="20260102-night",
    created="2026-01-02T03:04:05+00:00",
    parameters=12_345,
    model_sha256="ab" * 32,
    lineage=(
        Ancestor("20260102-night", "2026-01-02T03:04:05+00:00", "night", "promoted"),
        Ancestor("a|b", "2026-01-01T00:00:00+00:00", "", "golden"),
    ),
    nights=(Night("2026-01-02T02:00:00+00:00", "promoted", "20260102-night"),),
    scores={"book_recall": 1.0, "arithmetic:1": 0.5},
    book=7,
)


def saved(folder: Path, vocabulary: Callable[[], Tokenizer] = vocabularies.ours, **shape: Any) -> tuple[Policy, Folder]:
    """A random model as a checkpoint's folder."""
    decoder = Decoder(replace(micro.SHAPE, vocab_size=544, **shape))
    decoder.initialise(torch.Generator().manual_seed(3))
    policy = Policy(decoder.requires_grad_(False), vocabulary())
    folder.mkdir()
    checkpoint.write_model(policy, folder)
    return policy, Folder(folder, sorted(file.name for file in folder.iterdir()))
