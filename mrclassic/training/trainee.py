"""A model being trained: weights in the fast number format, float32 masters, AdamW, and exact saving of all of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mrclassic.model.policy import Policy
from mrclassic.training.rows import Batch, Row, buckets, collate
from mrclassic.training.scoring import score

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Schedule:
    """Learning rate by step: linear warm-up, then cosine decay to `floor` times the peak over `steps`."""

    peak: float
    steps: int
    warmup: int
    floor: float = 0.1

    def rate(self, step: int) -> float:
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        done = min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))
        return self.peak * (self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * done)))


class Trainee:
    """`policy` computes (bfloat16 where that is fast) and also generates; `masters` are what the optimizer moves."""

    def __init__(self, source: Policy, dtype: torch.dtype, *, weight_decay: float = 0.01, beta2: float = 0.95) -> None:
        """Train a copy of `source`, whose float32 weights become the masters."""
        self.policy = source.cast(dtype)
        self.masters = [weight.detach().clone().float() for weight in source.decoder.parameters()]
        matrices = [weight for weight in self.masters if weight.ndim > 1]
        vectors = [weight for weight in self.masters if weight.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, beta2), eps=1e-8, fused=True)
        self.token_budget = 8192 if source.device.type == "cpu" else 65536  # of a microbatch
        self.slots = 256  # rows of a rollout at a time

    # -- forward

    def microbatches(self, rows: Sequence[Row]) -> list[tuple[list[int], Batch]]:
        """`rows` in rectangles of like lengths within the token budget: (places in `rows`, batch)."""
        pad = self.policy.tokenizer.pad_id
        return [
            (group, collate([rows[place] for place in group], pad, self.policy.device))
            for group in buckets(rows, self.token_budget)
        ]

    def cross_entropy(self, rows: Sequence[Row], weight: float = 1.0) -> float:
        """Add the gradient of `weight` times the mean token loss of `rows`; returns that mean loss in nats."""
        total = sum(each.targets for each in rows)
        loss = 0.0
        for _, batch in self.microbatches(rows):
            part = -score(self.policy, batch).logp.sum() / total
            (part * weight).backward()  # type: ignore[no-untyped-call]
            loss += float(part.detach())
        return loss

    # -- update

    def update(self, rate: float, clip: float = 1.0, refuse: Callable[[float], bool] = lambda norm: False) -> float:
        """One AdamW step of the masters from the gradients gathered so far. Returns the gradient's norm before
        clipping; where that is not finite, or one to `refuse`, nothing moves."""
        weights = list(self.policy.decoder.parameters())
        for master, weight in zip(self.masters, weights, strict=True):
            master.grad = None if weight.grad is None else weight.grad.float()
            weight.grad = None
        norm = float(torch.nn.utils.clip_grad_norm_(self.masters, clip))
        if math.isfinite(norm) and not refuse(norm):
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.optimizer.step()
            self._publish()
        for master in self.masters:
            master.grad = None
        return norm

    def discard(self) -> None:
        """Drop the gradients gathered so far."""
        for weight in self.policy.decoder.parameters():
            weight.grad = None

    @torch.no_grad()
    def _publish(self) -> None:
        for weight, master in zip(self.policy.decoder.parameters(), self.masters, strict=True):
            weight.copy_(master)

    # -- saving

    def full_policy(self) -> Policy:
        """A float32 copy with the masters as weights: what a checkpoint holds."""
        twin = self.policy.cast(torch.float32)
        with torch.no_grad():
            for weight, master in zip(twin.decoder.parameters(), self.masters, strict=True):
                weight.copy_(master)
        return twin

    def tensors(self) -> dict[str, Tensor]:
        """Masters and optimizer moments by name: everything that an exact continuation needs."""
        state: dict[str, Tensor] = {}
        names = [name for name, _ in self.policy.decoder.named_parameters()]
        for name, master in zip(names, self.masters, strict=True):
            state[f"master.{name}"] = master
            for key, value in self.optimizer.state.get(master, {}).items():
                state[f"{key}.{name}"] = value.reshape(1) if value.ndim == 0 else value
        return state

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor], *, masters: bool = True) -> None:
        """Take over what `tensors` gave; with `masters=False` only the moments (warm Adam on new weights)."""
        names = [name for name, _ in self.policy.decoder.named_parameters()]
        for name, master in zip(names, self.masters, strict=True):
            if masters:
                master.copy_(state[f"master.{name}"])
            if f"exp_avg.{name}" in state:
                # Copies, on the master's device: a state read from disk lies in the CPU's memory.
                kept = {key: state[f"{key}.{name}"].to(master.device, copy=True) for key in _MOMENTS}
                self.optimizer.state[master] = {**kept, "step": kept["step"].reshape(()).float()}
            elif masters:
                self.optimizer.state.pop(master, None)  # `tensors` gave it before the first update: there were none
        self._publish()
