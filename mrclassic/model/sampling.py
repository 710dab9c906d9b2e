"""How the next token is drawn: temperature, top-k, top-p, and randomness that is a pure function of its place.

The random number of a token is a hash of (seed, row, position): it needs no state, so a run that is resumed, split
over ranks or batched otherwise draws the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_MASK = (1 << 64) - 1
_COLDEST = 1e-6


def _mix(z: int) -> int:
    """One round of splitmix64 (Steele, Lea, Flood 2014) on Python integers."""
    z = (z + 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def stream_key(seed: int, row: int) -> int:
    """The key of a row's random numbers, as a signed 64-bit integer."""
    key = _mix(_mix(seed & _MASK) ^ (row & _MASK))
    return key - (1 << 64) if key >> 63 else key


def _shift(z: Tensor, bits: int) -> Tensor:
    """Logical right shift of int64."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def uniforms(keys: Tensor, positions: Tensor) -> Tensor:
    """Numbers in [0, 1), float64, one for each (key, position): splitmix64 of both."""
    z = keys + positions * -7046029254386353131  # the golden-ratio increment 0x9E3779B97F4A7C15
    z = (z ^ _shift(z, 30)) * -4658895280553007687  # 0xBF58476D1CE4E5B9
    z = (z ^ _shift(z, 27)) * -7723592293110705685  # 0x94D049BB133111EB
    z = z ^ _shift(z, 31)
    exact = torch.float32 if z.device.type == "mps" else torch.float64  # Apple's GPUs have no float64
    return _shift(z, 11).to(exact) * 2.0**-53


@dataclass
class Knobs:
    """Sampling settings of a batch, one value a row."""

    temperature: Tensor  # (B,) float32; 0 = greedy
    top_p: Tensor  # (B,) float32; 1 = off
    top_k: Tensor  # (B,) int64; 0 = off


def greedy(knobs: Knobs) -> Tensor:
    """Which rows (B,) take the best token: those so cold that dividing by their temperature could overflow."""
    return knobs.temperature < _COLDEST


def transform(logits: Tensor, knobs: Knobs) -> Tensor:
    """Logits (B, V) as they are drawn from: divided by temperature, cut by top-k and top-p. Greedy rows keep theirs.

    Scoring must use the same transform, or the importance ratio of a policy update is wrong before it starts.
    """
    scaled = logits / torch.where(greedy(knobs), 1.0, knobs.temperature)[:, None]
    cut = bool(((knobs.top_p < 1) | (knobs.top_k > 0)).any())
    if not cut:
        return scaled
    ordered, order = scaled.sort(dim=-1, descending=True)
    place = torch.arange(scaled.shape[-1], device=scaled.device)
    limit = torch.where(knobs.top_k > 0, knobs.top_k, scaled.shape[-1])
    ordered = ordered.masked_fill(place >= limit[:, None], float("-inf"))
    probability = ordered.softmax(-1)
    before = probability.cumsum(-1) - probability  # mass ahead of each token
    beyond = (before >= knobs.top_p[:, None]) & (knobs.top_p < 1)[:, None] & (place > 0)  # the first is always kept
    ordered = ordered.masked_fill(beyond, float("-inf"))
    return torch.empty_like(scaled).scatter_(-1, order, ordered)


def draw(logits: Tensor, knobs: Knobs, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Draw a token a row from `logits` (B, V) by inverting the cumulative distribution at `uniform` (B,).

    Returns tokens (B,) and their log-probabilities (B,) under the distribution they were drawn from; a greedy row's
    is that under its plain distribution.
    """
    scaled = transform(logits.float(), knobs)
    top = scaled.max(dim=-1)
    cumulative = (scaled - top.values[:, None]).exp_().cumsum_(-1)
    total = cumulative[:, -1]
    target = (uniform.to(total.device) * total.to(uniform.dtype)).float()
    tokens = torch.searchsorted(cumulative, target[:, None], right=True)[:, 0].clamp_(max=logits.shape[-1] - 1)
    tokens = torch.where(greedy(knobs), top.indices, tokens)
    picked = scaled.gather(-1, tokens[:, None])[:, 0]
    # Rounding at the very edge of the cumulative sum can land on a token that was cut away; the best one stands in.
    lost = picked.isneginf()
    tokens = torch.where(lost, top.indices, tokens)
    picked = torch.where(lost, top.values, picked)
    return tokens, picked - top.values - total.log()
