"""A model as one GGUF file, which llama.cpp and what is built on it open.

The names of tensors and keys are those of the `gguf` package, which llama.cpp's authors keep. Three things differ from
Hugging Face's files. Llama's queries and keys turn neighbouring numbers instead of halves, so that their rows are
reordered. Of the embedding only the rows are written that the tokenizer uses: llama.cpp would draw from the others too.
And Llama 3's stretched positions become a tensor of divisors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor

from mrclassic.errors import MrClassicError, Refused
from mrclassic.model.exporting.folder import TORCH, Dtype, Folder, Weights, narrowed
from mrclassic.model.exporting.vocabulary import vocabulary
from mrclassic.model.rotary import frequencies
from mrclassic.model.shapes import Shape

_FILE_TYPES = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "bf16": "MOSTLY_BF16", "q8_0": "MOSTLY_Q8_0"}
_ROWS = ("model.embed_tokens.weight", "lm_head.weight")  # one row a token


@dataclass(frozen=True)
class _Part:
    """One tensor of the file: its shape and format, and how its numbers are had when their turn comes."""

    name: str
    shape: tuple[int, ...]
    dtype: Dtype
    read: Callable[[], Tensor]


def write_gguf(source: Folder, path: Path, *, name: str, dtype: Dtype) -> str:
    """Write `source` as the GGUF file `path`, matrices in `dtype`, one tensor in memory at a time.

    Returns a note on what differs all the same, if anything.

    Raises Refused for a tokenizer or a network that llama.cpp would compute otherwise than it was trained.
    """
    library = package()
    told = vocabulary(source.tokenizer)
    shape = source.shape
    _check(shape)
    writer = library.GGUFWriter(path, shape.family)
    try:
        with source.weights() as weights:
            parts = list(_parts(weights, shape, source.tokenizer.size, dtype, library))
            _describe(writer, source, name, dtype, library)
            writer.add_tokenizer_model(told.model)
            writer.add_tokenizer_pre(told.pre)
            writer.add_token_list(told.tokens)
            writer.add_token_types(told.types)
            if told.merges:
                writer.add_token_merges(told.merges)
            if told.scores:
                writer.add_token_scores(told.scores)
            _announce(writer, source, told.adds_begin)
            for part in parts:
                kind = library.GGMLQuantizationType[part.dtype.upper()]
                size = _bytes(part, library)
                writer.add_tensor_info(part.name, part.shape, None, size, raw_dtype=kind)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
            for part in parts:
                writer.write_tensor_data(_numbers(part, library))
    finally:
        writer.close()
    return told.note


def package() -> ModuleType:
    """The `gguf` package; where it is not installed, a sentence says how to get it."""
    try:
        import gguf
    except ImportError as error:
        raise MrClassicError(
            "Writing GGUF needs the gguf package: install it with `pip install mrclassic[gguf]`."
        ) from error
    return gguf


def _check(shape: Shape) -> None:
    """Refuse what llama.cpp's graph of the family leaves out."""
    lacking = {
        "biases on what attention gives": shape.family == "qwen3" and shape.out_bias,
        "heads that are not as wide as the stream": shape.family == "qwen2"
        and shape.heads * shape.head_dim != shape.hidden,
        "Llama 3's stretched positions": shape.family != "llama"
        and shape.scaling is not None
        and shape.scaling.kind == "llama3",
    }
    for what, there in lacking.items():
        if there:
            raise Refused(f"llama.cpp knows no {shape.family} model with {what}; export it with --format hf instead.")


def _describe(writer: Any, source: Folder, name: str, dtype: Dtype, library: ModuleType) -> None:
    shape = source.shape
    writer.add_type("model")
    writer.add_name(name)
    writer.add_file_type(library.LlamaFileType[_FILE_TYPES[dtype]])
    writer.add_quantization_version(library.GGML_QUANT_VERSION)
    writer.add_vocab_size(source.tokenizer.size)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_layer_norm_rms_eps(shape.norm_eps)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_theta)
    _stretch(writer, shape, library)


def _stretch(writer: Any, shape: Shape, library: ModuleType) -> None:
    scaling = shape.scaling
    if scaling is None or scaling.kind == "llama3":  # Llama 3's divisors are a tensor
        return
    writer.add_rope_scaling_factor(scaling.factor)
    if scaling.kind == "linear":
        writer.add_rope_scaling_type(library.RopeScalingType.LINEAR)
        return
    writer.add_rope_scaling_type(library.RopeScalingType.YARN)
    writer.add_rope_scaling_orig_ctx_len(scaling.original)
    writer.add_rope_scaling_yarn_beta_fast(scaling.high)
    writer.add_rope_scaling_yarn_beta_slow(scaling.low)
    # llama.cpp multiplies by 1 + 0.1 ln(factor) of its own accord.
    writer.add_rope_scaling_attn_factors(scaling.attention / (1 + 0.1 * math.log(scaling.factor)))


def _announce(writer: Any, source: Folder, adds_begin: bool) -> None:
    """Which tokens begin, end and fill; and the chat template."""
    tokenizer = source.tokenizer
    if tokenizer.begin:
        writer.add_bos_token_id(tokenizer.backend.token_to_id(tokenizer.begin))
    writer.add_eos_token_id(tokenizer.end_id)
    for other in sorted(tokenizer.end_ids - {tokenizer.end_id})[:1]:  # there is one more place for such a token
        writer.add_eot_token_id(other)
    writer.add_pad_token_id(tokenizer.pad_id)
    writer.add_add_bos_token(adds_begin)
    writer.add_add_eos_token(False)
    writer.add_chat_template(tokenizer.template)


def _parts(weights: Weights, shape: Shape, live: int, dtype: Dtype, library: ModuleType) -> Iterator[_Part]:
    architecture = library.MODEL_ARCH[shape.family.upper()]
    names = library.get_tensor_name_map(architecture, shape.layers)
    if shape.scaling is not None and shape.scaling.kind == "llama3":
        plain = frequencies(replace(shape, scaling=None))
        yield _Part("rope_freqs.weight", (shape.head_dim // 2,), "f32", lambda: plain / frequencies(shape))
    for name in sorted(weights, key=_in_order):
        if name == "lm_head.weight" and shape.tied:
            continue
        told = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if told is None:
            raise MrClassicError(f"GGUF has no name for the tensor {name}; export it with --format hf instead.")
        size = weights.shape(name)
        read = partial(_read, weights, name, shape, live)
        if name in _ROWS:
            size = (live, *size[1:])
        yield _Part(told, size, _format(size, dtype), read)


def _in_order(name: str) -> tuple[int, str]:
    """Layer by layer, what belongs to none first."""
    layer = re.match(r"model\.layers\.(\d+)\.", name)
    return (int(layer[1]) if layer else -1, name)


def _format(size: tuple[int, ...], dtype: Dtype) -> Dtype:
    """Vectors stay float32; rows that do not divide into blocks of 32 cannot be quantized."""
    if len(size) == 1:
        return "f32"
    return "f16" if dtype == "q8_0" and size[-1] % 32 else dtype


def _read(weights: Weights, name: str, shape: Shape, live: int) -> Tensor:
    tensor = weights[name]
    if name in _ROWS:
        return tensor[:live]
    if shape.family == "llama" and (part := re.search(r"\.([qk])_proj\.", name)):
        return _neighbours(tensor, shape.heads if part[1] == "q" else shape.kv_heads)
    return tensor


def _neighbours(tensor: Tensor, heads: int) -> Tensor:
    """Rows of each head reordered, so that the two numbers of a rotary pair, half a head apart, become neighbours."""
    return tensor.view(heads, 2, -1, *tensor.shape[1:]).transpose(1, 2).reshape(tensor.shape)


def _bytes(part: _Part, library: ModuleType) -> int:
    block, size = library.GGML_QUANT_SIZES[library.GGMLQuantizationType[part.dtype.upper()]]
    return math.prod(part.shape) // int(block) * int(size)


def _numbers(part: _Part, library: ModuleType) -> Any:
    """The tensor as the array of numbers, or of blocks, that the file holds."""
    if part.dtype in ("f32", "f16"):
        return narrowed(part.name, part.read(), TORCH[part.dtype]).contiguous().numpy()
    kind = library.GGMLQuantizationType[part.dtype.upper()]
    return library.quants.quantize(part.read().float().contiguous().numpy(), kind)
