"""Log-probabilities of drawn tokens under a policy, by the same transform that they were drawn with.

The scores over the vocabulary are by far the largest tensor of an update, so they are made once, in the format of the
matrix product, turned in place into the probabilities that the backward pass wants, a few rows at a time so that the
float32 copies stay in the processor's cache. Nothing of that size is kept in float32 or computed twice.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from mrclassic.model.policy import Policy
from mrclassic.model.sampling import Knobs, transform
from mrclassic.training.rows import TARGETS, Batch

_CHUNK = 2**18  # scores turned at a time: a megabyte in float32


class Scored(NamedTuple):
    """`logp` (N,) carries the gradient; `entropy` (N,) of the distribution drawn from does not; `kept` (N or more, V)
    marks the tokens that could be drawn, packed to bits, where top-p or top-k cut any away."""

    logp: Tensor
    entropy: Tensor
    kept: Tensor | None


def score(
    policy: Policy,
    batch: Batch,
    temperature: float = 1.0,
    top_p: float = 1.0,
    top_k: int = 0,
    kept: Tensor | None = None,
) -> Scored:
    """Score the batch's targets. With `kept` (of an earlier pass) the same tokens are renormalised over as then.

    Where top-p or top-k are on, the sampler renormalised over what they kept, and so must the ratio (trl#6789): which
    tokens those are is settled by the first pass, whose weights are still those that sampled, and handed to later ones.
    A token that was drawn belongs to them even where rounding says otherwise.
    """
    hidden = policy.decoder(batch.ids).flatten(0, 1)[batch.at]
    weight = policy.decoder.head_weight[: policy.live]
    following = F.pad(batch.next, (0, len(hidden) - len(batch.next)))
    if kept is None and (top_p < 1 or top_k > 0):
        kept = _nucleus(hidden.detach(), weight.detach(), following, temperature, top_p, top_k)
    logp, entropy = _Picked.apply(hidden, weight, following, temperature, kept)  # type: ignore[no-untyped-call]
    count = len(batch.next)
    return Scored(logp[:count], entropy[:count], kept)


class _Picked(torch.autograd.Function):
    """(log-probability, entropy) of the picked tokens: hidden (N, D), weight (V, D), following (N,)."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, following: Tensor, temperature: float, kept: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        table = torch.mm(hidden, weight.t())  # (N, V); becomes the probabilities
        logp = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        entropy = torch.empty_like(logp)
        step = max(1, _CHUNK // table.shape[1])
        for at in range(0, len(hidden), step):
            rows = slice(at, at + step)
            scores = table[rows].float()
            if temperature != 1.0:
                scores = scores.div_(temperature)
            if kept is not None:
                scores = scores.masked_fill_(~_unpacked(kept[rows], scores.shape[1]), -1e30)
            chance = scores.softmax(-1)
            # The largest score has the largest probability, exp(score - normaliser).
            normaliser = scores.amax(-1) - chance.amax(-1).log_()
            logp[rows] = scores.gather(1, following[rows, None])[:, 0] - normaliser
            entropy[rows] = normaliser - torch.linalg.vecdot(chance, scores)
            table[rows] = chance
        ctx.save_for_backward(hidden, weight, following, table, logp)
        ctx.temperature = temperature
        ctx.mark_non_differentiable(entropy)
        return logp, entropy

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, following, table, logp = ctx.saved_tensors
        gradient = gradient / ctx.temperature
        # d logp / d score = [picked] - probability. For the picked one that difference is taken in float32: near
        # certainty it would vanish in the rounding of the table.
        scores = table.mul_(-gradient[:, None].to(table.dtype))
        scores[torch.arange(len(scores), device=scores.device), following] = (gradient * -logp.expm1()).to(table.dtype)
        return torch.mm(scores, weight), torch.mm(scores.t(), hidden), None, None, None


@torch.no_grad()
def _nucleus(hidden: Tensor, weight: Tensor, following: Tensor, temperature: float, top_p: float, top_k: int) -> Tensor:
    """Which tokens can be drawn at each position, packed to bits (N, ceil(V / 8)); the picked one always."""
    packed = []
    for at in range(0, len(hidden), TARGETS):
        rows = slice(at, at + TARGETS)
        scores = torch.mm(hidden[rows], weight.t()).float()
        size, device = len(scores), scores.device
        knobs = Knobs(
            torch.full((size,), temperature, device=device),
            torch.full((size,), top_p, device=device),
            torch.full((size,), top_k, device=device),
        )
        kept = ~transform(scores, knobs).isneginf()
        packed.append(_packed(kept.scatter_(1, following[rows, None], True)))
    return torch.cat(packed)


def _packed(flags: Tensor) -> Tensor:
    """Booleans (N, V) as bits (N, ceil(V / 8))."""
    bytes_ = F.pad(flags, (0, -flags.shape[1] % 8)).view(len(flags), -1, 8)
    return (bytes_.to(torch.uint8) << torch.arange(8, dtype=torch.uint8, device=flags.device)).sum(
        -1, dtype=torch.uint8
    )


def _unpacked(bits: Tensor, width: int) -> Tensor:
    """The booleans (N, width) that `_packed` was given."""
    flags = bits[:, :, None] >> torch.arange(8, dtype=torch.uint8, device=bits.device) & 1
    return flags.flatten(1)[:, :width].bool()
