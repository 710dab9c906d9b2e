"""The first form: small heads on the policy's frozen features, for owners with fewer than some thousands of picks.

The features are brought to one scale and to the 64 directions in which the replies of one choice differ most (principal
components), to more of them where there are more than 512 choices; on these stand five linear heads, each fitted to a
bootstrap sample of the choices. How strongly they are held back (ridge) is chosen by the choices that were not in a
head's sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mrclassic.choices import Choice
from mrclassic.model.policy import Policy
from mrclassic.model.tokenizer import Message
from mrclassic.tasks.base import keyed
from mrclassic.training.taste import logit
from mrclassic.training.taste.features import Reader

MEMBERS = 5
_WIDTH = 64
_EACH = 8  # choices for a direction, where there are more
_RIDGES = (25000.0, 5000.0, 1000.0, 200.0, 40.0, 8.0)
_FLAT = 1e-6  # of the deviation: a feature below is the same for all


@dataclass(frozen=True)
class Heads:
    """`scale` and `directions` (F, W) turn features into what the heads (5, W) read."""

    reader: Reader
    middle: Tensor
    scale: Tensor
    directions: Tensor
    heads: Tensor
    ridge: float

    def members(self, choices: Sequence[Choice]) -> Tensor:
        """Each head's score (5, R) of the replies of `choices`, one after the other."""
        return self._score(self.reader.choices(choices))

    def replies(self, pairs: Sequence[tuple[Sequence[Message], str]]) -> Tensor:
        """Each head's score (5, R) of each reply to its conversation."""
        return self._score(self.reader.replies(pairs))

    def _score(self, features: Tensor) -> Tensor:
        return self.heads @ self._narrow(features).t()

    def _narrow(self, features: Tensor) -> Tensor:
        return ((features.double() - self.middle) / self.scale) @ self.directions

    def tensors(self) -> dict[str, Tensor]:
        """What a file of it holds."""
        return {name: getattr(self, name) for name in ("middle", "scale", "directions", "heads")}

    @property
    def parameters(self) -> int:
        """How many numbers it is."""
        return sum(tensor.numel() for tensor in self.tensors().values())

    @classmethod
    def of(cls, policy: Policy, tensors: Mapping[str, Tensor]) -> Heads:
        """From `tensors`, on the policy that they were learned on."""
        return cls(Reader(policy), **tensors, ridge=0.0)


def learn(reader: Reader, choices: Sequence[Choice], seed: int) -> Heads:
    """Fit five heads to `choices`: a function of them, in this order, of the policy and of `seed`."""
    of = logit.layout(choices)
    raw = reader.choices(choices).double()
    middle, scale = raw.mean(0), raw.std(0)
    scale = torch.where(scale > _FLAT, scale, torch.ones_like(scale))
    flat = logit.centred((raw - middle) / scale, of)
    directions = _principal(flat, max(_WIDTH, len(choices) // _EACH))
    narrow = flat @ directions
    weights = torch.stack([bootstrap(len(choices), seed, member) for member in range(MEMBERS)])
    ridge, heads = _held_back(narrow, of, weights)
    return Heads(reader, middle, scale, directions, heads, ridge)


def _principal(flat: Tensor, width: int) -> Tensor:
    """The at most `width` directions (F, W) in which `flat` (R, F) varies most; their signs are fixed, which a solver
    leaves open."""
    values, vectors = torch.linalg.eigh(flat.t() @ flat / len(flat))
    keep = min(width, int((values > _FLAT).sum()), flat.shape[1]) or 1
    found = vectors[:, -keep:].flip(-1)
    largest = found.abs().argmax(0)
    turned: Tensor = found * found[largest, torch.arange(keep)].sign()
    return turned


def bootstrap(count: int, seed: int, member: int) -> Tensor:
    """How often each of `count` choices is in the bootstrap sample of `member`."""
    drawn = keyed(seed, "bootstrap", member).choices(range(count), k=count)
    return torch.bincount(torch.tensor(drawn), minlength=count).double()


def _held_back(narrow: Tensor, of: logit.Layout, weights: Tensor) -> tuple[float, Tensor]:
    """The ridge at which the choices outside each sample are least surprising, and the heads (5, W) with it."""
    best: tuple[float, float, Tensor] | None = None
    last: list[Tensor | None] = [None] * len(weights)
    for ridge in _RIDGES:
        heads = torch.stack([
            logit.fit(narrow, of, weight, ridge, start) for weight, start in zip(weights, last, strict=True)
        ])  # fmt: skip
        last = list(heads)
        outside = logit.losses(logit.spread(heads @ narrow.t(), of), of)  # (5, N)
        unseen = (weights == 0).double()
        loss = float((outside * unseen).sum() / unseen.sum().clamp(min=1.0))
        if best is None or loss < best[0]:
            best = (loss, ridge, heads)
    assert best is not None
    return best[1], best[2]
