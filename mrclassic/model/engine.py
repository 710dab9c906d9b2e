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
from mrclassic.model.decoder import Block, rotate
from mrclassic.model.device import COLUMNS, rounded
from mrclassic.model.policy import Policy
from mrclassic.model.sampling import Knobs, draw, stream_key, uniforms

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


class Engine:
    """Generates with `policy` in up to `slots` rows at a time."""

    def __init__(self, policy: Policy, slots: int = 256) -> None:
        self.policy = policy
        self.slots = slots
        self._waiting: deque[_Row] = deque()
        self._rows: list[_Row] = []  # the row in each busy slot: slots 0 .. len-1 are busy
        self._cancelled: list[_Row] = []
        self._next_ticket = 0
        self._capacity = 0
        device = policy.device
        self._keys: Tensor = torch.empty(0)
        self._values: Tensor = torch.empty(0)
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
        for slot in reversed(range(len(self._rows))):
            if meant(self._rows[slot]):
                self._cancelled.append(self._rows[slot])
                self._free(slot)

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
        knobs = Knobs(self._knobs.temperature[:count], self._knobs.top_p[:count], self._knobs.top_k[:count])
        tokens, logprobs = draw(logits, knobs, uniforms(self._key[:count], position))
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
        for slot in reversed(leaving):
            self._free(slot)
        return moved

    def _stopped(self, row: _Row) -> bool:
        text = self.policy.tokenizer.decode(row.tokens)
        return any(mark in text for mark in row.request.stop)

    def _admit(self, free: int) -> None:
        """Prefill the prompts of waiting rows, each prompt once, and copy its cache to the rows that share it."""
        taken = [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))]
        need = max(len(row.request.tokens) + row.limit for row in taken)
        self._reserve(need)
        prompts: dict[tuple[int, ...], int] = {}
        for row in taken:
            prompts.setdefault(row.request.tokens, len(prompts))
        # All but the last token go into the cache; the last is fed by the first decode step, so that every row's
        # tokens come out of the same computation.
        device = self.policy.device
        longest = max(len(tokens) for tokens in prompts) - 1
        first = len(self._rows)
        if longest:
            width = min(self._capacity, -(-longest // COLUMNS) * COLUMNS)
            padded = torch.full((rounded(len(prompts)), width), self.policy.tokenizer.pad_id, dtype=torch.long)
            for tokens, place in prompts.items():
                padded[place, : len(tokens) - 1] = torch.tensor(tokens[:-1], dtype=torch.long)
            places = torch.tensor([prompts[row.request.tokens] for row in taken], device=device)
            self._prefill(padded.to(device), places, first)
        for offset, row in enumerate(taken):
            slot, request = first + offset, row.request
            self._last[slot] = request.tokens[-1]
            self._length[slot] = self._start[slot] = len(request.tokens) - 1
            self._key[slot] = stream_key(request.seed, request.first_row + row.index)
            self._knobs.temperature[slot] = request.temperature
            self._knobs.top_p[slot] = request.top_p
            self._knobs.top_k[slot] = request.top_k
        self._rows += taken

    def _reserve(self, positions: int) -> None:
        """Grow the cache to hold `positions` in each slot."""
        if positions <= self._capacity:
            return
        shape = self.policy.shape
        capacity = min(shape.context, -(-positions // _ROUND) * _ROUND)
        size = (shape.layers, self.slots, shape.kv_heads, capacity, shape.head_dim)
        keys, values = (torch.zeros(size, dtype=self.policy.dtype, device=self.policy.device) for _ in range(2))
        if self._capacity:
            keys[:, :, :, : self._capacity] = self._keys
            values[:, :, :, : self._capacity] = self._values
        self._keys, self._values, self._capacity = keys, values, capacity

    def _prefill(self, ids: Tensor, places: Tensor, first: int) -> None:
        """Fill slots `first`.. with the keys and values of `ids` (P, T): slot `first + i` takes row `places[i]`."""
        decoder = self.policy.decoder
        x = F.embedding(ids, decoder.embedding)
        rotary = decoder.rotary(ids.shape[1], x.dtype)
        rows = slice(first, first + len(places))
        for layer, block in enumerate(decoder.blocks):
            x, k, v = block(x, rotary)
            self._keys[layer, rows, :, : ids.shape[1]] = k[places]
            self._values[layer, rows, :, : ids.shape[1]] = v[places]

    def _decode(self, count: int) -> Tensor:
        """Feed each busy slot its last token (at position `length`); returns hidden states (count, D)."""
        decoder, shape = self.policy.decoder, self.policy.shape
        position = self._length[:count]
        reach = min(self._capacity, -(-(int(position.max()) + 1) // _ROUND) * _ROUND)
        slots = torch.arange(count, device=position.device)
        x = F.embedding(self._last[:count], decoder.embedding)  # (B, D)
        rotary = decoder.rotary(position[:, None], x.dtype)  # (B, 1, E)
        hidden_from = torch.arange(reach, device=position.device) > position[:, None]  # (B, L)
        bias = torch.zeros(hidden_from.shape, dtype=x.dtype, device=x.device).masked_fill_(hidden_from, float("-inf"))
        bias = bias[:, None, None, :]  # (B, 1, 1, L)
        group = shape.heads // shape.kv_heads
        for layer, block in enumerate(decoder.blocks):
            assert isinstance(block, Block)
            q, k, v = block.project(x)  # (B, H|K, E)
            q, k = rotate(q, rotary), rotate(k, rotary)
            keys, values = self._keys[layer, :count], self._values[layer, :count]  # (B, K, T, E)
            keys[slots, :, position] = k
            values[slots, :, position] = v
            grouped = q.view(count, shape.kv_heads, group, shape.head_dim)  # one query position, G heads a key head
            scores = torch.matmul(grouped, keys[:, :, :reach].transpose(-1, -2)) * shape.head_dim**-0.5 + bias
            attended = torch.matmul(scores.softmax(-1), values[:, :, :reach])  # (B, K, G, E)
            x = block.finish(x, attended.flatten(1))
        return F.rms_norm(x, (shape.hidden,), decoder.norm, shape.norm_eps)

    def _free(self, slot: int) -> None:
        """Give a slot back: the last busy slot moves into the gap, so that busy slots stay together."""
        last = len(self._rows) - 1
        if slot != last:
            self._rows[slot] = self._rows[last]
            filled = int(self._length[last])
            self._keys[:, slot, :, :filled] = self._keys[:, last, :, :filled]
            self._values[:, slot, :, :filled] = self._values[:, last, :, :filled]
            knobs = (self._knobs.temperature, self._knobs.top_p, self._knobs.top_k)
            for column in (self._last, self._length, self._start, self._key, *knobs):
                column[slot] = column[last]
        self._rows.pop()
        self._length[last] = 0  # a free slot may be decoded along: it must stay inside the cache
