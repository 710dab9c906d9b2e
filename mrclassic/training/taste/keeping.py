"""A learned taste as a folder: tensors, what they are corrected by, and the evidence in the manifest that checkpoints
have too, which holds every file to its hash. A folder is made whole or not at all, and never changed.

The heads stand beside the name and the hash of the checkpoint whose features they read, and open on no other. The
network is a model like any other.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mrclassic.errors import MrClassicError
from mrclassic.evidence import Evidence
from mrclassic.model import checkpoint
from mrclassic.model.manifest import WEIGHTS, CorruptCheckpoint, Manifest, publish, sha256, verify
from mrclassic.model.policy import Policy
from mrclassic.training.reward_model import RewardModel
from mrclassic.training.taste.heads import Heads
from mrclassic.training.taste.network import Network

HEADS = "heads.safetensors"
CORRECTION = "correction.json"
METHOD = "reward-model"


def save(model: RewardModel, evidence: Evidence, path: Path) -> Manifest:
    """Write the taste as the folder `path`, which must not exist."""
    scorer = model.scorer

    def fill(folder: Path) -> None:
        if isinstance(scorer, Heads):
            tensors = {name: tensor.contiguous() for name, tensor in scorer.tensors().items()}
            save_file(tensors, folder / HEADS, metadata={"format": "pt"})
        elif isinstance(scorer, Network):
            checkpoint.write_model(scorer.policy, folder)
        facts = {"slopes": model.slopes.tolist()}
        facts |= {name: getattr(model, name) for name in ("middle", "level", "temperature")}
        (folder / CORRECTION).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    def facts(folder: Path) -> Manifest:
        return Manifest(
            id=path.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            parameters=scorer.parameters,
            model_sha256=sha256(folder / (HEADS if isinstance(scorer, Heads) else WEIGHTS)),
            parent=evidence.checkpoint,
            method=METHOD,
            metrics=evidence.facts(),
        )

    return publish(path, fill, facts)


def evidence(path: Path) -> Evidence:
    """What the taste at `path` has to show; raises CorruptCheckpoint where it is not as it was written."""
    try:
        return Evidence.of(verify(path).metrics)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def load(path: Path, policy: Policy | None, device: str = "cpu") -> RewardModel:
    """Open the taste at `path`; `policy` is the model that heads read (see `evidence`), None for a network."""
    found = evidence(path)
    try:
        facts = json.loads((path / CORRECTION).read_text(encoding="utf-8"))
        slopes = torch.tensor(facts.pop("slopes"), dtype=torch.float64)
        if found.form == "network":
            return RewardModel(Network(checkpoint.read_model(path, device)), slopes, **facts)
        if policy is None:
            raise MrClassicError(f"{path}: these heads read the states of {found.checkpoint}, which is not there.")
        return RewardModel(Heads.of(policy, load_file(path / HEADS)), slopes, **facts)
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> CorruptCheckpoint:
    return CorruptCheckpoint(
        f"{path}: the learned taste cannot be read ({error}); `mrclassic train reward-model` learns it anew."
    )
