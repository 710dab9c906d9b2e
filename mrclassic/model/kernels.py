"""The small parts of a layer, each with its backward pass written out.

Left to autograd each is a dozen passes over tensors that do not fit the processor's cache, half of them in float32; on
a CPU they then take longer than the matrix products. Written out they read and write each tensor once or twice, keep
only their inputs for the backward pass, and stay in the number format of the matrix products (sums are float32).
Where PyTorch compiles the network they are plain: the compiler fuses them by itself, and stumbles over our own.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """`x` (..., D) over the root of its mean square, times `weight` (D,) (arXiv 1910.07467)."""
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return F.rms_norm(x, (x.shape[-1],), weight, eps)
    if not torch.is_grad_enabled():
        return (x * _inverse_norm(x, eps)).mul_(weight)
    return _RMSNorm.apply(x, weight, eps)  # type: ignore[no-any-return, no-untyped-call]


def _inverse_norm(x: Tensor, eps: float) -> Tensor:
    """One over the root of the mean square, (..., 1)."""
    norm: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
    return norm.square_().mul_(1 / x.shape[-1]).add_(eps).rsqrt_().to(x.dtype)


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        inverse = _inverse_norm(x, eps)
        ctx.save_for_backward(x, weight, inverse)
        return (x * inverse).mul_(weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, inverse = ctx.saved_tensors
        shape, size = x.shape, x.shape[-1]
        x, gradient, inverse = x.view(-1, size), gradient.reshape(-1, size), inverse.view(-1, 1)
        both = x * gradient
        # d/dx = inverse (g w - x inverse^2 mean(x g w)): the part along x does not change the norm.
        along = torch.mm(both, weight[:, None]).float() * inverse.float().pow(3) / -size
        back = (gradient * weight).mul_(inverse).addcmul_(x, along.to(x.dtype))
        return back.view(shape), torch.mm(inverse.t(), both)[0], None


def swiglu(gate_up: Tensor) -> Tensor:
    """silu(gate) * up of (..., 2 F), the two side by side (arXiv 2002.05202)."""
    if gate_up.device.type != "cpu" or not torch.is_grad_enabled() or torch.compiler.is_compiling():
        gate, up = gate_up.chunk(2, dim=-1)
        return F.silu(gate) * up
    return _SwiGLU.apply(gate_up)  # type: ignore[no-any-return, no-untyped-call]


class _SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up)
        gate, up = gate_up.chunk(2, dim=-1)
        return F.silu(gate).mul_(up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (gate_up,) = ctx.saved_tensors
        gate, up = gate_up.chunk(2, dim=-1)
        back = torch.empty_like(gate_up)
        for_gate, for_up = back.chunk(2, dim=-1)
        torch.mul(gradient, up, out=for_gate)
        torch.ops.aten.silu_backward.grad_input(for_gate, gate, grad_input=for_gate)
        torch.mul(gradient, F.silu(gate), out=for_up)
        return back


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the heads of `x` (..., E) by their positions (RoFormer, arXiv 2104.09864; Llama's half-split layout).

    `sin` has its first half negated: the two halves of a head turn into each other with opposite signs.
    """
    if torch.compiler.is_compiling():
        return x * cos + _swapped(x) * sin
    if not torch.is_grad_enabled():
        return (x * cos).addcmul_(_swapped(x), sin)
    return _Rotation.apply(x, cos, sin)  # type: ignore[no-any-return, no-untyped-call]


class _Rotation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return (x * cos).addcmul_(_swapped(x), sin)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return (gradient * cos).addcmul_(_swapped(gradient), sin, value=-1), None, None  # back by the same angle


def _swapped(x: Tensor) -> Tensor:
    """The two halves of each head in each other's place."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((second, first), dim=-1)
