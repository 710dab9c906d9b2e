"""What the device holds of the rows that are being generated: keys and values, positions, how each is drawn.

The scheduler (`engine.py`) sees rows and lists; here are tensors. Nothing in a step looks at a value on the host, so
that a CUDA device can be handed one step after the other, and a step can be recorded and replayed (`graphs.py`).

Shapes in comments: B slots computed, T positions held, H query heads, K key-value heads, E head size, D hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mrclassic.model.decoder import Block
from mrclassic.model.device import COLUMNS, rounded
from mrclassic.model.graphs import Graphs
from mrclassic.model.kernels import rms_norm
from mrclassic.model.policy import Policy
from mrclassic.model.sampling import Alike, Knobs, draw, uniforms


@dataclass(frozen=True)
class Newcomer:
    """A row to be admitted: its prompt, the key of its random numbers, and how it is drawn."""

    tokens: tuple[int, ...]
    key: int
    temperature: float
    top_p: float
    top_k: int


class Slots:
    """`count` places for rows of `policy`; those in use stand first."""

    def __init__(self, policy: Policy, count: int) -> None:
        self.policy, self.count = policy, count
        device = policy.device
        self.capacity = 0  # positions that the cache holds now
        self._cache: list[Tensor] = []  # of each layer: keys and values (2, count, K, capacity, E)
        self._last = torch.zeros(count, dtype=torch.long, device=device)  # the token each slot feeds next
        self._logprob = torch.zeros(count, device=device)  # that of the token drawn last
        self._length = torch.zeros(count, dtype=torch.long, device=device)  # positions filled in the cache
        self._start = torch.zeros(count, dtype=torch.long, device=device)  # length of the prompt
        self._key = torch.zeros(count, dtype=torch.long, device=device)
        self._knobs = Knobs(
            torch.ones(count, device=device),
            torch.ones(count, device=device),
            torch.zeros(count, dtype=torch.long, device=device),
        )
        self._graphs = Graphs(device) if device.type == "cuda" else None
        # The cache grows in steps, to hardly more than is needed: attention reads all of it, because a part of it would
        # be copied each time to the form that the matrix product wants. But recordings point into it, and are lost
        # when it moves.
        self._round = 32 if self._graphs is None else 256

    def reserve(self, positions: int) -> None:
        """Grow the cache to hold `positions` in each slot."""
        if positions <= self.capacity:
            return
        shape = self.policy.shape
        before, self.capacity = self.capacity, min(shape.context, -(-positions // self._round) * self._round)
        size = (2, self.count, shape.kv_heads, self.capacity, shape.head_dim)
        if not before:
            self._cache = [torch.empty(0)] * shape.layers
        if self._graphs is not None:
            self._graphs.forget()
        for layer, old in enumerate(self._cache):
            self._cache[layer] = torch.zeros(size, dtype=self.policy.dtype, device=self.policy.device)
            if before:
                self._cache[layer][:, :, :, :before] = old

    def clear(self) -> None:
        """No slot is in use: what an earlier, longer row needed would be read at every step. A device keeps it, with
        the steps that were recorded on it."""
        if self._graphs is None:
            self.capacity = 0

    def admit(self, first: int, rows: Sequence[Newcomer]) -> None:
        """Prefill the prompts of `rows`, each prompt once, into the slots from `first` on.

        All but the last token go into the cache; the last is fed by the first step, so that every row's tokens come out
        of the same computation.
        """
        prompts: dict[tuple[int, ...], int] = {}
        for row in rows:
            prompts.setdefault(row.tokens, len(prompts))
        device = self.policy.device
        longest = max(len(tokens) for tokens in prompts) - 1
        self.reserve(longest + 1)
        if longest:
            width = min(self.capacity, -(-longest // COLUMNS) * COLUMNS)
            padded = torch.full((rounded(len(prompts)), width), self.policy.tokenizer.pad_id, dtype=torch.long)
            for tokens, place in prompts.items():
                padded[place, : len(tokens) - 1] = torch.tensor(tokens[:-1], dtype=torch.long)
            places = torch.tensor([prompts[row.tokens] for row in rows], device=device)
            self._prefill(padded.to(device), places, first)
        lengths = [len(row.tokens) - 1 for row in rows]
        for column, values in (
            (self._last, [row.tokens[-1] for row in rows]),
            (self._length, lengths),
            (self._start, lengths),
            (self._key, [row.key for row in rows]),
            (self._knobs.temperature, [row.temperature for row in rows]),
            (self._knobs.top_p, [row.top_p for row in rows]),
            (self._knobs.top_k, [row.top_k for row in rows]),
        ):
            column[first : first + len(rows)] = torch.tensor(values, dtype=column.dtype, device=device)

    def _prefill(self, ids: Tensor, places: Tensor, first: int) -> None:
        """Fill slots `first`.. with the keys and values of `ids` (P, T): slot `first + i` takes row `places[i]`."""
        decoder = self.policy.decoder
        x = F.embedding(ids, decoder.embedding)
        rotary = decoder.rotary(ids.shape[1], x.dtype)
        rows = slice(first, first + len(places))
        for cache, block in zip(self._cache, decoder.blocks, strict=True):
            x, k, v = block(x, rotary)
            cache[0, rows, :, : ids.shape[1]] = k[places]
            cache[1, rows, :, : ids.shape[1]] = v[places]

    def advance(self, count: int, steps: int, alike: Alike) -> tuple[list[list[int]], list[list[float]]]:
        """Draw `steps` tokens for each of the first `count` slots; returns them and their log-probabilities, by step.

        Slots beyond `count` fill the shape up; what they compute is garbage that nobody reads.
        """
        size = min(self.count, rounded(count))
        self._length[count:size] = 0
        tokens, logprobs = [], []
        for _ in range(steps):
            if self._graphs is None:
                self._step(size, alike)
            else:
                self._graphs.run((size, alike), lambda: self._step(size, alike), (self._last, self._length))
            tokens.append(self._last[:count].clone())
            logprobs.append(self._logprob[:count].clone())
        return torch.stack(tokens).tolist(), torch.stack(logprobs).tolist()

    def _step(self, size: int, alike: Alike) -> None:
        """One token for the first `size` slots, all of it in place."""
        hidden = self._decode(size)
        logits = self.policy.decoder.logits(hidden, self.policy.live)
        length = self._length[:size].add_(1)
        uniform = uniforms(self._key[:size], length - self._start[:size])
        tokens, logprobs = draw(logits, self._knobs.first(size, alike), uniform)
        self._last[:size] = tokens
        self._logprob[:size] = logprobs

    def _decode(self, size: int) -> Tensor:
        """Feed each slot its last token (at position `length`); returns hidden states (B, D)."""
        decoder, shape, reach = self.policy.decoder, self.policy.shape, self.capacity
        # A row that has come to its end may be computed along for the rest of a stride: it stays inside the cache.
        position = self._length[:size].clamp(max=reach - 1)
        device = position.device
        x = F.embedding(self._last[:size], decoder.embedding)  # (B, D)
        rotary = decoder.rotary(position, x.dtype)
        hidden_from = torch.arange(reach, device=device) > position[:, None]  # (B, T)
        bias = torch.zeros(hidden_from.shape, dtype=x.dtype, device=device).masked_fill_(hidden_from, float("-inf"))
        bias = bias[:, None, None, :]  # (B, 1, 1, T)
        # Where each slot's next key and value lie in the cache, seen as rows of E numbers.
        heads = torch.arange(2 * shape.kv_heads, device=device).view(2, 1, -1)
        of_slot = torch.arange(size, device=device)[:, None] * shape.kv_heads + heads[0]
        places = (heads[:, :, :1] // shape.kv_heads * self.count * shape.kv_heads + of_slot) * reach + position[:, None]
        places = places.flatten()
        group, scale = shape.heads // shape.kv_heads, shape.head_dim**-0.5
        for cache, block in zip(self._cache, decoder.blocks, strict=True):
            assert isinstance(block, Block)
            q, k, v = block.project(x, rotary)  # (B, H|K, E)
            cache.view(-1, shape.head_dim)[places] = torch.stack((k, v)).view(-1, shape.head_dim)
            keys, values = cache[0, :size], cache[1, :size]  # (B, K, T, E)
            grouped = q.reshape(size, shape.kv_heads, group, shape.head_dim)  # one query position, G heads a key head
            scores = torch.add(bias, torch.matmul(grouped, keys.transpose(-1, -2)), alpha=scale)
            attended = torch.matmul(scores.softmax(-1), values)  # (B, K, G, E)
            x = block.finish(x, attended.flatten(1))
        return rms_norm(x, decoder.norm, shape.norm_eps)

    def move(self, to: Sequence[int], source: Sequence[int]) -> None:
        """Copy slots `source` to slots `to`."""
        if to:
            there, here = (torch.tensor(slots, device=self._last.device) for slots in (to, source))
            knobs = (self._knobs.temperature, self._knobs.top_p, self._knobs.top_k)
            for column in (self._last, self._length, self._start, self._key, *knobs):
                column[there] = column[here]
            for cache in self._cache:
                cache[:, there] = cache[:, here]
