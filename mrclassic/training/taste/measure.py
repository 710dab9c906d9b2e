"""How well scores predict choices: which reply they put first, how surely, and whether they go by length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mrclassic.choices import Choice
from mrclassic.training.taste import logit

_BINS = 10


class Measured(NamedTuple):
    """See `evidence.Evidence`; `agreed` says of each choice whether its winner came first."""

    right: int
    chance: float
    by_length: float
    length: float
    loss: float
    even: float
    calibration: float
    agreed: tuple[bool, ...]


def lengths(texts: Sequence[str]) -> Tensor:
    """How long replies are (R,): the logarithm of their characters, because ten more matter less to a long one."""
    return torch.tensor([math.log1p(len(text)) for text in texts], dtype=torch.float64)


def measure(choices: Sequence[Choice], scores: Tensor, temperatures: Tensor) -> Measured:
    """Hold `scores` (R,) of the replies of `choices` against what was preferred; `temperatures` (N,) calibrate them."""
    of = logit.layout(choices)
    grid = logit.spread(scores, of) / temperatures[:, None]
    agreed = grid.argmax(-1) == of.winner
    chance = grid.softmax(-1)
    sure, hit = chance.amax(-1), agreed.double()
    bins = (sure * _BINS).long().clamp(max=_BINS - 1)
    gap = sum(float((hit - sure)[bins == each].sum().abs()) for each in range(_BINS)) / len(choices)
    sizes = torch.tensor([len(each.replies) for each in choices], dtype=torch.float64)
    long = lengths([reply for each in choices for reply in each.replies])
    shown = logit.spread(long, of)
    longest = float((shown.argmax(-1) == of.winner).double().mean())
    shortest = float(((-shown).masked_fill(~of.there, -math.inf).argmax(-1) == of.winner).double().mean())
    return Measured(
        int(agreed.sum()),
        float((1 / sizes).mean()),
        max(longest, shortest),
        correlation(scores, long, of),
        float(logit.losses(grid, of).mean()),
        float(sizes.log().mean()),
        gap,
        tuple(agreed.tolist()),
    )


def correlation(scores: Tensor, long: Tensor, of: logit.Layout) -> float:
    """Pearson's, of what is left of both after the mean of each choice is taken off; 0 where either is constant."""
    one, two = (logit.centred(each[:, None], of)[:, 0] for each in (scores, long))
    size = float(one.norm() * two.norm())
    return float(one @ two) / size if size > 1e-12 else 0.0


def slope(scores: Tensor, long: Tensor, of: logit.Layout) -> Tensor:
    """How much a score (5, R) rises with length among the replies of a choice, by least squares: (5,)."""
    flat = logit.centred(torch.stack([long, *scores], dim=-1), of)
    by = flat[:, 0]
    size = float(by @ by)
    return flat[:, 1:].t() @ by / size if size > 1e-12 else torch.zeros(len(scores), dtype=scores.dtype)
