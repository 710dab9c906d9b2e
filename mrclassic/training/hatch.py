"""Hatching: a new model from nothing, on the book and the generators together.

Every batch holds the same share of both: the model learns its character and its first sums at once, so that neither
has to be kept from being overwritten by the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mrclassic.book import Entry
from mrclassic.model.engine import Engine, Request
from mrclassic.model.policy import Policy
from mrclassic.tasks import arithmetic
from mrclassic.tasks.base import keyed
from mrclassic.training import supervised
from mrclassic.training.report import StepReport
from mrclassic.training.rows import Row
from mrclassic.training.skills import ENOUGH, GLIMPSED, HATCHING_LEVELS, skill_row
from mrclassic.training.state import State
from mrclassic.training.trainee import Schedule, Trainee

SKILL_TALK = 0.1  # share of worked sums that come in the middle of a talk


@dataclass(frozen=True)
class Settings:
    """The recipe. `steps` fixes the schedule: the same seed and steps give the same model."""

    steps: int = 1300
    batch: int = 64
    book_share: float = 0.4
    learning_rate: float = 3e-3
    warmup: int = 100
    seed: int = 0


# Larger models want a lower rate; steps are what the book needs to be known by heart.
RECIPES: dict[str, Settings] = {
    "tiny": Settings(),
    "small": Settings(steps=1000, learning_rate=1.5e-3),
    "classic": Settings(steps=800, learning_rate=8e-4),
}


def texts(entries: Sequence[Entry]) -> list[str]:
    """What the tokenizer learns its vocabulary from: the book, and a page of the generators' items."""
    lines = [message["content"] for entry in entries for message in entry.messages]
    for level in arithmetic.levels:
        for at in range(200):
            item = arithmetic.sample(keyed("vocabulary", level, at), level)
            lines += [item.question, item.trace]
    return lines


def start(shape: str, entries: Sequence[Entry], settings: Settings, dtype: torch.dtype, device: str = "cpu") -> State:
    """Fresh weights and a fresh tokenizer."""
    policy = Policy.fresh(shape, texts(entries), settings.seed, device)
    return State(Trainee(policy, dtype), settings.seed)


def draw(state: State, entries: Sequence[Entry], settings: Settings) -> list[Row]:
    """The rows of the next update: a function of (seed, step) and of the levels that were glimpsed enough."""
    policy = state.trainee.policy
    tokenizer, context = policy.tokenizer, policy.shape.context
    from_book = round(settings.batch * settings.book_share)
    enough = state.facts.get("enough", [])
    weights = {level: weight for level, weight in HATCHING_LEVELS.items() if level not in enough}
    rows = supervised.book_rows(state, entries, from_book, entries)
    for at in range(settings.batch - from_book):
        rng = keyed(state.seed, "skill", state.step, at)
        before = supervised.talk_before(entries, rng, SKILL_TALK)
        rows.append(skill_row(tokenizer, context, rng, weights, before))
    return rows


def step(state: State, rows: Sequence[Row], settings: Settings) -> StepReport:
    """One update on `rows`; now and then a look at whether the glimpsed levels were seen enough."""
    schedule = Schedule(settings.learning_rate, settings.steps, settings.warmup, floor=0.05)
    report = supervised.update(state, rows, schedule)
    if state.step % _GLANCE_EVERY == 0:
        _glance(state)
    return report


_GLANCE_EVERY, _GLANCE_ITEMS = 50, 96


def _glance(state: State) -> None:
    """Stop showing a glimpsed level of which the model gets enough items right (training items, not held-out ones).

    How fast a level comes differs widely between seeds and between machines that round differently; where it should
    stand when the model hatches does not.
    """
    enough: list[str] = state.facts.setdefault("enough", [])
    policy = state.trainee.policy
    for level in GLIMPSED:
        if level in enough:
            continue
        items = [arithmetic.sample(keyed("glance", level, at), level) for at in range(_GLANCE_ITEMS)]
        requests = [
            Request(tuple(policy.tokenizer.encode_chat(item.messages)), max_new=48, temperature=0.0) for item in items
        ]
        replies = (policy.tokenizer.decode(done[0].tokens) for done in Engine(policy, _GLANCE_ITEMS).generate(requests))
        right = sum(arithmetic.check(item, reply).right for item, reply in zip(items, replies, strict=True))
        if right >= ENOUGH * _GLANCE_ITEMS:
            enough.append(level)
