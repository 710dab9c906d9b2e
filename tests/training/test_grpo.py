"""GRPO: what an answer is worth, what an update does with it, and that it learns what is rewarded and nothing else."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from hashlib import blake2b

import micro
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.rewards.contract import Weighted
from mrclassic.tasks import arithmetic
from mrclassic.tasks.base import Item, keyed
from mrclassic.training import grpo
from mrclassic.training import policy_gradient as pg
from mrclassic.training.rows import row
from mrclassic.training.state import State

SETTINGS = grpo.Settings(prompts=4, group=6, max_new=10, learning_rate=5e-3, warmup=1, seed=1)
REWARD = st.none() | st.floats(-10, 10)


def texts_of(completions: list) -> list[str]:
    return [completion[0]["content"] for completion in completions]


def share_of_letters(completions: list, **columns: object) -> list[float]:
    """Easy to learn: half of the alphabet pays."""
    return [sum("a" <= one <= "m" for one in text) / max(1, len(text)) for text in texts_of(completions)]


def by_chance(completions: list, **columns: object) -> list[float]:
    """The control: a number that has nothing to do with what is said, but the same each time."""
    return [blake2b(text.encode(), digest_size=1).digest()[0] / 255 for text in texts_of(completions)]


def items(state: State, count: int, shift: int = 0) -> list[Item]:
    return [arithmetic.sample(keyed("grpo", state.step, shift, at), "1") for at in range(count)]


def step(state: State, reward: object, own: grpo.Settings = SETTINGS, replay: object = list) -> grpo.Update:
    calls: list[int] = []

    def draw(count: int) -> list[Item]:
        calls.append(count)
        return items(state, count, len(calls))

    return grpo.step(state, draw, [Weighted("reward", reward)], own, replay)  # type: ignore[arg-type]


def start(dtype: torch.dtype = torch.float32, own: grpo.Settings = SETTINGS, loud: float = 4.0) -> State:
    return grpo.start(micro.policy(loud=loud), own, dtype)


def weights(state: State) -> str:
    return micro.digest(state.trainee.full_policy())


# -- advantages


@settings(max_examples=300, deadline=None)
@given(group=st.lists(REWARD, min_size=1, max_size=16))
def test_advantages_are_centred_and_abstentions_are_left_out(group: list[float | None]) -> None:
    advantages = pg.centred(group)
    assert sum(advantages) == pytest.approx(0.0, abs=1e-9)
    given_ = [reward for reward in group if reward is not None]
    for reward, advantage in zip(group, advantages, strict=True):
        if reward is None:
            assert advantage == 0.0
        else:
            assert advantage == pytest.approx(reward - sum(given_) / len(given_), abs=1e-9)


@settings(max_examples=300, deadline=None)
@given(value=st.floats(-10, 10), size=st.integers(1, 20), abstaining=st.integers(0, 3))
def test_a_group_without_spread_is_worth_exactly_nothing(value: float, size: int, abstaining: int) -> None:
    """0.1 + 0.1 + 0.1 is not 3 x 0.1: a remainder in the last bit would still be trained on."""
    group = [value] * size + [None] * abstaining
    assert pg.centred(group) == [0.0] * len(group)
    assert pg.spread(group) < 1e-6


# -- an update


def test_on_policy_the_ratio_is_one_and_nothing_is_clipped() -> None:
    state = start()
    for _ in range(3):
        metrics = step(state, share_of_letters).report.metrics
        assert metrics["mismatch"] < 1e-5
        assert metrics["clip_ratio/low"] == metrics["clip_ratio/high"] == 0.0


def test_in_bfloat16_sampling_and_scoring_agree_nearly() -> None:
    assert step(start(torch.bfloat16), share_of_letters).report.metrics["mismatch"] < 0.05


def test_the_reference_is_where_it_began() -> None:
    state = start()
    distances = [step(state, share_of_letters).report.metrics["kl"] for _ in range(4)]
    assert distances[0] == pytest.approx(0.0, abs=1e-9)
    assert distances[1] > 1e-5
    assert distances[3] > distances[1]
    assert state.reference is not None
    assert micro.digest(state.reference) == micro.digest(micro.policy(loud=4.0))


@pytest.mark.parametrize(
    "reward",
    [
        lambda completions, **columns: [0.1] * len(completions),
        lambda completions, **columns: [None] * len(completions),
        lambda completions, **columns: [math.nan] * len(completions),
        lambda completions, **columns: [1.0],
        lambda completions, **columns: 1 / 0,
    ],
    ids=["constant", "abstains", "nan", "wrong length", "raises"],
)
def test_where_nothing_is_to_be_learnt_nothing_moves(reward: object) -> None:
    state = start()
    before = weights(state)
    update = step(state, reward)
    assert weights(state) == before
    assert update.report.applied
    assert state.step == 1
    assert update.report.metrics["frac_reward_zero_std"] == 1.0
    assert update.report.metrics["grad_norm"] == 0.0


def test_who_could_not_judge_gives_no_success() -> None:
    update = step(start(), lambda completions, **columns: [None] * len(completions))
    assert all(math.isnan(group.success) for group in update.groups)
    update = step(start(), lambda completions, **columns: [None, 1.0, 0.0] * (len(completions) // 3))
    assert all(group.success == 0.5 for group in update.groups)


def test_groups_without_spread_are_drawn_again_and_those_with_it_are_learnt_from() -> None:
    """One question in two is rewarded by its answers, the other always alike."""
    sizes: list[int] = []

    def half(completions: list, answer: list[str], **columns: object) -> list[float]:
        values = by_chance(completions)
        return [value if int(gold) % 2 else 0.3 for value, gold in zip(values, answer, strict=True)]

    own = replace(SETTINGS, prompts=6, redraws=2)
    state = start(own=own)

    def draw(count: int) -> list[Item]:
        sizes.append(count)
        return items(state, count, len(sizes))

    update = grpo.step(state, draw, [Weighted("half", half)], own, list)
    assert sizes[0] == 6
    assert 1 < len(sizes) <= 3
    assert sum(sizes) == len(update.groups)
    assert all(later <= earlier for earlier, later in itertools.pairwise(sizes))
    assert update.report.metrics["groups/redrawn"] == sum(sizes[1:])
    assert update.report.metrics["completions"] == sum(sizes) * own.group
    spread = sum(pg.spread(group.rewards) > 1e-6 for group in update.groups)
    assert update.report.metrics["frac_reward_zero_std"] == pytest.approx(1 - spread / 6)


def test_a_gradient_that_is_not_finite_is_discarded() -> None:
    state = start()
    step(state, share_of_letters)
    before = weights(state)
    trainee = state.trainee
    rows = row(trainee.policy.tokenizer, micro.ENTRIES[0].messages, 96)
    bad = pg.Rollout(rows, (math.nan,) * rows.targets, 1.0)
    pg.accumulate(trainee, [bad], SETTINGS.loss, divisor=10.0, reference=state.reference)
    metrics = grpo.finish_update(state, 1e-2, 1, [], 0.3)
    assert math.isnan(metrics["grad_norm"])
    assert weights(state) == before
    assert step(state, share_of_letters).report.applied
    assert weights(state) != before


def test_broken_weights_do_not_end_in_broken_masters() -> None:
    state = start()
    before = weights(state)
    with torch.no_grad():
        state.trainee.policy.decoder.norm.fill_(float("nan"))
    replay = [row(state.trainee.policy.tokenizer, micro.ENTRIES[0].messages, 96)]
    assert not step(state, by_chance, replay=lambda: replay).report.applied
    assert weights(state) == before


def test_replayed_rows_go_along_even_where_no_answer_is_worth_anything() -> None:
    state = start()
    tokenizer = state.trainee.policy.tokenizer
    replay = [row(tokenizer, entry.messages, 96) for entry in micro.ENTRIES]
    losses = [
        step(state, lambda completions, **columns: [0.0] * len(completions), replay=lambda: replay).report.metrics[
            "replay/loss"
        ]
        for _ in range(15)
    ]
    assert losses[-1] < 0.7 * losses[0]


def test_the_objective_is_ppos_with_k3() -> None:
    """Against the formulas written out, off policy, where ratios and bounds matter."""
    state = grpo.start(micro.policy(loud=4.0), SETTINGS, torch.float32)
    other = micro.policy(seed=3, loud=4.0)
    tokenizer = other.tokenizer
    prompts = [tokenizer.encode_chat([{"role": "user", "content": text}]) for text in ("Hi", "What is 1 + 2?")]
    sampled = pg.sample(other, prompts, 3, max_new=8, temperature=0.8, seed=4)
    loss = pg.Loss(0.2, 0.28, 0.05, temperature=0.8)
    rollouts = [
        pg.rollout(prompts[place], completion, advantage)
        for place, group in enumerate(sampled)
        for completion, advantage in zip(group, (1.0, -0.7, 0.3), strict=True)
    ]
    metrics = pg.accumulate(state.trainee, rollouts, loss, divisor=48.0, reference=other)
    gradient = state.trainee.policy.decoder.embedding.grad.clone()
    decoder = state.trainee.policy.decoder
    decoder.zero_grad()
    total, distance, tokens = torch.zeros(()), 0.0, 0
    for each in rollouts:
        ids = torch.tensor([each.row.ids])
        pick = torch.arange(each.row.start - 1, len(each.row.ids) - 1)
        following = ids[0, each.row.start :]

        def logp(policy: object, ids: torch.Tensor = ids, pick=pick, following=following) -> torch.Tensor:  # type: ignore[no-untyped-def]
            scores = policy.decoder.logits(policy.decoder(ids)[0, pick], other.live) / 0.8  # type: ignore[attr-defined]
            return scores.log_softmax(-1)[torch.arange(len(pick)), following]

        now, anchor = logp(state.trainee.policy), logp(other).detach()
        ratio = (now - torch.tensor(each.logprobs)).exp()
        bounded = torch.clamp(ratio, 0.8, 1.28)
        k3 = (anchor - now).exp() - (anchor - now) - 1
        total = total - (torch.minimum(ratio * each.advantage, bounded * each.advantage) - 0.05 * k3).sum() / 48.0
        distance, tokens = distance + float(k3.detach().sum()), tokens + len(pick)
    total.backward()
    assert metrics["loss"] == pytest.approx(float(total.detach()), rel=1e-4)
    assert metrics["kl"] == pytest.approx(distance / tokens, rel=1e-4)
    assert metrics["clip_ratio/low"] > 0
    assert torch.allclose(gradient, decoder.embedding.grad, atol=1e-5)


def test_the_end_token_is_part_of_what_is_learnt() -> None:
    """A sampled end token that is masked out of the update never becomes more likely."""
    policy = micro.policy()
    completions = pg.sample(policy, [policy.tokenizer.encode("Hi")], 200, max_new=40, temperature=1.0, seed=2)[0]
    stopped = next(completion for completion in completions if completion.finish_reason == "stop")
    made = pg.rollout([7, 8], stopped, 1.0)
    assert made.row.ids[-1] == policy.tokenizer.end_id
    assert len(made.logprobs) == made.row.targets == len(stopped.tokens)


def test_stopping_is_learnt_when_it_pays() -> None:
    own = replace(SETTINGS, prompts=4, group=16, max_new=24, learning_rate=2e-2)
    state = start(own=own, loud=1.0)

    def short(completions: list, **columns: object) -> list[float]:
        return [-float(len(text)) for text in texts_of(completions)]

    lengths = [step(state, short, own).report.metrics["completions/mean_length"] for _ in range(15)]
    assert lengths[0] > 18
    assert lengths[-1] < 0.5 * lengths[0]


# -- learning


def rewards_over(reward: object, seed: int, updates: int = 20) -> list[float]:
    own = replace(SETTINGS, group=12, seed=seed, learning_rate=1e-2)
    state = start(own=own, loud=1.0)
    return [
        sum(share_of_letters([[{"content": sample.completion}]])[0] for sample in update.report.samples)
        / len(update.report.samples)
        if reward is by_chance
        else update.report.metrics["reward"]
        for update in (step(state, reward, own) for _ in range(updates))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_rewarded_is_learnt_and_a_reward_by_chance_teaches_nothing(seed: int) -> None:
    learnt = rewards_over(share_of_letters, seed)
    begun, now = sum(learnt[:3]) / 3, sum(learnt[-3:]) / 3
    assert now > begun + 0.3
    control = rewards_over(by_chance, seed)
    begun, now = sum(control[:3]) / 3, sum(control[-3:]) / 3
    assert now < begun + 0.15


def test_the_same_seed_gives_the_same_run_and_another_does_not() -> None:
    def run(seed: int) -> str:
        own = replace(SETTINGS, seed=seed)
        state = start(own=own)
        for _ in range(2):
            step(state, share_of_letters, own)
        return weights(state)

    assert run(1) == run(1) != run(2)


def test_the_report_has_the_fields_names() -> None:
    report = step(start(), share_of_letters).report
    wanted = {
        "loss", "kl", "entropy", "clip_ratio/low", "clip_ratio/high", "grad_norm", "learning_rate", "reward",
        "reward_std", "frac_reward_zero_std", "completions/mean_length", "completions/clipped_ratio", "tokens",
        "rewards/reward/mean",
    }  # fmt: skip
    assert wanted <= set(report.metrics)
    assert all(math.isfinite(value) for value in report.metrics.values())
    assert report.samples
    assert 0 < report.metrics["entropy"] < math.log(320)
