"""Every method on a micro model: how it begins, one update of it, and whether two states are the same bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import choosers
import micro
import torch

from mrclassic.curricula.bandit import Bandit
from mrclassic.rewards.contract import Weighted
from mrclassic.tasks import arithmetic
from mrclassic.tasks.base import keyed
from mrclassic.training import book, dpo, grpo, hatch, selfplay
from mrclassic.training.report import StepReport
from mrclassic.training.rows import row
from mrclassic.training.state import State

ENTRIES = list(micro.ENTRIES)


@dataclass(frozen=True)
class Method:
    """How a method begins from nothing, and one update of it."""

    start: Callable[[torch.dtype], State]
    step: Callable[[State], StepReport]


def share_of_vowels(completions: list, **columns: object) -> list[float]:
    texts = [completion[0]["content"] for completion in completions]
    return [sum(one in "aeiou" for one in text) / max(1, len(text)) for text in texts]


REWARDS = (Weighted("vowels", share_of_vowels),)


def replay(state: State) -> list:
    policy = state.trainee.policy
    return [row(policy.tokenizer, ENTRIES[state.step % len(ENTRIES)].messages, policy.shape.context)]


HATCH = hatch.Settings(steps=10, batch=8, learning_rate=1e-2, warmup=2, seed=5)
BOOK = book.Settings(batch=8, learning_rate=1e-2, warmup=2, seed=5)
GRPO = grpo.Settings(prompts=3, group=4, max_new=8, learning_rate=5e-3, warmup=2, seed=5)
PLAY = selfplay.Settings(questions=6, fixed=2, group=3, max_new=8, learning_rate=5e-3, warmup=2, seed=5)


PICKS = choosers.choices(12, seed=5)
DPO = dpo.Settings(loss="length", learning_rate=5e-3, warmup=2, replay=4, seed=5)


def _book_step(state: State) -> StepReport:
    policy = state.trainee.policy
    found = [arithmetic.sample(keyed("skill", at), "1") for at in range(7)]
    skills = [
        row(policy.tokenizer, [*item.messages, {"role": "assistant", "content": item.trace}], 96) for item in found
    ]
    rows = book.draw(state, ENTRIES, frozenset({ENTRIES[0].hash}), skills, BOOK)
    return book.step(state, rows, BOOK, 10)


def items(state: State, chooser: Bandit, count: int) -> list:
    draws = chooser.propose(count, keyed(state.seed, "curriculum", state.step))
    return [arithmetic.sample(keyed(state.seed, state.step, at), draw.arm) for at, draw in enumerate(draws)]


def _grpo_step(state: State) -> StepReport:
    chooser = Bandit(["1", "2"])
    return grpo.step(state, lambda n: items(state, chooser, n), REWARDS, GRPO, lambda: replay(state)).report


def _play_step(state: State) -> StepReport:
    return selfplay.step(state, items(state, Bandit(["1"]), 2), REWARDS, PLAY, lambda: replay(state)).report


@cache
def pairs() -> list[dpo.Pair]:
    return dpo.pairs(micro.policy(), PICKS)


def dpo_start(dtype: torch.dtype, settings: dpo.Settings = DPO) -> State:
    policy = micro.policy()
    state = dpo.start(policy, settings, dtype)
    dpo.freeze(state, pairs(), settings)
    return state


def dpo_step(state: State, settings: dpo.Settings = DPO) -> StepReport:
    return dpo.step(state, pairs(), settings, 10, lambda: replay(state))


METHODS = {
    "hatch": Method(
        lambda dtype: hatch.start(micro.SHAPE, ENTRIES, HATCH, dtype),  # type: ignore[arg-type]
        lambda state: hatch.step(state, hatch.draw(state, ENTRIES, HATCH), HATCH),
    ),
    "book": Method(lambda dtype: book.start(micro.policy(), BOOK, dtype), _book_step),
    "grpo": Method(lambda dtype: grpo.start(micro.policy(), GRPO, dtype), _grpo_step),
    "dpo": Method(dpo_start, dpo_step),
    "selfplay": Method(lambda dtype: grpo.start(micro.policy(), grpo.Settings(seed=5), dtype), _play_step),
}


def same(one: State, two: State) -> bool:
    left, right = one.trainee.tensors(), two.trainee.tensors()
    return (
        (one.step, one.facts, list(left)) == (two.step, two.facts, list(right))
        and all(torch.equal(left[name], right[name]) for name in left)
        and micro.digest(one.trainee.full_policy()) == micro.digest(two.trainee.full_policy())
        and micro.digest(one.trainee.policy) == micro.digest(two.trainee.policy)
    )


def advance(method: Method, state: State, steps: int) -> State:
    while state.step < steps:
        assert method.step(state).applied
    return state
