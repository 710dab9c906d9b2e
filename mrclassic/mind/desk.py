"""The work behind the API, without its waiting: requests in, pieces of replies out, weights changed in between.

Everything here runs in one thread (see `driver`), because the engine, the tokenizer and the database connection each
belong to the thread that uses them.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from mrclassic.errors import MrClassicError
from mrclassic.home import Home
from mrclassic.lease import Lease
from mrclassic.mind import weights
from mrclassic.mind.parameters import ApiError, ChatRequest
from mrclassic.mind.prompts import fit
from mrclassic.mind.protocol import ALIAS
from mrclassic.mind.replies import Draw, Piece
from mrclassic.model.device import choose_device, give_back
from mrclassic.model.engine import Engine, Event
from mrclassic.model.policy import Policy
from mrclassic.settings import Settings
from mrclassic.store import Store


@dataclass(frozen=True)
class Admitted:
    """A request that is being answered."""

    checkpoint: str
    notice: str | None
    seed: int
    top_p: float
    prompt_tokens: int


@dataclass(frozen=True)
class _Place:
    """Where an engine row belongs."""

    job: int
    indices: tuple[int, ...]
    round: int


class Desk:
    """The engine with the weights in use, and the requests it is answering. While it has weights it holds the device:
    a night that computes there is asked to go first."""

    def __init__(self, home: Home, settings: Settings) -> None:
        self._home, self._settings = home, settings
        self._store = Store.open(home)
        self._wanted = weights.wanted(self._store)
        self._notice: str | None = None
        self._draws: dict[int, Draw] = {}
        self._places: dict[int, _Place] = {}  # by engine ticket
        self._policy: Policy | None = None  # None while it rests, and the engine too
        self._engine: Engine | None = None
        self._lease = Lease(home, str(choose_device(settings.device)))
        self._lease.demand()
        self._take(weights.load(home, self._store, settings, self._wanted))

    @property
    def checkpoint(self) -> str:
        """Who answers."""
        return self._checkpoint

    @property
    def notice(self) -> str | None:
        """What the owner should know about it."""
        return self._notice

    @property
    def device(self) -> str:
        """Where it computes."""
        return self._lease.device

    @property
    def busy(self) -> bool:
        """Whether any request is being answered."""
        return bool(self._draws)

    @property
    def in_the_way(self) -> bool:
        """Whether a night waits for the device that this holds."""
        return self._policy is not None and self._lease.wanted

    def outdated(self, named: str | None = None) -> bool:
        """Whether a request needs other weights than those that are here: it has `named` another checkpoint, another
        has come into use, or the weights were let go."""
        if named is not None:
            return self._policy is None or named != self._checkpoint
        row = self._store.checkpoints.in_use()
        return self._policy is None or (row is not None and row.id != self._wanted)

    def renew(self) -> None:
        """Take up the checkpoint in use; if nothing of it can be read, go on with the present one and say so."""
        assert not self.busy, "weights change between replies"
        if self._policy is None:
            self._lease.demand()
        self._wanted = weights.wanted(self._store)
        try:
            self._take(self._with_room(lambda: weights.load(self._home, self._store, self._settings, self._wanted)))
        except MrClassicError as error:
            if self._policy is None:
                self._lease.release()
                raise
            self._notice = f"{error} Until then {self.checkpoint} answers."
        if self._notice:
            sys.stderr.write(f"{self._notice}\n")

    def _with_room(self, load: Callable[[], weights.Weights]) -> weights.Weights:
        """What `load` reads; where memory does not hold two, the present weights are let go first."""
        try:
            return load()
        except weights.NoRoomError as error:
            held = 0 if self._policy is None else sum(each.nbytes for each in self._policy.decoder.parameters())
            if error.short > held:
                raise
        self._let_go()
        return load()

    def _let_go(self) -> None:
        self._policy = self._engine = None
        gc.collect()
        give_back()

    def exchange(self, name: str) -> None:
        """Take up the checkpoint of that name until the next request wants another; no ancestor stands in for it.
        Raises `ApiError` where there is none."""
        if not self.outdated(name):
            return
        assert not self.busy, "weights change between replies"
        row = weights.named(self._home, self._store, name)
        if row is None:
            raise ApiError(
                f"There is no model {name!r} here; {ALIAS!r} is the one in use.",
                status=404,
                code="model_not_found",
                param="model",
            )
        if self._policy is None:
            self._lease.demand()
        try:
            self._take(self._with_room(lambda: weights.only(self._home, self._settings, row)))
        except MrClassicError:
            if self._policy is None:
                self._lease.release()
            raise
        self._wanted = name

    def rest(self) -> None:
        """Let the weights and the device go; `renew` takes them again."""
        if self.busy or self._policy is None:
            return
        self._let_go()
        self._lease.release()

    def admit(self, job: int, asked: ChatRequest, seed: int) -> Admitted:
        """Begin to answer. Raises `ApiError` when the prompt is too long."""
        policy = self._policy
        assert policy is not None, "`outdated` says that there is none"
        prompt = fit(asked.messages, policy.tokenizer, policy.shape.context, asked.max_tokens)
        draw = Draw(asked, prompt, policy.tokenizer, seed, policy.generation)
        self._draws[job] = draw
        self._submit(job, draw)
        return Admitted(self.checkpoint, self._notice, seed, draw.how.top_p, len(prompt))

    def cancel(self, job: int) -> None:
        """Stop answering; its slots are free at once."""
        self._draws.pop(job, None)
        for ticket, place in list(self._places.items()):
            if place.job == job:
                self._running.cancel(ticket)
                del self._places[ticket]

    def turn(self, seconds: float) -> tuple[list[tuple[int, Piece]], list[int]]:
        """Work for about `seconds`: the pieces that came of it, and the requests that are done."""
        end = time.monotonic() + seconds
        while self._running.busy:
            finished = self._step()
            # A finished candidate is shown at once; the rest may gather.
            if finished or time.monotonic() >= end:
                break
        pieces = [(job, piece) for job, draw in self._draws.items() for piece in draw.pieces()]
        done = [job for job, draw in self._draws.items() if draw.done]
        for job in done:
            self.cancel(job)
        return pieces, done

    def _take(self, loaded: weights.Weights) -> None:
        self._engine = Engine(loaded.policy, slots=self._settings.mind.slots)
        self._checkpoint, self._notice, self._policy = loaded.checkpoint, loaded.notice, loaded.policy

    @property
    def _running(self) -> Engine:
        assert self._engine is not None, "there are no requests while it rests"
        return self._engine

    def _submit(self, job: int, draw: Draw) -> None:
        for start in draw.starts():
            self._places[self._running.submit(start.request)] = _Place(job, start.indices, start.round)

    def _step(self) -> bool:
        """One engine step, handed to the requests it belongs to; whether any candidate finished."""
        shares: dict[int, list[tuple[int, int, Event]]] = {}
        finished = False
        for event in self._running.step():
            place = self._places.get(event.ticket)
            if place is None:
                continue  # cancelled
            finished = finished or event.finish_reason is not None
            shares.setdefault(place.job, []).append((place.indices[event.row], place.round, event))
        for job, events in shares.items():
            self._draws[job].feed(events)
            self._submit(job, self._draws[job])
        return finished
