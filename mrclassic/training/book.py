"""Book training: the owner's picks and all that was known before, in batches, until the new is known too.

No weight moves on one example: each update holds a batch of entries, new ones among old ones, and a share of what the
model could do before (see `memories`). Adam's moments go on from the last session where the checkpoint still has them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mrclassic.book import Entry
from mrclassic.model.policy import Policy
from mrclassic.training import supervised
from mrclassic.training.fits import WHOLE, Fit
from mrclassic.training.report import StepReport
from mrclassic.training.rows import Row
from mrclassic.training.state import State
from mrclassic.training.trainee import Schedule


@dataclass(frozen=True)
class Settings:
    """`epochs` over the whole book; entries that are new come `boost` times as often."""

    epochs: int = 16
    batch: int = 64
    learning_rate: float = 7e-4
    warmup: int = 20
    replay: float = 0.35  # share of each batch that keeps skills
    boost: int = 4
    seed: int = 0

    def steps(self, entries: int, new: int) -> int:
        """Updates of the run."""
        shown = entries + (self.boost - 1) * new
        return max(1, math.ceil(self.epochs * shown / max(1, round(self.batch * (1 - self.replay)))))


def start(
    policy: Policy,
    settings: Settings,
    dtype: torch.dtype,
    moments: Mapping[str, Tensor] | None = None,
    fit: Fit = WHOLE,
) -> State:
    """Begin from `policy` (float32); `moments` are the optimizer's from an earlier session."""
    return supervised.start(policy, settings.seed, dtype, moments, fit)


def draw(
    state: State, entries: Sequence[Entry], new: frozenset[str], skills: Sequence[Row], settings: Settings
) -> list[Row]:
    """The rows of the next update: a function of seed, step, the entries (`new` holds hashes) and the skills' rows."""
    shown = [entry for entry in entries for _ in range(settings.boost if entry.hash in new else 1)]
    replayed = round(settings.batch * settings.replay) if skills else 0
    of_book = supervised.book_rows(state, shown, settings.batch - replayed, entries)
    return [*of_book, *supervised.walked(state, skills, replayed, "skills")]


def step(state: State, rows: Sequence[Row], settings: Settings, steps: int) -> StepReport:
    """One update on `rows` of a run of `steps`."""
    return supervised.update(state, rows, Schedule(settings.learning_rate, steps, min(settings.warmup, steps), 0.05))
