"""The clipped policy-gradient update that GRPO and self-play share.

For token t of completion i, with the log-probability kept from sampling as the old one,

    ratio = exp(logp - logp_old)        objective = min(ratio A, clip(ratio, 1 - eps_low, 1 + eps_high) A)

(PPO, arXiv 1707.06347; the wider upper bound is DAPO's, arXiv 2503.14476), minus beta times the k3 estimate of the
divergence from a frozen reference, exp(d) - d - 1 with d = logp_ref - logp (Schulman 2020). The sum over tokens is
divided by a constant, completions times the length limit (Dr. GRPO, arXiv 2503.20783): dividing by each answer's own
length would pay for long wrong answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mrclassic.model.engine import Completion, Engine, Request
from mrclassic.model.policy import Policy
from mrclassic.training.rows import Row
from mrclassic.training.trainee import Trainee, score


@dataclass(frozen=True)
class Rollout:
    """A completion to learn from: its row, the log-probabilities of its draw, and its advantage."""

    row: Row
    logprobs: tuple[float, ...]
    advantage: float


@dataclass(frozen=True)
class Loss:
    """The knobs of the objective; `beta` is the weight of the divergence from the reference."""

    clip_low: float = 0.2
    clip_high: float = 0.28
    beta: float = 0.005
    temperature: float = 1.0


def sample(
    policy: Policy,
    prompts: Sequence[Sequence[int]],
    group: int,
    *,
    max_new: int,
    temperature: float,
    seed: int,
    slots: int = 256,
) -> list[list[Completion]]:
    """`group` completions of each prompt; row i of prompt p draws as row p * group + i of `seed`."""
    requests = [
        Request(tuple(ids), n=group, max_new=max_new, temperature=temperature, seed=seed, first_row=place * group)
        for place, ids in enumerate(prompts)
    ]
    return Engine(policy, slots).generate(requests)


def rollout(prompt: Sequence[int], completion: Completion, advantage: float) -> Rollout:
    """A completion as a training row: the end token is learned where it was drawn."""
    return Rollout(Row((*prompt, *completion.tokens), len(prompt)), completion.logprobs, advantage)


def accumulate(
    trainee: Trainee, rollouts: Sequence[Rollout], loss: Loss, *, divisor: float, reference: Policy | None
) -> dict[str, float]:
    """Add the gradient of the negative objective over `rollouts`; returns its metrics.

    Completions without advantage carry no policy gradient and are left out by the caller; the divergence is then
    estimated on those that are trained.
    """
    total = {"loss": 0.0, "kl": 0.0, "entropy": 0.0, "clip_ratio/low": 0.0, "clip_ratio/high": 0.0, "mismatch": 0.0}
    tokens = 0
    for places, batch in trainee.microbatches([each.row for each in rollouts]):
        chosen = [rollouts[place] for place in places]
        device = batch.ids.device
        advantage = torch.tensor([each.advantage for each in chosen], device=device)[batch.row]
        old = torch.tensor([value for each in chosen for value in each.logprobs], device=device)
        scores = score(trainee.policy, batch) / loss.temperature
        logp = scores.log_softmax(-1)
        picked = logp.gather(-1, batch.next[:, None])[:, 0]
        ratio = (picked - old).exp()
        clipped = ratio.clamp(1 - loss.clip_low, 1 + loss.clip_high)
        objective = torch.minimum(ratio * advantage, clipped * advantage)
        if reference is not None and loss.beta > 0:
            with torch.no_grad():
                anchor = score(reference, batch).div(loss.temperature).log_softmax(-1)
            away = anchor.gather(-1, batch.next[:, None])[:, 0] - picked
            divergence = away.exp() - away - 1
            objective = objective - loss.beta * divergence
            total["kl"] += float(divergence.detach().sum())
        part = -objective.sum() / divisor
        part.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            total["loss"] += float(part)
            total["entropy"] += float(-(logp.exp() * logp).sum())
            total["clip_ratio/low"] += float(((ratio < 1 - loss.clip_low) & (advantage < 0)).sum())
            total["clip_ratio/high"] += float(((ratio > 1 + loss.clip_high) & (advantage > 0)).sum())
            total["mismatch"] += float((picked - old).abs().sum())
        tokens += len(batch.next)
    if not tokens:
        return {"loss": 0.0}  # nothing carried an advantage: nothing is known of the rest
    return {key: value if key == "loss" else value / tokens for key, value in total.items()}


def centred(group: Sequence[float | None]) -> list[float]:
    """Advantages of a group: the reward less the mean of those that were given; 0 for a row that abstained.

    Not divided by the deviation, which would blow up the groups that hardly differ (Dr. GRPO).
    """
    given = [reward for reward in group if reward is not None]
    if not given or min(given) == max(given):
        return [0.0] * len(group)  # exactly: the mean of equal numbers may differ from them in the last bit
    mean = sum(given) / len(given)
    return [0.0 if reward is None else reward - mean for reward in group]


def spread(rewards: Sequence[float | None]) -> float:
    """Standard deviation of the rewards that were given."""
    given = [reward for reward in rewards if reward is not None]
    if len(given) < 2:
        return 0.0
    mean = sum(given) / len(given)
    return math.sqrt(sum((reward - mean) ** 2 for reward in given) / (len(given) - 1))
