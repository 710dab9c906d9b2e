"""A curriculum at work: it is asked which groups count, hears of all of them, and its memory travels with the state."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import micro
import torch

from mrclassic.curricula import BUILT_IN
from mrclassic.curricula.contract import Answer, Curriculum, Draw, Outcome
from mrclassic.curricula.uniform import Uniform
from mrclassic.rewards.contract import Weighted
from mrclassic.tasks import arithmetic
from mrclassic.tasks.arms import Arms
from mrclassic.training import grpo
from mrclassic.training.choosing import Choosing
from mrclassic.training.state import State

SETTINGS = grpo.Settings(prompts=3, group=4, max_new=6, learning_rate=5e-3, warmup=1, redraws=2, seed=5)
ARMS = Arms([(arithmetic, "1"), (arithmetic, "2")])  # type: ignore[list-item]


def vowels(completions: list, **columns: object) -> list[float]:
    texts = [each[0]["content"] for each in completions]
    return [sum(one in "aeiou" for one in text) / max(1, len(text)) for text in texts]


def start() -> State:
    return grpo.start(micro.policy(loud=4.0), SETTINGS, torch.float32)


def step(state: State, curriculum: Curriculum, reward: object = vowels) -> tuple[Choosing, grpo.Update]:
    choosing = Choosing(state, ARMS, curriculum)
    weighted = [Weighted("vowels", reward)]  # type: ignore[arg-type]
    update = grpo.step(state, choosing.draw, weighted, SETTINGS, list, choosing.accept)
    return choosing, replace(update, report=choosing.observe(update.report, update.groups))


class Picky(Uniform):
    """Takes no group of the arm `no`, and remembers what it was told."""

    def __init__(self, no: str) -> None:
        super().__init__(ARMS.names)
        self.no, self.asked, self.heard = no, list[Outcome](), list[Outcome]()

    def accept(self, outcome: Outcome) -> Answer:
        self.asked.append(outcome)
        return "redraw" if outcome.draw.arm == self.no else "keep"

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        self.heard += outcomes


def test_groups_that_are_declined_are_drawn_again_and_not_learnt_from() -> None:
    picky, state = Picky("arithmetic:2"), start()
    choosing, update = step(state, picky)
    assert picky.asked == picky.heard, "each group once, in the order of the draws"
    assert [each.draw for each in picky.asked] == choosing.draws
    declined = sum(draw.arm == picky.no for draw in choosing.draws)
    assert declined > 0
    assert update.report.metrics["groups/redrawn"] == len(choosing.draws) - SETTINGS.prompts > 0
    assert [group.item.meta["level"] for group in update.groups] == [draw.arm[-1] for draw in choosing.draws]
    assert all(each.spread == group.spread for each, group in zip(picky.heard, update.groups, strict=True))
    before = micro.digest(state.trainee.full_policy())
    step(state, everything := Picky("arithmetic:1"))
    if all(each.draw.arm == everything.no for each in everything.asked):
        assert micro.digest(state.trainee.full_policy()) == before


def test_groups_without_spread_that_are_kept_are_no_more_use_and_cost_no_more_draws() -> None:
    picky, state = Picky("none"), start()
    before = micro.digest(state.trainee.full_policy())
    _, update = step(state, picky, lambda completions, **columns: [0.5] * len(completions))
    assert len(picky.asked) == SETTINGS.prompts
    assert update.report.metrics["frac_reward_zero_std"] == 1.0
    assert micro.digest(state.trainee.full_policy()) == before


def test_the_built_in_ones_answer_as_an_update_does_by_itself() -> None:
    one, two = start(), start()
    _, asked = step(one, Uniform(ARMS.names))
    choosing = Choosing(two, ARMS, Uniform(ARMS.names))
    alone = grpo.step(two, choosing.draw, [Weighted("vowels", vowels)], SETTINGS, list)
    assert asked.groups == alone.groups
    assert micro.digest(one.trainee.full_policy()) == micro.digest(two.trainee.full_policy())


def test_its_memory_is_part_of_the_state_and_shares_are_told() -> None:
    for name, builder in BUILT_IN.items():
        whole, parted = start(), start()
        curriculum = builder(ARMS.names, {})
        for _ in range(3):
            drawn, update = step(whole, curriculum)
        metrics = update.report.metrics
        assert sum(metrics[f"share/{arm}"] for arm in ARMS.names) > 0.999, name
        for arm in {draw.arm for draw in drawn.draws}:
            assert 0 <= metrics[f"success/{arm}"] <= 1
            assert 0 <= metrics[f"signal/{arm}"] <= 1
        for _ in range(3):  # as after a resume: the curriculum is a new one each time
            parted.facts = json.loads(json.dumps(parted.facts))
            again, _ = step(parted, builder(ARMS.names, {}))
        assert again.draws == drawn.draws, name
        assert parted.facts == whole.facts, name
        assert micro.digest(parted.trainee.full_policy()) == micro.digest(whole.trainee.full_policy())


def test_an_item_with_a_name_is_the_same_question_again() -> None:
    class Same(Uniform):
        def propose(self, n: int, rng: object) -> list[Draw]:
            return [Draw("arithmetic:2", 1.0, "that one") for _ in range(n)]

    state = start()
    first = Choosing(state, ARMS, Same(ARMS.names)).draw(2)
    state.step = 9
    assert Choosing(state, ARMS, Same(ARMS.names)).draw(2) == first
    assert first[0] == first[1]
    fresh = Choosing(state, ARMS, Uniform(ARMS.names)).draw(8)
    assert len({item.question for item in fresh}) > 4
