"""What a model makes of words that are not its own: it reads them, and how likely it thinks each next token is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from mrclassic.model.policy import Policy
from mrclassic.model.tokenizer import Message
from mrclassic.training.room import halving
from mrclassic.training.rows import Row, buckets, collate, row
from mrclassic.training.scoring import score

_BUDGET, _LEAST = 8192, 256  # tokens of a rectangle; where memory is short


def losses(policy: Policy, read: Sequence[Row]) -> list[float]:
    """The mean loss of each row's learned tokens, nats a token."""
    return halving(_BUDGET, _LEAST, lambda budget: _losses(policy, read, budget))


@torch.no_grad()
def _losses(policy: Policy, read: Sequence[Row], budget: int) -> list[float]:
    found = [0.0] * len(read)
    for group in buckets(read, budget):
        batch = collate([read[place] for place in group], policy.tokenizer.pad_id, policy.device)
        logp = score(policy, batch).logp.float()
        sums = torch.zeros(len(group), device=logp.device).index_add(0, batch.row, -logp)
        for place, total in zip(group, sums.tolist(), strict=True):
            found[place] = total / read[place].targets
    return found


def texts(policy: Policy, wanted: Sequence[str]) -> list[float]:
    """The loss of each text by itself, outside any chat, as far as it fits the context."""
    return losses(policy, rows(policy, wanted))


def rows(policy: Policy, wanted: Sequence[str]) -> list[Row]:
    """Each text as a row of which all is learned."""
    tokenizer, room = policy.tokenizer, policy.shape.context - 1
    begin = tokenizer.backend.token_to_id(tokenizer.begin) if tokenizer.begin else None
    first = tokenizer.end_id if begin is None else begin
    return [Row((first, *tokenizer.encode(text)[:room]), 1) for text in wanted]


def preferred(policy: Policy, pairs: Sequence[tuple[Sequence[Message], Sequence[str]]]) -> list[bool]:
    """Of each prompt with its replies, whether the first is likelier, a token, than all others."""
    read = [
        row(policy.tokenizer, [*prompt, {"role": "assistant", "content": reply}], policy.shape.context)
        for prompt, replies in pairs
        for reply in replies
    ]
    found: Iterator[float] = iter(losses(policy, read))
    each = [[next(found) for _ in replies] for _, replies in pairs]
    return [min(rest, default=first + 1) > first for first, *rest in each]
