"""Causal attention over whole sequences, as training and prefill need it.

On a CPU in bfloat16 the library's fused kernel is slow in the backward pass (two to seven times two plain products and
a softmax), and plain products over a long sequence are slow because the matrix of shares does not fit the processor's
cache and half of it is future. So there the queries are taken in pieces, each with the keys up to its own end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

QUERIES = 128  # of a piece; rows that are no longer are taken whole
_SHARES = 2**20  # of a piece, about: two megabytes


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention of queries (B, H, T, E) over keys and values (B, K, T, E); H / K queries share each."""
    batch, heads, length, size = q.shape
    kept = k.shape[1]
    group = heads // kept
    if q.device.type != "cpu" or q.dtype != torch.bfloat16:
        wide_k, wide_v = (part.repeat_interleave(group, dim=1) if group > 1 else part for part in (k, v))
        return F.scaled_dot_product_attention(q, wide_k, wide_v, is_causal=True)
    # The queries that share a key are rows of one product.
    shared = q.reshape(batch * kept, group, length, size)
    keys, values = (part.reshape(batch * kept, length, size) for part in (k, v))
    if length <= QUERIES:
        return _short(shared, keys, values).reshape(batch, heads, length, size)
    return _InPieces.apply(shared, keys, values).reshape(batch, heads, length, size)  # type: ignore[no-any-return, no-untyped-call]


def _short(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """All of q (N, G, T, E) over k and v (N, T, E) at once."""
    count, group, length, size = q.shape
    rows = q.reshape(count, group * length, size)
    scores = torch.baddbmm(_future(0, length, q), rows, k.transpose(1, 2), alpha=size**-0.5)
    return torch.bmm(scores.softmax(-1), v).view(count, group, length, size)


class _InPieces(torch.autograd.Function):
    """As `_short`; of the shares only those of the past are ever there."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        attended = torch.empty_like(q)
        shares = []
        for rows, begin, end in _pieces(q):
            past, asking = k[rows, :end].transpose(1, 2), _queries(q, rows, begin, end)
            share = torch.baddbmm(_future(begin, end, q), asking, past, alpha=q.shape[-1] ** -0.5).softmax(-1)
            attended[rows, :, begin:end] = torch.bmm(share, v[rows, :end]).view_as(attended[rows, :, begin:end])
            if ctx.needs_input_grad[0]:
                shares.append(share)
        ctx.save_for_backward(q, k, v, *shares)
        return attended

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v, *shares = ctx.saved_tensors
        gradient = gradient.contiguous()
        scale = q.shape[-1] ** -0.5
        for_q = torch.empty_like(q)
        for_k, for_v = (torch.zeros_like(part, dtype=torch.float32) for part in (k, v))  # sums over the pieces
        for (rows, begin, end), share in zip(_pieces(q), shares, strict=True):
            back = _queries(gradient, rows, begin, end)
            for_v[rows, :end] += torch.bmm(share.transpose(1, 2), back)
            for_shares = torch.bmm(back, v[rows, :end].transpose(1, 2))
            for_scores = torch.ops.aten._softmax_backward_data(for_shares, share, -1, share.dtype)
            for_q[rows, :, begin:end] = torch.bmm(for_scores, k[rows, :end]).view_as(for_q[rows, :, begin:end])
            for_k[rows, :end] += torch.bmm(for_scores.transpose(1, 2), _queries(q, rows, begin, end))
        return for_q.mul_(scale), for_k.mul_(scale).to(k.dtype), for_v.to(v.dtype)


def _pieces(q: Tensor) -> Iterator[tuple[slice, int, int]]:
    """Rows of q (N, G, T, E), and the queries of them, that are taken together: from `begin` up to `end`."""
    count, group, length, _ = q.shape
    together = max(1, _SHARES // (group * QUERIES * length))
    for row in range(0, count, together):
        for begin in range(0, length, QUERIES):
            yield slice(row, min(count, row + together)), begin, min(length, begin + QUERIES)


def _queries(q: Tensor, rows: slice, begin: int, end: int) -> Tensor:
    """(rows, G * (end - begin), E)"""
    return q[rows, :, begin:end].reshape(-1, q.shape[1] * (end - begin), q.shape[-1])


def _future(begin: int, end: int, q: Tensor) -> Tensor:
    """Minus infinity where a key is later than its query, for queries `begin` to `end` and keys up to there, as often
    as queries share a key: (1, G * (end - begin), end). Added within the product: on a CPU a sum of its own takes
    longer than that."""
    future = torch.full((end - begin, end), float("-inf"), dtype=q.dtype).triu_(begin + 1)
    return future.repeat(q.shape[1], 1)[None]
