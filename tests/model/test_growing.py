"""A grown model says what it said before, all of it can learn, and its optimizer goes on."""

from __future__ import annotations

from dataclasses import replace

import micro
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.errors import UsageError
from mrclassic.model.growing import grow, grow_moments, larger
from mrclassic.model.policy import Policy
from mrclassic.model.shapes import SHAPES, Scaling, Shape
from mrclassic.training.rows import Row, row
from mrclassic.training.state import State
from mrclassic.training.supervised import start, update
from mrclassic.training.trainee import Schedule, Trainee

TARGET = replace(micro.SHAPE, hidden=48, layers=3, heads=6, kv_heads=2, head_dim=16, ffn=80, context=128)


def stirred(seed: int = 0, **shape: object) -> Policy:
    """A model whose norms and biases say something, too."""
    policy = micro.policy(seed, loud=5.0, **shape)
    generator = torch.Generator().manual_seed(seed)
    for weight in policy.decoder.parameters():
        if weight.ndim == 1:
            weight.data += torch.empty_like(weight).normal_(0.0, 0.3, generator=generator)
    return policy


@torch.no_grad()
def logits(policy: Policy) -> torch.Tensor:
    ids = torch.randint(5, policy.live, (3, 40), generator=torch.Generator().manual_seed(1))
    return policy.decoder.logits(policy.decoder(ids))


def rows(policy: Policy) -> list[Row]:
    return [row(policy.tokenizer, entry.messages, policy.shape.context) for entry in micro.ENTRIES]


@settings(max_examples=40, deadline=None)
@given(
    heads=st.sampled_from(((4, 2), (4, 4), (3, 1), (6, 2))),
    size=st.sampled_from((4, 6, 8)),
    to_heads=st.sampled_from(((4, 2), (8, 4), (8, 8), (2, 1), (6, 2))),
    to_size=st.sampled_from((8, 16, 24)),
    wider=st.integers(0, 40),
    deeper=st.integers(0, 3),
    units=st.integers(1, 20),
    family=st.sampled_from(
        ({}, {"tied": False}, {"qkv_bias": True, "family": "qwen2"}, {"qkv_bias": True, "out_bias": True})
    ),
    scaling=st.sampled_from((None, Scaling("linear", 4.0), Scaling("llama3", 4.0, 32), Scaling("yarn", 4.0, 32))),
    seed=st.integers(0, 99),
)
def test_it_computes_the_same(
    heads: tuple[int, int],
    size: int,
    to_heads: tuple[int, int],
    to_size: int,
    wider: int,
    deeper: int,
    units: int,
    family: dict[str, object],
    scaling: Scaling | None,
    seed: int,
) -> None:
    old = stirred(seed, heads=heads[0], kv_heads=heads[1], head_dim=size, scaling=scaling, **family)
    target = replace(
        micro.SHAPE,
        hidden=32 + wider,
        layers=2 + deeper,
        heads=to_heads[0],
        kv_heads=to_heads[1],
        head_dim=to_size,
        ffn=64 + units,
    )
    new = grow(old, target, seed + 1)
    assert (new.shape.hidden, new.shape.layers, new.shape.ffn) == (target.hidden, target.layers, target.ffn)
    assert torch.allclose(logits(new), logits(old), atol=1e-4, rtol=0.0)


@pytest.mark.parametrize(("size", "to"), [("tiny", "small"), ("tiny", "classic"), ("small", "classic")])
def test_the_shapes_of_the_program_grow_in_every_measure(size: str, to: str) -> None:
    old = replace(SHAPES[size], vocab_size=320)
    assert larger(old, SHAPES[to]) == replace(
        SHAPES[to], vocab_size=320, norm_eps=old.norm_eps * old.hidden / SHAPES[to].hidden
    )


def test_a_tiny_one_becomes_small_and_that_one_larger_still() -> None:
    tiny = stirred(3, **{name: getattr(SHAPES["tiny"], name) for name in ("hidden", "heads", "head_dim", "ffn")})
    small = grow(tiny, SHAPES["small"], 1)
    assert torch.allclose(logits(small), logits(tiny), atol=1e-4, rtol=0.0)
    shallow = replace(SHAPES["classic"], layers=7, ffn=1000, context=96)
    assert torch.allclose(logits(grow(small, shallow, 2)), logits(tiny), atol=1e-4, rtol=0.0)


def test_a_head_keeps_its_size_where_the_larger_one_has_no_place_for_its_pairs() -> None:
    assert larger(replace(micro.SHAPE, head_dim=12), TARGET).head_dim == 12
    stretched = replace(micro.SHAPE, scaling=Scaling("yarn", 4.0, 2048, 1.0, 4.0))  # it looks at the places, too
    assert larger(stretched, TARGET).head_dim == 8


def test_what_is_not_larger_is_refused() -> None:
    for target in (micro.SHAPE, replace(TARGET, layers=1), replace(TARGET, hidden=16)):
        with pytest.raises(UsageError, match="grow to a larger size"):
            larger(micro.SHAPE, target)
    with pytest.raises(UsageError, match="Qwen3"):
        larger(replace(micro.SHAPE, qk_norm=True, family="qwen3"), TARGET)


def test_the_seed_draws_what_is_new() -> None:
    old = micro.policy()
    assert micro.digest(grow(old, TARGET, 1)) == micro.digest(grow(old, TARGET, 1))
    assert micro.digest(grow(old, TARGET, 1)) != micro.digest(grow(old, TARGET, 2))


def test_all_that_is_new_learns_and_no_two_parts_of_it_alike() -> None:
    old = micro.policy(loud=3.0)
    state = State(Trainee(grow(old, TARGET), torch.float32, weight_decay=0.0), 0)
    before = {name: weight.clone() for name, weight in state.trainee.policy.decoder.named_parameters()}
    for _ in range(4):
        update(state, rows(old), Schedule(1e-2, 100, 1))
    for name, weight in state.trainee.policy.decoder.named_parameters():
        moved = weight != before[name]
        if name == "embedding":
            moved = moved[: old.live][moved[: old.live].any(1)]  # the tokens that were seen
        assert moved.float().mean() > 0.99, name
    new = state.trainee.policy.decoder
    for block in new.blocks:
        units = torch.cat((*block.gate_up.data.chunk(2), block.down.data.T), dim=1)  # type: ignore[operator,union-attr]
        near = torch.nn.functional.cosine_similarity(units[:, None], units[None], dim=-1)
        assert (near - torch.eye(len(units))).abs().max() < 0.9


def test_the_optimizer_goes_on() -> None:
    old = micro.policy(loud=3.0)
    small = State(Trainee(old, torch.float32), 0)
    for _ in range(3):
        update(small, rows(old), Schedule(1e-3, 100, 1))
    trained = small.trainee.full_policy()
    moments = grow_moments(small.trainee.tensors(), old.shape, TARGET)
    large = start(grow(trained, TARGET), 0, torch.float32, moments)
    kept = large.trainee.optimizer.state("blocks.0.out")
    assert int(kept["step"]) == 3
    assert kept["exp_avg"].abs().sum() == pytest.approx(
        float(small.trainee.optimizer.state("blocks.0.out")["exp_avg"].abs().sum()), rel=1e-5
    )
    # With the moments of its parent a weight moves as it did there; the learning rates of norms are no larger.
    losses = [[update(each, rows(old), Schedule(1e-3, 100, 1)).metrics["loss"] for _ in range(3)] for each in
              (small, large)]  # fmt: skip
    assert losses[1][0] == pytest.approx(losses[0][0], abs=1e-4)
    assert losses[1][2] < losses[1][0]


def test_moments_follow_the_gradient() -> None:
    """Adam's first moment after one update is a tenth of the gradient: grown, it is that of the grown weights."""
    old = micro.policy(loud=3.0)
    means = []
    for policy in (old, grow(old, TARGET)):
        state = State(Trainee(policy, torch.float32), 0)
        loss = state.trainee.cross_entropy(rows(old))
        state.trainee.update(0.0, clip=float("inf"))
        means.append((loss, state.trainee.tensors()))
    assert means[0][0] == pytest.approx(means[1][0], abs=1e-5)
    moved = grow_moments(means[0][1], old.shape, TARGET)
    for name, tensor in means[1][1].items():
        if name.startswith("exp_avg."):
            placed = moved.get(name)
            if placed is not None:
                there = placed != 0
                assert torch.allclose(tensor[there], placed[there], rtol=1e-3, atol=1e-7), name


def test_moments_of_another_form_are_left() -> None:
    adapters = {"exp_avg.blocks.0.adapters.qkv.a": torch.zeros(4, 32)}
    assert grow_moments(adapters, micro.SHAPE, TARGET) == {}
    rows_only = {"row_var.embedding": torch.zeros(320), "step.embedding": torch.zeros(())}
    assert grow_moments(rows_only, micro.SHAPE, TARGET) == {}


def test_moments_of_a_smaller_ancestor_are_not_taken_over() -> None:
    small = State(Trainee(micro.policy(), torch.float32), 0)
    update(small, rows(micro.policy()), Schedule(1e-3, 100, 1))
    large = start(grow(micro.policy(), TARGET), 0, torch.float32, small.trainee.tensors())
    assert large.trainee.optimizer.state("embedding") == {}


def test_a_shape_is_plain_data() -> None:
    assert isinstance(larger(micro.SHAPE, TARGET), Shape)
