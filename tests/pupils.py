"""A micro model that knows a small book by heart, in memory or in a home: what lessons are tried on."""

from __future__ import annotations

from functools import cache

import micro
import torch

from mrclassic import book
from mrclassic.book import Entry, Turn
from mrclassic.home import Home
from mrclassic.model import checkpoint
from mrclassic.model.policy import Policy
from mrclassic.store import Checkpoint, Store
from mrclassic.training import forced, supervised
from mrclassic.training.rows import row
from mrclassic.training.trainee import Schedule

OLD = micro.ENTRIES
NEW = (
    Entry((Turn("What is my name?", "Ada, of course."),)),
    Entry((Turn("Where is the tea?", "In the blue tin."),)),
)


@cache
def scholar() -> Policy:
    """Knows `OLD`, however it is typed and whatever was said before, and nothing of `NEW`."""
    policy = micro.policy(hidden=64, ffn=128, context=192)
    state = supervised.start(policy, 1, torch.float32)
    rows = [row(policy.tokenizer, entry.messages, 192) for entry in OLD]
    while state.step < 100 or not all(each.greedy for each in forced.known(state.trainee.policy, rows)):
        varied = [
            supervised.book_row(policy.tokenizer, entry, 192, OLD, supervised.keyed("scholar", state.step, at))
            for at, entry in enumerate(OLD * 2)
        ]
        supervised.update(state, varied, Schedule(5e-3, 120, 5, 0.05))
    return state.trainee.full_policy()


def settle(home: Home, new: tuple[Entry, ...] = NEW) -> str:
    """Put the scholar into use in `home`, with `new` waiting in its book; returns the checkpoint's id."""
    home.ensure()
    home.book.write_text("\n".join(book.render(entry) for entry in (*OLD, *new)))
    name = "scholar"
    known = tuple(entry.hash for entry in OLD)
    saved = checkpoint.save(scholar(), home.checkpoints / name, book=known)
    with Store.open(home) as store:
        row_ = Checkpoint(name, name, status="promoted", parameters=saved.parameters, model_sha256=saved.model_sha256)
        store.checkpoints.add(row_)
        store.checkpoints.use(name)
    return name
