"""Learning documents: every telling read in all its versions, questions of the training half answered, the book and
old skills replayed in each batch.

Tellings and questions are mixed from the first update on: a model that only reads first and is asked afterwards learns
to use little of what it read (Physics of Language Models 3.1, https://arxiv.org/abs/2309.14316). Neighbouring rows of a
batch are of different passages, because an epoch is one shuffled walk over all versions of all passages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mrclassic.book import Entry
from mrclassic.model.policy import Policy
from mrclassic.model.tokenizer import Message
from mrclassic.tasks.base import Item
from mrclassic.tasks.documents import Documents
from mrclassic.training import supervised
from mrclassic.training.fits import WHOLE, Fit
from mrclassic.training.report import StepReport
from mrclassic.training.rows import Row, row
from mrclassic.training.state import State
from mrclassic.training.trainee import Schedule

Form = Literal["retell", "blank", "both"]


@dataclass(frozen=True)
class Settings:
    """`form`: tellings with their retellings, or alone with blanks to fill, or both. `epochs` go over the tellings."""

    form: Form = "retell"
    epochs: int = 40
    batch: int = 64
    learning_rate: float = 1e-3
    warmup: int = 20
    asked: float = 0.5  # share of questions among the rows that are not replayed
    replay: float = 0.35  # share of each batch that keeps the book and the skills, half of it each
    seed: int = 0

    def split(self, material: Material) -> tuple[int, int, int]:
        """Rows of an update that tell, that ask, and that are replayed."""
        replayed = round(self.batch * self.replay)
        fresh = max(1, self.batch - replayed)
        asking = round(fresh * self.asked) if material.asked else 0
        asking = fresh if not material.told else min(asking, fresh - 1)
        return fresh - asking, asking, replayed

    def steps(self, material: Material) -> int:
        """Updates of the run."""
        telling, asking, _ = self.split(material)
        shown, each = (len(material.told), telling) if telling else (len(material.asked), asking)
        return max(1, math.ceil(self.epochs * shown / max(1, each)))


@dataclass(frozen=True)
class Material:
    """What is learned: tellings with what they are an answer to, and questions."""

    told: tuple[tuple[str, str], ...]
    asked: tuple[Item, ...]


def material(documents: Documents, form: Form) -> Material:
    """What `form` shows of the documents: never a held-out question."""
    told = []
    for document in documents.shelf:
        for passage in document.passages:
            versions = (passage.text,) if form == "blank" else (passage.text, *passage.retellings)
            lead = f"What do you know about {passage.title}?" if passage.title else "What do the notes say?"
            told += [(lead, version) for version in versions if version]
    kinds = ("question",) if form == "retell" else ("blank", "question")
    levels = documents.loaded.levels
    return Material(tuple(told), tuple(item for kind in kinds if kind in levels for item in levels[kind].train))


def start(
    policy: Policy,
    settings: Settings,
    dtype: torch.dtype,
    moments: Mapping[str, Tensor] | None = None,
    fit: Fit = WHOLE,
) -> State:
    """Begin from `policy` (float32), as book training does."""
    return supervised.start(policy, settings.seed, dtype, moments, fit)


def draw(state: State, of: Material, entries: Sequence[Entry], skills: Sequence[Row], settings: Settings) -> list[Row]:
    """The rows of the next update: a function of seed, step, the material, the book's entries and the skills' rows."""
    policy = state.trainee.policy
    tokenizer, context = policy.tokenizer, policy.shape.context
    telling, asking, replayed = settings.split(of)

    def written(before: Sequence[Message], reply: str) -> Row:
        return row(tokenizer, [*before, {"role": "assistant", "content": reply}], context)

    told = supervised.walked(state, of.told, telling, "tell")
    asked = supervised.walked(state, of.asked, asking, "ask")
    return [
        *(written([{"role": "user", "content": lead}], version) for lead, version in told),
        *(written(item.messages, item.trace) for item in asked),
        *supervised.kept_rows(state, entries, skills, replayed),
    ]


def step(state: State, rows: Sequence[Row], settings: Settings, steps: int) -> StepReport:
    """One update on `rows` of a run of `steps`."""
    return supervised.update(state, rows, Schedule(settings.learning_rate, steps, min(settings.warmup, steps), 0.05))
