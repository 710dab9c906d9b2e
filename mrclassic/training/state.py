"""The state of a run: everything that going on from here needs, and nothing that can be computed again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mrclassic import failpoints
from mrclassic.errors import MrClassicError
from mrclassic.model import checkpoint
from mrclassic.model.manifest import CorruptCheckpoint, manifest, verify
from mrclassic.model.policy import Policy
from mrclassic.training.journal import Journal
from mrclassic.training.trainee import Trainee

ENDED = "ended"  # the name of a run's last state, beside `step-N`; it says how the run ended
SKIPPED = "skipped"  # of the facts: first and last update of what was left out, each time
_GOOD, _OTHER, _KEPT = "good.", "other.", "kept."


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
    other: Trainee | None = None  # a second network that learns beside the first; nothing of it is kept afterwards
    journal: Journal = field(default_factory=Journal)  # of what cannot be computed again; see there
    # Tensors of the method's own beside the weights, and saved with them.
    kept: dict[str, Tensor] = field(default_factory=dict)
    good: Snapshot | None = None  # where a roll-back leads; saved too, or a resumed run would roll back elsewhere
    ended: dict[str, Any] | None = None  # how the run ended, once it has (see `loop`)

    def tensors(self) -> dict[str, Tensor]:
        """Those of the trainee, the method's own, those of a reference that was moved since the run started, and of the
        other network."""
        tensors = self.trainee.tensors() | {f"{_KEPT}{name}": tensor for name, tensor in self.kept.items()}
        if self.reference is not None and "reference" in self.facts:
            named = self.reference.decoder.named_parameters()
            tensors |= {f"reference.{name}": weight for name, weight in named if name in self.trainee.learned}
        if self.other is not None:
            tensors |= {_OTHER + name: tensor for name, tensor in self.other.tensors().items()}
        return tensors

    def _take(self, tensors: Mapping[str, Tensor]) -> None:
        self.trainee.restore({name: each for name, each in tensors.items() if not name.startswith((_OTHER, _KEPT))})
        if self.other is not None:
            self.other.restore(_under(_OTHER, tensors))
        self.kept = {name: tensor.clone() for name, tensor in _under(_KEPT, tensors).items()}
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
        return Snapshot(self.step, tensors, _copy(self.facts), _copy(self.seen))

    def roll_back(self, to: Snapshot) -> None:
        """Return to `to`: weights, moments, facts, and what the sentinel had seen. The step count goes back too."""
        self._take(to.tensors)
        self.step, self.facts, self.seen = to.step, _copy(to.facts), _copy(to.seen)

    def skip_back(self, to: Snapshot) -> None:
        """Take weights and moments of `to` and go on from here: the batches between are left out. The facts (what the
        curriculum saw, which rewards still have a say) stay, but for what belongs to the weights."""
        step, facts = self.step, self.facts
        self.roll_back(to)
        tied = {name: self.facts[name] for name in ("reference",) if name in self.facts}
        skipped = [*facts.get(SKIPPED, []), [to.step + 1, step]]
        self.step, self.facts = step, {**facts, **tied, SKIPPED: skipped}

    def save(self, folder: Path, keep: int = 2) -> Path:
        """Write the state under `folder` as `step-N`, whole or not at all; older ones beyond `keep` go. That of a run
        that has ended is the last one, and the only one that stays."""
        path = folder / (ENDED if self.ended else f"step-{self.step:08d}")
        if not path.exists():
            facts = {"seed": self.seed, "step": self.step, "facts": self.facts, "seen": self.seen, "ended": self.ended}
            tensors, good = self.tensors(), self.good
            if good is not None and good.step != self.step and not self.ended:
                facts["good"] = {"step": good.step, "facts": good.facts, "seen": good.seen}
                tensors |= {_GOOD + name: tensor for name, tensor in good.tensors.items()}
            checkpoint.save(self.trainee.full_policy(), path, step=self.step, state=tensors, state_facts=facts)
        failpoints.reached("state.saved")
        saved = sorted(folder.glob("step-*"))
        for old in saved if self.ended else saved[:-keep]:
            shutil.rmtree(old, ignore_errors=True)
        failpoints.reached("state.pruned")
        oldest = self.step if self.ended else int(saved[-keep:][0].name.removeprefix("step-"))
        self.journal.forget(before=oldest)
        return path

    def resume(self, folder: Path) -> bool:
        """Take over the newest whole state under `folder`; False where there is none. A damaged one is passed over."""
        for path in (folder / ENDED, *sorted(folder.glob("step-*"), reverse=True)):
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
            self._take({name: tensor for name, tensor in tensors.items() if not name.startswith(_GOOD)})
            self.step, self.facts, self.seen = int(facts["step"]), facts["facts"], facts["seen"]
            self.ended = facts.get("ended") if path.name == ENDED else None
            if good := facts.get("good"):
                kept = _under(_GOOD, tensors)
                self.good = Snapshot(good["step"], kept, good["facts"], good["seen"])
            return True
        return False


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)}


def reopen(folder: Path) -> None:
    """Let a run that has ended go on: the last state under `folder` becomes one like any other."""
    ended = folder / ENDED
    if not ended.exists():
        return
    for other in folder.glob("step-*"):
        shutil.rmtree(other)  # what the run was rolled back over, if anything
    ended.rename(folder / f"step-{manifest(ended).step:08d}")


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value))


@dataclass(frozen=True)
class Snapshot:
    """See `State.snapshot`."""

    step: int
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]
    seen: Sequence[Mapping[str, Any]] = ()
