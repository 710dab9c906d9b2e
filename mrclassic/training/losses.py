"""The clipped objective of GRPO and its relatives, on the tokens of a microbatch.

For token t of completion i, with the log-probability kept from sampling as the old one,

    ratio = exp(logp - logp_old)        objective = min(ratio A, clip(ratio, 1 - low, 1 + high) A) - beta KL

(PPO, arXiv 1707.06347; the wider upper bound is DAPO's, arXiv 2503.14476). The kinds differ in what a token weighs:

    dr_grpo   1 / (completions x length limit): a constant (Dr. GRPO, arXiv 2503.20783); dividing by each answer's own
              length would pay for long wrong answers
    dapo      1 / tokens of the batch: every token alike
    grpo      1 / (completions x own length): every completion alike (DeepSeekMath, arXiv 2402.03300)
    gspo      as grpo, with one ratio a completion, the geometric mean of its tokens' (arXiv 2507.18071); its bounds
              want to be a hundred times narrower than a token's
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Kind = Literal["dr_grpo", "dapo", "grpo", "gspo"]
Estimator = Literal["k1", "k3", "none"]


@dataclass(frozen=True)
class Loss:
    """The knobs of the objective; `beta` is the weight of the divergence from the reference, by the estimator `kl`."""

    kind: Kind = "dr_grpo"
    clip_low: float = 0.2
    clip_high: float = 0.28
    beta: float = 0.005
    kl: Estimator = "k3"

    @property
    def anchored(self) -> bool:
        """Whether the objective needs a reference at all."""
        return self.beta > 0 and self.kl != "none"


@dataclass(frozen=True)
class Size:
    """What a batch is divided by. Completions that carry no loss because they were cut off are counted nowhere."""

    completions: int
    tokens: int
    max_new: int

    def weight(self, kind: Kind, length: int) -> float:
        """What each token of a completion of `length` tokens weighs."""
        match kind:
            case "dr_grpo":
                return 1.0 / max(1, self.completions * self.max_new)
            case "dapo":
                return 1.0 / max(1, self.tokens)
            case "grpo" | "gspo":
                return 1.0 / max(1, self.completions * length)


class Tokens(NamedTuple):
    """The learned tokens of a microbatch, N of them in R rows."""

    logp: Tensor  # (N,) under the policy; carries the gradient
    old: Tensor  # (N,) when they were drawn
    anchor: Tensor | None  # (N,) under the reference
    advantage: Tensor  # (N,)
    weight: Tensor  # (N,) see `Size.weight`
    row: Tensor  # (N,) which completion each belongs to
    rows: int


class Terms(NamedTuple):
    """The loss (a scalar), and per token what the metrics are made of."""

    loss: Tensor
    kl: Tensor  # (N,) the estimate; empty without a reference
    low: Tensor  # (N,) bool: clipped from below
    high: Tensor  # (N,) bool: clipped from above


def clipped(loss: Loss, tokens: Tokens) -> Terms:
    """The negative objective, summed over `tokens` by their weights."""
    change = tokens.logp - tokens.old
    if loss.kind == "gspo":
        zeros = torch.zeros(tokens.rows, dtype=change.dtype, device=change.device)
        lengths = zeros.index_add(0, tokens.row, torch.ones_like(change))
        change = (zeros.index_add(0, tokens.row, change) / lengths)[tokens.row]
    ratio = change.exp()
    bounded = ratio.clamp(1 - loss.clip_low, 1 + loss.clip_high)
    objective = torch.minimum(ratio * tokens.advantage, bounded * tokens.advantage)
    kl = tokens.logp.new_empty(0)
    if tokens.anchor is not None and loss.anchored:
        kl, penalty = _divergence(loss.kl, tokens.logp, tokens.anchor)
        objective = objective - loss.beta * penalty
    low = (ratio < 1 - loss.clip_low) & (tokens.advantage < 0)
    high = (ratio > 1 + loss.clip_high) & (tokens.advantage > 0)
    return Terms(-(objective * tokens.weight).sum(), kl.detach(), low, high)


def _divergence(estimator: Estimator, logp: Tensor, anchor: Tensor) -> tuple[Tensor, Tensor]:
    """The estimate of KL(policy || reference) on drawn tokens, and the term to differentiate for it (Schulman 2020).

    k3 is differentiated as it stands. The gradient of k1 = logp - anchor itself is noise around zero, whatever the
    divergence; half its square (k2) has the gradient k1 * grad logp, which is that of the divergence.
    """
    away = anchor - logp
    if estimator == "k1":
        return -away, 0.5 * away.square()
    k3 = away.exp() - away - 1
    return k3, k3


class Tally:
    """Sums over the tokens of an update, and at its end their means under TRL's names."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._kl: list[Tensor] = []
        self._tokens = 0
        self._worst = 0.0
        self._loss = 0.0

    @torch.no_grad()
    def add(self, tokens: Tokens, terms: Terms, entropy: Tensor) -> None:
        """Count a microbatch."""
        apart = (tokens.logp - tokens.old).abs()
        low, high = float(terms.low.sum()), float(terms.high.sum())
        sums: Mapping[str, float] = {
            "entropy": float(entropy.sum()),
            "clip_ratio/low_mean": low,
            "clip_ratio/high_mean": high,
            "clip_ratio/region_mean": low + high,
            "mismatch": float(apart.sum()),
        }
        for name, value in sums.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._worst = max(self._worst, float(apart.max()))
        self._loss += float(terms.loss)
        self._tokens += len(tokens.logp)
        if len(terms.kl):
            self._kl.append(terms.kl)

    def metrics(self) -> dict[str, float]:
        """`mismatch` is how far scoring is from sampling, nats a token: on the first pass it should be nearly none.
        `kl_median` stands beside the mean because one odd token can carry that alone."""
        if not self._tokens:
            return {"loss": 0.0}  # nothing carried an advantage: nothing is known of the rest
        means = {name: value / self._tokens for name, value in self._sums.items()}
        if self._kl:
            kl = torch.cat(self._kl)
            means |= {"kl": float(kl.mean()), "kl_median": float(kl.median())}
        return {"loss": self._loss, **means, "mismatch_max": self._worst}
