"""LoRA: a large network learns through two thin matrices beside each of its own, which stay as they are.

    y = x W' + scale (x A') B'        A (rank, in) drawn at random, B (out, rank) zero, scale = alpha / rank

(arXiv 2106.09685). What is trained and kept by the optimizer is a hundredth of the network. The adapters are applied
as the network computes, also while it generates: a merged copy would be a second set of weights, and in bfloat16 it
would round away the small changes that are the point. They are merged, in float32, when a checkpoint is written.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mrclassic.errors import UsageError
from mrclassic.model.decoder import Block, Decoder
from mrclassic.model.policy import Policy
from mrclassic.model.shapes import Shape

TARGETS = ("q", "k", "v", "o", "gate", "up", "down")


@dataclass(frozen=True)
class Lora:
    """Adapters of `rank` on the projections in `targets`. With a constant `alpha` the best learning rate hardly depends
    on the rank; it is about ten times that of full training."""

    rank: int
    targets: tuple[str, ...] = TARGETS
    alpha: float = 32.0

    def __post_init__(self) -> None:
        unknown = [target for target in self.targets if target not in TARGETS]
        if unknown or not self.targets:
            what = f"There is no projection {unknown[0]!r} to adapt" if unknown else "No projection is named to adapt"
            raise UsageError(f"{what}; they are {', '.join(TARGETS)}.")
        if not 1 <= self.rank <= 1024:
            raise UsageError(f"The rank of adapters is {self.rank}; it goes from 1 to 1024.")

    def parameters(self, shape: Shape) -> int:
        """How many numbers the adapters of a network of `shape` hold."""
        found = _places(shape, self.targets).values()
        thin: int = sum(inputs + rows.stop - rows.start for inputs, parts in found for rows in parts.values())
        return shape.layers * self.rank * thin


class Adapter(nn.Module):
    """The adapters of one fused matrix: a pair (A, B) for each projection in it that is adapted."""

    def __init__(self, inputs: int, parts: Mapping[str, slice], lora: Lora, like: Tensor) -> None:
        super().__init__()
        self.parts = tuple(parts.values())  # the rows of the fused matrix that each pair adds to
        self.rank, self.scale = lora.rank, lora.alpha / lora.rank
        rows = sum(part.stop - part.start for part in self.parts)
        self.a = nn.Parameter(like.new_zeros(len(self.parts) * lora.rank, inputs))
        self.b = nn.Parameter(like.new_zeros(rows, lora.rank))

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The product of `x` (..., in) with the adapted `weight` (out, in)."""
        return _Adapted.apply(  # type: ignore[no-any-return, no-untyped-call]
            x, weight, bias, self.a, self.b, self.scale, self.parts
        )

    @torch.no_grad()
    def merge_into(self, weight: Tensor) -> None:
        """Add what the adapters stand for to `weight` (out, in), in place."""
        for rows, a, b in _pairs(self.a, self.b, self.parts):
            weight[rows] += (self.scale * b.float() @ a.float()).to(weight.dtype)


def _pairs(a: Tensor, b: Tensor, parts: tuple[slice, ...]) -> list[tuple[slice, Tensor, Tensor]]:
    """Each part's rows in the fused matrix, with its A (rank, in) and B (rows, rank)."""
    sizes = [part.stop - part.start for part in parts]
    return list(zip(parts, a.chunk(len(parts)), b.split_with_sizes(sizes), strict=True))


class _Adapted(torch.autograd.Function):
    """Only the adapters and the stream get a gradient: the weight's own would be the largest product of the layer."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        a: Tensor,
        b: Tensor,
        scale: float,
        parts: tuple[slice, ...],
    ) -> Tensor:
        y = F.linear(x, weight, bias)
        thin = F.linear(x, a)  # (..., parts * rank)
        flat, narrow = y.view(-1, y.shape[-1]), thin.view(-1, thin.shape[-1]).chunk(len(parts), dim=-1)
        for (rows, _, up), low in zip(_pairs(a, b, parts), narrow, strict=True):
            flat[:, rows].addmm_(low, up.t(), alpha=scale)
        ctx.save_for_backward(x, weight, a, b, thin)
        ctx.scale, ctx.parts = scale, parts
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, a, b, thin = ctx.saved_tensors
        flat, flat_x = gradient.reshape(-1, gradient.shape[-1]), x.reshape(-1, x.shape[-1])
        for_thin = torch.empty_like(thin).view(-1, thin.shape[-1])
        for_b = torch.empty_like(b)
        narrow = zip(thin.view_as(for_thin).chunk(len(ctx.parts), -1), for_thin.chunk(len(ctx.parts), -1), strict=True)
        for (rows, _, up), (low, back), for_up in zip(
            _pairs(a, b, ctx.parts), narrow, _pieces(for_b, ctx.parts), strict=True
        ):
            back.copy_(torch.mm(flat[:, rows], up).mul_(ctx.scale))
            for_up.copy_(torch.mm(flat[:, rows].t(), low).mul_(ctx.scale))
        for_x = None
        if ctx.needs_input_grad[0]:
            for_x = torch.mm(flat, weight).addmm_(for_thin, a).view(x.shape)
        return for_x, None, None, torch.mm(for_thin.t(), flat_x), for_b, None, None


def _pieces(b: Tensor, parts: tuple[slice, ...]) -> tuple[Tensor, ...]:
    return b.split_with_sizes([part.stop - part.start for part in parts])


def _places(shape: Shape, targets: tuple[str, ...]) -> dict[str, tuple[int, dict[str, slice]]]:
    """Each fused matrix of a block that is adapted: its inputs, and the rows of each target in it."""
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    found = {
        "qkv": (shape.hidden, {"q": slice(0, q), "k": slice(q, q + kv), "v": slice(q + kv, q + 2 * kv)}),
        "out": (q, {"o": slice(0, shape.hidden)}),
        "gate_up": (shape.hidden, {"gate": slice(0, shape.ffn), "up": slice(shape.ffn, 2 * shape.ffn)}),
        "down": (shape.ffn, {"down": slice(0, shape.hidden)}),
    }
    chosen = {
        name: (inputs, {part: rows for part, rows in parts.items() if part in targets})
        for name, (inputs, parts) in found.items()
    }
    return {name: (inputs, parts) for name, (inputs, parts) in chosen.items() if parts}


def attach(decoder: Decoder, lora: Lora, seed: int = 0) -> None:
    """Freeze the weights of `decoder` and put fresh adapters beside them, which change nothing yet."""
    decoder.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for block in decoder.blocks:
        assert isinstance(block, Block)
        for name, (inputs, parts) in _places(decoder.shape, lora.targets).items():
            adapter = Adapter(inputs, parts, lora, getattr(block, name))
            reach = inputs**-0.5
            drawn = torch.empty(adapter.a.shape).uniform_(-reach, reach, generator=generator)
            adapter.a.data.copy_(drawn)
            block.adapters[name] = adapter
        block.adapted = True


def merge(decoder: Decoder) -> None:
    """Add the adapters of `decoder`, if it has any, to its weights, and take them off."""
    for block in decoder.blocks:
        assert isinstance(block, Block)
        for name, adapter in block.adapters.items():
            assert isinstance(adapter, Adapter)
            adapter.merge_into(getattr(block, name).data)
        block.adapters.clear()
        block.adapted = False


def sharing(policy: Policy) -> Policy:
    """A policy on the very weights of `policy`, frozen, to which adapters of its own can be attached."""
    decoder = policy.decoder
    same: dict[int, Any] = {
        id(weight): nn.Parameter(weight.data, requires_grad=False) for weight in decoder.parameters()
    }
    same |= {id(buffer): buffer for buffer in decoder.buffers()}
    return replace(policy, decoder=copy.deepcopy(decoder, same))
