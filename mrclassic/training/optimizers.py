"""What moves the masters: AdamW for everything, or Muon for the matrices of the layers and AdamW for the rest; where
memory is short, one that keeps less (see `thrifty`).

Muon steps by the orthogonalised momentum of a matrix (https://kellerjordan.github.io/posts/muon/); its step is scaled
to the size of one of AdamW's (arXiv 2502.16982), so that one rate and one schedule serve both. Embeddings, the head and
the norms stay with AdamW.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from mrclassic.training import thrifty

Kind = Literal["adamw", "muon", "adamw8bit", "adafactor"]

_ADAM = ("step", "exp_avg", "exp_avg_sq")


class Optimizer:
    """Torch's optimizers over named float32 masters, stepped together at one rate."""

    def __init__(
        self, kind: Kind, masters: Mapping[str, Tensor], *, weight_decay: float = 0.01, beta2: float = 0.95
    ) -> None:
        self.masters = masters
        turned = {name for name in masters if kind == "muon" and _is_layer_matrix(name, masters[name])}
        rest = [weight for name, weight in masters.items() if name not in turned]
        groups = [
            {"params": [weight for weight in rest if weight.ndim > 1], "weight_decay": weight_decay},
            {"params": [weight for weight in rest if weight.ndim <= 1], "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        self.kind = kind
        if kind == "adamw8bit":
            moving = thrifty.eight_bit(groups, beta2)
        elif kind == "adafactor":
            moving = thrifty.factored(groups)
        else:
            moving = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, beta2), eps=1e-8, fused=True)
        self._of: dict[str, torch.optim.Optimizer] = dict.fromkeys(masters, moving)
        if turned:
            muon = torch.optim.Muon(
                [masters[name] for name in masters if name in turned],
                lr=0.0,
                weight_decay=weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
            self._of |= dict.fromkeys(turned, muon)

    def step(self, rate: float) -> None:
        """Move every master that has a gradient."""
        for part in dict.fromkeys(self._of.values()):
            for group in part.param_groups:
                thrifty.set_rate(group, rate)
            thrifty.step(part)

    def state(self, name: str) -> dict[str, Tensor]:
        """What is kept of the master `name`, such as its moments; empty before its first step."""
        return thrifty.plain(self._of[name].state.get(self.masters[name], {}))

    def restore(self, name: str, kept: Mapping[str, Tensor]) -> bool:
        """Take over a copy of what `state` gave of the master `name`; False, and nothing changes, where it is none of
        this optimizer's."""
        part, master = self._of[name], self.masters[name]
        wanted = self._keeps(part, master)
        if self.kind == "adamw8bit":
            kept = thrifty.quantized(kept, master)
        if set(kept) != set(wanted):
            return False
        # Copies, on the master's device: a state read from disk lies in the CPU's memory. In the order of a fresh one.
        copies = {key: kept[key].to(master.device, copy=True) for key in wanted}
        if "step" in copies:
            copies["step"] = copies["step"].reshape(()).float()
        part.state[master] = copies
        return True

    def _keeps(self, part: torch.optim.Optimizer, master: Tensor) -> tuple[str, ...]:
        """What `part` keeps of a tensor; a state that holds anything else was left by another optimizer."""
        if isinstance(part, torch.optim.Muon):
            return ("momentum_buffer",)
        if isinstance(part, torch.optim.Adafactor):
            return ("step", "row_var", "col_var") if master.ndim > 1 else ("step", "variance")
        return _ADAM

    def forget(self, name: str) -> None:
        """Be as before the first step of the master `name`."""
        self._of[name].state.pop(self.masters[name], None)


def _is_layer_matrix(name: str, weight: Tensor) -> bool:
    return weight.ndim == 2 and name.startswith("blocks.")
