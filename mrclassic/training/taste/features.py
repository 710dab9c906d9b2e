"""What a policy, frozen, makes of a reply: the states of its network over the reply's tokens, as one row of numbers.

Four views, each as wide as the network: the mean of the embeddings (which words, in any order), the mean half-way up,
the mean at the top, and the top at the last token, which has read it all.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mrclassic.choices import Choice
from mrclassic.model.kernels import rms_norm
from mrclassic.model.policy import Policy
from mrclassic.model.tokenizer import Message
from mrclassic.training.rows import Batch, Row, buckets, collate, row

_BUDGET = 8192  # tokens of a rectangle
VIEWS = 4


class Reader:
    """Features of replies under one policy; each is computed once."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._known: dict[tuple[object, ...], Tensor] = {}  # whoever won

    def choices(self, choices: Sequence[Choice]) -> Tensor:
        """The replies of `choices`, one after the other: (R, 4 D), float32."""
        new = {key: each for each in choices if (key := (each.prompt, each.replies)) not in self._known}
        read = self.replies([(each.messages, reply) for each in new.values() for reply in each.replies])
        for key, part in zip(new, torch.split(read, [len(each.replies) for each in new.values()]), strict=True):
            self._known[key] = part
        return torch.cat([self._known[each.prompt, each.replies] for each in choices])

    @torch.no_grad()
    def replies(self, pairs: Sequence[tuple[Sequence[Message], str]]) -> Tensor:
        """Each reply to its conversation: (R, 4 D), float32 on the CPU."""
        shape, tokenizer = self.policy.shape, self.policy.tokenizer
        rows = [row(tokenizer, [*said, {"role": "assistant", "content": text}], shape.context) for said, text in pairs]
        found = torch.zeros((len(rows), VIEWS * shape.hidden))
        for group in buckets(rows, _BUDGET):
            # One token more, and to be learned from the second on: the places that are picked are then the reply's own.
            own = [Row((*rows[place].ids, tokenizer.pad_id), rows[place].start + 1) for place in group]
            found[group] = self._views(collate(own, tokenizer.pad_id, self.policy.device), len(group)).cpu()
        return found

    def _views(self, batch: Batch, count: int) -> Tensor:
        decoder = self.policy.decoder
        x = F.embedding(batch.ids, decoder.embedding)
        rotary = decoder.rotary(batch.ids.shape[1], x.dtype)
        seen = [x]
        for block in decoder.blocks:
            x = block(x, rotary)[0]
            seen.append(x)
        top = rms_norm(x, decoder.norm, decoder.shape.norm_eps)
        here, owner = batch.at[: len(batch.row)], batch.row
        tokens = torch.bincount(owner, minlength=count).float()[:, None]

        def mean(states: Tensor) -> Tensor:
            total = torch.zeros((count, states.shape[-1]), device=states.device)
            return total.index_add(0, owner, states.flatten(0, 1)[here].float()) / tokens

        last = tokens[:, 0].long().cumsum(0) - 1
        end = top.flatten(0, 1)[here[last]].float()
        return torch.cat([mean(seen[0]), mean(seen[len(seen) // 2]), mean(top), end], dim=-1)
