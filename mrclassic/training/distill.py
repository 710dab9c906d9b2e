"""Distillation: worked answers of a teacher, of which a verifier said that they are right, learned as one's own.

Supervised training on traces with the book and what the model could do before replayed in each batch, as in book
training; reinforcement can go on from there. (Distil first, then reinforce: DeepSeek-R1, arXiv 2501.12948.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mrclassic.book import Entry
from mrclassic.model.policy import Policy
from mrclassic.model.tokenizer import Message
from mrclassic.training import supervised
from mrclassic.training.fits import WHOLE, Fit
from mrclassic.training.report import StepReport
from mrclassic.training.rows import Row, row
from mrclassic.training.state import State
from mrclassic.training.trainee import Schedule


@dataclass(frozen=True)
class Trace:
    """A question as it was asked, and an answer to it that is right."""

    messages: tuple[Message, ...]
    reply: str


@dataclass(frozen=True)
class Settings:
    """`epochs` over the traces; `replay` is the share of each batch that keeps the book and the skills, half each."""

    epochs: int = 8
    batch: int = 64
    learning_rate: float = 1e-3
    warmup: int = 20
    replay: float = 0.35
    seed: int = 0

    @property
    def fresh(self) -> int:
        """Traces in an update."""
        return max(1, self.batch - round(self.batch * self.replay))

    def steps(self, traces: int) -> int:
        """Updates of the run."""
        return max(1, math.ceil(self.epochs * traces / self.fresh))


def start(
    policy: Policy,
    settings: Settings,
    dtype: torch.dtype,
    moments: Mapping[str, Tensor] | None = None,
    fit: Fit = WHOLE,
) -> State:
    """Begin from `policy` (float32), as book training does."""
    return supervised.start(policy, settings.seed, dtype, moments, fit)


def draw(
    state: State, traces: Sequence[Trace], entries: Sequence[Entry], skills: Sequence[Row], settings: Settings
) -> list[Row]:
    """The rows of the next update: a function of seed, step, the traces, the book's entries and the skills' rows."""
    policy = state.trainee.policy
    tokenizer, context = policy.tokenizer, policy.shape.context
    shown = supervised.walked(state, traces, settings.fresh, "traces")
    rows = [row(tokenizer, [*each.messages, {"role": "assistant", "content": each.reply}], context) for each in shown]
    return [*rows, *supervised.kept_rows(state, entries, skills, settings.batch - settings.fresh)]


def step(state: State, rows: Sequence[Row], settings: Settings, steps: int) -> StepReport:
    """One update on `rows` of a run of `steps`."""
    return supervised.update(state, rows, Schedule(settings.learning_rate, steps, min(settings.warmup, steps), 0.05))
