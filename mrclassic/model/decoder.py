"""The decoder: RMSNorm, rotary positions (RoPE), grouped-query attention, SwiGLU; tied or untied embeddings; with the
biases of Qwen2 and the head norms of Qwen3 where the shape has them.

The projections of queries, keys and values, and the two of SwiGLU, are kept fused in memory (fewer, larger
matrix products: at a million parameters the call costs more than the arithmetic). On disk they have the names of
Hugging Face's Llama and Qwen; `to_named` and `from_named` translate.

Shapes in comments: B rows, T tokens, D hidden size, H query heads, K key-value heads, E head size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mrclassic.errors import MrClassicError
from mrclassic.model.attention import causal_attention
from mrclassic.model.device import COLUMNS
from mrclassic.model.kernels import rms_norm, rotate, swiglu
from mrclassic.model.rotary import table
from mrclassic.model.shapes import Shape


class Rotary(NamedTuple):
    """Cosines and signed sines of the positions, (T, 1, E) or (B, 1, E): see `kernels.rotate`."""

    cos: Tensor
    sin: Tensor


class Block(nn.Module):
    """One layer: attention and feed-forward, each behind its RMSNorm, each added to the stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        self.attention_norm = nn.Parameter(torch.ones(shape.hidden))
        self.qkv = nn.Parameter(torch.empty(q + 2 * kv, shape.hidden))
        self.qkv_bias = nn.Parameter(torch.zeros(q + 2 * kv)) if shape.qkv_bias else None
        self.q_norm = nn.Parameter(torch.ones(shape.head_dim)) if shape.qk_norm else None
        self.k_norm = nn.Parameter(torch.ones(shape.head_dim)) if shape.qk_norm else None
        self.out = nn.Parameter(torch.empty(shape.hidden, q))
        self.out_bias = nn.Parameter(torch.zeros(shape.hidden)) if shape.out_bias else None
        self.ffn_norm = nn.Parameter(torch.ones(shape.hidden))
        self.gate_up = nn.Parameter(torch.empty(2 * shape.ffn, shape.hidden))
        self.down = nn.Parameter(torch.empty(shape.hidden, shape.ffn))
        self.adapters = nn.ModuleDict()  # by the name of the matrix that each adapts: see `adapters`
        self.adapted = False  # whether there are any: looking it up there takes a fifth of a small product's time

    def linear(self, x: Tensor, weight: Tensor, name: str, bias: Tensor | None = None) -> Tensor:
        """The product of `x` (..., in) with `weight` (out, in), the matrix `name`; through its adapter, if any."""
        if self.adapted and name in self.adapters:
            return self.adapters[name](x, weight, bias)  # type: ignore[no-any-return]
        return F.linear(x, weight, bias)

    def project(self, x: Tensor, rotary: Rotary) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (..., H, E), keys and values (..., K, E) of the stream `x` (..., D); the first two turned."""
        s = self.shape
        normed = rms_norm(x, self.attention_norm, s.norm_eps)
        mixed = self.linear(normed, self.qkv, "qkv", self.qkv_bias)
        mixed = mixed.view(*x.shape[:-1], s.heads + 2 * s.kv_heads, s.head_dim)
        turning, v = mixed.split_with_sizes((s.heads + s.kv_heads, s.kv_heads), dim=-2)
        if self.q_norm is not None and self.k_norm is not None:
            q, k = (part.contiguous() for part in turning.split_with_sizes((s.heads, s.kv_heads), dim=-2))
            normal = (rms_norm(q, self.q_norm, s.norm_eps), rms_norm(k, self.k_norm, s.norm_eps))
            turning = torch.cat(normal, dim=-2)
        q, k = rotate(turning, *rotary).split_with_sizes((s.heads, s.kv_heads), dim=-2)
        return q, k, v

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """Add the attention's result (..., H*E) and the feed-forward to the stream `x` (..., D)."""
        x = x + self.linear(attended, self.out, "out", self.out_bias)
        normed = rms_norm(x, self.ffn_norm, self.shape.norm_eps)
        wide = self.linear(normed, self.gate_up, "gate_up")
        return x + self.linear(swiglu(wide), self.down, "down")

    def forward(self, x: Tensor, rotary: Rotary) -> tuple[Tensor, Tensor, Tensor]:
        """Causal attention over sequences `x` (B, T, D). Returns the stream, and its keys and values (B, K, T, E)."""
        q, k, v = (part.transpose(1, 2) for part in self.project(x, rotary))  # (B, H|K, T, E)
        attended = causal_attention(q, k, v)
        return self.finish(x, attended.transpose(1, 2).flatten(2)), k, v


def _again(block: nn.Module, x: Tensor, rotary: Rotary) -> Tensor:
    """The stream behind `block`, which is computed again in the backward pass (arXiv 1604.06174)."""
    found = checkpoint(lambda x: block(x, rotary)[0], x, use_reentrant=False, preserve_rng_state=False)
    assert isinstance(found, Tensor)
    return found


class Decoder(nn.Module):
    """Token ids in, hidden states out; `logits` turns hidden states into scores over the vocabulary."""

    rotary_table: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.recompute = False  # each layer, in the backward pass, instead of keeping what that needs
        self.embedding = nn.Parameter(torch.empty(shape.vocab_size, shape.hidden))
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.Parameter(torch.ones(shape.hidden))
        self.head = None if shape.tied else nn.Parameter(torch.empty(shape.vocab_size, shape.hidden))
        positions = -(-shape.context // COLUMNS) * COLUMNS  # batches are padded to whole columns
        self.register_buffer("rotary_table", table(shape, positions), persistent=False)  # (2, T, 1, E)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw fresh weights: normal, deviation 0.02; the two projections into the stream scaled by depth (GPT-2)."""
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if weight.ndim == 1:
                    weight.fill_(0.0 if name.endswith("_bias") else 1.0)
                    continue
                deep = name.endswith((".out", ".down"))
                weight.normal_(0.0, 0.02 / (2 * self.shape.layers) ** 0.5 if deep else 0.02, generator=generator)

    def rotary(self, positions: Tensor | int, dtype: torch.dtype) -> Rotary:
        """The rotations of `positions` (B,), or of the first so many positions."""
        turns = self.rotary_table
        cos, sin = (turns[:, :positions] if isinstance(positions, int) else turns[:, positions]).to(dtype)
        return Rotary(cos, sin)

    def forward(self, ids: Tensor) -> Tensor:
        """Hidden states (B, T, D) of `ids` (B, T), right-padded: causal attention never looks at the padding."""
        x = F.embedding(ids, self.embedding)
        rotary = self.rotary(ids.shape[1], x.dtype)
        recompute = self.recompute and torch.is_grad_enabled()
        for block in self.blocks:
            x = _again(block, x, rotary) if recompute else block(x, rotary)[0]
        return rms_norm(x, self.norm, self.shape.norm_eps)

    def logits(self, hidden: Tensor, live: int | None = None) -> Tensor:
        """Scores (..., live or V): the tokenizer may use only the first `live` rows of the vocabulary."""
        return F.linear(hidden, self.head_weight if live is None else self.head_weight[:live])

    @property
    def head_weight(self) -> Tensor:
        """What hidden states are scored with (V, D): the embedding, where the two are tied."""
        return self.embedding if self.head is None else self.head


def to_named(decoder: Decoder) -> dict[str, Tensor]:
    """The weights under Hugging Face's names, unfused."""
    return {name: view.contiguous() for name, view in _views(decoder)}


def from_named(decoder: Decoder, tensors: Mapping[str, Tensor]) -> None:
    """Fill `decoder` from tensors under Hugging Face's names; every name and shape must be the expected one.

    A mapping that reads each tensor when it is asked for is never held as a whole.
    """
    wanted = dict(_views(decoder))
    fits(decoder.shape, tensors)
    with torch.no_grad():
        for name, target in wanted.items():
            source = tensors[name]
            if source.shape != target.shape:
                raise MrClassicError(
                    f"The weights do not fit config.json: {name} is {tuple(source.shape)}, not {tuple(target.shape)}."
                )
            target.copy_(source)


def expected(shape: Shape) -> dict[str, tuple[int, ...]]:
    """The Hugging Face names of all weights of `shape`, with their sizes."""
    with torch.device("meta"):
        return {name: tuple(view.shape) for name, view in _views(Decoder(shape))}


def fits(shape: Shape, names: Iterable[str]) -> None:
    """Raise unless `names` are those of all weights of `shape`."""
    given, wanted = set(names), set(expected(shape))
    spare, missing = {name for name in given - wanted if not surplus(shape, name)}, wanted - given
    if spare or missing:
        what = f"missing {sorted(missing)[:3]}" if missing else f"unknown {sorted(spare)[:3]}"
        raise MrClassicError(f"The weights do not fit config.json: {what}.")


def surplus(shape: Shape, name: str) -> bool:
    """Whether a weight of that name is only a copy of what is known otherwise: some writers keep the tied head, and
    old ones the rotary frequencies."""
    return (shape.tied and name == "lm_head.weight") or name.endswith(".rotary_emb.inv_freq")


def _views(decoder: Decoder) -> Iterator[tuple[str, Tensor]]:
    """Each Hugging Face name with the view of our weights that it stands for."""
    s = decoder.shape
    q, kv = s.heads * s.head_dim, s.kv_heads * s.head_dim
    yield "model.embed_tokens.weight", decoder.embedding.data
    yield "model.norm.weight", decoder.norm.data
    if decoder.head is not None:
        yield "lm_head.weight", decoder.head.data
    for index, block in enumerate(decoder.blocks):
        assert isinstance(block, Block)
        at = f"model.layers.{index}."
        for part, view in zip("qkv", block.qkv.data.split_with_sizes((q, kv, kv)), strict=True):
            yield f"{at}self_attn.{part}_proj.weight", view
        if block.qkv_bias is not None:
            for part, view in zip("qkv", block.qkv_bias.data.split_with_sizes((q, kv, kv)), strict=True):
                yield f"{at}self_attn.{part}_proj.bias", view
        if block.q_norm is not None and block.k_norm is not None:
            yield f"{at}self_attn.q_norm.weight", block.q_norm.data
            yield f"{at}self_attn.k_norm.weight", block.k_norm.data
        yield f"{at}self_attn.o_proj.weight", block.out.data
        if block.out_bias is not None:
            yield f"{at}self_attn.o_proj.bias", block.out_bias.data
        for part, view in zip(("gate", "up"), block.gate_up.data.chunk(2), strict=True):
            yield f"{at}mlp.{part}_proj.weight", view
        yield f"{at}mlp.down_proj.weight", block.down.data
        yield f"{at}input_layernorm.weight", block.attention_norm.data
        yield f"{at}post_attention_layernorm.weight", block.ffn_norm.data
