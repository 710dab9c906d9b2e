"""Base training: the language itself, from a corpus of conversations and text.

Every document once an epoch, all sources mixed by weight (see `corpus.order`) or as a curriculum steers (see
`corpus.steered`), the loss on every token. AdamW or Muon,
linear warm-up, cosine decay, gradients clipped to 1, float32 masters. The loss on documents that were set aside is
measured source by source now and then, and the model is shown how some of them begin, to see how it goes on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from mrclassic.model.decoder import Decoder
from mrclassic.model.device import choose_device
from mrclassic.model.engine import Engine, Request
from mrclassic.model.policy import Policy
from mrclassic.model.shapes import SHAPES, Shape
from mrclassic.model.tokenizer import Tokenizer
from mrclassic.training import room, supervised
from mrclassic.training.corpus.order import Order
from mrclassic.training.corpus.packed import Packed
from mrclassic.training.corpus.rectangles import Places, batches
from mrclassic.training.corpus.steered import Steered
from mrclassic.training.fits import WHOLE, Fit
from mrclassic.training.optimizers import Kind
from mrclassic.training.report import Sample, StepReport
from mrclassic.training.scoring import score
from mrclassic.training.state import State
from mrclassic.training.trainee import Schedule, Trainee

LONGEST = 2048  # ids of a window, of models that could read more: few conversations are longer
LOOKS = 20  # measurements of held-out loss in a run, beside the one at its end
STEERS = 3 * LOOKS  # where a curriculum steers by them
LOOK_TOKENS, END_TOKENS = 2**13, 2**19  # of each source; always the same, so that few tell how the loss moves
_REPLY = 48  # tokens of a sample


@dataclass(frozen=True)
class Settings:
    """The recipe; `steps` fixes the schedule."""

    steps: int
    tokens: int = 8192  # of an update
    learning_rate: float = 3e-3
    warmup: int = 100
    floor: float = 0.05  # of the rate, at the end
    optimizer: Kind = "adamw"
    weight_decay: float = 0.1
    seed: int = 0
    compile: bool = False

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.learning_rate, self.steps, min(self.warmup, max(1, self.steps // 5)), self.floor)


def recipe(shape: Shape, going_on: bool, seed: int = 0) -> Settings:
    """What a model of `shape` wants: larger ones larger updates and a lower rate, from 3e-3 at a million parameters to
    8e-4 at fifty.

    A new model learns faster with Muon; one that is `going_on` from earlier training wants a third of the rate, and
    AdamW, which most models are made with.
    """
    rate = 3e-3 * (1e6 / shape.parameters) ** 0.35
    tokens = 8192 if shape.parameters < 3e6 else 16384 if shape.parameters < 3e7 else 65536
    rate = float(f"{rate / 3 if going_on else rate:.2g}")
    return Settings(0, tokens, rate, optimizer="adamw" if going_on else "muon", seed=seed)


def context(shape: Shape) -> int:
    """The longest window that a model of `shape` is trained on."""
    return min(shape.context, LONGEST)


def fresh(shape: str | Shape, tokenizer: Tokenizer, seed: int, device: str = "cpu") -> Policy:
    """New random weights (float32) for `tokenizer`."""
    decoder = Decoder(SHAPES[shape] if isinstance(shape, str) else shape)
    decoder.initialise(torch.Generator().manual_seed(seed))
    return Policy(decoder.to(choose_device(device)), tokenizer)


def start(policy: Policy, settings: Settings, dtype: torch.dtype, fit: Fit = WHOLE) -> State:
    """Begin from `policy`."""
    trainee = Trainee(
        policy,
        dtype,
        fit,
        seed=settings.seed,
        weight_decay=settings.weight_decay,
        optimizer=settings.optimizer,
    )
    if settings.compile:
        trainee.policy.decoder.compile(dynamic=True)
    return State(trainee, settings.seed)


def step(state: State, order: Order, settings: Settings, mix: Steered | None = None) -> StepReport:
    """One update; after every twentieth part of the run with the losses of what was set aside, and samples. What is
    read is `order`'s choice, or that of `mix`, which hears the losses three times as often."""
    corpus = order.corpus
    if mix is not None and not state.step:
        mix.begin(state.facts, _losses(state.trainee, corpus))
    report = learn(state, order, settings, mix)
    shown, steered = _due(state, settings, LOOKS), mix is not None and _due(state, settings, STEERS)
    if not shown and not steered:
        return report
    losses = _losses(state.trainee, corpus)
    metrics = {f"held_out/{name}": loss for name, loss in losses.items()}
    if mix is not None and steered:
        shares = mix.looked(state.facts, losses, state.step)
        metrics |= {f"share/{name}": share for name, share in shares.items()}
    more = samples(state.trainee.policy, corpus) if shown else ()
    return replace(report, metrics={**report.metrics, **metrics}, samples=more)


def _due(state: State, settings: Settings, times: int) -> bool:
    """Whether something that comes so many times in a run, and at its end, comes now."""
    return not state.step % max(1, math.ceil(settings.steps / times)) or state.step == settings.steps


def learn(state: State, order: Order, settings: Settings, mix: Steered | None = None) -> StepReport:
    """One update and nothing beside it."""
    begun = time.perf_counter()
    windows = order.windows(state.step) if mix is None else mix.windows(state.facts)
    total = int((order.corpus.lengths[windows] - 1).sum())
    loss, halved = room.within(state, "token_budget", lambda: _loss(state.trainee, order.corpus, windows, total))
    metrics = {"tokens": float(total), "microbatch/halved": float(halved)}
    return supervised.move(state, loss, settings.schedule, metrics, begun)


def _loss(trainee: Trainee, corpus: Packed, windows: Places, total: int) -> float:
    """The token losses of `windows` in nats, over `total`; adds the gradient of that, if one is wanted."""
    policy = trainee.policy
    device = policy.device
    loss = torch.zeros((), device=device)
    for batch in batches(corpus, windows, policy.tokenizer.pad_id, device, trainee.token_budget, _overhead(device)):
        part = -score(policy, batch).logp.sum() / total
        if part.requires_grad:
            part.backward()  # type: ignore[no-untyped-call]
        loss += part.detach()
    return float(loss)


def _overhead(device: torch.device) -> int:
    """What one more rectangle costs, in tokens: a few milliseconds of starting each operation, wherever it runs."""
    return 128 if device.type == "cpu" else 4096


def _losses(trainee: Trainee, corpus: Packed) -> dict[str, float]:
    return {name: loss for name, (loss, _) in held_out(trainee, corpus, LOOK_TOKENS).items()}


@torch.no_grad()
def held_out(trainee: Trainee, corpus: Packed, limit: int) -> dict[str, tuple[float, int]]:
    """By source: the mean token loss in nats on what was set aside, and on how many tokens of it; they are always the
    same, about `limit` at most."""
    found = {}
    for source, part in enumerate(corpus.parts):
        windows = aside(corpus, source, limit)
        if len(windows):
            total = int((corpus.lengths[windows] - 1).sum())
            each = max(1, len(windows) * trainee.token_budget // total)  # so many fill a rectangle or two
            pieces = (windows[at : at + each] for at in range(0, len(windows), each))
            found[part.name] = sum(_loss(trainee, corpus, piece, total) for piece in pieces), total
    return found


def aside(corpus: Packed, source: int, limit: int) -> Places:
    """Windows of a source that were set aside, always the same, of about `limit` tokens at most."""
    windows = corpus.windows(source, held_out=True)
    np.random.Generator(np.random.PCG64(0)).shuffle(windows)
    tokens = np.cumsum(corpus.lengths[windows] - 1, dtype=np.int64)
    return windows[: int(np.searchsorted(tokens, limit)) + 1]


def samples(policy: Policy, corpus: Packed) -> tuple[Sample, ...]:
    """How the model goes on from the openings of what was set aside."""
    tokenizer = policy.tokenizer
    openings = [opening for part in corpus.parts for opening in part.openings[:2]]
    prompts = [
        tuple(tokenizer.encode(opening) if isinstance(opening, str) else tokenizer.encode_chat(opening))
        for opening in openings
    ]
    shown = [opening if isinstance(opening, str) else opening[-1]["content"] for opening in openings]
    kept = [(words, prompt) for words, prompt in zip(shown, prompts, strict=True) if _fits(prompt, policy)]
    requests = [Request(prompt, max_new=_REPLY, temperature=0.7, seed=at) for at, (_, prompt) in enumerate(kept)]
    replies = Engine(policy, len(requests)).generate(requests) if requests else []
    return tuple(
        Sample(words, tokenizer.decode(reply[0].tokens), None) for (words, _), reply in zip(kept, replies, strict=True)
    )


def _fits(prompt: Sequence[int], policy: Policy) -> bool:
    return 0 < len(prompt) < policy.shape.context - _REPLY
