"""How the next token is drawn: temperature, top-k, top-p, and randomness that is a pure function of its place.

The random number of a token is a hash of (seed, row, position): it needs no state, so a run that is resumed, split
over ranks or batched otherwise draws the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
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


Alike = Literal["mixed", "cut", "warm", "plain", "greedy"]


@dataclass
class Knobs:
    """Sampling settings of a batch, one value a row.

    `all` says what is known of them: "greedy", "plain" (temperature 1, nothing cut) and "warm" (nothing cut) need fewer
    passes; "cut" needs all; where it is "mixed" the values are looked at, for which a device is waited.
    """

    temperature: Tensor  # (B,) float32; 0 = greedy
    top_p: Tensor  # (B,) float32; 1 = off
    top_k: Tensor  # (B,) int64; 0 = off
    all: Alike = "mixed"

    def first(self, count: int, known: Alike) -> Knobs:
        """Those of the first `count` rows, of which so much is known."""
        return Knobs(self.temperature[:count], self.top_p[:count], self.top_k[:count], known)


def greedy(knobs: Knobs) -> Tensor:
    """Which rows (B,) take the best token: those so cold that dividing by their temperature could overflow."""
    return knobs.temperature < _COLDEST


def transform(logits: Tensor, knobs: Knobs) -> Tensor:
    """Logits (B, V) as they are drawn from: divided by temperature, cut by top-k and top-p. Greedy rows keep theirs.

    Scoring must use the same transform, or the importance ratio of a policy update is wrong before it starts.
    """
    cold = greedy(knobs)
    scaled = logits / torch.where(cold, 1.0, knobs.temperature)[:, None]
    top_p, top_k = torch.where(cold, 1.0, knobs.top_p), torch.where(cold, 0, knobs.top_k)
    if knobs.all == "warm" or (knobs.all == "mixed" and not bool(((top_p < 1) | (top_k > 0)).any())):
        return scaled
    ordered, order = scaled.sort(dim=-1, descending=True)
    place = torch.arange(scaled.shape[-1], device=scaled.device)
    limit = torch.where(top_k > 0, top_k, scaled.shape[-1])
    ordered = ordered.masked_fill(place >= limit[:, None], float("-inf"))
    probability = ordered.softmax(-1)
    before = probability.cumsum(-1) - probability  # mass ahead of each token
    beyond = (before >= top_p[:, None]) & (top_p < 1)[:, None] & (place > 0)  # the first is always kept
    ordered = ordered.masked_fill(beyond, float("-inf"))
    return torch.empty_like(scaled).scatter_(-1, order, ordered)


def draw(logits: Tensor, knobs: Knobs, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Draw a token a row from `logits` (B, V) by inverting the cumulative distribution at `uniform` (B,).

    Returns tokens (B,) and their log-probabilities (B,) under the distribution they were drawn from; a greedy row's
    is that under its plain distribution.
    """
    scores = logits.float()
    if knobs.all == "greedy":
        best = scores.max(dim=-1)
        return best.indices, best.values - scores.logsumexp(-1)
    scaled = scores if knobs.all == "plain" else transform(scores, knobs)
    chance = scaled.softmax(-1)
    tokens = _inverted(chance, uniform.to(chance.device))
    if knobs.all != "plain":
        tokens = torch.where(greedy(knobs), scaled.argmax(-1), tokens)
    return tokens, chance.gather(-1, tokens[:, None])[:, 0].log()


_BLOCK = 32  # tokens summed at once: running sums over a whole vocabulary take longer than all else in drawing


def _inverted(chance: Tensor, uniform: Tensor) -> Tensor:
    """The tokens (B,) at which the running sum of `chance` (B, V) passes `uniform` (B,): first the block, then the
    token in it. Each lies strictly below a sum that grew there, so what has no chance is never drawn."""
    blocks = F.pad(chance, (0, -chance.shape[-1] % _BLOCK)).view(len(chance), -1, _BLOCK)
    sums = blocks.sum(-1).cumsum(-1)
    target = (uniform * sums[:, -1].to(uniform.dtype)).float()
    block = _first_beyond(sums, target)
    own = blocks[torch.arange(len(block), device=block.device), block].cumsum(-1)
    before = F.pad(sums, (1, 0)).gather(1, block[:, None])[:, 0]
    return (block * _BLOCK + _first_beyond(own, target - before)).clamp_(max=chance.shape[-1] - 1)


def _first_beyond(sums: Tensor, target: Tensor) -> Tensor:
    """Where each row of running `sums` (B, N) first exceeds `target` (B,), which rounding may have lifted too high."""
    last = sums[:, -1]
    below = torch.minimum(target, last.nextafter(torch.zeros_like(last)))
    return torch.searchsorted(sums, below[:, None], right=True)[:, 0].clamp_(max=sums.shape[-1] - 1)
