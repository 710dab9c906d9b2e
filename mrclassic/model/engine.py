"""The generation engine: a slot scheduler (admit, step, evict) over one key-value cache.

Rows of all requests advance together, one token a step. The `n` candidates of a request share its prefill; finished
rows leave at once and waiting ones take their slots; a row can be cancelled; `step` reports tokens as they come.
Practice rollouts, replies to a person and concurrent clients are the same loop. Randomness is a pure function of
(seed, row, position), so a request alone gives the text that it gives in company.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from mrclassic.errors import UsageError
from mrclassic.model.decoder import Block
from mrclassic.model.device import COLUMNS, rounded
from mrclassic.model.kernels import rms_norm
from mrclassic.model.policy import Policy
from mrclassic.model.sampling import Alike, Knobs, draw, stream_key, uniforms

_ROUND = 32  # cache lengths grow in steps of this many positions


@dataclass(frozen=True)
class Request:
    """`n` continuations of a prompt; row i draws its random numbers as row `first_row + i`."""

    tokens: tuple[int, ...]
    n: int = 1
    max_new: int = 64
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
    stop: tuple[str, ...] = ()
    first_row: int = 0
    ignore_end: bool = False  # run to max_new whatever is drawn: for measurements

    def __post_init__(self) -> None:
        if self.n < 1 or self.max_new < 1:
            raise ValueError(f"a request asks for n={self.n} rows of max_new={self.max_new} tokens; both begin at 1")
        if not (0 <= self.temperature < math.inf and 0 <= self.top_p <= 1 and self.top_k >= 0):
            raise ValueError(f"cannot draw at {self.temperature=}, {self.top_p=}, {self.top_k=}")
        if not all(self.stop):
            raise ValueError("an empty stop string stops every reply before it begins")


@dataclass(frozen=True)
class Event:
    """A row's next token; `token` is -1 when the event only finishes the row (a cancellation)."""

    ticket: int
    row: int
    token: int
    logprob: float
    finish_reason: str | None


@dataclass(frozen=True)
class Completion:
    """A finished row. `tokens` include the end token where it was drawn; `logprobs` are those of the draw."""

    row: int
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: str  # stop | length | cancelled


@dataclass
class _Row:
    ticket: int
    index: int
    request: Request
    limit: int  # new tokens allowed: max_new, or what the context leaves
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)


def alike(rows: Sequence[_Row]) -> Alike:
    """What the rows have in common that makes drawing cheaper."""
    if all(row.request.temperature == 0 for row in rows):
        return "greedy"
    plain = all((row.request.temperature, row.request.top_p, row.request.top_k) == (1, 1, 0) for row in rows)
    return "plain" if plain else "mixed"


class Engine:
    """Generates with `policy` in up to `slots` rows at a time."""

    def __init__(self, policy: Policy, slots: int = 256) -> None:
        self.policy = policy
        self.slots = slots
        self._waiting: deque[_Row] = deque()
        self._rows: list[_Row] = []  # the row in each busy slot: slots 0 .. len-1 are busy
        self._cancelled: list[_Row] = []
        self._next_ticket = 0
        device = policy.device
        self._capacity = 0  # positions that the cache holds now
        self._cache: list[Tensor] = []  # of each layer: keys and values (2, slots, K, capacity, E)
        self._last = torch.zeros(slots, dtype=torch.long, device=device)  # the token each slot feeds next
        self._length = torch.zeros(slots, dtype=torch.long, device=device)  # positions filled in the cache
        self._start = torch.zeros(slots, dtype=torch.long, device=device)  # length of the prompt
        self._key = torch.zeros(slots, dtype=torch.long, device=device)
        self._knobs = Knobs(
            torch.ones(slots, device=device),
            torch.ones(slots, device=device),
            torch.zeros(slots, dtype=torch.long, device=device),
        )

    # -- the caller's side

    @property
    def busy(self) -> bool:
        """Whether any row is running or waiting."""
        return bool(self._rows or self._waiting or self._cancelled)

    def submit(self, request: Request) -> int:
        """Queue a request; returns its ticket. Refuses a prompt that leaves no room in the context."""
        room = self.policy.shape.context - len(request.tokens)
        if not request.tokens or room < 1:
            raise UsageError(
                f"The prompt is {len(request.tokens):,} tokens long; this model reads 1 to "
                f"{self.policy.shape.context - 1:,}. Shorten it."
            )
        ticket = self._next_ticket
        self._next_ticket += 1
        limit = min(request.max_new, room)
        self._waiting.extend(_Row(ticket, index, request, limit) for index in range(request.n))
        return ticket

    @torch.inference_mode()  # the cache was made in this mode, and may only be moved about in it
    def cancel(self, ticket: int, row: int | None = None) -> None:
        """Stop a request, or one of its rows; each ends with the reason `cancelled` in the next step."""

        def meant(candidate: _Row) -> bool:
            return candidate.ticket == ticket and row in (None, candidate.index)

        self._cancelled += [waiting for waiting in self._waiting if meant(waiting)]
        self._waiting = deque(waiting for waiting in self._waiting if not meant(waiting))
        leaving = [slot for slot, running in enumerate(self._rows) if meant(running)]
        self._cancelled += [self._rows[slot] for slot in leaving]
        self._free(leaving)

    def step(self) -> list[Event]:
        """Admit what fits, advance every running row by one token, evict what is finished."""
        events = [Event(row.ticket, row.index, -1, 0.0, "cancelled") for row in self._cancelled]
        self._cancelled.clear()
        for row, reason in self._advance():
            events.append(Event(row.ticket, row.index, row.tokens[-1], row.logprobs[-1], reason))
        return events

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """Run `requests` to the end; their rows in order. The engine must be idle."""
        assert not self.busy, "generate() on an engine that is serving"
        tickets = {self.submit(request): place for place, request in enumerate(requests)}
        results: list[list[Completion | None]] = [[None] * request.n for request in requests]
        while self._rows or self._waiting:
            for row, reason in self._advance():
                if reason is not None:
                    done = Completion(row.index, tuple(row.tokens), tuple(row.logprobs), reason)
                    results[tickets[row.ticket]][row.index] = done
        return [[completion for completion in rows if completion is not None] for rows in results]

    # -- the loop

    @torch.inference_mode()
    def _advance(self) -> list[tuple[_Row, str | None]]:
        free = self.slots - len(self._rows)
        # Admitting in bulk keeps prefills few; a lone waiting row never waits for more than an eighth of the slots.
        if self._waiting and (not self._rows or free >= min(len(self._waiting), max(1, self.slots // 8))):
            self._admit(free)
        if not self._rows:
            return []
        count = len(self._rows)
        # Free slots fill the shape up; what they compute is garbage that nobody reads.
        hidden = self._decode(min(self.slots, rounded(count)))
        logits = self.policy.decoder.logits(hidden, self.policy.live)[:count]
        self._length[:count] += 1
        position = self._length[:count] - self._start[:count]
        tokens, logprobs = draw(logits, self._knobs.first(count), uniforms(self._key[:count], position))
        self._last[:count] = tokens
        end = self.policy.tokenizer.end_id
        moved: list[tuple[_Row, str | None]] = []
        leaving: list[int] = []
        for slot, (row, token, logprob) in enumerate(zip(self._rows, tokens.tolist(), logprobs.tolist(), strict=True)):
            row.tokens.append(token)
            row.logprobs.append(logprob)
            reason: str | None = None
            if (token == end and not row.request.ignore_end) or (row.request.stop and self._stopped(row)):
                reason = "stop"
            elif len(row.tokens) >= row.limit:
                reason = "length"
            if reason is not None:
                leaving.append(slot)
            moved.append((row, reason))
        self._free(leaving)
        return moved

    def _stopped(self, row: _Row) -> bool:
        text = self.policy.tokenizer.decode(row.tokens)
        return any(mark in text for mark in row.request.stop)

    def _admit(self, free: int) -> None:
        """Prefill the prompts of waiting rows, each prompt once, and copy its cache to the rows that share it."""
        taken = [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))]
        prompts: dict[tuple[int, ...], int] = {}
        for row in taken:
            prompts.setdefault(row.request.tokens, len(prompts))
        # All but the last token go into the cache; the last is fed by the first decode step, so that every row's
        # tokens come out of the same computation.
        device = self.policy.device
        longest = max(len(tokens) for tokens in prompts) - 1
        if not self._rows:
            self._capacity = 0  # what an earlier, longer row needed would be read at every step
        self._reserve(longest + 1)
        first = len(self._rows)
        if longest:
            width = min(self._capacity, -(-longest // COLUMNS) * COLUMNS)
            padded = torch.full((rounded(len(prompts)), width), self.policy.tokenizer.pad_id, dtype=torch.long)
            for tokens, place in prompts.items():
                padded[place, : len(tokens) - 1] = torch.tensor(tokens[:-1], dtype=torch.long)
            places = torch.tensor([prompts[row.request.tokens] for row in taken], device=device)
            self._prefill(padded.to(device), places, first)
        slots, requests = slice(first, first + len(taken)), [row.request for row in taken]
        lengths = [len(request.tokens) - 1 for request in requests]
        for column, values in (
            (self._last, [request.tokens[-1] for request in requests]),
            (self._length, lengths),
            (self._start, lengths),
            (self._key, [stream_key(row.request.seed, row.request.first_row + row.index) for row in taken]),
            (self._knobs.temperature, [request.temperature for request in requests]),
            (self._knobs.top_p, [request.top_p for request in requests]),
            (self._knobs.top_k, [request.top_k for request in requests]),
        ):
            column[slots] = torch.tensor(values, dtype=column.dtype, device=device)
        self._rows += taken
        self._knobs.all = alike(self._rows)

    def _reserve(self, positions: int) -> None:
        """Grow the cache to hold `positions` in each slot.

        It holds hardly more than it must, and is made anew every `_ROUND` steps: attention reads all of it, because a
        part of it would be copied at each step to the form that the matrix product wants.
        """
        if positions <= self._capacity:
            return
        shape = self.policy.shape
        before, self._capacity = self._capacity, min(shape.context, -(-positions // _ROUND) * _ROUND)
        size = (2, self.slots, shape.kv_heads, self._capacity, shape.head_dim)
        if not before:
            self._cache = [torch.empty(0)] * shape.layers
        for layer, old in enumerate(self._cache):
            self._cache[layer] = torch.zeros(size, dtype=self.policy.dtype, device=self.policy.device)
            if before:
                self._cache[layer][:, :, :, :before] = old

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

    def _decode(self, count: int) -> Tensor:
        """Feed each busy slot its last token (at position `length`); returns hidden states (count, D)."""
        decoder, shape = self.policy.decoder, self.policy.shape
        self._reserve(max(len(row.request.tokens) + len(row.tokens) for row in self._rows))
        position, reach = self._length[:count], self._capacity
        device = position.device
        x = F.embedding(self._last[:count], decoder.embedding)  # (B, D)
        rotary = decoder.rotary(position, x.dtype)
        hidden_from = torch.arange(reach, device=device) > position[:, None]  # (B, T)
        bias = torch.zeros(hidden_from.shape, dtype=x.dtype, device=device).masked_fill_(hidden_from, float("-inf"))
        bias = bias[:, None, None, :]  # (B, 1, 1, T)
        # Where each slot's next key and value lie in the cache, seen as rows of E numbers.
        heads = torch.arange(2 * shape.kv_heads, device=device).view(2, 1, -1)
        of_slot = torch.arange(count, device=device)[:, None] * shape.kv_heads + heads[0]
        places = (heads[:, :, :1] // shape.kv_heads * self.slots * shape.kv_heads + of_slot) * reach + position[:, None]
        places = places.flatten()
        group, scale = shape.heads // shape.kv_heads, shape.head_dim**-0.5
        for cache, block in zip(self._cache, decoder.blocks, strict=True):
            assert isinstance(block, Block)
            q, k, v = block.project(x, rotary)  # (B, H|K, E)
            cache.view(-1, shape.head_dim)[places] = torch.stack((k, v)).view(-1, shape.head_dim)
            keys, values = cache[0, :count], cache[1, :count]  # (B, K, T, E)
            grouped = q.reshape(count, shape.kv_heads, group, shape.head_dim)  # one query position, G heads a key head
            scores = torch.add(bias, torch.matmul(grouped, keys.transpose(-1, -2)), alpha=scale)
            attended = torch.matmul(scores.softmax(-1), values)  # (B, K, G, E)
            x = block.finish(x, attended.flatten(1))
        return rms_norm(x, decoder.norm, shape.norm_eps)

    def _free(self, leaving: Sequence[int]) -> None:
        """Give slots back: the last busy ones move into the gaps, so that busy slots stay together."""
        if not leaving:
            return
        gone, left = set(leaving), len(self._rows) - len(leaving)
        gaps = [slot for slot in sorted(gone) if slot < left]
        movers = [slot for slot in range(left, len(self._rows)) if slot not in gone]
        for gap, mover in zip(gaps, movers, strict=True):
            self._rows[gap] = self._rows[mover]
        del self._rows[left:]
        if gaps:
            to, source = (torch.tensor(slots, device=self._last.device) for slots in (gaps, movers))
            knobs = (self._knobs.temperature, self._knobs.top_p, self._knobs.top_k)
            for column in (self._last, self._length, self._start, self._key, *knobs):
                column[to] = column[source]
            for cache in self._cache:
                cache[:, to] = cache[:, source]
        self._length[left:] = 0  # a free slot may be decoded along: it must stay inside the cache
        self._knobs.all = alike(self._rows)
