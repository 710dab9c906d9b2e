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
from mrclassic.model.policy import Policy, reply_dtype
from mrclassic.model.shapes import Shape
from mrclassic.model.tokenizer import Tokenizer

TRAINING = "training"
GENERATION = "generation_config.json"


def write_model(policy: Policy, folder: Path) -> None:
    """Write `policy` (float32 weights expected) as a Hugging Face directory that transformers opens."""
    tensors = {name: tensor.cpu().float() for name, tensor in to_named(policy.decoder).items()}
    broken = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise MrClassicError(f"The weights are not finite ({broken[0]}); this model is not saved.")
    _write_tensors(folder / WEIGHTS, tensors)
    write_words(policy.shape, policy.tokenizer, policy.generation, folder)
    policy.tokenizer.save(folder, policy.shape.context)


def write_words(
    shape: Shape, tokenizer: Tokenizer, generation: Mapping[str, Any], folder: Path, dtype: str = "float32"
) -> None:
    """Write `config.json` and `generation_config.json` for weights in `dtype`."""
    others = sorted(tokenizer.end_ids - {tokenizer.end_id})
    ends = [tokenizer.end_id, *others] if others else tokenizer.end_id
    begin = tokenizer.backend.token_to_id(tokenizer.begin) if tokenizer.begin else None
    config = shape.to_config(end_id=ends, pad_id=tokenizer.pad_id, begin_id=begin, dtype=dtype)
    _write_json(folder / "config.json", config)
    tokens = {"eos_token_id": ends, "pad_token_id": tokenizer.pad_id}
    _write_json(folder / GENERATION, {"do_sample": True, **generation, **tokens})


def read_model(folder: Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Policy:
    """Open a Hugging Face directory (ours or transformers') as a policy in `dtype`; checks names, shapes, values."""
    if not (folder / WEIGHTS).exists() and (folder / f"{WEIGHTS}.index.json").exists():
        raise MrClassicError(f"{folder}: the weights are in several files; `mrclassic model import` makes them one.")
    shape = _shape(folder)
    try:
        tensors = load_file(folder / WEIGHTS)  # mapped, not read: each is in memory while it is copied
        generation = _generation(folder / GENERATION)
    except (OSError, ValueError, AttributeError, SafetensorError) as error:
        raise CorruptCheckpoint(f"{folder}: the model cannot be read ({error}).") from error
    decoder = Decoder(shape)
    for weight in decoder.parameters():
        weight.data = torch.empty_like(weight, dtype=dtype)
    from_named(decoder, tensors)
    for name, weight in decoder.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise CorruptCheckpoint(f"{folder / WEIGHTS}: {name} holds values that are not finite.")
    return Policy(decoder.to(choose_device(device)), Tokenizer.load(folder), generation)


def _generation(path: Path) -> dict[str, Any]:
    """How to draw from the model, where its folder says so; the tokens that end a reply are the tokenizer's affair."""
    told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {key: value for key, value in told.items() if not key.endswith("_token_id")}


def _shape(folder: Path) -> Shape:
    try:
        return Shape.from_config(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptCheckpoint(f"{folder}: the model cannot be read ({error}).") from error


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
    """The checkpoint at `path` as it answers a person, in `policy.reply_dtype`."""
    verify(path)
    policy = read_model(path, device, reply_dtype(_shape(path), choose_device(device), dtype))
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
        why = str(error).rpartition("I/O error: ")[2].partition(" (os error")[0]
        raise OSError(0, why, str(path)) from error


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
