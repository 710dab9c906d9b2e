"""Base training beside what a user would otherwise run: tokens a second, and what a held-out text costs afterwards.

Both begin from the same random weights and learn the same windows. The peer takes them as it comes, a window a row,
padded, and packed into full rows, which it is faster with; packed it runs twice, once for as many tokens and once for
as much time, each time on a schedule of that length.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrclassic.bench.speed import matmul_rate
from mrclassic.model.checkpoint import write_model
from mrclassic.model.device import choose_device, choose_dtype, set_threads
from mrclassic.model.shapes import SHAPES
from mrclassic.training import base
from mrclassic.training.corpus import files, packing, vocabulary
from mrclassic.training.corpus.order import Order
from mrclassic.training.corpus.packed import Packed
from mrclassic.training.optimizers import Kind

_HELD_OUT = 0.01
_TOKENS = 2**16  # held out, that the perplexity is measured on
_LEARNED, _ASIDE = "learned.npz", "held_out.npz"  # what the peer reads in the scratch folder


@dataclass(frozen=True)
class Job:
    """What to measure. `learning_rate` None is the recipe's."""

    corpora: tuple[Path, ...]
    size: str
    steps: int
    optimizer: Kind | None = None
    learning_rate: float | None = None
    threads: int | None = None
    device: str = "auto"
    dtype: str = "auto"
    seed: int = 0


@dataclass(frozen=True)
class Based:
    """`seconds` and `tokens` are of all updates, `tokens_per_s` of the median one; `perplexity` is of held-out text."""

    optimizer: str
    params: int
    steps: int
    tokens: int
    seconds: float
    tokens_per_s: float
    perplexity: float
    matmul_share: float
    dtype: str


def measure(job: Job, scratch: Path) -> tuple[Based, dict[str, Any]]:
    """Train in `scratch`; the figures, and what the peer is to do the same with (see `bench.peer`)."""
    set_threads(job.threads)
    device = choose_device(job.device)
    dtype = choose_dtype(device, job.dtype)
    shape = SHAPES[job.size]
    sources = files.sources(job.corpora)
    tokenizer = vocabulary.learn(sources, shape.vocab_size, packing.threshold(_HELD_OUT))
    packing.pack(sources, scratch / "corpus", tokenizer, base.context(shape), _HELD_OUT, lambda words: None)
    corpus = Packed(scratch / "corpus")
    policy = base.fresh(job.size, tokenizer, job.seed, str(device))
    (scratch / "model").mkdir()
    write_model(policy, scratch / "model")
    recipe = base.recipe(shape, going_on=False, seed=job.seed)
    recipe = replace(
        recipe,
        steps=job.steps,
        optimizer=job.optimizer or recipe.optimizer,
        learning_rate=job.learning_rate or recipe.learning_rate,
    )
    updates = Order(corpus, recipe.tokens, job.seed)
    head = shape.head_flops(tokenizer.size)
    state = base.start(policy, recipe, dtype)
    reports = [base.learn(state, updates, recipe) for _ in range(job.steps)]
    seconds = [report.seconds for report in reports]
    learned = [corpus.ids(int(window)) for step in range(job.steps) for window in updates.windows(step)]
    tokens = sum(len(ids) - 1 for ids in learned)
    found = base.held_out(state.trainee, corpus, _TOKENS)
    loss = sum(mean * count for mean, count in found.values()) / sum(count for _, count in found.values())
    speed = tokens / job.steps / statistics.median(seconds[1:] or seconds)
    work = sum(3 * (len(ids) - 1) * (shape.block_flops(len(ids) / 2) + head) for ids in learned) / tokens
    ours = Based(
        recipe.optimizer,
        shape.parameters,
        job.steps,
        tokens,
        round(sum(seconds), 1),
        round(speed, 1),
        round(math.exp(loss), 2),
        round(speed * work / matmul_rate(device, dtype), 4),
        str(dtype).removeprefix("torch."),
    )
    _save(scratch / _LEARNED, learned)
    places = range(len(corpus.parts))
    aside = [corpus.ids(int(window)) for source in places for window in base.aside(corpus, source, _TOKENS)]
    _save(scratch / _ASIDE, aside)
    return ours, {
        "mode": "base",
        "model": str(scratch / "model"),
        "folder": str(scratch),
        "context": corpus.context,
        "steps": job.steps,
        "updates": job.steps,
        "batch": max(1, round(recipe.tokens / corpus.context)),
        "threads": job.threads,
        "rate": asdict(recipe.schedule),
        "weight_decay": recipe.weight_decay,
        "seed": job.seed,
    }


def in_time(job: Mapping[str, Any], ours: Based, theirs: Mapping[str, Any]) -> dict[str, Any]:
    """The peer's `job` again, with as many updates as it makes in the seconds that ours took."""
    steps = max(1, round(ours.seconds / theirs["step_s"]))
    warmup = max(1, round(job["rate"]["warmup"] * steps / job["steps"]))
    return {**job, "steps": steps, "rate": {**job["rate"], "steps": steps, "warmup": warmup}}


def _save(path: Path, windows: Sequence[NDArray[Any]]) -> None:
    lengths = np.array([len(ids) for ids in windows])
    np.savez(path, ids=np.concatenate(windows).astype(np.int64), lengths=lengths)
