"""Every method on a micro model: how it begins, one update of it, and whether two states are the same bit for bit."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import choosers
import micro
import torch

from mrclassic.curricula.bandit import Bandit
from mrclassic.rewards.contract import Weighted
from mrclassic.tasks import arithmetic
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import keyed
from mrclassic.tasks.environments.base import Dialogues, Reply
from mrclassic.training import book, dpo, grpo, hatch, questions, rated, selfplay, td
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


class Vowels:
    """A game that somebody who babbles can win: three turns, and in one of them vowels pay. A position is what was said
    so far, with the turn that decides before it."""

    name = "vowels"
    about = "vowels, in one of three turns"
    levels = ("1",)

    def turns(self, level: str) -> int:
        return 3

    def draw(self, rng: random.Random, level: str) -> str:
        return f"{rng.randrange(3)} {rng.randrange(99)}"

    def begin(self, level: str, start: str) -> tuple[str, ...]:
        return (start.split()[0],)

    def opening(self, level: str, start: str) -> str:
        return f"Say {start.split()[1]}."

    def answer(self, position: tuple[str, ...], completion: str) -> tuple[tuple[str, ...], Reply]:
        after = (*position, completion)
        paid = sum(one in "aeiou" for one in after[1 + int(position[0])]) / 6 if len(after) == 4 else 0.0
        return after, Reply("And?", paid, len(after) == 4)

    def reads(self, position: tuple[str, ...], completion: str) -> bool:
        return bool(completion)

    def key(self, position: tuple[str, ...]) -> str:
        said = position[1 + int(position[0]) :]
        return f"{len(position)} {sum(one in 'aeiou' for one in said[0]) if said else '-'}"

    def solve(self, level: str, start: str) -> list[str]:
        return ["aeiouy"] * 3


DIALOGUES = Arms([(Dialogues(Vowels()), "1")])
TD = td.Settings(starts=2, group=3, max_new=4, learning_rate=5e-3, warmup=2, audit_every=4, seed=5)
RATED = rated.Settings(batch=4, learning_rate=5e-3, warmup=2, seed=5)
TALKS = rated.standardised(
    [rated.Rated((*ENTRIES[at % 6].messages, *ENTRIES[(at // 6) % 6].messages), at % 5) for at in range(rated.FEWEST)]
)


def _td_step(state: State) -> StepReport:
    def draw(count: int) -> list:
        return [DIALOGUES.sample("vowels:1", keyed(state.seed, state.step, at)) for at in range(count)]

    return td.step(state, draw, DIALOGUES, TD, lambda: replay(state)).report


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
    fixed = items(state, Bandit(["1"]), 2)
    return selfplay.step(state, [arithmetic] * PLAY.questions, fixed, REWARDS, PLAY, lambda: replay(state)).report


ASKED = Arms([(arithmetic, "1")])
OPENED = replace(PLAY, warm=2, networks=2)


def _opened_step(state: State) -> StepReport:
    """Two updates that open the domain, then self-play."""
    if waiting := questions.closed(state, ASKED, OPENED.warming):
        return questions.warm(state, ASKED, waiting, OPENED.warming, lambda: replay(state))
    return _play_step(state)


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
    "td": Method(lambda dtype: td.start(micro.policy(context=192, loud=3.0), TD, dtype), _td_step),
    "rated": Method(
        lambda dtype: rated.start(micro.policy(), RATED, dtype),
        lambda state: rated.step(state, TALKS, RATED, lambda: replay(state)),
    ),
    "selfplay": Method(lambda dtype: grpo.start(micro.policy(), grpo.Settings(seed=5), dtype), _play_step),
    "selfplay of two, opened first": Method(
        lambda dtype: selfplay.start(micro.policy(), grpo.Settings(seed=5), OPENED, ASKED, dtype), _opened_step
    ),
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
