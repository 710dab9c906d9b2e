"""A model that ends every reply at once: measuring it and practising with it take seconds, not minutes."""

from __future__ import annotations

import babies
import torch

from mrclassic import book
from mrclassic.home import Home
from mrclassic.model import checkpoint
from mrclassic.model.policy import Policy
from mrclassic.store import Checkpoint, Store

BOOK = "> Hello.\nGood day.\n\n> Who are you?\nMr. Classic.\n"


def mute(seed: int = 0) -> Policy:
    """A `tiny` policy with nothing to say: every embedding leans the way of the end token's."""
    policy = babies.baby(seed).cast(torch.float32)
    embedding = policy.decoder.embedding
    way = torch.sign(torch.randn(embedding.shape[1], generator=torch.Generator().manual_seed(seed)))
    with torch.no_grad():
        embedding += 0.3 * way
        embedding[policy.tokenizer.end_id] = 3 * way
    return policy


def hatch(home: Home, name: str = "mute-1", parent: str | None = None, seed: int = 0, *, learnt: bool = False) -> Home:
    """Put such a model into use in `home`, with a book of two entries: new ones, unless they count as `learnt`."""
    home.ensure()
    home.book.write_text(BOOK, encoding="utf-8")
    known = tuple(entry.hash for entry in book.load(home.book)) if learnt else ()
    facts = checkpoint.save(mute(seed), home.checkpoints / name, parent=parent, book=known)
    row = Checkpoint(
        name, name, parent, status="promoted", parameters=facts.parameters, model_sha256=facts.model_sha256
    )
    with Store.open(home) as store:
        store.checkpoints.add(row)
        store.checkpoints.use(name)
    return home
