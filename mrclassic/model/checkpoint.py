"""Checkpoints on disk: save a policy as an immutable directory, and load one after holding every file to its hash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mrclassic.errors import MrClassicError
from mrclassic.model.decoder import Decoder, from_named, to_named
from mrclassic.model.device import choose_device
from mrclassic.model.manifest import WEIGHTS, CorruptCheckpoint, Manifest, publish, sha256, verify
from mrclassic.model.policy import Policy
from mrclassic.model.shapes import Shape
from mrclassic.model.tokenizer import Tokenizer

TRAINING = "training"


def write_model(policy: Policy, folder: Path) -> None:
    """Write `policy` (float32 weights expected) as a Hugging Face directory that transformers opens."""
    tensors = {name: tensor.cpu().float() for name, tensor in to_named(policy.decoder).items()}
    broken = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise MrClassicError(f"The weights are not finite ({broken[0]}); this model is not saved.")
    tokenizer = policy.tokenizer
    end_id, pad_id = tokenizer.end_id, tokenizer.pad_id
    _write_tensors(folder / WEIGHTS, tensors)
    _write_json(folder / "config.json", policy.shape.to_config(end_id=end_id, pad_id=pad_id))
    _write_json(folder / "generation_config.json", {"eos_token_id": end_id, "pad_token_id": pad_id, "do_sample": True})
    tokenizer.save(folder, policy.shape.context)


def read_model(folder: Path, device: str = "cpu") -> Policy:
    """Open a Hugging Face directory (ours or transformers') as a float32 policy; checks names, shapes, finiteness."""
    if not (folder / WEIGHTS).exists() and (folder / f"{WEIGHTS}.index.json").exists():
        raise MrClassicError(f"{folder}: the weights are in several files; save them as one (a larger max_shard_size).")
    try:
        shape = Shape.from_config(json.loads((folder / "config.json").read_text(encoding="utf-8")))
        tensors = load_file(folder / WEIGHTS)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise CorruptCheckpoint(f"{folder}: the model cannot be read ({error}).") from error
    decoder = Decoder(shape)
    from_named(decoder, tensors)
    for name, weight in decoder.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise CorruptCheckpoint(f"{folder / WEIGHTS}: {name} holds values that are not finite.")
    return Policy(decoder.to(choose_device(device)), Tokenizer.load(folder))


def save(
    policy: Policy,
    path: Path,
    *,
    parent: str | None = None,
    run: int | None = None,
    method: str = "",
    step: int = 0,
    book: tuple[str, ...] = (),
    metrics: Mapping[str, Any] | None = None,
    state: Mapping[str, Tensor] | None = None,
    state_facts: Mapping[str, Any] | None = None,
) -> Manifest:
    """Save `policy` (float32) as the checkpoint `path`, whole or not at all; its id is the folder's name.

    `state` and `state_facts` are what training needs to go on from here.
    """

    def fill(folder: Path) -> None:
        write_model(policy, folder)
        if state is not None:
            (folder / TRAINING).mkdir()
            tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
            _write_tensors(folder / TRAINING / "state.safetensors", tensors)
            _write_json(folder / TRAINING / "state.json", dict(state_facts or {}))

    def facts(folder: Path) -> Manifest:
        return Manifest(
            id=path.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            parameters=policy.shape.parameters,
            model_sha256=sha256(folder / WEIGHTS),
            parent=parent,
            run=run,
            method=method,
            step=step,
            book=book,
            metrics=dict(metrics or {}),
        )

    return publish(path, fill, facts)


def load(path: Path, device: str = "auto") -> Policy:
    """Verify the checkpoint at `path` and open it as a float32 policy."""
    verify(path)
    return read_model(path, device)


def load_for_replies(path: Path, device: str = "auto", dtype: str = "auto") -> Policy:
    """The checkpoint at `path` as it answers a person; see `Policy.for_replies`."""
    policy = load(path, device).for_replies(dtype)
    policy.decoder.requires_grad_(False)
    return policy


def load_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The training state that was saved with a checkpoint, if it still has one."""
    folder = path / TRAINING
    if not (folder / "state.json").exists():
        return None
    try:
        facts = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        return load_file(folder / "state.safetensors"), facts
    except (OSError, ValueError, SafetensorError) as error:
        raise CorruptCheckpoint(f"{folder}: the training state cannot be read ({error}).") from error


def _write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    try:
        save_file(tensors, path, metadata={"format": "pt"})
    except SafetensorError as error:  # also what a full disk is, to the library that writes
        raise OSError(0, str(error), str(path)) from error


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
