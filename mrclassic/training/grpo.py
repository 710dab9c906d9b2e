"""GRPO: group-relative policy optimisation (DeepSeekMath, arXiv 2402.03300).

Each prompt gets a group of answers; a reward scores them; what an answer is worth is its reward less the mean of its
group, so no critic is needed. A group whose answers all scored alike teaches nothing and is drawn again, a few times
(DAPO's dynamic sampling, arXiv 2503.14476). Every update also replays book entries, because a model of a million
parameters that only practises sums forgets how to say hello within minutes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from mrclassic.model.engine import Completion
from mrclassic.model.policy import Policy
from mrclassic.rewards.contract import Weighted, score
from mrclassic.tasks.base import Item, keyed
from mrclassic.training import policy_gradient as pg
from mrclassic.training.report import Sample, StepReport
from mrclassic.training.rows import Row
from mrclassic.training.state import State
from mrclassic.training.trainee import Trainee

SAMPLES = 16  # completions kept of each update


@dataclass(frozen=True)
class Settings:
    """`prompts` x `group` completions an update."""

    prompts: int = 16
    group: int = 16
    max_new: int = 64
    temperature: float = 1.0
    learning_rate: float = 1e-4
    warmup: int = 20
    clip_low: float = 0.2
    clip_high: float = 0.28
    beta: float = 0.005
    replay_weight: float = 0.3
    redraws: int = 2  # rounds in which groups without spread are drawn again
    seed: int = 0

    @property
    def completions(self) -> int:
        return self.prompts * self.group

    @property
    def loss(self) -> pg.Loss:
        return pg.Loss(self.clip_low, self.clip_high, self.beta, self.temperature)


@dataclass(frozen=True)
class GroupOutcome:
    """How the group of one item went."""

    item: Item
    rewards: tuple[float | None, ...]

    @property
    def success(self) -> float:
        """The mean reward; NaN where every reward abstained, which is not the same as failing."""
        given = [reward for reward in self.rewards if reward is not None]
        return sum(given) / len(given) if given else math.nan


@dataclass(frozen=True)
class Update:
    """The report of an update, and how each group went (for the curriculum)."""

    report: StepReport
    groups: tuple[GroupOutcome, ...] = field(default=())


def start(policy: Policy, settings: Settings, dtype: torch.dtype) -> State:
    """Begin from `policy` (float32), which also is the frozen reference."""
    reference = policy.cast(dtype)
    reference.decoder.requires_grad_(False)
    return State(Trainee(policy, dtype), settings.seed, reference=reference)


@dataclass(frozen=True)
class Group:
    """An item with its answers: the completions, their texts, and what they were worth."""

    item: Item
    prompt: list[int]
    completions: list[Completion]
    texts: list[str]
    rewards: list[float | None]
    parts: Mapping[str, list[float | None]]
    faults: tuple[str, ...] = ()  # what went wrong with the rewards of this batch, in words

    @property
    def has_spread(self) -> bool:
        return pg.spread(self.rewards) > 1e-6


def roll_out(
    policy: Policy,
    items: Sequence[Item],
    rewards: Sequence[Weighted],
    group: int,
    *,
    max_new: int,
    temperature: float,
    seed: int,
) -> list[Group]:
    """`group` answers to each item, scored."""
    if not items:
        return []
    tokenizer = policy.tokenizer
    prompts = [tokenizer.encode_chat(item.messages) for item in items]
    sampled = pg.sample(policy, prompts, group, max_new=max_new, temperature=temperature, seed=seed)
    texts = [tokenizer.decode(completion.tokens) for completions in sampled for completion in completions]
    repeated = [item for item in items for _ in range(group)]
    columns: dict[str, Sequence[Any]] = {"item": repeated, "answer": [item.answer for item in repeated]}
    scores = score(rewards, [item.messages for item in repeated], texts, columns)
    return [
        Group(
            item,
            prompts[place],
            sampled[place],
            texts[place * group : (place + 1) * group],
            list(scores.total[place * group : (place + 1) * group]),
            {name: list(values[place * group : (place + 1) * group]) for name, values in scores.parts.items()},
            scores.faults,
        )
        for place, item in enumerate(items)
    ]


def rollouts_of(groups: Sequence[Group]) -> list[pg.Rollout]:
    """The completions that carry an advantage."""
    return [
        pg.rollout(group.prompt, completion, advantage)
        for group in groups
        for completion, advantage in zip(group.completions, pg.centred(group.rewards), strict=True)
        if advantage != 0.0
    ]


def group_metrics(groups: Sequence[Group]) -> dict[str, float]:
    """The numbers of a batch of groups, under TRL's names."""
    rewards = [reward for group in groups for reward in group.rewards if reward is not None]
    completions = [completion for group in groups for completion in group.completions]
    lengths = [len(completion.tokens) for completion in completions]
    count = max(1, len(groups))
    metrics = {
        "rewards/abstained": 1 - len(rewards) / max(1, len(completions)),
        "reward_std": sum(pg.spread(group.rewards) for group in groups) / count,
        "frac_reward_zero_std": sum(not group.has_spread for group in groups) / count,
        "completions/mean_length": sum(lengths) / max(1, len(lengths)),
        "completions/clipped_ratio": sum(c.finish_reason == "length" for c in completions) / max(1, len(completions)),
    }
    if rewards:
        metrics["reward"] = sum(rewards) / len(rewards)
    for name in groups[0].parts if groups else ():
        known = [value for group in groups for value in group.parts[name] if value is not None]
        if known:
            metrics[f"rewards/{name}/mean"] = sum(known) / len(known)
    return metrics


def step(
    state: State,
    draw: Callable[[int], Sequence[Item]],
    rewards: Sequence[Weighted],
    settings: Settings,
    replay: Callable[[], list[Row]],
) -> Update:
    """One update. `draw(n)` gives `n` items (called again for groups without spread); `replay` the book rows that go
    along (an empty list for none). The outcomes are in the order in which the items were drawn."""
    begun = time.perf_counter()
    trainee = state.trainee
    first: list[Group] = []
    kept: list[Group] = []
    everything: list[Group] = []
    for attempt in range(settings.redraws + 1):
        groups = roll_out(
            trainee.policy,
            draw(settings.prompts - len(kept)),
            rewards,
            settings.group,
            max_new=settings.max_new,
            temperature=settings.temperature,
            seed=rollout_seed(state, f"grpo {attempt}"),
        )
        first = first or groups
        everything += groups
        kept += [group for group in groups if group.has_spread]
        if len(kept) >= settings.prompts:
            break
    rolled = time.perf_counter()
    # The mean is over all groups asked for, with and without spread: a batch of few useful groups takes a small step.
    divisor = float(settings.completions * settings.max_new)
    metrics = pg.accumulate(trainee, rollouts_of(kept), settings.loss, divisor=divisor, reference=state.reference)
    metrics |= finish_update(state, settings.learning_rate, settings.warmup, replay(), settings.replay_weight)
    metrics |= group_metrics(first)
    tokens = sum(len(completion.tokens) for group in everything for completion in group.completions)
    metrics |= {
        # After drawing again: what the update could not learn from.
        "frac_reward_zero_std": 1 - len(kept) / settings.prompts,
        "groups/redrawn": float(len(everything) - len(first)),
        "completions": float(len(everything) * settings.group),
        "tokens": float(tokens),
        "seconds/rollout": rolled - begun,
        "seconds/update": time.perf_counter() - rolled,
    }
    report = step_report(state, metrics, first, begun)
    return Update(report, tuple(GroupOutcome(group.item, tuple(group.rewards)) for group in everything))


def step_report(state: State, metrics: Mapping[str, float], groups: Sequence[Group], begun: float) -> StepReport:
    """The report of an update that began at `begun` (performance counter), with samples of `groups`."""
    return StepReport(
        state.step,
        metrics,
        samples_of(groups),
        time.perf_counter() - begun,
        math.isfinite(metrics["grad_norm"]),
        tuple(dict.fromkeys(fault for group in groups for fault in group.faults)),
    )


def samples_of(groups: Sequence[Group]) -> tuple[Sample, ...]:
    """One answer of each group, to look at."""
    return tuple(
        Sample(group.item.question, group.texts[0], group.rewards[0], {"answer": group.item.answer})
        for group in groups[:SAMPLES]
    )


def rollout_seed(state: State, purpose: str) -> int:
    """The seed of an update's draws for `purpose`: a function of the run's seed, the step and the purpose."""
    return keyed("rollout", purpose, state.seed, state.step).getrandbits(63)


def finish_update(state: State, peak: float, warmup: int, replay: Sequence[Row], weight: float) -> dict[str, float]:
    """Add the replayed rows' gradient, take the step, count it. The rate is constant after its warm-up."""
    metrics: dict[str, float] = {}
    if replay:
        metrics["replay/loss"] = state.trainee.cross_entropy(replay, weight)
    rate = peak * min(1.0, (state.step + 1) / max(1, warmup))
    metrics["grad_norm"] = state.trainee.update(rate)
    metrics["learning_rate"] = rate
    state.step += 1
    return metrics
