"""The state of a run: everything that going on from here needs, and nothing that can be computed again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mrclassic.errors import MrClassicError
from mrclassic.model import checkpoint
from mrclassic.model.manifest import CorruptCheckpoint, verify
from mrclassic.model.policy import Policy
from mrclassic.training.journal import Journal
from mrclassic.training.trainee import Trainee


@dataclass
class State:
    """Weights and moments (`trainee`), the number of updates done, and the method's own facts (plain JSON).

    Randomness has no state: it is keyed by (seed, step, row).
    """

    trainee: Trainee
    seed: int
    step: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    seen: list[dict[str, Any]] = field(default_factory=list)  # the sentinel's memory, as it was when last saved
    # The policy that the divergence is measured from: that which the run started from, and then it is not saved; or
    # that of the update `facts["reference"]`, which is.
    reference: Policy | None = None
    journal: Journal = field(default_factory=Journal)  # of what cannot be computed again; see there

    def tensors(self) -> dict[str, Tensor]:
        """Those of the trainee, and of a reference that was moved since the run started."""
        tensors = self.trainee.tensors()
        if self.reference is not None and "reference" in self.facts:
            named = self.reference.decoder.named_parameters()
            tensors |= {f"reference.{name}": weight for name, weight in named if name in self.trainee.learned}
        return tensors

    def _take(self, tensors: Mapping[str, Tensor]) -> None:
        self.trainee.restore(tensors)
        if self.reference is not None:
            with torch.no_grad():
                for name, weight in self.reference.decoder.named_parameters():
                    if f"reference.{name}" in tensors:
                        weight.copy_(tensors[f"reference.{name}"])

    @torch.no_grad()
    def move_reference(self) -> None:
        """Measure the divergence from where the policy stands now."""
        assert self.reference is not None
        for anchor, weight in zip(
            self.reference.decoder.parameters(), self.trainee.policy.decoder.parameters(), strict=True
        ):
            anchor.copy_(weight)
        self.facts["reference"] = self.step

    @torch.no_grad()
    def snapshot(self, over: Snapshot | None = None) -> Snapshot:
        """A copy in memory, to roll back to; written over an older one where that is given."""
        tensors = dict(over.tensors) if over is not None else {}
        for name, tensor in self.tensors().items():
            if name in tensors:
                tensors[name].copy_(tensor)
            else:
                tensors[name] = tensor.detach().clone()
        return Snapshot(self.step, tensors, json.loads(json.dumps(self.facts)))

    def roll_back(self, to: Snapshot) -> None:
        """Return to `to`: weights, moments and facts. The step count goes back too."""
        self._take(to.tensors)
        self.step, self.facts = to.step, json.loads(json.dumps(to.facts))

    def save(self, folder: Path, keep: int = 2) -> Path:
        """Write the state under `folder` as `step-N`, whole or not at all; older ones beyond `keep` go."""
        path = folder / f"step-{self.step:08d}"
        if not path.exists():
            facts = {"seed": self.seed, "step": self.step, "facts": self.facts, "seen": self.seen}
            checkpoint.save(self.trainee.full_policy(), path, step=self.step, state=self.tensors(), state_facts=facts)
        saved = sorted(folder.glob("step-*"))
        for old in saved[:-keep]:
            shutil.rmtree(old, ignore_errors=True)
        self.journal.forget(before=int(saved[-keep:][0].name.removeprefix("step-")))
        return path

    def resume(self, folder: Path) -> bool:
        """Take over the newest whole state under `folder`; False where there is none. A damaged one is passed over."""
        for path in sorted(folder.glob("step-*"), reverse=True):
            try:
                verify(path)
                saved = checkpoint.load_state(path)
            except CorruptCheckpoint:
                continue
            if saved is None:
                continue
            tensors, facts = saved
            if facts["seed"] != self.seed:
                raise MrClassicError(f"{path} was made with seed {facts['seed']}, not {self.seed}; give the same seed.")
            self._take(tensors)
            self.step, self.facts, self.seen = int(facts["step"]), facts["facts"], facts["seen"]
            return True
        return False


@dataclass(frozen=True)
class Snapshot:
    """See `State.snapshot`."""

    step: int
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]
