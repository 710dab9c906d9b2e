"""The model of a choice: the probability that a reply is preferred is the softmax of the scores of all that were shown.

(The conditional logit, McFadden 1974; of two replies it is Bradley and Terry's.) One choice of five teaches about what
four pairs do, and unlike pairs it counts each choice once. Where scores are linear in features, the ridge-regularised
likelihood is concave, and Newton's method finds its one maximum whatever the start: the same choices give the same
heads.

Shapes in comments: N choices, K replies of the longest, D features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mrclassic.choices import Choice

_ROUNDS = 30
_NEAR = 1e-8  # of the slope, at which the maximum is found
_APART = -1e30  # the score of a place where there is no reply


class Layout(NamedTuple):
    """Where the replies of some choices, one after the other, lie in a rectangle (N, K)."""

    place: Tensor  # (N, K) of the flat list; 0 where there is none
    there: Tensor  # (N, K) whether there is one
    winner: Tensor  # (N,)


def layout(choices: Sequence[Choice]) -> Layout:
    """The rectangle of `choices`."""
    width = max(len(each.replies) for each in choices)
    place = torch.zeros((len(choices), width), dtype=torch.long)
    there = torch.zeros((len(choices), width), dtype=torch.bool)
    at = 0
    for row, each in enumerate(choices):
        size = len(each.replies)
        place[row, :size] = torch.arange(at, at + size)
        there[row, :size] = True
        at += size
    return Layout(place, there, torch.tensor([each.winner for each in choices]))


def spread(flat: Tensor, of: Layout) -> Tensor:
    """Scores of replies (..., R) as a rectangle (..., N, K), far down where there is none."""
    return flat[..., of.place].masked_fill(~of.there, _APART)


def losses(scores: Tensor, of: Layout) -> Tensor:
    """Minus the log-probability (..., N) of each winner, in nats, from scores (..., N, K)."""
    winner = of.winner.expand(scores.shape[:-1])[..., None]
    return -scores.log_softmax(-1).gather(-1, winner)[..., 0]


def centred(flat: Tensor, of: Layout) -> Tensor:
    """Features (R, D) less their mean over the replies of the same choice, which is all that a choice tells of."""
    count = of.there.sum(-1, keepdim=True)
    grid = flat[of.place] * of.there[..., None]  # (N, K, D)
    less = grid - (grid.sum(1) / count)[:, None]
    found = torch.zeros_like(flat)
    found[of.place[of.there]] = less[of.there]
    return found


def fit(features: Tensor, of: Layout, weight: Tensor, ridge: float, start: Tensor | None = None) -> Tensor:
    """The coefficients (D,) at the maximum of the weighted log-likelihood less ridge / 2 times their squared length.

    `features` (R, D) in float64; `weight` (N,) says how often each choice counts.
    """
    grid = features[of.place] * of.there[..., None]  # (N, K, D)
    size = grid.shape[-1]
    heads = torch.zeros(size, dtype=grid.dtype) if start is None else start.clone()
    won = F.one_hot(of.winner, grid.shape[1]).to(grid.dtype)
    eye = ridge * torch.eye(size, dtype=grid.dtype)

    def value(heads: Tensor) -> Tensor:
        found = losses((grid @ heads).masked_fill(~of.there, _APART), of)
        return (weight * found).sum() + 0.5 * ridge * heads @ heads

    now = value(heads)
    for _ in range(_ROUNDS):
        chance = (grid @ heads).masked_fill(~of.there, _APART).softmax(-1)  # (N, K)
        slope = ((weight[:, None] * (chance - won))[..., None] * grid).sum((0, 1)) + ridge * heads
        if float(slope.abs().max()) < _NEAR * max(1.0, float(weight.sum())):
            break
        mean = (chance[..., None] * grid).sum(1)  # (N, D)
        rooted = ((weight[:, None] * chance).sqrt()[..., None] * grid).flatten(0, 1)
        curve = rooted.t() @ rooted - (weight[:, None] * mean).t() @ mean + eye
        step = torch.linalg.solve(curve, slope)
        length = 1.0
        while length > 1e-6:  # a whole step may go too far where nearly all is certain
            further = value(heads - length * step)
            if further <= now:
                heads, now = heads - length * step, further
                break
            length /= 2
        else:
            break
    return heads


def temperature(scores: Tensor, of: Layout) -> float:
    """What scores (N, K) are to be divided by so that their softmax says how often it is right (Guo and others 2017):
    the likelihood's maximum, found by golden section over its logarithm. Between 1/20 and 20."""

    def loss(power: float) -> float:
        return float(losses(scores / torch.tensor(power, dtype=scores.dtype).exp(), of).mean())

    low, high, golden = -3.0, 3.0, 0.6180339887498949
    for _ in range(40):
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if loss(left) <= loss(right) else (left, high)
    return float(torch.tensor((low + high) / 2).exp())
