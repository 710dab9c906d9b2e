"""Micro models that know a small book by heart, in homes of their own."""

from __future__ import annotations

from collections.abc import Sequence

import micro
import torch

from mrclassic import book
from mrclassic.book import Entry
from mrclassic.home import Home
from mrclassic.model import checkpoint
from mrclassic.model.policy import Policy
from mrclassic.store import Checkpoint, Store
from mrclassic.tasks.base import Item
from mrclassic.training import supervised
from mrclassic.training.rows import Row, row
from mrclassic.training.trainee import Schedule


def learned(policy: Policy, rows: Sequence[Row], updates: int, rate: float = 1e-2) -> Policy:
    """A copy of `policy` after `updates` on `rows`."""
    state = supervised.start(policy, 0, torch.float32)
    for _ in range(updates):
        supervised.update(state, rows, Schedule(rate, updates, 5))
    return state.trainee.full_policy()


def entry_rows(policy: Policy, entries: Sequence[Entry]) -> list[Row]:
    return [row(policy.tokenizer, entry.messages, policy.shape.context) for entry in entries]


def item_rows(policy: Policy, items: Sequence[Item]) -> list[Row]:
    """The items with their plain answers: the shortest way to plant a skill."""
    return [
        row(policy.tokenizer, [*item.messages, {"role": "assistant", "content": item.answer}], policy.shape.context)
        for item in items
    ]


def scholar(seed: int = 0) -> Policy:
    """A micro model that knows `micro.ENTRIES`."""
    policy = micro.policy(seed)
    return learned(policy, entry_rows(policy, micro.ENTRIES), 60)


def write_book(home: Home, entries: Sequence[Entry] = micro.ENTRIES) -> None:
    home.ensure()
    home.book.write_text("\n".join(book.render(entry) for entry in entries))


def settle(
    home: Home, policy: Policy, name: str, parent: str | None = None, *, method: str = "", use: bool = True
) -> Checkpoint:
    """Save `policy` as a checkpoint that knows the book, and put it into use."""
    known = tuple(entry.hash for entry in book.load(home.book)) if method != "import" else ()
    facts = checkpoint.save(policy, home.checkpoints / name, parent=parent, method=method, book=known)
    with Store.open(home) as store:
        row = Checkpoint(
            name, name, parent, status="promoted", parameters=facts.parameters, model_sha256=facts.model_sha256
        )
        added = store.checkpoints.add(row)
        if use:
            store.checkpoints.use(name)
    return added
