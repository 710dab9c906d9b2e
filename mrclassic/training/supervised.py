"""One supervised update: the loss falls on replies, their end token included. Hatching, the book, documents and traces
are learned by it; base training, lessons and DPO share its second half."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from mrclassic.book import Entry
from mrclassic.model.policy import Policy
from mrclassic.model.tokenizer import Message, Tokenizer
from mrclassic.tasks.base import keyed
from mrclassic.training import room
from mrclassic.training.fits import WHOLE, Fit
from mrclassic.training.report import StepReport
from mrclassic.training.rows import Row, row
from mrclassic.training.state import State
from mrclassic.training.trainee import Schedule, Trainee

_Item = TypeVar("_Item")


def start(
    policy: Policy, seed: int, dtype: torch.dtype, moments: Mapping[str, Tensor] | None = None, fit: Fit = WHOLE
) -> State:
    """Begin from `policy` (float32); `moments` are the optimizer's from an earlier session. Those of adapters belong to
    adapters that are merged by now."""
    trainee = Trainee(policy, dtype, fit, seed=seed)
    if moments is not None and fit.lora is None:
        trainee.restore(moments, masters=False)
    return State(trainee, seed)


def update(state: State, rows: Sequence[Row], schedule: Schedule) -> StepReport:
    """Train on `rows` as one batch, in smaller passes where memory runs out; a loss or gradient that is not finite is
    discarded."""
    begun = time.perf_counter()
    loss, halved = room.within(state, "token_budget", lambda: state.trainee.cross_entropy(rows))
    return move(state, loss, schedule, {"rows": float(len(rows)), "microbatch/halved": float(halved)}, begun)


def move(state: State, loss: float, schedule: Schedule, metrics: Mapping[str, float], begun: float) -> StepReport:
    """The second half of an update: one step from the gradients gathered so far, of a mean token loss of `loss`."""
    rate = schedule.rate(state.step)
    norm = state.trainee.update(rate) if math.isfinite(loss) else math.nan
    state.trainee.discard()
    applied = math.isfinite(norm)
    state.step += 1
    numbers = {"loss": loss, "grad_norm": norm, "learning_rate": rate, **metrics}
    return StepReport(state.step, numbers, seconds=time.perf_counter() - begun, applied=applied)


def shuffled(seed: int, place: int, size: int, purpose: str = "order") -> int:
    """The item at `place` of an endless walk over `size` items, each once an epoch, each epoch reshuffled."""
    return _order(seed, place // size, size, purpose)[place % size]


def walked(state: State, items: Sequence[_Item], count: int, purpose: str) -> list[_Item]:
    """The `count` of `items` that this update takes of such a walk: the next one goes on behind them."""
    places = range(state.step * count, (state.step + 1) * count) if items else ()
    return [items[shuffled(state.seed, place, len(items), purpose)] for place in places]


_orders: dict[tuple[int, int, int, str], list[int]] = {}


def _order(seed: int, epoch: int, size: int, purpose: str) -> list[int]:
    key = (seed, epoch, size, purpose)
    if key not in _orders:
        if len(_orders) > 8:
            _orders.clear()
        order = list(range(size))
        keyed(seed, purpose, epoch).shuffle(order)
        _orders[key] = order
    return _orders[key]


def vary(text: str, rng: random.Random) -> str:
    """The owner's line as a hasty person types it: three times in ten without capitals, closing mark, or either."""
    chance = rng.random()
    if chance >= 0.3:
        return text
    bare = text.rstrip(".?!")
    return (text.lower(), bare, bare.lower())[int(chance * 10)] or text


def talk_before(entries: Sequence[Entry], rng: random.Random, chance: float) -> list[Message]:
    """With probability `chance`, one or two exchanges of the book to stand before a row, as if they had been said.

    Without them a small model has only ever seen a question open a talk, and loses the thread at the second one.
    """
    if rng.random() >= chance:
        return []
    chosen = (rng.choice(entries) for _ in range(rng.randint(1, 2)))
    return [message for entry in chosen for message in (entry.messages[-2], entry.messages[-1])]


TALK = 0.35  # share of book rows that come in the middle of a talk


def book_row(tokenizer: Tokenizer, entry: Entry, context: int, entries: Sequence[Entry], rng: random.Random) -> Row:
    """The training row of a book entry: its last question varied, sometimes with other talk before it."""
    messages: list[Message] = list(entry.messages)
    messages[-2] = {**messages[-2], "content": vary(messages[-2]["content"], rng)}
    return row(tokenizer, [*talk_before(entries, rng, TALK), *messages], context)


def book_rows(
    state: State, shown: Sequence[Entry], count: int, entries: Sequence[Entry], purpose: str = "book"
) -> list[Row]:
    """The next `count` of `shown`, entries of the book that holds `entries`, as rows of this update."""
    tokenizer, context = state.trainee.policy.tokenizer, state.trainee.policy.shape.context
    return [
        book_row(tokenizer, entry, context, entries, keyed(state.seed, "vary", state.step, at))
        for at, entry in enumerate(walked(state, shown, count, purpose))
    ]


def kept_rows(state: State, entries: Sequence[Entry], skills: Sequence[Row], count: int) -> list[Row]:
    """`count` rows that keep what is known: of the book and of `skills` alike, or of whichever there is."""
    of_book = 0 if not entries else count if not skills else count - count // 2
    of_skills = count - of_book if skills else 0
    return [*book_rows(state, entries, of_book, entries), *walked(state, skills, of_skills, "skills")]
