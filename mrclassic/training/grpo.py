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
from dataclasses import dataclass
from statistics import pstdev
from typing import Literal, Protocol

import torch

from mrclassic.errors import UsageError
from mrclassic.model.policy import Policy
from mrclassic.rewards.contract import Weighted
from mrclassic.tasks.base import Item
from mrclassic.training import policy_gradient as pg
from mrclassic.training import room
from mrclassic.training.advantages import ADVANTAGES
from mrclassic.training.fits import WHOLE, Fit
from mrclassic.training.losses import Estimator, Kind, Loss
from mrclassic.training.report import StepReport
from mrclassic.training.rollouts import Group, Rolled, group_metrics, roll_out, rollouts_of, size_of, step_report
from mrclassic.training.rows import Row
from mrclassic.training.sentinel.spikes import REMEMBERED, too_large
from mrclassic.training.state import State
from mrclassic.training.trainee import Trainee


@dataclass(frozen=True)
class Settings:
    """What one run is asked to do; `prompts` x `group` completions an update."""

    prompts: int = 16
    group: int = 16  # answers to each prompt, 2 to 64
    max_new: int = 64  # tokens of an answer
    temperature: float = 1.0
    top_p: float = 1.0  # 1 = off; scored as sampled
    top_k: int = 0  # 0 = off; scored as sampled
    learning_rate: float = 1e-4  # after the warm-up, constant
    warmup: int = 20  # updates
    epochs: int = 1  # optimizer steps on the same completions, whose log-probabilities are those of the draw
    advantage: Literal["centred", "standardised"] = "centred"
    loss: Kind = "dr_grpo"  # what a token weighs, and whether ratios are of tokens or completions: see `losses`
    clip_low: float = 0.2
    clip_high: float = 0.28
    beta: float = 0.005  # weight of the divergence from the reference
    kl: Estimator = "k3"
    reference_every: int = 0  # updates after which the reference moves to the policy; 0 = frozen
    mask_truncated: bool = False  # answers cut off at the limit carry no loss (they still are in their group's mean)
    replay_weight: float = 0.3  # of the replayed rows' mean token loss
    redraws: int = 2  # rounds in which groups without spread are drawn again
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in _LIMITS:
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"{name} is {getattr(self, name)}; it goes from {low} to {high}.")

    @property
    def completions(self) -> int:
        return self.prompts * self.group

    @property
    def sampling(self) -> pg.Sampling:
        return pg.Sampling(self.max_new, self.temperature, self.top_p, self.top_k)

    @property
    def objective(self) -> Loss:
        return Loss(self.loss, self.clip_low, self.clip_high, self.beta, self.kl)


_LIMITS: tuple[tuple[str, float, float], ...] = (
    ("prompts", 1, 4096),
    ("group", 2, 64),
    ("max_new", 1, 1_000_000),
    ("temperature", 0.01, 100.0),
    ("top_p", 0.01, 1.0),
    ("top_k", 0, 1_000_000),
    ("epochs", 1, 64),
    ("clip_low", 0.0, 1.0),
    ("clip_high", 0.0, 100.0),
    ("beta", 0.0, 100.0),
    ("reference_every", 0, 1_000_000_000),
    ("redraws", 0, 16),
)


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

    @property
    def spread(self) -> float:
        """The rewards' standard deviation; 0 where there is nothing to learn."""
        return pstdev([reward for reward in self.rewards if reward is not None] or [0.0])


@dataclass(frozen=True)
class Update:
    """The report of an update, and how each group went (for the curriculum)."""

    report: StepReport
    groups: tuple[GroupOutcome, ...] = ()


Accept = Callable[[int, GroupOutcome], bool]
"""Whether to learn from the group drawn at a place of this update, or to draw another in its stead."""


def start(policy: Policy, settings: Settings, dtype: torch.dtype, fit: Fit = WHOLE) -> State:
    """Begin from `policy` (float32), which also is the reference."""
    state = State(Trainee(policy, dtype, fit, seed=settings.seed), settings.seed)
    if settings.objective.anchored:
        state.reference = state.trainee.reference(moving=settings.reference_every > 0)
        if settings.reference_every:
            state.facts["reference"] = 0  # it will move, so it is saved with the rest
    return state


def step(
    state: State,
    draw: Callable[[int], Sequence[Item]],
    rewards: Sequence[Weighted],
    settings: Settings,
    replay: Callable[[], list[Row]],
    accept: Accept | None = None,
) -> Update:
    """One update. `draw(n)` gives `n` items (called again for groups that `accept` declines: by default those without
    spread); `replay` the book rows that go along (an empty list for none). The outcomes are in the order in which the
    items were drawn, and `accept` is told a group's place in it."""
    begun = time.perf_counter()
    rolled: list[Rolled] = []
    everything: list[GroupOutcome] = []
    kept: list[Group] = []
    declined: list[Group] = []
    for attempt in range(settings.redraws + 1):
        items = draw(settings.prompts - len(kept))
        rolled.append(roll_out(state, items, rewards, settings.group, settings.sampling, f"grpo {attempt}"))
        for group in rolled[-1].groups:
            everything.append(GroupOutcome(group.item, tuple(group.rewards)))
            good = group.has_spread if accept is None else accept(len(everything) - 1, everything[-1])
            (kept if good else declined).append(group)
        if len(kept) >= settings.prompts:
            break
    drawn = time.perf_counter()
    # The mean is over all groups asked for, declined ones too: a batch of few useful groups takes a small step.
    batch = [*kept, *declined][: settings.prompts]
    rollouts = rollouts_of(kept, ADVANTAGES[settings.advantage], settings.mask_truncated)
    size = size_of(batch, settings.max_new, settings.mask_truncated)
    nuclei: dict[int, torch.Tensor] = {}

    def gradients() -> dict[str, float]:
        return pg.accumulate(
            state.trainee,
            rollouts,
            settings.objective,
            size,
            settings.sampling,
            reference=state.reference,
            kept=nuclei if settings.epochs > 1 else None,
        )

    replayed = replay()
    passes = [learn(state, gradients, replayed, settings) for _ in range(settings.epochs)]
    metrics = _over(passes)
    state.step += 1
    if state.reference is not None and settings.reference_every and state.step % settings.reference_every == 0:
        state.move_reference()
    completions = [completion for each in rolled for group in each.groups for completion in group.completions]
    metrics |= group_metrics(rolled[0]) | {
        # After drawing again: what the update could not learn from.
        "frac_reward_zero_std": 1 - sum(group.has_spread for group in batch) / settings.prompts,
        "groups/redrawn": float(len(everything) - len(rolled[0].groups)),
        "completions": float(len(completions)),
        "tokens": float(sum(len(completion.tokens) for completion in completions)),
        "microbatch/halved": metrics["microbatch/halved"] + sum(each.halved for each in rolled),
        "seconds/rollout": drawn - begun,
        "seconds/update": time.perf_counter() - drawn,
    }
    report = step_report(state, metrics, rolled, begun)
    return Update(report, tuple(everything))


class Pace(Protocol):
    """The part of a method's settings that `learn` reads."""

    @property
    def learning_rate(self) -> float: ...
    @property
    def warmup(self) -> int: ...
    @property
    def replay_weight(self) -> float: ...


def learn(
    state: State,
    gradients: Callable[[], dict[str, float]],
    replay: Sequence[Row],
    how: Pace,
) -> dict[str, float]:
    """Gather what `gradients` adds and the replayed rows' own, and take one optimizer step. Returns its metrics."""
    trainee = state.trainee

    def everything() -> dict[str, float]:
        found = gradients()
        return found | ({"replay/loss": trainee.cross_entropy(replay, how.replay_weight)} if replay else {})

    metrics, halved = room.within(state, "token_budget", everything)
    rate = how.learning_rate * min(1.0, (state.step + 1) / max(1, how.warmup))
    norms: list[float] = state.facts.get("norms", [])
    norm = trainee.update(rate, refuse=lambda found: too_large(found, norms))
    state.facts["norms"] = [*norms, norm][-REMEMBERED:]
    return metrics | {
        "grad_norm": norm,
        "update/skipped": float(not math.isfinite(norm) or too_large(norm, norms)),
        "learning_rate": rate,
        "microbatch/halved": float(halved),
    }


def _over(passes: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The means over an update's passes; a norm that is not finite in one makes the mean so."""
    return {name: sum(each[name] for each in passes) / len(passes) for name in passes[0]}
