"""Advantages and losses: against their formulas written out, one completion at a time."""

from __future__ import annotations

import math
from typing import get_args

import micro
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.training import grpo
from mrclassic.training import policy_gradient as pg
from mrclassic.training.advantages import centred, spread, standardised
from mrclassic.training.losses import Kind, Loss, Size, Tokens, clipped

REWARD = st.none() | st.floats(-10, 10)
KINDS: tuple[Kind, ...] = get_args(Kind)


@settings(max_examples=300, deadline=None)
@given(group=st.lists(REWARD, min_size=1, max_size=16))
def test_advantages_are_centred_and_abstentions_are_left_out(group: list[float | None]) -> None:
    advantages = centred(group)
    assert sum(advantages) == pytest.approx(0.0, abs=1e-9)
    told = [reward for reward in group if reward is not None]
    for reward, advantage in zip(group, advantages, strict=True):
        if reward is None:
            assert advantage == 0.0
        else:
            assert advantage == pytest.approx(reward - sum(told) / len(told), abs=1e-9)


@settings(max_examples=300, deadline=None)
@given(value=st.floats(-10, 10), size=st.integers(1, 20), abstaining=st.integers(0, 3))
def test_a_group_without_spread_is_worth_exactly_nothing(value: float, size: int, abstaining: int) -> None:
    """0.1 + 0.1 + 0.1 is not 3 x 0.1: a remainder in the last bit would still be trained on."""
    group = [value] * size + [None] * abstaining
    assert centred(group) == standardised(group) == [0.0] * len(group)
    assert spread(group) < 1e-6


@settings(max_examples=100, deadline=None)
@given(group=st.lists(st.floats(-10, 10), min_size=2, max_size=16), scale=st.floats(0.5, 50))
def test_standardised_advantages_do_not_depend_on_the_rewards_scale(group: list[float], scale: float) -> None:
    if spread(group) > 1.0:
        one, two = standardised(group), standardised([scale * reward for reward in group])
        assert one == pytest.approx(two, rel=1e-3, abs=1e-6)
        assert math.sqrt(sum(each**2 for each in one) / (len(one) - 1)) == pytest.approx(1.0, abs=1e-3)


# -- one completion at a time


def written_out(
    loss: Loss, size: Size, rows: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor, float]]
) -> torch.Tensor:
    """The loss of completions (logp, old, anchor, advantage), as the papers have it."""
    total = torch.zeros((), dtype=torch.float64)
    for logp, old, anchor, advantage in rows:
        length = len(logp)
        ratio = (logp - old).exp()
        if loss.kind == "gspo":
            ratio = (logp - old).mean().exp().expand(length)
        bounded = ratio.clamp(1 - loss.clip_low, 1 + loss.clip_high)
        away = anchor - logp
        penalty = away.exp() - away - 1 if loss.kl == "k3" else away**2 / 2
        objective = torch.minimum(ratio * advantage, bounded * advantage) - loss.beta * penalty
        if loss.kind == "dr_grpo":
            total = total + objective.sum() / (size.completions * size.max_new)
        elif loss.kind == "dapo":
            total = total + objective.sum() / size.tokens
        else:
            total = total + objective.mean() / size.completions
    return -total


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kl", ["k1", "k3"])
@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5), seed=st.integers(0, 10**6))
def test_the_loss_is_the_papers(kind: Kind, kl: str, lengths: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    loss = Loss(kind, 0.2, 0.28, 0.05, kl)  # type: ignore[arg-type]
    size = Size(len(lengths) + 2, sum(lengths) + 9, 10)  # others of the batch have no advantage

    def noise(count: int) -> torch.Tensor:
        return torch.randn(count, generator=generator, dtype=torch.float64)

    total = sum(lengths)
    logp = (noise(total) - 2).requires_grad_()
    old, anchor, worth = logp.detach() + 0.4 * noise(total), logp.detach() + noise(total), noise(len(lengths))
    row = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    weight = torch.tensor([size.weight(kind, length) for length in lengths], dtype=torch.float64)
    terms = clipped(loss, Tokens(logp, old, anchor, worth[row], weight[row], row, len(lengths)))
    (gradient,) = torch.autograd.grad(terms.loss, logp)
    parts = [part.split(lengths) for part in (logp, old, anchor)]
    wanted = written_out(loss, size, [(*each, float(worth[at])) for at, each in enumerate(zip(*parts, strict=True))])
    (right,) = torch.autograd.grad(wanted, logp)
    assert float(terms.loss.detach()) == pytest.approx(float(wanted.detach()), rel=1e-9, abs=1e-12)
    assert torch.allclose(gradient, right, atol=1e-12)
    away = anchor - logp.detach()
    assert torch.allclose(terms.kl, -away if kl == "k1" else away.exp() - away - 1)


def test_k1_pulls_towards_the_reference() -> None:
    """The gradient of k1 itself has mean zero wherever the policy stands; what is used has the divergence's."""
    scores = torch.tensor([1.0, 0.0, -1.0, 0.5], dtype=torch.float64, requires_grad=True)
    anchor = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64).log_softmax(-1)
    policy = scores.log_softmax(-1)
    divergence = (policy.exp() * (policy - anchor)).sum()
    (wanted,) = torch.autograd.grad(divergence, scores, retain_graph=True)
    expected = torch.zeros_like(scores)
    for token in range(4):  # the expectation over draws, exactly
        at = policy[token : token + 1]
        zero = torch.zeros(1, dtype=torch.float64)
        tokens = Tokens(at, at.detach(), anchor[token : token + 1], zero, zero + 1, zero.long(), 1)
        (gradient,) = torch.autograd.grad(clipped(Loss(beta=1.0, kl="k1"), tokens).loss, scores, retain_graph=True)
        expected += policy[token].exp().detach() * gradient
    assert torch.allclose(expected, wanted, atol=1e-12)


# -- through a network


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("budget", [40, 10_000])
def test_an_update_is_the_loss_over_all_rollouts_however_they_are_batched(kind: Kind, budget: int) -> None:
    """Off policy, where ratios and bounds matter, and with a temperature."""
    own = grpo.Settings(seed=1)
    state = grpo.start(micro.policy(loud=4.0), own, torch.float32)
    state.trainee.token_budget = budget
    other = micro.policy(seed=3, loud=4.0)
    tokenizer = other.tokenizer
    prompts = [tokenizer.encode_chat([{"role": "user", "content": text}]) for text in ("Hi", "What is 1 + 2?")]
    how = pg.Sampling(8, temperature=0.8)
    sampled = pg.sample(other, prompts, 3, how, seed=4)
    loss, size = Loss(kind, 0.2, 0.28, 0.05), Size(6, 41, 8)
    rollouts = [
        pg.rollout(prompts[place], completion, advantage)
        for place, group in enumerate(sampled)
        for completion, advantage in zip(group, (1.0, -0.7, 0.3), strict=True)
    ]
    metrics = pg.accumulate(state.trainee, rollouts, loss, size, how, reference=other)
    decoder = state.trainee.policy.decoder
    gradient = decoder.embedding.grad.clone()
    decoder.zero_grad()
    rows, distances = [], []
    for each in rollouts:
        ids = torch.tensor([each.row.ids])
        pick = torch.arange(each.row.start - 1, len(each.row.ids) - 1)
        following = ids[0, each.row.start :]

        def logp(policy: object, ids: torch.Tensor = ids, pick=pick, following=following) -> torch.Tensor:  # type: ignore[no-untyped-def]
            scores = policy.decoder.logits(policy.decoder(ids)[0, pick], other.live) / 0.8  # type: ignore[attr-defined]
            return scores.log_softmax(-1)[torch.arange(len(pick)), following]

        now, anchor = logp(state.trainee.policy), logp(other).detach()
        rows.append((now, torch.tensor(each.logprobs), anchor, each.advantages[0]))
        distances.append((anchor - now).exp() - (anchor - now) - 1)
    wanted = written_out(loss, size, rows)
    wanted.backward()
    kl = torch.cat(distances).detach()
    assert metrics["loss"] == pytest.approx(float(wanted.detach()), rel=1e-4)
    assert metrics["kl"] == pytest.approx(float(kl.mean()), rel=1e-4)
    assert metrics["kl_median"] == pytest.approx(float(kl.median()), rel=1e-3, abs=1e-6)
    assert metrics["clip_ratio/low_mean"] > 0
    assert torch.allclose(gradient, decoder.embedding.grad, atol=1e-5)
