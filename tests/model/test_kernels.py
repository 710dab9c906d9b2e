"""The written-out parts of a layer are the plain formulas, and so are their gradients."""

from __future__ import annotations

from collections.abc import Callable

import micro
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mrclassic.model import kernels
from mrclassic.model.attention import causal_attention


def noise(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return x * (x.square().mean(-1, keepdim=True) + 1e-5).rsqrt() * weight


def swiglu(x: Tensor) -> Tensor:
    gate, up = x.chunk(2, dim=-1)
    return F.silu(gate) * up


def rotate(x: Tensor, angle: Tensor) -> Tensor:
    """Each pair (i, i + E/2) as a complex number, turned."""
    first, second = x.chunk(2, dim=-1)
    turned = torch.complex(first, second) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat((turned.real, turned.imag), dim=-1)


def ours_rotate(x: Tensor, angle: Tensor) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    return kernels.rotate(x, torch.cat((cos, cos), -1), torch.cat((-sin, sin), -1))


CASES: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor], list[Tensor]]] = {
    "rms_norm": (lambda x, w: kernels.rms_norm(x, w, 1e-5), rms_norm, [noise(3, 5, 16), noise(16, seed=1)]),
    "swiglu": (kernels.swiglu, swiglu, [noise(3, 5, 16)]),
    "rotate": (ours_rotate, rotate, [noise(3, 5, 4, 16), noise(5, 1, 8, seed=1)]),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_kernels_are_their_formulas(name: str, dtype: torch.dtype) -> None:
    ours, plain, given = CASES[name]
    turned = 1 if name == "rotate" else len(given)  # angles are no parameters
    exact = [x.clone().requires_grad_(place < turned) for place, x in enumerate(given)]
    rounded = [x.to(dtype).requires_grad_(place < turned) for place, x in enumerate(given)]
    wanted, found = plain(*exact), ours(*rounded)
    assert found.dtype == dtype
    worth = noise(*wanted.shape, seed=2)
    gradients = torch.autograd.grad(wanted, exact[:turned], worth)
    ours_gradients = torch.autograd.grad(found, rounded[:turned], worth.to(dtype))
    share = 1e-5 if dtype == torch.float32 else 0.03
    for one, two in ((found, wanted), *zip(ours_gradients, gradients, strict=True)):
        assert (one.double() - two).abs().max() < share * two.abs().max()


@pytest.mark.parametrize("length", [1, 11, 128, 129, 300])  # taken whole, and in pieces
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_attention_of_shared_keys_in_bfloat16_is_that_in_float32(kv_heads: int, length: int) -> None:
    q = noise(2, 4, length, 8).float().requires_grad_()
    k, v = (noise(2, kv_heads, length, 8, seed=seed).float().requires_grad_() for seed in (1, 2))
    worth = noise(2, 4, length, 8, seed=3).float()
    wanted = causal_attention(q, k, v)
    found = causal_attention(q.bfloat16(), k.bfloat16(), v.bfloat16())
    assert (found - wanted).abs().max() < 0.05
    gradients = torch.autograd.grad(wanted, (q, k, v), worth)
    for one, two in zip(torch.autograd.grad(found, (q, k, v), worth.bfloat16()), gradients, strict=True):
        assert (one - two).abs().max() <= 0.03 * two.abs().max()


def test_what_compiles_is_the_same_network() -> None:
    """As `train base --compile` does on a GPU; here the compiler reads and differentiates it, and writes no code."""
    found = []
    for compiled in (False, True):
        decoder = micro.policy().decoder
        if compiled:
            decoder.compile(backend="aot_eager", dynamic=True)
        for length in (7, 12):
            ids = torch.arange(3 * length).view(3, length) % decoder.shape.vocab_size
            decoder(ids).square().sum().backward()
        found.append({name: weight.grad for name, weight in decoder.named_parameters() if weight.grad is not None})
    plain, read = found
    assert plain.keys() == read.keys() >= {"embedding", "norm", "blocks.0.qkv"}
    for name, gradient in plain.items():
        torch.testing.assert_close(read[name], gradient, rtol=1e-4, atol=1e-4, msg=name)
