"""A model being trained: weights in the fast number format, float32 masters, their optimizer, and exact saving of all
of it. What learns are all weights, or adapters beside them that stay as they are (see `model.adapters`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mrclassic.model import adapters
from mrclassic.model.policy import Policy
from mrclassic.training import fits
from mrclassic.training.fits import Fit
from mrclassic.training.optimizers import Kind, Optimizer
from mrclassic.training.rows import Batch, Row, buckets, collate
from mrclassic.training.scoring import score


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
    """`policy` computes (bfloat16 where that is fast) and also generates; `learned` are those of its weights that are
    trained, by name, and `masters` the float32 originals of them that the optimizer moves."""

    def __init__(
        self,
        source: Policy,
        dtype: torch.dtype,
        fit: Fit = fits.WHOLE,
        *,
        seed: int = 0,
        weight_decay: float = 0.01,
        beta2: float = 0.95,
        optimizer: Kind = "adamw",
    ) -> None:
        """Train a copy of `source`, whose weights become the masters; with adapters (drawn by `seed`) the weights of
        `source` itself are kept for merging, and a copy is made only where `dtype` is another."""
        self.fit = fit
        if fit.lora is None:
            self.policy = source.cast(dtype)
        else:
            self._source = source
            self._base = adapters.sharing(source if source.dtype == dtype else source.cast(dtype))
            self.policy = self._adapted(seed)
        self.policy.decoder.recompute = fit.recompute
        named = self.policy.decoder.named_parameters()
        self.learned = {name: weight for name, weight in named if weight.requires_grad}
        originals = source.decoder.parameters() if fit.lora is None else self.learned.values()
        self.masters = [weight.detach().to(torch.float32, copy=True) for weight in originals]
        by_name = dict(zip(self.learned, self.masters, strict=True))
        kind = fits.optimizer(optimizer, fit)
        self.optimizer = Optimizer(kind, by_name, weight_decay=weight_decay, beta2=beta2)
        self.token_budget = fits.token_budget(  # of a microbatch
            source.shape, fit, fits.Place(source.device.type, dtype.itemsize), fits.total_memory(source.device)
        )
        self.slots = fits.SLOTS  # rows of a rollout at a time

    def _adapted(self, seed: int = 0) -> Policy:
        """The frozen weights under adapters that change nothing yet."""
        assert self.fit.lora is not None
        policy = adapters.sharing(self._base)
        adapters.attach(policy.decoder, self.fit.lora, seed)
        return policy

    def reference(self, moving: bool) -> Policy:
        """The policy as it is before the first update, frozen: with adapters it is the same weights without them, or,
        where it is to move, with some of its own."""
        if self.fit.lora is None:
            policy = self.policy.cast(self.policy.dtype)
        else:
            policy = self._adapted() if moving else self._base
        policy.decoder.requires_grad_(False)
        return policy

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
        """One step of the masters from the gradients gathered so far. Returns the gradient's norm before
        clipping; where that is not finite, or one to `refuse`, nothing moves."""
        for master, weight in zip(self.masters, self.learned.values(), strict=True):
            master.grad = None if weight.grad is None else weight.grad.float()
            weight.grad = None
        norm = float(torch.nn.utils.clip_grad_norm_(self.masters, clip))
        if math.isfinite(norm) and not refuse(norm):
            self.optimizer.step(rate)
            self._publish()
        for master in self.masters:
            master.grad = None
        return norm

    def discard(self) -> None:
        """Drop the gradients gathered so far."""
        for weight in self.learned.values():
            weight.grad = None

    @torch.no_grad()
    def _publish(self) -> None:
        for weight, master in zip(self.learned.values(), self.masters, strict=True):
            weight.copy_(master)

    # -- saving

    def full_policy(self) -> Policy:
        """A float32 copy with the masters as weights, or merged in: what a checkpoint holds."""
        twin = (self.policy if self.fit.lora is None else self._source).cast(torch.float32)
        if self.fit.lora is not None:
            adapters.attach(twin.decoder, self.fit.lora)
        named = dict(twin.decoder.named_parameters())
        with torch.no_grad():
            for name, master in zip(self.learned, self.masters, strict=True):
                named[name].copy_(master)
        adapters.merge(twin.decoder)
        twin.decoder.requires_grad_(True)
        return twin

    def tensors(self) -> dict[str, Tensor]:
        """Masters and optimizer moments by name: everything that an exact continuation needs."""
        state: dict[str, Tensor] = {}
        for name, master in self.optimizer.masters.items():
            state[f"master.{name}"] = master
            state |= {f"{key}.{name}": value for key, value in self.optimizer.state(name).items()}
        return state

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor], *, masters: bool = True) -> None:
        """Take over what `tensors` gave; with `masters=False` only the moments (warm Adam on new weights)."""
        moments: dict[str, dict[str, Tensor]] = {}
        for each, tensor in state.items():
            key, _, name = each.partition(".")
            if key not in ("master", "reference"):
                moments.setdefault(name, {})[key] = tensor
        for name, master in self.optimizer.masters.items():
            if masters:
                master.copy_(state[f"master.{name}"])
            elif state.get(f"master.{name}", master).shape != master.shape:
                continue  # moments of a smaller model, from which this one was grown
            if not self.optimizer.restore(name, moments.get(name, {})) and masters:
                self.optimizer.forget(name)  # `tensors` gave it before the first update: there were none
        self._publish()
