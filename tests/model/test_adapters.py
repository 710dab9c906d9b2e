"""Adapters change nothing until they learn, compute what the merged weights compute, and leave those as they were."""

from __future__ import annotations

import micro
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.errors import UsageError
from mrclassic.model.adapters import TARGETS, Adapter, Lora, attach, merge, sharing
from mrclassic.model.decoder import Block, Decoder, to_named
from mrclassic.model.engine import Engine, Request
from mrclassic.model.policy import Policy

BASE = micro.policy(loud=5.0)
IDS = torch.randint(5, BASE.live, (3, 20), generator=torch.Generator().manual_seed(0))


def stir(decoder: Decoder, seed: int = 0, size: float = 0.3) -> None:
    """As if the adapters had learned something."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in decoder.named_parameters():
        if ".adapters." in name:
            weight.data.normal_(0.0, size, generator=generator)


def adapted(lora: Lora, base: Policy = BASE, seed: int = 0) -> Policy:
    policy = sharing(base)
    attach(policy.decoder, lora, seed)
    return policy


def test_fresh_adapters_change_nothing_and_cost_no_second_copy() -> None:
    policy = adapted(Lora(4))
    assert torch.equal(policy.decoder(IDS), BASE.decoder(IDS))
    before = {weight.data_ptr() for weight in BASE.decoder.parameters()}
    frozen = [weight for weight in policy.decoder.parameters() if not weight.requires_grad]
    assert {weight.data_ptr() for weight in frozen} == before
    assert all(weight.requires_grad for weight in BASE.decoder.parameters())
    assert policy.decoder.rotary_table.data_ptr() == BASE.decoder.rotary_table.data_ptr()
    assert micro.digest(policy) == micro.digest(BASE)


def test_the_seed_draws_them() -> None:
    def drawn(seed: int) -> torch.Tensor:
        return adapted(Lora(4), seed=seed).decoder.blocks[1].adapters["qkv"].a  # type: ignore[union-attr,index,return-value]

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


@settings(max_examples=25, deadline=None)
@given(
    rank=st.integers(1, 9),
    targets=st.sets(st.sampled_from(TARGETS), min_size=1),
    alpha=st.sampled_from((8.0, 32.0)),
    family=st.sampled_from(({}, {"qkv_bias": True}, {"qk_norm": True}, {"tied": False}, {"kv_heads": 1})),
    seed=st.integers(0, 99),
)
def test_merged_computes_what_adapted_does(
    rank: int, targets: set[str], alpha: float, family: dict[str, object], seed: int
) -> None:
    base = micro.policy(seed, loud=3.0, **family)
    lora = Lora(rank, tuple(sorted(targets)), alpha)
    policy = adapted(lora, base)
    stir(policy.decoder, seed, 0.1)
    learned = [weight for weight in policy.decoder.parameters() if weight.requires_grad]
    assert sum(weight.numel() for weight in learned) == lora.parameters(base.shape)
    whole = Policy(sharing(base.cast(torch.float32)).decoder, base.tokenizer)
    attach(whole.decoder, lora)
    named = dict(policy.decoder.named_parameters())
    for name, weight in whole.decoder.named_parameters():
        weight.data.copy_(named[name].data)
    merge(whole.decoder)
    assert not any(".adapters." in name for name, _ in whole.decoder.named_parameters())
    expected = policy.decoder(IDS).detach()
    assert torch.allclose(whole.decoder(IDS), expected, atol=2e-4 * float(expected.abs().max()))
    # Only what was named has moved.
    touched = {
        name
        for (name, one), two in zip(to_named(whole.decoder).items(), to_named(base.decoder).values(), strict=True)
        if not torch.equal(one, two)
    }
    endings = {f".{target}_proj.weight" for target in targets}
    assert {name[name.rindex(".", 0, -7) :] for name in touched} == endings
    assert len(touched) == len(targets) * base.shape.layers


@settings(max_examples=25, deadline=None)
@given(targets=st.sets(st.sampled_from(TARGETS), min_size=1), rank=st.integers(1, 5), seed=st.integers(0, 99))
def test_gradients_are_those_of_the_merged_matrix(targets: set[str], rank: int, seed: int) -> None:
    """Against autograd on y = x (W + scale B A)', written out."""
    policy = adapted(Lora(rank, tuple(sorted(targets)), 8.0))
    block = policy.decoder.blocks[0]
    assert isinstance(block, Block)
    stir(policy.decoder, seed)
    generator = torch.Generator().manual_seed(seed)
    for name, adapter in block.adapters.items():
        assert isinstance(adapter, Adapter)
        weight, bias = getattr(block, name), torch.randn(getattr(block, name).shape[0], generator=generator)
        x = torch.randn(2, 5, weight.shape[1], generator=generator, requires_grad=True)
        falling = torch.randn(2, 5, weight.shape[0], generator=generator)
        (block.linear(x, weight, name, bias) * falling).sum().backward()
        found = [x.grad, adapter.a.grad, adapter.b.grad]
        other, a, b = (each.detach().clone().requires_grad_() for each in (x, adapter.a, adapter.b))
        whole, at = weight.detach().clone(), 0
        for place, rows in enumerate(adapter.parts):
            size = rows.stop - rows.start
            whole[rows] = whole[rows] + adapter.scale * b[at : at + size] @ a[place * rank : (place + 1) * rank]
            at += size
        ((other @ whole.t() + bias) * falling).sum().backward()
        for one, two in zip(found, (other.grad, a.grad, b.grad), strict=True):
            assert one is not None
            assert two is not None
            assert torch.allclose(one, two, atol=1e-4 * max(1.0, float(two.abs().max())))
        assert weight.grad is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_speaks_with_its_adapters_on(dtype: torch.dtype) -> None:
    """One token at a time is the whole sequence at once; in float32 greedy text is also the merged model's."""
    base = BASE.cast(dtype)
    policy = adapted(Lora(4), base)
    stir(policy.decoder)
    prompts = [Request(tuple(IDS[row, : 6 + row].tolist()), max_new=24, temperature=0.0) for row in range(3)]
    replies = [done[0].tokens for done in Engine(policy, 4).generate(prompts)]
    assert replies != [done[0].tokens for done in Engine(base, 4).generate(prompts)]
    for request, reply in zip(prompts, replies, strict=True):
        ids = torch.tensor([[*request.tokens, *reply]])
        with torch.no_grad():
            scores = policy.decoder.logits(policy.decoder(ids), policy.live).float()[0, len(request.tokens) - 1 : -1]
        best, chosen = scores.amax(-1), scores.gather(1, torch.tensor(reply)[:, None])[:, 0]
        assert (best - chosen).max() < (1e-3 if dtype == torch.float32 else 0.3 * float(scores.std()))
    if dtype == torch.float32:
        merge(policy.decoder)
        assert [done[0].tokens for done in Engine(policy, 4).generate(prompts)] == replies


def test_bad_targets_are_told() -> None:
    with pytest.raises(UsageError, match="There is no projection 'x' to adapt; they are q, k, v, o, gate, up, down"):
        Lora(4, ("q", "x"))
    with pytest.raises(UsageError, match="No projection is named"):
        Lora(4, ())
    with pytest.raises(UsageError, match="goes from 1 to 1024"):
        Lora(0)


@pytest.mark.parametrize("lora", [None, Lora(4)])
def test_layers_computed_again_give_the_same_gradients(lora: Lora | None) -> None:
    gradients = []
    for recompute in (False, True):
        policy = BASE.cast(torch.float32) if lora is None else adapted(lora)
        if lora is not None:
            stir(policy.decoder)
        policy.decoder.recompute = recompute
        policy.decoder(IDS).square().sum().backward()
        gradients.append([weight.grad for weight in policy.decoder.parameters() if weight.requires_grad])
    for one, two in zip(*gradients, strict=True):
        assert (one is None and two is None) or torch.equal(one, two)


def test_recomputing_keeps_less_for_the_backward_pass() -> None:
    def kept(recompute: bool) -> int:
        policy = micro.policy(layers=6)
        policy.decoder.recompute = recompute
        held: dict[int, int] = {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            held[id(tensor)] = tensor.untyped_storage().nbytes()
            keep.append(tensor)
            return tensor

        keep: list[torch.Tensor] = []
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            policy.decoder(IDS)
        return sum(held.values())

    assert kept(True) < 0.3 * kept(False)
