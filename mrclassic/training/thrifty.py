"""Optimizers that keep less than two float32 numbers for each weight: AdamW with its moments in 8 bits (torchao, arXiv
2110.02861), and Adafactor, which keeps the sums of squares by row and column and no momentum (arXiv 1804.04235)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mrclassic.errors import MrClassicError

Groups = Sequence[Mapping[str, Any]]
_CODES, _SCALE = "_codes", "_scale"
_BLOCK, _SMALLEST = 256, 4096  # torchao quantizes tensors of so many numbers or more that divide by the block


def eight_bit(groups: Groups, beta2: float) -> torch.optim.Optimizer:
    """AdamW with its moments in 8 bits."""
    logging.getLogger("torchao").setLevel(logging.ERROR)  # of kernels for other machines, which are not missed
    try:
        from torchao.optim import AdamW8bit
    except ImportError:
        raise MrClassicError(
            "The optimizer's state in 8 bits needs torchao; `pip install 'mrclassic[thrifty]'` adds it, or use "
            "--optimizer-state factored."
        ) from None
    made: torch.optim.Optimizer = AdamW8bit(groups, lr=0.0, betas=(0.9, beta2), eps=1e-8)
    return made


def factored(groups: Groups) -> torch.optim.Optimizer:
    """Adafactor at AdamW's rates: its own is relative to the size of a tensor's weights, and decays them by it."""
    relative = [
        {**group, "relative": rate, "weight_decay": group["weight_decay"] / rate}
        for group in groups
        for rate in ([_PER_SIZE] if all(weight.ndim > 1 for weight in group["params"]) else [1.0])
    ]
    return torch.optim.Adafactor(relative, lr=0.0, foreach=False)


_PER_SIZE = 50.0  # matrices are drawn with a deviation of 0.02 (`Decoder.initialise`); the weights of norms are about 1


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Set the learning rate of a parameter group of any of these optimizers."""
    rate *= group.get("relative", 1.0)
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def step(part: torch.optim.Optimizer) -> None:
    """One step. On a CPU torchao's compiled kernel would want a C++ compiler, and half a minute of it."""
    on_cpu = part.param_groups[0]["params"][0].device.type == "cpu"
    with torch.compiler.set_stance("force_eager" if on_cpu else "default"):
        part.step()


def plain(kept: Mapping[str, Any]) -> dict[str, Tensor]:
    """An optimizer's state as ordinary tensors with a dimension, to be saved."""
    found: dict[str, Tensor] = {}
    for key, value in kept.items():
        if hasattr(value, "codes"):
            found |= {key + _CODES: value.codes, key + _SCALE: value.scale}
        else:
            found[key] = value.reshape(1) if value.ndim == 0 else value
    return found


def quantized(kept: Mapping[str, Tensor], master: Tensor) -> dict[str, Tensor]:
    """The state of `eight_bit` for `master` from what `plain` made of it, or of AdamW's."""
    from torchao.optim.subclass_8bit import OptimState8bit

    found: dict[str, Tensor] = {}
    for key in ("step", "exp_avg", "exp_avg_sq"):
        if key == "step" or master.numel() < _SMALLEST or master.numel() % _BLOCK:
            if key in kept:
                found[key] = kept[key]
            continue
        state = OptimState8bit.zeros(master.shape, key == "exp_avg", _BLOCK, master.device, dtype=master.dtype)
        if key in kept:
            state.copy_(kept[key].to(master.device))
        elif key + _CODES in kept:
            state.codes.copy_(kept[key + _CODES])
            state.scale.copy_(kept[key + _SCALE])
        else:
            continue
        found[key] = state
    return found
