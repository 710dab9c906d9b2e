"""A model that can speak: the network with its tokenizer, on a device, in a number format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from mrclassic.errors import MrClassicError
from mrclassic.model.decoder import Decoder
from mrclassic.model.device import choose_device, choose_dtype
from mrclassic.model.shapes import SHAPES, Shape
from mrclassic.model.tokenizer import Tokenizer

# Up to this size a reply in float32 is as quick as one in bfloat16, and rounds alike alone and in company.
FP32_REPLIES = 20_000_000


WARMTH = 0.7  # the temperature of replies, where neither owner nor makers say


@dataclass(frozen=True)
class Policy:
    """The network, its tokenizer, and where it computes. `generation`: how its makers would draw from it
    (`generation_config.json`, without the tokens that end a reply); it travels with the weights."""

    decoder: Decoder
    tokenizer: Tokenizer
    generation: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.tokenizer.size > self.shape.vocab_size:
            raise MrClassicError(
                f"The tokenizer has {self.tokenizer.size:,} tokens and the network only {self.shape.vocab_size:,}."
            )

    @property
    def shape(self) -> Shape:
        return self.decoder.shape

    @property
    def device(self) -> torch.device:
        return self.decoder.embedding.device

    @property
    def dtype(self) -> torch.dtype:
        return self.decoder.embedding.dtype

    @property
    def live(self) -> int:
        """How many ids of the vocabulary the tokenizer uses: only these are scored and drawn."""
        return self.tokenizer.size

    @classmethod
    def fresh(cls, shape: str | Shape, texts: Iterable[str], seed: int = 0, device: str = "cpu") -> Policy:
        """New random weights (float32), and a tokenizer learned from `texts`."""
        wanted = SHAPES[shape] if isinstance(shape, str) else shape
        decoder = Decoder(wanted)
        decoder.initialise(torch.Generator().manual_seed(seed))
        return cls(decoder.to(choose_device(device)), Tokenizer.train(texts, wanted.vocab_size))

    def cast(self, dtype: torch.dtype) -> Policy:
        """A copy with its weights in `dtype` (the rotary table stays float32, and is shared)."""
        with torch.device("meta"):
            twin = Decoder(self.shape)
        weights = self.decoder.named_parameters()
        twin.load_state_dict({name: each.detach().to(dtype, copy=True) for name, each in weights}, assign=True)
        twin.rotary_table = self.decoder.rotary_table
        return replace(self, decoder=twin)

    def for_replies(self, wanted: str = "auto") -> Policy:
        """The copy that answers a person, in `reply_dtype`."""
        dtype = reply_dtype(self.shape, self.device, wanted)
        return self if dtype == self.dtype else self.cast(dtype)


def reply_dtype(shape: Shape, device: torch.device, wanted: str = "auto") -> torch.dtype:
    """The format of replies: see `FP32_REPLIES`; larger models in the one that is fast on `device`."""
    small = wanted == "auto" and device.type == "cpu" and shape.parameters <= FP32_REPLIES
    return torch.float32 if small else choose_dtype(device, wanted)
