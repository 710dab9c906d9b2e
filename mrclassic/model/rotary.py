"""Rotary positions (RoFormer, arXiv 2104.09864), plain or stretched over a longer context.

Every pair of numbers of a head turns with its own frequency, theta^(-2i/E). Stretched by a factor:

    linear   all of them slower by the factor (arXiv 2306.15595)
    llama3   those slow that turn less than `low` times within the original length, none that turn more than `high`
             times, and a blend between (Llama 3.1)
    yarn     the same idea, blended by the place of the pair, and attention sharpened (arXiv 2309.00071)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mrclassic.model.shapes import Scaling, Shape


def frequencies(shape: Shape) -> Tensor:
    """Radians a position of each pair, (E / 2,) float32."""
    plain = shape.rope_theta ** (-torch.arange(0, shape.head_dim, 2, dtype=torch.float32) / shape.head_dim)
    if shape.scaling is None:
        return plain
    share = _stretched(shape.scaling, plain, shape)
    return plain * (1 - share) + plain / shape.scaling.factor * share


def _stretched(scaling: Scaling, plain: Tensor, shape: Shape) -> Tensor:
    """How far each pair takes part in the stretching: 0 not at all, 1 in full."""
    if scaling.kind == "linear":
        return torch.ones_like(plain)
    if scaling.kind == "llama3":
        turns = scaling.original * plain / (2 * math.pi)  # within the original length
        return ((scaling.high - turns) / (scaling.high - scaling.low)).clamp(0, 1)
    first = max(math.floor(_pair_of(scaling.high, scaling, shape)), 0)
    last = min(math.ceil(_pair_of(scaling.low, scaling, shape)), shape.head_dim - 1)
    place = torch.arange(len(plain), dtype=torch.float32)
    return ((place - first) / max(last - first, 0.001)).clamp(0, 1)


def _pair_of(turns: float, scaling: Scaling, shape: Shape) -> float:
    """Which pair turns so many times within the original length."""
    return shape.head_dim * math.log(scaling.original / (turns * 2 * math.pi)) / (2 * math.log(shape.rope_theta))


def table(shape: Shape, positions: int) -> Tensor:
    """Cosines and signed sines of `positions` positions, (2, T, 1, E): see `kernels.rotate`."""
    if torch.get_default_device().type == "meta":  # only sizes are asked for; sums on it cost seconds of imports
        return torch.empty(2, positions, 1, shape.head_dim)
    angle = torch.arange(positions, dtype=torch.float32)[:, None] * frequencies(shape)
    cos, sin = angle.cos(), angle.sin()
    made = torch.stack((torch.cat((cos, cos), dim=-1), torch.cat((-sin, sin), dim=-1)))
    if shape.scaling is not None and shape.scaling.attention != 1.0:
        made *= shape.scaling.attention
    return made[:, :, None]
