"""Draw completions, and add the gradient of the clipped objective over them: what GRPO, self-play and TD share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mrclassic.model.device import rounded
from mrclassic.model.engine import Completion, Engine, Request
from mrclassic.model.policy import Policy
from mrclassic.training.losses import Loss, Size, Tally, Tokens, clipped
from mrclassic.training.rows import Row
from mrclassic.training.scoring import score
from mrclassic.training.trainee import Trainee


@dataclass(frozen=True)
class Sampling:
    """How completions are drawn, and therefore how they are scored."""

    max_new: int = 64
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0

    def request(self, prompt: tuple[int, ...], seed: int, first_row: int, n: int = 1) -> Request:
        """`n` draws after `prompt`: the rows of `seed` from `first_row` on."""
        return Request(prompt, n, self.max_new, self.temperature, self.top_p, self.top_k, seed, first_row=first_row)


@dataclass(frozen=True)
class Rollout:
    """What is learned from, a completion or several of a conversation: its row, and of each of the row's targets the
    log-probability of its draw and the advantage."""

    row: Row
    logprobs: tuple[float, ...]
    advantages: tuple[float, ...]


def sample(
    policy: Policy, prompts: Sequence[Sequence[int]], group: int, how: Sampling, *, seed: int, slots: int = 256
) -> list[list[Completion]]:
    """`group` completions of each prompt; row i of prompt p draws as row p * group + i of `seed`."""
    requests = [how.request(tuple(ids), seed, place * group, group) for place, ids in enumerate(prompts)]
    # The cache has room for every slot: no more of them than rows.
    return Engine(policy, min(slots, rounded(len(prompts) * group))).generate(requests)


def rollout(prompt: Sequence[int], completion: Completion, advantage: float) -> Rollout:
    """A completion as a training row: the end token is learned where it was drawn."""
    each = (advantage,) * len(completion.tokens)
    return Rollout(Row((*prompt, *completion.tokens), len(prompt)), completion.logprobs, each)


def accumulate(
    trainee: Trainee,
    rollouts: Sequence[Rollout],
    loss: Loss,
    size: Size,
    how: Sampling,
    *,
    reference: Policy | None,
    kept: dict[int, Tensor] | None = None,
) -> dict[str, float]:
    """Add the gradient of the negative objective over `rollouts`; returns its metrics.

    Completions without advantage carry no policy gradient and are left out by the caller; the divergence is then
    estimated on those that are trained. `kept` is for those who come back with the same rollouts: what top-p and top-k
    left to each, filled in by the first pass and held to by the later ones (see `scoring.score`).
    """
    tally = Tally()
    known: dict[int, Tensor] = kept or {}
    found: dict[int, Tensor] = {}
    for places, batch in trainee.microbatches([each.row for each in rollouts]):
        chosen = [rollouts[place] for place in places]
        lengths = [each.row.targets for each in chosen]
        device = batch.ids.device
        bits = None
        if known:
            bits = torch.cat([known[place] for place in places])
            bits = F.pad(bits, (0, 0, 0, len(batch.at) - len(bits)), value=255)
        mine = score(trainee.policy, batch, how.temperature, how.top_p, how.top_k, bits)
        anchor = None
        if reference is not None and loss.anchored:
            with torch.no_grad():
                anchor = score(reference, batch, how.temperature, how.top_p, how.top_k, mine.kept).logp
        advantage = torch.tensor([value for each in chosen for value in each.advantages], device=device)
        weight = torch.tensor([size.weight(loss.kind, length) for length in lengths], device=device)
        tokens = Tokens(
            logp=mine.logp,
            old=torch.tensor([value for each in chosen for value in each.logprobs], device=device),
            anchor=anchor,
            advantage=advantage,
            weight=weight[batch.row],
            row=batch.row,
            rows=len(chosen),
        )
        terms = clipped(loss, tokens)
        terms.loss.backward()  # type: ignore[no-untyped-call]
        tally.add(tokens, terms, mine.entropy)
        if mine.kept is not None:
            found |= dict(zip(places, torch.split(mine.kept[: sum(lengths)], lengths), strict=True))
    if kept is not None:
        kept.update(found)
    return tally.metrics()
