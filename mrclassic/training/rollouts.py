"""Groups of answers: drawn from the policy, judged by the rewards, and told about under TRL's names."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mrclassic.model.engine import Completion
from mrclassic.rewards.contract import Judges, Scores, Weighted, columns_of, score
from mrclassic.rewards.standing import Standing
from mrclassic.tasks.base import Item, keyed
from mrclassic.training import policy_gradient as pg
from mrclassic.training import room
from mrclassic.training.advantages import centred, spread
from mrclassic.training.journal import digest
from mrclassic.training.losses import Size
from mrclassic.training.report import Sample, StepReport
from mrclassic.training.state import State

SAMPLES = 16  # completions kept of each update


@dataclass(frozen=True)
class Group:
    """An item with its answers: the completions, their texts, and what they were worth, in all and by each reward."""

    item: Item
    prompt: list[int]
    completions: list[Completion]
    texts: list[str]
    rewards: list[float | None]
    parts: Mapping[str, list[float | None]]
    found: list[bool]  # whether the verifier could read an answer, as far as it was asked

    @property
    def has_spread(self) -> bool:
        """Whether there is anything to learn, be the rewards of right and wrong or continuous."""
        return spread(self.rewards) > 1e-6

    def counting(self, mask_truncated: bool) -> list[bool]:
        """Which completions carry a loss. One whose last allowed token is the end token was not cut off."""
        return [not mask_truncated or completion.finish_reason != "length" for completion in self.completions]


@dataclass(frozen=True)
class Rolled:
    """Groups that were drawn and judged together, and what the judging says of itself."""

    groups: list[Group]
    scores: Scores
    halved: int = 0  # how often memory ran out


def roll_out(
    state: State, items: Sequence[Item], rewards: Sequence[Weighted], group: int, how: pg.Sampling, purpose: str
) -> Rolled:
    """`group` answers to each item, scored; the draws are keyed by (seed, step, `purpose`)."""
    policy, tokenizer = state.trainee.policy, state.trainee.policy.tokenizer
    prompts = [tokenizer.encode_chat(item.messages) for item in items]
    seed = rollout_seed(state, purpose)
    sampled, halved = room.within(
        state, "slots", lambda: pg.sample(policy, prompts, group, how, seed=seed, slots=state.trainee.slots)
    )
    drawn = [list(completion.tokens) for completions in sampled for completion in completions]
    texts = [tokenizer.decode(tokens) for tokens in drawn]
    repeated = [item for item in items for _ in range(group)]
    asked = [item.messages for item in repeated]
    columns = {**columns_of(repeated), "max_new": how.max_new}  # what a completion's length is held against

    def judge() -> dict[str, Any]:
        standing = Standing(dict(state.facts.get("strikes", {})))
        found = score(rewards, asked, texts, columns, completion_ids=drawn, step=state.step, standing=standing)
        return {"scores": dataclasses.asdict(found), "strikes": standing.strikes, "unread": _unread(rewards)}

    judged = state.journal.once(state.step, "rewards", digest(purpose, asked, texts), judge)
    if judged["strikes"]:
        state.facts["strikes"] = judged["strikes"]
    scores, unread = Scores(**_tuples(judged["scores"])), set(judged["unread"])
    at = [slice(place * group, (place + 1) * group) for place in range(len(items))]
    groups = [
        Group(
            item,
            prompts[place],
            sampled[place],
            texts[at[place]],
            list(scores.total[at[place]]),
            {name: list(values[at[place]]) for name, values in scores.parts.items()},
            [place * group + row not in unread for row in range(group)],
        )
        for place, item in enumerate(items)
    ]
    return Rolled(groups, scores, halved)


def _unread(rewards: Sequence[Weighted]) -> list[int]:
    """The completions in which the verifier, if one was asked just now, found no answer."""
    for reward in rewards:
        function: object = reward.function
        if isinstance(function, Judges):
            return [row for row, judgement in enumerate(function.judgements) if not judgement.found]
    return []


def _tuples(value: Any) -> Any:
    """JSON's lists as the tuples that they were."""
    if isinstance(value, dict):
        return {key: _tuples(each) for key, each in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def rollout_seed(state: State, purpose: str) -> int:
    """The seed of an update's draws for `purpose`: a function of the run's seed, the step and the purpose."""
    return keyed("rollout", purpose, state.seed, state.step).getrandbits(63)


def rollouts_of(
    groups: Sequence[Group],
    advantages: Callable[[Sequence[float | None]], list[float]] = centred,
    mask_truncated: bool = False,
) -> list[pg.Rollout]:
    """The completions that carry an advantage."""
    return [
        pg.rollout(group.prompt, completion, advantage)
        for group in groups
        for completion, advantage, counts in zip(
            group.completions, advantages(group.rewards), group.counting(mask_truncated), strict=True
        )
        if advantage != 0.0 and counts
    ]


def size_of(groups: Sequence[Group], max_new: int, mask_truncated: bool = False) -> Size:
    """What the loss of a batch of groups is divided by; completions that are masked are counted nowhere (trl#6369)."""
    lengths = [
        len(completion.tokens)
        for group in groups
        for completion, counts in zip(group.completions, group.counting(mask_truncated), strict=True)
        if counts
    ]
    return Size(len(lengths), sum(lengths), max_new)


# -- what there is to tell


def group_metrics(rolled: Rolled) -> dict[str, float]:
    """The numbers of what was drawn together, under TRL's names. What nothing is known about is left out."""
    groups = rolled.groups
    completions = [completion for group in groups for completion in group.completions]
    lengths = [len(completion.tokens) for completion in completions]
    ended = [len(completion.tokens) for completion in completions if completion.finish_reason != "length"]
    rewards = [reward for group in groups for reward in group.rewards if reward is not None]
    metrics = {
        **rolled.scores.metrics(),
        "reward_std": _mean([spread(group.rewards) for group in groups]),
        "frac_reward_zero_std": _mean([float(not group.has_spread) for group in groups]),
        "completions/mean_length": _mean(lengths),
        "completions/min_length": float(min(lengths, default=0)),
        "completions/max_length": float(max(lengths, default=0)),
        "completions/clipped_ratio": 1 - len(ended) / max(1, len(lengths)),
    }
    for name in rolled.scores.parts:
        best = [max(given) for group in groups if (given := [each for each in group.parts[name] if each is not None])]
        if best:
            metrics[f"rewards/{name}/best"] = _mean(best)  # of a group
    if rewards:
        metrics["reward"] = _mean(rewards)
    if ended:
        metrics["completions/mean_terminated_length"] = _mean(ended)
    return metrics


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


def step_report(state: State, metrics: Mapping[str, float], rolled: Sequence[Rolled], begun: float) -> StepReport:
    """The report of an update that began at `begun` (performance counter), with samples of what was drawn first."""
    return StepReport(
        state.step,
        metrics,
        samples_of(rolled[0].groups) if rolled else (),
        time.perf_counter() - begun,
        metrics["update/skipped"] < 1,
        tuple(dict.fromkeys(fault for each in rolled for fault in each.scores.faults)),
    )


def samples_of(groups: Sequence[Group]) -> tuple[Sample, ...]:
    """One answer of each group, to look at, with what each reward gave it."""
    return tuple(
        Sample(
            group.item.question,
            group.texts[0],
            group.rewards[0],
            {
                "task": group.item.meta.get("task"),
                "answer": group.item.answer,
                "rewards": {name: values[0] for name, values in group.parts.items()},
                "finish_reason": group.completions[0].finish_reason,
                "found": group.found[0],
            },
        )
        for group in groups[:SAMPLES]
    )
