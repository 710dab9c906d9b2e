"""What is exported runs in llama.cpp: the same tokens from any text, the same logits, the same greedy replies.

The tests need llama-cpp-python, which is built from source, and are skipped where it is absent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import micro
import pytest
import torch
import vocabularies
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.model import checkpoint
from mrclassic.model.decoder import Decoder
from mrclassic.model.engine import Engine, Request
from mrclassic.model.exporting.folder import Dtype, Folder
from mrclassic.model.exporting.gguf import write_gguf
from mrclassic.model.policy import Policy
from mrclassic.model.shapes import Scaling
from mrclassic.model.tokenizer import Tokenizer

pytest.importorskip("gguf")
llama_cpp = pytest.importorskip("llama_cpp")

SHAPE = replace(micro.SHAPE, vocab_size=544, context=160)
STRETCHED = Scaling("llama3", 8.0, 32)

MODELS = {
    "ours": (vocabularies.ours, {"head_dim": 16}),
    "smollm-one-kv-head": (vocabularies.smollm, {"kv_heads": 1}),
    "llama-untied-biased": (vocabularies.ours, {"tied": False, "qkv_bias": True, "out_bias": True}),
    "llama3": (vocabularies.llama3, {"scaling": STRETCHED, "head_dim": 16}),
    "tinyllama": (vocabularies.tinyllama, {"tied": False, "kv_heads": 4}),
    "qwen2": (vocabularies.qwen, {"family": "qwen2", "qkv_bias": True}),
    "qwen2-yarn": (vocabularies.qwen, {"family": "qwen2", "qkv_bias": True, "scaling": "yarn"}),
    "qwen3": (vocabularies.qwen, {"family": "qwen3", "qk_norm": True, "head_dim": 16, "tied": False}),
    "qwen3-linear": (vocabularies.qwen, {"family": "qwen3", "qk_norm": True, "scaling": Scaling("linear", 2.0)}),
}


def policy(vocabulary: Callable[[], Tokenizer], seed: int = 1, **shape: Any) -> Policy:
    """Random weights, norms and biases too, loud enough for choices that are not even."""
    if shape.get("scaling") == "yarn":
        shape["scaling"] = Scaling("yarn", 4.0, 40, low=1.0, high=32.0, attention=1.2)
    decoder = Decoder(replace(SHAPE, **shape))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in decoder.named_parameters():
            middle = 1.0 if weight.ndim == 1 and not name.endswith("bias") else 0.0
            weight.normal_(middle, 0.25, generator=generator)
    return Policy(decoder.requires_grad_(False), vocabulary())


def exported(model: Policy, folder: Path, dtype: Dtype = "f32") -> Path:
    checkpoint.write_model(model, folder)
    write_gguf(Folder(folder, [file.name for file in folder.iterdir()]), folder / "model.gguf", name="x", dtype=dtype)
    return folder / "model.gguf"


def opened(path: Path, **options: Any) -> Any:
    """The file in llama.cpp, its cache in float32 as ours is."""
    f32 = llama_cpp.GGML_TYPE_F32
    return llama_cpp.Llama(
        str(path), n_ctx=160, n_threads=1, verbose=False, logits_all=True, type_k=f32, type_v=f32, **options
    )


@pytest.mark.parametrize("name", MODELS)
def test_same_logits_and_greedy_replies(name: str, tmp_path: Path) -> None:
    vocabulary, shape = MODELS[name]
    ours = policy(vocabulary, **shape)
    theirs = opened(exported(ours, tmp_path))
    for text in vocabularies.TALKS[:3]:
        messages = [{"role": "user", "content": text}]
        ids = ours.tokenizer.encode_chat(messages)
        told = theirs.tokenize(ours.tokenizer.render(messages).encode(), add_bos=False, special=True)
        assert ids == list(told)
        theirs.reset()
        theirs.eval(ids)
        logits = torch.tensor(theirs.scores[: len(ids)])
        expected = ours.decoder.logits(ours.decoder(torch.tensor([ids])), ours.live)[0]
        assert logits.shape == expected.shape
        assert (logits - expected).abs().max() < 2e-3
        ((reply,),) = Engine(ours, 1).generate([Request(tuple(ids), max_new=24, temperature=0.0)])
        said = []
        for _ in range(24):
            said.append(int(theirs.scores[theirs.n_tokens - 1].argmax()))
            theirs.eval(said[-1:])
        assert said[: len(reply.tokens)] == list(reply.tokens)


@pytest.mark.parametrize(("dtype", "near"), [("f16", 0.05), ("bf16", 0.5), ("q8_0", 0.5)])
def test_narrower_weights_are_near(dtype: Dtype, near: float, tmp_path: Path) -> None:
    ours = policy(vocabularies.ours)
    theirs = opened(exported(ours, tmp_path, dtype))
    ids = ours.tokenizer.encode("What is 47 + 85?")
    theirs.eval(ids)
    expected = ours.decoder.logits(ours.decoder(torch.tensor([ids])), ours.live)[0]
    assert 0 < (torch.tensor(theirs.scores[: len(ids)]) - expected).abs().max() < near


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Tokenizer, Any]]:
    """Every vocabulary here and in llama.cpp."""
    pairs = []
    for name in vocabularies.ALL:
        made = vocabularies.ALL[name]()
        path = exported(policy(lambda made=made: made), tmp_path_factory.mktemp(name))
        pairs.append((made, llama_cpp.Llama(str(path), vocab_only=True, verbose=False)))
    return pairs


# What the cuts tell apart, and bytes that they share.
_PIECES = st.sampled_from(
    [
        *" \n\t\r'0159.,!?(",
        "  ",
        "\n\n",
        "\r\n",
        *"stdmlvreSTD",
        "’s",
        "é",
        "ß",
        "你",
        "🙂",
        "“",
        "—",
        "\u3000",
        "\u00a0",
    ]
)
_NUMERALS = st.sampled_from([*"½²③٣४Ⅷ𝟘"])


@settings(max_examples=120, deadline=None)
@given(pieces=st.lists(_PIECES | _NUMERALS, max_size=24))
def test_any_text_is_the_same_tokens(readers: list[tuple[Tokenizer, Any]], pieces: list[str]) -> None:
    text = "".join(pieces)
    for ours, theirs in readers:
        read = ours.backend.encode(text, add_special_tokens=False).ids
        assert read == theirs.tokenize(text.encode(), add_bos=False, special=False), ours.template[:40]
