"""The folder of a checkpoint as the exporters read it: its shape, tokenizer and settings, its weights one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mrclassic.errors import Refused
from mrclassic.model.manifest import WEIGHTS, CorruptCheckpoint
from mrclassic.model.shapes import Shape
from mrclassic.model.tokenizer import Tokenizer

Dtype = Literal["f32", "f16", "bf16", "q8_0"]
TORCH: Mapping[Dtype, torch.dtype] = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Folder:
    """A Hugging Face directory that holds `names`; its files are read when they are asked for."""

    path: Path
    names: Sequence[str]

    def json(self, name: str) -> dict[str, Any]:
        """One of its JSON files; empty where there is none of that name."""
        if name not in self.names:
            return {}
        try:
            return dict(json.loads((self.path / name).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise CorruptCheckpoint(f"{self.path / name} cannot be read ({error}).") from error

    @cached_property
    def shape(self) -> Shape:
        """The shape of the network."""
        return Shape.from_config(self.json("config.json"))

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer with its chat template."""
        return Tokenizer.load(self.path)

    @cached_property
    def stops(self) -> tuple[str, ...]:
        """The tokens that end a reply, the one that closes it in the chat template first."""
        tokenizer = self.tokenizer
        others = (tokenizer.backend.id_to_token(index) for index in sorted(tokenizer.end_ids - {tokenizer.end_id}))
        return (tokenizer.end, *(token for token in others if token))

    @contextmanager
    def weights(self) -> Iterator[Weights]:
        """Its tensors, read from the disk one at a time."""
        with ExitStack() as stack:
            try:
                files = [name for name in self.names if name.endswith(".safetensors")]
                opened = [stack.enter_context(safe_open(self.path / name, framework="pt")) for name in files]
            except (OSError, SafetensorError) as error:
                raise CorruptCheckpoint(f"{self.path}: the weights cannot be read ({error}).") from error
            yield Weights({name: file for file in opened for name in file.keys()})  # noqa: SIM118 - not a mapping

    @property
    def dtype(self) -> Dtype:
        """The format of the weights as they are stored: that of the embedding."""
        with self.weights() as weights:
            return weights.dtype("model.embed_tokens.weight")


class Weights:
    """Tensors by Hugging Face's names."""

    def __init__(self, files: Mapping[str, Any]) -> None:
        self._files = files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __getitem__(self, name: str) -> Tensor:
        tensor: Tensor = self._files[name].get_tensor(name)
        return tensor

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, without reading it."""
        return tuple(self._files[name].get_slice(name).get_shape())

    def dtype(self, name: str) -> Dtype:
        """The format of a tensor, without reading it."""
        stored = str(self._files[name].get_slice(name).get_dtype()).lower()
        return next((each for each in TORCH if each == stored), "f32")


def narrowed(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """`tensor` in `dtype`; refuses what float16 is too narrow for."""
    cast = tensor.to(dtype)
    if dtype == torch.float16 and not bool(torch.isfinite(cast).all()):
        raise Refused(f"{name} holds numbers that float16 cannot; export with --dtype bf16 or f32.")
    return cast


def write_converted(source: Folder, target: Path, dtype: Dtype) -> None:
    """Write the weights of `source` in another format, as the one file `model.safetensors`."""
    wanted = TORCH[dtype]
    with source.weights() as weights:
        tensors = {name: narrowed(name, weights[name], wanted) for name in weights}
    try:
        save_file(tensors, target / WEIGHTS, metadata={"format": "pt"})
    except SafetensorError as error:  # also what a full disk is, to the library that writes
        raise OSError(0, str(error), str(target / WEIGHTS)) from error
