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

from mrclassic import heartbeat
from mrclassic.errors import UsageError
from mrclassic.model.policy import Policy
from mrclassic.model.sampling import Alike, stream_key
from mrclassic.model.slots import Newcomer, Slots

STRIDE = 8  # steps that a device is handed at a time: looking at what it drew makes it wait


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

    def newcomer(self) -> Newcomer:
        """What the device is told of it."""
        asked = self.request
        key = stream_key(asked.seed, asked.first_row + self.index)
        return Newcomer(asked.tokens, key, asked.temperature, asked.top_p, asked.top_k)


def alike(rows: Sequence[_Row]) -> Alike:
    """What the rows have in common that makes drawing cheaper."""
    if all(row.request.temperature == 0 for row in rows):
        return "greedy"
    if any(row.request.top_p < 1 or row.request.top_k > 0 for row in rows):
        return "cut"
    return "plain" if all(row.request.temperature == 1 for row in rows) else "warm"


class Engine:
    """Generates with `policy` in up to `slots` rows at a time."""

    def __init__(self, policy: Policy, slots: int = 256, stride: int | None = None) -> None:
        """`stride`: tokens drawn between two looks at them (default: 1 on a CPU, `STRIDE` on a device)."""
        self.policy = policy
        self.slots = slots
        self.stride = stride or (1 if policy.device.type == "cpu" else STRIDE)
        self._waiting: deque[_Row] = deque()
        self._rows: list[_Row] = []  # the row in each busy slot: slots 0 .. len-1 are busy
        self._alike: Alike = "plain"
        self._cancelled: list[_Row] = []
        self._next_ticket = 0
        self._held = Slots(policy, slots)

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
        for row, new, reason in self._advance():
            for at in range(-new, 0):
                ended = reason if at == -1 else None
                events.append(Event(row.ticket, row.index, row.tokens[at], row.logprobs[at], ended))
        return events

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """Run `requests` to the end; their rows in order. The engine must be idle."""
        assert not self.busy, "generate() on an engine that is serving"
        tickets = {self.submit(request): place for place, request in enumerate(requests)}
        results: list[list[Completion | None]] = [[None] * request.n for request in requests]
        while self._rows or self._waiting:
            for row, _, reason in self._advance():
                if reason is not None:
                    done = Completion(row.index, tuple(row.tokens), tuple(row.logprobs), reason)
                    results[tickets[row.ticket]][row.index] = done
        return [[completion for completion in rows if completion is not None] for rows in results]

    # -- the loop

    @torch.inference_mode()
    def _advance(self) -> list[tuple[_Row, int, str | None]]:
        """Each running row, how many tokens it drew, and why it ended if it did."""
        heartbeat.beat()  # a long rollout is no hang
        free = self.slots - len(self._rows)
        # Admitting in bulk keeps prefills few; a lone waiting row never waits for more than an eighth of the slots.
        if self._waiting and (not self._rows or free >= min(len(self._waiting), max(1, self.slots // 8))):
            self._admit(free)
        if not self._rows:
            return []
        filled = max(len(row.request.tokens) + len(row.tokens) for row in self._rows)
        self._held.reserve(min(self.policy.shape.context, filled + self.stride - 1))
        drawn = self._held.advance(len(self._rows), self.stride, self._alike)
        moved: list[tuple[_Row, int, str | None]] = []
        leaving: list[int] = []
        for slot, row in enumerate(self._rows):
            before, reason = len(row.tokens), None
            for tokens, logprobs in zip(*drawn, strict=True):
                row.tokens.append(tokens[slot])
                row.logprobs.append(logprobs[slot])
                reason = self._ended(row)
                if reason is not None:  # what a longer stride drew beyond it is dropped
                    leaving.append(slot)
                    break
            moved.append((row, len(row.tokens) - before, reason))
        self._free(leaving)
        return moved

    def _ended(self, row: _Row) -> str | None:
        request, ends = row.request, self.policy.tokenizer.end_ids
        if (row.tokens[-1] in ends and not request.ignore_end) or (request.stop and self._stopped(row)):
            return "stop"
        return "length" if len(row.tokens) >= row.limit else None

    def _stopped(self, row: _Row) -> bool:
        text = self.policy.tokenizer.decode(row.tokens)
        return any(mark in text for mark in row.request.stop)

    def _admit(self, free: int) -> None:
        taken = [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))]
        if not self._rows:
            self._held.clear()
        self._held.admit(len(self._rows), [row.newcomer() for row in taken])
        self._rows += taken
        self._alike = alike(self._rows)

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
        self._held.move(gaps, movers)
        self._alike = alike(self._rows)
