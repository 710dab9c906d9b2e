"""The sizes a model can have, as plain data, and how they read and write Hugging Face's `config.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mrclassic.errors import MrClassicError


@dataclass(frozen=True)
class Shape:
    """A Llama-family decoder: RMSNorm, rotary positions, SwiGLU, grouped-query attention."""

    vocab_size: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    context: int
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5
    tied: bool = True

    @property
    def parameters(self) -> int:
        """How many numbers the network holds."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        block = self.hidden * (2 * q + 2 * kv) + 3 * self.hidden * self.ffn + 2 * self.hidden
        embeddings = self.vocab_size * self.hidden * (1 if self.tied else 2)
        return embeddings + self.layers * block + self.hidden

    def block_flops(self, attended: float) -> float:
        """Operations (multiply-adds times two) of one token through all layers, attending to `attended` tokens."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        block = self.hidden * (2 * q + 2 * kv) + 3 * self.hidden * self.ffn
        return 2.0 * self.layers * (block + 2 * q * attended)

    def head_flops(self, vocabulary: int) -> float:
        """Operations of scoring `vocabulary` tokens at one position."""
        return 2.0 * vocabulary * self.hidden

    def to_config(self, *, end_id: int, pad_id: int) -> dict[str, Any]:
        """The `config.json` that transformers, vLLM and llama.cpp read as a Llama model."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": None,
            "dtype": "float32",
            "eos_token_id": end_id,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "hidden_size": self.hidden,
            "initializer_range": 0.02,
            "intermediate_size": self.ffn,
            "max_position_embeddings": self.context,
            "mlp_bias": False,
            "model_type": "llama",
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
            "num_key_value_heads": self.kv_heads,
            "pad_token_id": pad_id,
            "rms_norm_eps": self.norm_eps,
            "rope_theta": self.rope_theta,
            "tie_word_embeddings": self.tied,
            "use_cache": True,
            "vocab_size": self.vocab_size,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Shape:
        """Read a `config.json`; what this decoder cannot compute is refused with a sentence."""
        family = config.get("model_type")
        if family != "llama":
            raise MrClassicError(f"This is a {family!r} model; Mr. Classic opens models of the Llama family.")
        for key, wanted in (("attention_bias", False), ("mlp_bias", False), ("hidden_act", "silu")):
            if config.get(key, wanted) != wanted:
                raise MrClassicError(f"config.json: {key} is {config[key]!r}; only {wanted!r} can be computed here.")
        # transformers 5 moved the rotary settings into `rope_parameters`; older files have them at the top.
        rope = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
        kind = rope.get("rope_type", rope.get("type", "default"))
        if kind != "default":
            raise MrClassicError(f"config.json: rotary scaling {kind!r} cannot be computed here, only plain RoPE.")
        heads = int(config["num_attention_heads"])
        hidden = int(config["hidden_size"])
        return cls(
            vocab_size=int(config["vocab_size"]),
            hidden=hidden,
            layers=int(config["num_hidden_layers"]),
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head_dim=int(config.get("head_dim") or hidden // heads),
            ffn=int(config["intermediate_size"]),
            context=int(config["max_position_embeddings"]),
            rope_theta=float(rope.get("rope_theta", config.get("rope_theta", 10_000.0))),
            norm_eps=float(config.get("rms_norm_eps", 1e-6)),
            tied=bool(config.get("tie_word_embeddings", False)),
        )


SHAPES: dict[str, Shape] = {
    # About 1.0M numbers: hatches on a laptop in minutes.
    "tiny": Shape(vocab_size=1536, hidden=128, layers=4, heads=4, kv_heads=2, head_dim=32, ffn=384, context=512),
    # About 10M numbers.
    "small": Shape(vocab_size=4096, hidden=384, layers=6, heads=6, kv_heads=2, head_dim=64, ffn=896, context=1024),
    # About 49M numbers, 12 layers.
    "classic": Shape(vocab_size=16384, hidden=512, layers=12, heads=8, kv_heads=4, head_dim=64, ffn=1664, context=2048),
}
