"""The sizes a model can have, as plain data, and how they read and write Hugging Face's `config.json`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from mrclassic.errors import MrClassicError

Family = Literal["llama", "qwen2", "qwen3"]
Stretch = Literal["linear", "llama3", "yarn"]


@dataclass(frozen=True)
class Scaling:
    """How rotary positions are stretched beyond the length a model was first trained on; `rotary` has the formulas.

    `original` is that first length. `low` and `high` are the turns within it at which stretching is full and none.
    """

    kind: Stretch
    factor: float
    original: int = 0
    low: float = 1.0
    high: float = 4.0
    attention: float = 1.0  # by which cosines and sines are multiplied


@dataclass(frozen=True)
class Shape:
    """A decoder of RMSNorm, rotary positions, SwiGLU and grouped-query attention: Llama, and what Qwen2 (biases on
    queries, keys and values) and Qwen3 (a norm on the heads of queries and keys) add to it."""

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
    family: Family = "llama"
    qkv_bias: bool = False
    out_bias: bool = False
    qk_norm: bool = False
    scaling: Scaling | None = None

    @property
    def parameters(self) -> int:
        """How many numbers the network holds."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        block = self.hidden * (2 * q + 2 * kv) + 3 * self.hidden * self.ffn + 2 * self.hidden
        block += (q + 2 * kv) * self.qkv_bias + self.hidden * self.out_bias + 2 * self.head_dim * self.qk_norm
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

    def to_config(
        self, *, end_id: int | list[int], pad_id: int, begin_id: int | None = None, dtype: str = "float32"
    ) -> dict[str, Any]:
        """The `config.json` that transformers, vLLM and llama.cpp read as a model of this family."""
        config: dict[str, Any] = {
            "architectures": [_ARCHITECTURES[self.family]],
            "attention_dropout": 0.0,
            "bos_token_id": begin_id,
            "dtype": dtype,
            "eos_token_id": end_id,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "hidden_size": self.hidden,
            "initializer_range": 0.02,
            "intermediate_size": self.ffn,
            "max_position_embeddings": self.context,
            "model_type": self.family,
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
        if self.family == "llama":
            config["mlp_bias"] = False
        else:
            config["use_sliding_window"] = False
        if self.family != "qwen2":
            config["attention_bias"] = self.out_bias
        if self.scaling is not None:
            config["rope_scaling"] = _scaling_to_config(self.scaling)
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Shape:
        """Read a `config.json`; what this decoder cannot compute is refused with a sentence."""
        family = _family(config)
        _check(config, family)
        rope = _rope(config)
        heads, hidden = _count(config, "num_attention_heads"), _count(config, "hidden_size")
        # What Qwen's classes take where a file is silent.
        qwen3 = family == "qwen3"
        size = config.get("head_dim") or (128 if qwen3 else hidden // heads)
        kv_heads = _count(config, "num_key_value_heads", heads if family == "llama" else None)
        bias = _flag(config, "attention_bias", False)
        if heads % kv_heads or size % 2:
            raise MrClassicError(
                f"config.json: {heads} heads of {size} numbers over {kv_heads} key-value heads; the heads must divide "
                "evenly, and their size be even."
            )
        context = _count(config, "max_position_embeddings", limit=2**22)
        return cls(
            vocab_size=_count(config, "vocab_size", limit=2**24),
            hidden=hidden,
            layers=_count(config, "num_hidden_layers", limit=4096),
            heads=heads,
            kv_heads=kv_heads,
            head_dim=_count({"head_dim": size}, "head_dim"),
            ffn=_count(config, "intermediate_size"),
            context=context,
            rope_theta=_number(rope, "rope_theta", config.get("rope_theta") or 10_000.0),
            norm_eps=_number(config, "rms_norm_eps", 1e-6),
            tied=_flag(config, "tie_word_embeddings", False),
            family=family,
            qkv_bias=bias or family == "qwen2",
            out_bias=bias,
            qk_norm=qwen3,
            scaling=_scaling(rope, context),
        )


# -- reading config.json

_ARCHITECTURES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}
_OPENED = "Mr. Classic opens models of the Llama, Qwen2 and Qwen3 families"

# Keys that are read, and keys that say nothing about what the network computes.
_KNOWN = {
    "architectures", "attention_bias", "attention_dropout", "bos_token_id", "dtype", "eos_token_id", "head_dim",
    "hidden_act", "hidden_size", "initializer_range", "intermediate_size", "is_llama_config", "layer_types",
    "max_position_embeddings", "max_window_layers", "mlp_bias", "model_max_length", "model_type",
    "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "pad_token_id", "partial_rotary_factor",
    "pretraining_tp", "rms_norm_eps", "rope_interleaved", "rope_parameters", "rope_scaling", "rope_theta",
    "sliding_window", "tie_word_embeddings", "tokenizer_class", "torch_dtype", "transformers_version",
    "unsloth_fixed", "unsloth_version", "use_cache", "use_sliding_window", "vocab_size",
    # Left by old versions of transformers.
    "begin_suppress_tokens", "chunk_size_feed_forward", "id2label", "is_encoder_decoder", "label2id",
    "length_penalty", "max_length", "num_beams", "num_return_sequences", "output_attentions",
    "output_hidden_states", "problem_type", "repetition_penalty", "return_dict", "temperature", "top_k", "top_p",
    "torchscript", "transformers.js_config",
}  # fmt: skip


def _family(config: Mapping[str, Any]) -> Family:
    family = config.get("model_type")
    if "auto_map" in config:
        raise MrClassicError(f"config.json: this model ({family!r}) is computed by code of its own; {_OPENED}, only.")
    if family not in _ARCHITECTURES:
        raise MrClassicError(f"This is a {family!r} model; {_OPENED}.")
    named = config.get("architectures") or [_ARCHITECTURES[family]]
    if named != [_ARCHITECTURES[family]]:
        raise MrClassicError(f"This is a {', '.join(map(str, named))}; here only {_ARCHITECTURES[family]} can speak.")
    return cast(Family, family)


def _check(config: Mapping[str, Any], family: Family) -> None:
    """Refuse what would change what the network computes, and what nobody here knows."""
    if config.get("quantization_config"):
        raise MrClassicError(
            "config.json: the weights are quantized, which cannot be trained here; take the model's original in bf16, "
            "fp16 or fp32."
        )
    for key, wanted in (
        ("hidden_act", "silu"),
        ("mlp_bias", False),
        ("rope_interleaved", False),
        ("partial_rotary_factor", 1.0),
    ):
        if config.get(key) not in (None, wanted):
            raise MrClassicError(f"config.json: {key} is {config[key]!r}; only {wanted!r} can be computed here.")
    if family == "qwen2" and config.get("attention_bias"):
        raise MrClassicError("config.json: attention_bias is not a setting of qwen2 models, which have theirs anyway.")
    layers = config.get("layer_types") or []
    window = config.get("sliding_window") if config.get("use_sliding_window") else None
    slides = window is not None and config.get("max_window_layers", 28) < _count(config, "num_hidden_layers")
    if slides or any(kind != "full_attention" for kind in layers):
        raise MrClassicError(
            "config.json: attention over a sliding window cannot be computed here, only full attention."
        )
    for key, value in config.items():
        if key not in _KNOWN and not key.startswith("_") and value not in (None, False, [], {}, ""):
            raise MrClassicError(
                f"config.json: {key} is not known of {family} models and might change what this one computes; if it "
                "does not, take it out of a copy of the folder."
            )


_STRETCHES = {
    "linear": {"factor"},
    "llama3": {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"},
    "yarn": {
        *("factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow", "finetuned"),
        *("mscale", "mscale_all_dim", "truncate"),
    },
}


def _rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """The rotary settings: transformers 5 writes `rope_parameters`, older ones `rope_scaling` and the rest on top."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(rope, Mapping):
        raise MrClassicError(f"config.json: the rotary settings are {rope!r}, which is no table.")
    return {key: value for key, value in rope.items() if value is not None}


def _scaling(rope: Mapping[str, Any], context: int) -> Scaling | None:
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default" and kind not in _STRETCHES:
        raise MrClassicError(
            f"config.json: rotary scaling {kind!r} cannot be computed here, only {', '.join(_STRETCHES)} or none."
        )
    known = {"rope_type", "type", "rope_theta", "partial_rotary_factor"} | _STRETCHES.get(kind, set())
    spare = sorted(set(rope) - known)
    if spare or rope.get("partial_rotary_factor", 1.0) != 1.0 or not rope.get("truncate", True):
        raise MrClassicError(f"config.json: rotary settings {dict(rope)!r} cannot be computed here ({kind} scaling).")
    if kind == "default":
        return None
    factor = _number(rope, "factor")
    original = _count(rope, "original_max_position_embeddings", context, limit=2**22)
    if kind == "linear":
        return Scaling("linear", factor)
    if kind == "llama3":
        low, high = _number(rope, "low_freq_factor"), _number(rope, "high_freq_factor")
        if low >= high:
            raise MrClassicError(f"config.json: low_freq_factor {low:g} is not below high_freq_factor {high:g}.")
        return Scaling("llama3", factor, original, low, high)
    attention = rope.get("attention_factor")
    if attention is None:
        own, shared = rope.get("mscale"), rope.get("mscale_all_dim")
        attention = _warmth(factor, own) / _warmth(factor, shared) if own and shared else _warmth(factor, 1.0)
    low, high = _number(rope, "beta_slow", 1.0), _number(rope, "beta_fast", 32.0)
    return Scaling("yarn", factor, original, low, high, float(attention))


def _warmth(factor: float, scale: float) -> float:
    """By how much attention is sharpened over a context stretched by `factor` (YaRN, arXiv 2309.00071, 3.4)."""
    return 0.1 * scale * math.log(factor) + 1.0 if factor > 1 else 1.0


def _scaling_to_config(scaling: Scaling) -> dict[str, Any]:
    config: dict[str, Any] = {"rope_type": scaling.kind, "factor": scaling.factor}
    if scaling.kind != "linear":
        config["original_max_position_embeddings"] = scaling.original
    if scaling.kind == "llama3":
        config |= {"low_freq_factor": scaling.low, "high_freq_factor": scaling.high}
    if scaling.kind == "yarn":
        config |= {"beta_slow": scaling.low, "beta_fast": scaling.high, "attention_factor": scaling.attention}
    return config


def _count(config: Mapping[str, Any], key: str, default: int | None = None, *, limit: int = 2**20) -> int:
    """A whole number from 1 to `limit`."""
    value = default if config.get(key) is None else config[key]
    if value is None:
        raise MrClassicError(f"config.json says nothing of {key}.")
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= limit:
        raise MrClassicError(f"config.json: {key} is {value!r}; it should be a whole number from 1 to {limit:,}.")
    return value


def _number(config: Mapping[str, Any], key: str, default: float | None = None) -> float:
    value = default if config.get(key) is None else config[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise MrClassicError(f"config.json: {key} is {value!r}; it should be a number above 0.")
    return float(value)


def _flag(config: Mapping[str, Any], key: str, default: bool) -> bool:
    value = default if config.get(key) is None else config[key]
    if not isinstance(value, bool):
        raise MrClassicError(f"config.json: {key} is {value!r}; it should be true or false.")
    return value


SHAPES: dict[str, Shape] = {
    # About 1.0M numbers: hatches on a laptop in minutes.
    "tiny": Shape(vocab_size=1536, hidden=128, layers=4, heads=4, kv_heads=2, head_dim=32, ffn=384, context=512),
    # About 10M numbers.
    "small": Shape(vocab_size=4096, hidden=384, layers=6, heads=6, kv_heads=2, head_dim=64, ffn=896, context=1024),
    # About 49M numbers, 12 layers.
    "classic": Shape(vocab_size=16384, hidden=512, layers=12, heads=8, kv_heads=4, head_dim=64, ffn=1664, context=2048),
}
