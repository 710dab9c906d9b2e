"""Log-probabilities of drawn tokens under a policy, by the same transform that they were drawn with.

The scores over the vocabulary are by far the largest tensor of an update. Where they are few (see `whole`) they are
made once, in the format of the matrix product, and turned in place into the probabilities that the backward pass wants,
a few rows at a time so that the float32 copies stay in the processor's cache: nothing of that size is kept in float32
or computed twice. Where they are many (2,000 targets over 152,000 tokens are a gigabyte), they exist only a part of the
vocabulary and some of the targets at a time, and the backward pass makes them again: see `_PickedInParts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from mrclassic.model.policy import Policy
from mrclassic.model.sampling import Knobs, transform
from mrclassic.training.rows import TARGETS, Batch

LARGE = 2**16  # a vocabulary of more is always scored in parts
TABLE = {"cpu": 2**27}  # scores that may lie between the passes: a quarter of a gigabyte in bfloat16; elsewhere `MORE`
MORE = 2**30
PART = 2**23  # scores at a time beyond that: 32 megabytes in float32, and a few such at once
_PART_ROWS = 2048  # of them at most so many targets: the fewer, the more often the head's weights are read
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
    picked = _Picked if whole(len(hidden), len(weight), hidden.device.type) else _PickedInParts
    logp, entropy = picked.apply(hidden, weight, following, temperature, kept)  # type: ignore[no-untyped-call]
    count = len(batch.next)
    return Scored(logp[:count], entropy[:count], kept)


def whole(targets: int, vocabulary: int, device: str) -> bool:
    """Whether the scores of so many targets are kept between the passes on that kind of device."""
    return vocabulary <= LARGE and targets * vocabulary <= TABLE.get(device, MORE)


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
        wanted = ctx.needs_input_grad[1]  # not where only adapters learn
        return torch.mm(scores, weight), torch.mm(scores.t(), hidden) if wanted else None, None, None, None


class _PickedInParts(torch.autograd.Function):
    """As `_Picked`, by parts of the vocabulary and of the targets; only hidden states and a few numbers a target are
    kept for the backward pass.

    Over parts c of the vocabulary with the running maximum m: normaliser = m + log(sum_c exp(s - m)), and the mean
    score, of which the entropy is made, sum_c exp(s - m) s over the same sum (the online softmax, arXiv 1805.02867).
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, following: Tensor, temperature: float, kept: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        size, device = len(hidden), hidden.device
        top = torch.full((size,), float("-inf"), device=device)
        total, mean, picked = (torch.zeros(size, device=device) for _ in range(3))
        for rows, columns in _parts(size, len(weight)):
            scores = _scores(hidden[rows], weight, columns, temperature, kept if kept is None else kept[rows])
            higher = torch.maximum(top[rows], scores.amax(-1))
            faded = (top[rows] - higher).exp_()
            picked[rows] += _at(scores, following[rows], columns)
            shares = (scores - higher[:, None]).exp_()
            total[rows] = total[rows] * faded + shares.sum(-1)
            mean[rows] = mean[rows] * faded + torch.linalg.vecdot(shares, scores)
            top[rows] = higher
        normaliser = top + total.log()
        logp, entropy = picked - normaliser, normaliser - mean / total
        ctx.save_for_backward(hidden, weight, following, kept, normaliser, logp)
        ctx.temperature = temperature
        ctx.mark_non_differentiable(entropy)
        return logp, entropy

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, following, kept, normaliser, logp = ctx.saved_tensors
        gradient = gradient / ctx.temperature
        for_hidden = torch.zeros(hidden.shape, dtype=torch.float32, device=hidden.device)
        for_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        near = gradient * -logp.expm1()  # see `_Picked.backward`
        for rows, columns in _parts(len(hidden), len(weight)):
            scores = _scores(hidden[rows], weight, columns, ctx.temperature, kept if kept is None else kept[rows])
            scores = scores.sub_(normaliser[rows, None]).exp_().mul_(-gradient[rows, None])
            where = following[rows] - columns.start
            here = ((where >= 0) & (where < scores.shape[1])).nonzero()[:, 0]
            scores[here, where[here]] = near[rows][here]
            scores = scores.to(weight.dtype)
            for_hidden[rows] += torch.mm(scores, weight[columns])
            if for_weight is not None:
                for_weight[columns] += torch.mm(scores.t(), hidden[rows])
        return for_hidden.to(hidden.dtype), for_weight, None, None, None


def _parts(rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    """Slices of targets and of the vocabulary that cover both; of the vocabulary by whole bytes of `kept`."""
    high = min(rows, _PART_ROWS)
    wide = max(8, PART // high // 8 * 8)
    for left in range(0, columns, wide):
        for at in range(0, rows, high):
            yield slice(at, min(at + high, rows)), slice(left, min(left + wide, columns))


def _scores(hidden: Tensor, weight: Tensor, columns: slice, temperature: float, kept: Tensor | None) -> Tensor:
    """Scores (n, c) in float32 over a part of the vocabulary, as they are drawn from."""
    scores = torch.mm(hidden, weight[columns].t()).float()
    if temperature != 1.0:
        scores = scores.div_(temperature)
    if kept is not None:
        flags = _unpacked(kept[:, columns.start // 8 : -(-columns.stop // 8)], scores.shape[1])
        scores = scores.masked_fill_(~flags, -1e30)
    return scores


def _at(scores: Tensor, following: Tensor, columns: slice) -> Tensor:
    """The score (n,) of the token that followed, where it lies in this part of the vocabulary; else 0."""
    where = following - columns.start
    here = (where >= 0) & (where < scores.shape[1])
    return torch.where(here, scores.gather(1, where.clamp(0, scores.shape[1] - 1)[:, None])[:, 0], 0.0)


@torch.no_grad()
def _nucleus(hidden: Tensor, weight: Tensor, following: Tensor, temperature: float, top_p: float, top_k: int) -> Tensor:
    """Which tokens can be drawn at each position, packed to bits (N, ceil(V / 8)); the picked one always."""
    packed = []
    step = max(1, min(TARGETS, PART // len(weight)))
    for at in range(0, len(hidden), step):
        rows = slice(at, at + step)
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
