"""One request's candidates while they grow: text from tokens, stop strings, and no candidate twice.

With `distinct`, a candidate that ends like another one of its request is drawn again, at a temperature that rises with
each round, and is marked a duplicate when the last round brought nothing new. Of two equal texts the one of the earlier
round, then of the lower index, stays. Each (index, round) has its own random numbers and the rule is a strict order, so
the outcome does not depend on which candidate happens to finish first (as in deferred acceptance, Gale & Shapley 1962).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from mrclassic.mind.advice import sampling
from mrclassic.mind.parameters import ChatRequest
from mrclassic.model.engine import Event, Request
from mrclassic.model.tokenizer import Incremental, Tokenizer

ROUNDS = 4
_WARM = 0.7
"""Below this temperature a model that repeats itself goes on repeating itself."""
_RISE = 0.25


@dataclass(frozen=True)
class TokenFact:
    """A drawn token as OpenAI's `logprobs` shows it."""

    text: str
    logprob: float


@dataclass(frozen=True)
class Piece:
    """What became of one candidate since its last piece."""

    index: int
    text: str
    tokens: int
    """Drawn for this candidate so far, its end token included."""
    logprob: float
    temperature: float
    facts: tuple[TokenFact, ...] = ()
    finish_reason: str | None = None
    restart: bool = False
    """Forget what was said of it before; `text` begins it anew."""
    duplicate: bool = False


@dataclass(frozen=True)
class Start:
    """Rows to hand to the engine: its row i is the candidate `indices[i]`, in that candidate's round `round`."""

    request: Request
    indices: tuple[int, ...]
    round: int


@dataclass
class _Row:
    index: int
    round: int
    temperature: float
    decoder: Incremental
    text: str = ""
    shown: int = 0
    tokens: int = 0
    logprob: float = 0.0
    finish_reason: str | None = None
    duplicate: bool = False
    fresh_facts: list[TokenFact] = field(default_factory=list)
    changed: bool = False
    restarting: bool = False

    @property
    def rank(self) -> tuple[int, int]:
        return self.round, self.index


class Draw:
    """The candidates of one request. Feed it the engine's events; take `starts` and `pieces` from it. `generation` is
    what the makers of the model advise, for what the request leaves open."""

    def __init__(
        self,
        asked: ChatRequest,
        prompt: Sequence[int],
        tokenizer: Tokenizer,
        seed: int,
        generation: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._asked, self._prompt, self._tokenizer, self._seed = asked, tuple(prompt), tokenizer, seed
        self.how = sampling(asked, generation)
        self._rows: dict[int, _Row] = {}
        self._starts: list[Start] = []
        # A greedy candidate beside greedy candidates could only repeat it: the first is greedy, the others are drawn.
        apart = 1 if asked.distinct and self.how.temperature == 0 else asked.n
        self._begin(range(apart), self.how.temperature)
        self._begin(range(apart, asked.n), _WARM)

    @property
    def done(self) -> bool:
        """Whether every candidate has its final text."""
        return not self._starts and all(row.finish_reason is not None for row in self._rows.values())

    def starts(self) -> list[Start]:
        """What the engine shall draw next for this request; each is given out once."""
        starts, self._starts = self._starts, []
        return starts

    def feed(self, events: Iterable[tuple[int, int, Event]]) -> None:
        """Take one engine step's events: (candidate, round it was drawn in, event)."""
        ended = []
        for index, round_, event in events:
            row = self._rows[index]
            # A row that a stop string ended, or that was drawn again, may still have had a token on its way.
            if row.round != round_ or row.finish_reason is not None:
                continue
            if self._advance(row, event):
                ended.append(row)
        if self._asked.distinct:
            for row in sorted(ended, key=lambda row: row.rank):
                if self._rows[row.index] is row:  # not yet pushed out by one that ended in the same step
                    self._settle(row)

    def pieces(self) -> list[Piece]:
        """What changed since the last call."""
        return [self._piece(row) for row in self._rows.values() if row.changed]

    def _begin(self, indices: Iterable[int], temperature: float, round_: int = 0) -> None:
        """Put rows at the start; candidates that begin together must be consecutive."""
        asked, taken = self._asked, tuple(indices)
        if not taken:
            return
        for index in taken:
            row = _Row(index, round_, temperature, self._tokenizer.stream())
            row.changed = row.restarting = round_ > 0
            self._rows[index] = row
        request = Request(
            tokens=self._prompt,
            n=len(taken),
            max_new=asked.max_tokens,
            temperature=temperature,
            top_p=self.how.top_p,
            top_k=self.how.top_k,
            seed=self._seed,
            stop=asked.stop,
            first_row=round_ * asked.n + taken[0],
        )
        self._starts.append(Start(request, taken, round_))

    def _advance(self, row: _Row, event: Event) -> bool:
        """Take one event in; whether the row ends with it."""
        row.changed = True
        if event.token >= 0:
            row.tokens += 1
            row.logprob += event.logprob
            ends = event.token in self._tokenizer.end_ids
            if not ends:
                row.text += row.decoder.push(event.token)
                if self._asked.logprobs:
                    row.fresh_facts.append(TokenFact(self._tokenizer.decode([event.token]), event.logprob))
        if event.finish_reason is not None:
            row.finish_reason = event.finish_reason
            row.text += row.decoder.flush()
        cut = min((place for stop in self._asked.stop if (place := row.text.find(stop)) >= 0), default=None)
        if cut is not None:
            row.text, row.finish_reason = row.text[:cut], "stop"
        return row.finish_reason is not None

    def _settle(self, row: _Row) -> None:
        """Of the finished rows that say what `row` says, the first in rank keeps its text; the others are redrawn."""
        same = [
            other
            for other in self._rows.values()
            if other.finish_reason is not None and not other.duplicate and other.text.strip() == row.text.strip()
        ]
        for loser in sorted(same, key=lambda other: other.rank)[1:]:
            if loser.round < ROUNDS:
                warmer = max(self.how.temperature, _WARM) + _RISE * (loser.round + 1)
                self._begin([loser.index], warmer, loser.round + 1)
            else:
                loser.duplicate = loser.changed = True

    def _piece(self, row: _Row) -> Piece:
        end = len(row.text) if row.finish_reason is not None else len(row.text) - self._held(row.text)
        text = row.text[row.shown : end]
        row.shown = max(row.shown, end)
        piece = Piece(
            index=row.index,
            text=text,
            tokens=row.tokens,
            logprob=row.logprob,
            temperature=row.temperature,
            facts=tuple(row.fresh_facts),
            finish_reason=row.finish_reason,
            restart=row.restarting,
            duplicate=row.duplicate,
        )
        row.fresh_facts, row.changed, row.restarting = [], False, False
        return piece

    def _held(self, text: str) -> int:
        """How many characters at the end of `text` may be the beginning of a stop string."""
        longest = 0
        for stop in self._asked.stop:
            for size in range(min(len(stop) - 1, len(text)), longest, -1):
                if text.endswith(stop[:size]):
                    longest = size
                    break
        return longest
