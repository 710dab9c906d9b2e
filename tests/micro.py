"""Models so small that an update takes milliseconds, for tests of what training and generation do."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import torch

from mrclassic.book import Entry, Turn
from mrclassic.model.decoder import to_named
from mrclassic.model.policy import Policy
from mrclassic.model.shapes import Shape

torch.set_num_threads(1)

SHAPE = Shape(vocab_size=320, hidden=32, layers=2, heads=4, kv_heads=2, head_dim=8, ffn=64, context=96)

ENTRIES = tuple(
    Entry((Turn(question, reply),))
    for question, reply in (
        ("Hello.", "Good day."),
        ("Who are you?", "Mr. Classic, at your service."),
        ("Do you like rain?", "I like the sound of it."),
        ("What is your name?", "Mr. Classic."),
        ("Good night.", "Sleep well."),
        ("What do you do?", "I do sums."),
    )
)
_TEXTS = (
    *tuple(message["content"] for entry in ENTRIES for message in entry.messages),
    "What is 47 + 85?",
    "7+5=12, 4+8+1=13, so 132.",
)


def policy(seed: int = 0, *, loud: float = 1.0, **shape: object) -> Policy:
    """A random float32 policy of `SHAPE`; `loud` multiplies its matrices, so that its choices are less even."""
    made = Policy.fresh(replace(SHAPE, **shape), _TEXTS * 2, seed)  # type: ignore[arg-type]
    with torch.no_grad():
        for weight in made.decoder.parameters():
            if weight.ndim > 1:
                weight.mul_(loud)
    return made


def digest(of: Policy) -> str:
    """The sha256 of all weights."""
    found = hashlib.sha256()
    for name, tensor in to_named(of.decoder).items():
        found.update(name.encode())
        found.update(tensor.detach().float().numpy().tobytes())
    return found.hexdigest()
