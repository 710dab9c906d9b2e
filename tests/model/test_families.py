"""Llama, Qwen2 and Qwen3 here and in transformers are the same functions, whatever odd form their settings take."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import foreign
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.errors import MrClassicError
from mrclassic.home import Home
from mrclassic.model import checkpoint
from mrclassic.model.decoder import expected
from mrclassic.model.engine import Engine, Request
from mrclassic.model.policy import Policy
from mrclassic.model.shapes import SHAPES, Scaling, Shape
from mrclassic.night.importing import import_model
from mrclassic.store import Store

transformers = pytest.importorskip("transformers")
torch.set_num_threads(1)

CONTEXT = 96
BASE = {
    "vocab_size": 704, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": CONTEXT, "initializer_range": 0.3, "eos_token_id": 1,
    "bos_token_id": None, "pad_token_id": 0,
}  # fmt: skip
LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}  # fmt: skip
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 24}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {}),
    "llama-bias": ("Llama", {"attention_bias": True, "tie_word_embeddings": True}),
    "llama-linear": ("Llama", {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 5e3}}),
    "llama-llama3": ("Llama", {"head_dim": 16, "num_key_value_heads": 1, "rope_parameters": LLAMA3_ROPE}),
    "qwen2": ("Qwen2", {}),
    "qwen2-tied": ("Qwen2", {"tie_word_embeddings": True, "num_key_value_heads": 4, "rms_norm_eps": 1e-3}),
    "qwen2-yarn": ("Qwen2", {"rope_parameters": YARN}),
    "qwen3": ("Qwen3", {"head_dim": 20}),
    "qwen3-bias": (
        "Qwen3",
        {"head_dim": 6, "attention_bias": True, "num_attention_heads": 3, "num_key_value_heads": 1},
    ),
}
IDS = torch.randint(0, 700, (3, CONTEXT - 2), generator=torch.Generator().manual_seed(3))


def theirs(family: str, seed: int = 7, **changes: Any) -> Any:
    """A random model of transformers; its norms and biases are random too, so that each must land in its place."""
    torch.manual_seed(seed)
    config = getattr(transformers, f"{family}Config")(**{**BASE, **changes})
    model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 1:
                weight.normal_(0.0 if name.endswith("bias") else 1.0, 0.3)
    return model


def opened(model: Any, folder: Path, dtype: torch.dtype = torch.float32, **how: Any) -> Policy:
    model.save_pretrained(folder, **how)
    (folder / "generation_config.json").unlink(missing_ok=True)
    foreign.qwen().save(folder)
    return checkpoint.read_model(folder, dtype=dtype)


def again(folder: Path, dtype: torch.dtype) -> Any:
    """What transformers reads of `folder`. A model that is cast instead has its rotary frequencies rounded, too."""
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()


def logits(policy: Policy, ids: torch.Tensor = IDS) -> torch.Tensor:
    with torch.no_grad():
        return policy.decoder.logits(policy.decoder(ids))


@pytest.mark.parametrize("case", CASES)
def test_the_same_logits_and_the_same_way_back(case: str, tmp_path: Path) -> None:
    family, changes = CASES[case]
    model = theirs(family, **changes)
    (tmp_path / "theirs").mkdir()
    policy = opened(model, tmp_path / "theirs")
    with torch.no_grad():
        told = model(IDS).logits
    assert (told - logits(policy)).abs().max() < 1e-4
    assert policy.shape.parameters == sum(weight.numel() for weight in policy.decoder.parameters())
    assert policy.shape.parameters == sum(weight.numel() for weight in model.parameters())
    (tmp_path / "ours").mkdir()
    checkpoint.write_model(policy, tmp_path / "ours")
    back = again(tmp_path / "ours", torch.float32)
    assert type(back) is type(model)
    with torch.no_grad():
        assert (back(IDS).logits - logits(policy)).abs().max() < 1e-4
    assert checkpoint.read_model(tmp_path / "ours").shape == policy.shape


@pytest.mark.parametrize("family", ["Llama", "Qwen2", "Qwen3"])
def test_bfloat16_is_read_as_it_is(family: str, tmp_path: Path) -> None:
    model = theirs(family).to(torch.bfloat16)
    wide = opened(model, tmp_path)
    narrow = checkpoint.read_model(tmp_path, dtype=torch.bfloat16)
    for mine, other in zip(wide.decoder.parameters(), narrow.decoder.parameters(), strict=True):
        assert other.dtype == torch.bfloat16
        assert torch.equal(mine, other.float()), "nothing was rounded twice"
    with torch.no_grad():
        exact = again(tmp_path, torch.float32)(IDS).logits
        told = again(tmp_path, torch.bfloat16)(IDS).logits
    assert (exact - logits(wide)).abs().max() < 1e-4
    # Our norms stay in the number format of the products, theirs go to float32: a third more rounding in two layers.
    assert (exact - logits(narrow)).abs().mean() < 1.5 * (exact - told).abs().mean()


@pytest.mark.parametrize("case", ["qwen2", "qwen3-bias"])
def test_the_same_gradients(case: str, tmp_path: Path) -> None:
    family, changes = CASES[case]
    model = theirs(family, **changes)
    policy = opened(model, tmp_path)
    weight = torch.randn(3, IDS.shape[1], BASE["vocab_size"], generator=torch.Generator().manual_seed(5))
    (model(IDS).logits * weight).mean().backward()
    (policy.decoder.logits(policy.decoder(IDS)) * weight).mean().backward()
    attention = model.model.layers[0].self_attn
    block = policy.decoder.blocks[0]
    parts = [getattr(attention, f"{part}_proj") for part in "qkv"]
    pairs = [
        (block.qkv.grad, torch.cat([part.weight.grad for part in parts])),
        (block.qkv_bias.grad, torch.cat([part.bias.grad for part in parts])),
        (block.attention_norm.grad, model.model.layers[0].input_layernorm.weight.grad),
    ]
    if family == "Qwen3":
        pairs += [(block.q_norm.grad, attention.q_norm.weight.grad), (block.k_norm.grad, attention.k_norm.weight.grad)]
        pairs += [(block.out_bias.grad, attention.o_proj.bias.grad)]
    for ours, other in pairs:
        assert torch.allclose(ours, other, rtol=1e-3, atol=1e-6)


# -- the whole way: files as published, imported, asked


TALKS = [
    [{"role": "user", "content": "Hello. What is 47 + 85?"}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "naïve café 🙂 你好 1234567890 don't"}],
    [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nGood day.\n"},
        {"role": "user", "content": "x\n\n\ty  z"},
    ],
]
WHOLE: dict[str, tuple[str, Callable[[], foreign.Words]]] = {
    "qwen2-tied": ("Qwen2.5", foreign.qwen),
    "qwen3": ("Qwen3", lambda: foreign.qwen(foreign.QWEN3)),
    "llama-llama3": ("Llama-3.2", foreign.llama3),
    "llama": ("TinyLlama", foreign.tinyllama),
}


@pytest.mark.parametrize("case", WHOLE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_an_imported_model_says_what_it_says_in_transformers(
    case: str, dtype: torch.dtype, home: Home, tmp_path: Path
) -> None:
    family, changes = CASES[case]
    name, make = WHOLE[case]
    words = make()
    model = theirs(family, **changes).to(dtype)
    folder = tmp_path / name
    model.save_pretrained(folder, max_shard_size="60KB")
    words.save(folder, jinja=case == "qwen3")
    assert (folder / "model.safetensors.index.json").exists()
    with Store.open(home) as store:
        facts = import_model(home, store, str(folder))
    assert (facts.source, facts.family, facts.own_template, facts.in_use) == (name, family.lower(), True, True)
    assert facts.dtype == str(dtype).removeprefix("torch.")
    path = home.checkpoints / facts.checkpoint
    policy = checkpoint.load(path, "cpu")
    tokenizer = policy.tokenizer
    assert tokenizer.end == words.closing
    ends = words.generation["eos_token_id"]
    assert tokenizer.end_ids == set(ends if isinstance(ends, list) else [ends])
    assert (path / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()
    assert policy.generation.get("temperature") == words.generation.get("temperature")

    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), bos_token=tokenizer.begin or None, eos_token=tokenizer.eos
    )
    fast.chat_template = words.config["chat_template"]
    model = again(folder, torch.float32)
    requests = []
    for talk in TALKS:
        for generate in (True, False):
            told = fast.apply_chat_template(talk, add_generation_prompt=generate, return_dict=False)
            assert tokenizer.encode_chat(talk, generate) == list(told)
        requests.append(Request(tuple(tokenizer.encode_chat(talk)[-60:]), max_new=30, temperature=0.0))
    for request, (reply,) in zip(requests, Engine(policy, 3).generate(requests), strict=True):
        prompt = torch.tensor([request.tokens])
        unused = list(range(policy.live, policy.shape.vocab_size))
        told = model.generate(
            prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=30, suppress_tokens=unused,
            repetition_penalty=1.0, eos_token_id=tokenizer.end_id, pad_token_id=0,
        )  # fmt: skip
        assert list(reply.tokens) == told[0, prompt.shape[1] :].tolist()


def test_a_reply_in_training_is_spelled_as_it_stands_in_a_conversation(tmp_path: Path) -> None:
    """SentencePiece puts a space before every text; within a conversation there is none."""
    from mrclassic.model.tokenizer import Tokenizer

    foreign.tinyllama().save(tmp_path)
    tokenizer = Tokenizer.load(tmp_path)
    talk = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Good morning, well 🙂"}]
    prompt = tokenizer.encode_chat(talk[:1])
    whole = tokenizer.encode_chat(talk, generate=False)
    reply = [*tokenizer.encode(talk[1]["content"]), tokenizer.end_id]
    assert whole[: len(prompt)] == prompt
    assert whole[len(prompt) : len(prompt) + len(reply)] == reply
    assert tokenizer.decode(reply) == talk[1]["content"]


# -- config.json


QWEN25 = {
    "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151645,
    "hidden_act": "silu", "hidden_size": 896, "initializer_range": 0.02, "intermediate_size": 4864,
    "max_position_embeddings": 32768, "max_window_layers": 21, "model_type": "qwen2", "num_attention_heads": 14,
    "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
    "sliding_window": 32768, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "transformers_version": "4.43.1",
    "use_cache": True, "use_sliding_window": False, "vocab_size": 151936,
}  # fmt: skip
QWEN3 = {
    "architectures": ["Qwen3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "head_dim": 128,
    "hidden_act": "silu", "hidden_size": 1024, "intermediate_size": 3072, "max_position_embeddings": 40960,
    "max_window_layers": 28, "model_type": "qwen3", "num_attention_heads": 16, "num_hidden_layers": 28,
    "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 1000000,
    "sliding_window": None, "tie_word_embeddings": True, "use_sliding_window": False, "vocab_size": 151936,
}  # fmt: skip
LLAMA32 = {
    "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 128000,
    "eos_token_id": [128001, 128008, 128009], "head_dim": 64, "hidden_act": "silu", "hidden_size": 2048,
    "initializer_range": 0.02, "intermediate_size": 8192, "max_position_embeddings": 131072, "mlp_bias": False,
    "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8,
    "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "tie_word_embeddings": True,
    "rope_scaling": {
        "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
    "torch_dtype": "bfloat16", "transformers_version": "4.45.0.dev0", "use_cache": True, "vocab_size": 128256,
}  # fmt: skip
SMOLLM2 = {
    "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 1,
    "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 576, "initializer_range": 0.041666666666666664,
    "intermediate_size": 1536, "is_llama_config": True, "max_position_embeddings": 8192, "mlp_bias": False,
    "model_type": "llama", "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3,
    "pad_token_id": 2, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_interleaved": False, "rope_scaling": None,
    "rope_theta": 100000, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "vocab_size": 49152,
    "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16", "fp16": "float16"}},
}  # fmt: skip
TINYLLAMA = {
    "architectures": ["LlamaForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu",
    "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 5632, "max_position_embeddings": 2048,
    "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 22, "num_key_value_heads": 4,
    "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": None, "tie_word_embeddings": False,
    "torch_dtype": "bfloat16", "transformers_version": "4.35.0", "use_cache": True, "vocab_size": 32000,
}  # fmt: skip


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (QWEN25, 494_032_768),
        (QWEN3, 596_049_920),
        (LLAMA32, 1_235_814_400),
        (SMOLLM2, 134_515_008),
        (TINYLLAMA, 1_100_048_384),
    ],
    ids=["Qwen2.5-0.5B", "Qwen3-0.6B", "Llama-3.2-1B", "SmolLM2-135M", "TinyLlama-1.1B"],
)
def test_published_settings_are_read(config: dict[str, Any], parameters: int) -> None:
    shape = Shape.from_config(config)
    assert shape.parameters == parameters
    assert sum(math.prod(size) for size in expected(shape).values()) == parameters
    assert Shape.from_config(shape.to_config(end_id=[1, 2], pad_id=0)) == shape


@pytest.mark.parametrize(
    ("base", "change", "words"),
    [
        (LLAMA32, {"model_type": "mistral"}, "'mistral' model; Mr. Classic opens models of the Llama, Qwen2 and Qwen3"),
        (LLAMA32, {"auto_map": {"AutoModel": "m.py"}}, "code of its own"),
        (LLAMA32, {"quantization_config": {"bits": 4}}, "quantized"),
        (LLAMA32, {"architectures": ["LlamaForSequenceClassification"]}, "only LlamaForCausalLM"),
        (LLAMA32, {"hidden_act": "gelu"}, "hidden_act is 'gelu'; only 'silu'"),
        (LLAMA32, {"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "'dynamic' cannot .* linear, llama3, yarn"),
        (LLAMA32, {"rope_scaling": {"type": "linear", "factor": 2.0, "mscale": 3.0}}, "rotary settings"),
        (LLAMA32, {"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        (LLAMA32, {"num_key_value_heads": 5}, "divide evenly"),
        (LLAMA32, {"num_hidden_layers": 10**9}, "from 1 to 4,096"),
        (LLAMA32, {"hidden_size": "2048"}, "whole number"),
        (LLAMA32, {"rope_theta": float("nan")}, "above 0"),
        (LLAMA32, {"tie_word_embeddings": 1}, "true or false"),
        (LLAMA32, {"residual_multiplier": 0.3}, "residual_multiplier is not known of llama models"),
        (QWEN25, {"use_sliding_window": True}, "sliding window"),
        (QWEN3, {"layer_types": ["sliding_attention"] * 28}, "sliding window"),
        (QWEN3, {"num_experts": 8}, "num_experts is not known"),
        (QWEN25, {"num_key_value_heads": None}, "says nothing of num_key_value_heads"),
    ],
)
def test_what_would_change_the_mathematics_is_refused(base: dict[str, Any], change: dict[str, Any], words: str) -> None:
    with pytest.raises(MrClassicError, match=words) as caught:
        Shape.from_config({**base, **change})
    assert "\n" not in str(caught.value)


def test_what_says_nothing_of_the_mathematics_is_not() -> None:
    silent = {"_name_or_path": "x", "use_mrope": False, "layer_types": ["full_attention"] * 24, "unsloth_version": "1"}
    assert Shape.from_config({**QWEN25, **silent}) == Shape.from_config(QWEN25)
    unused = {"use_sliding_window": True, "max_window_layers": 24}
    assert Shape.from_config({**QWEN25, **unused}) == Shape.from_config(QWEN25)


scalings = st.one_of(
    st.none(),
    st.builds(Scaling, st.just("linear"), st.floats(1, 64)),
    st.builds(
        Scaling,
        st.sampled_from(["llama3", "yarn"]),
        st.floats(1, 64),
        st.integers(1, 8192),
        st.floats(0.5, 2),
        st.floats(4, 64),
    ),
)


@settings(max_examples=100, deadline=None)
@given(
    scaling=scalings,
    family=st.sampled_from(["llama", "qwen2", "qwen3"]),
    bias=st.booleans(),
    tied=st.booleans(),
    half=st.integers(1, 64),
)
def test_settings_survive_their_own_file(
    scaling: Scaling | None, family: Any, bias: bool, tied: bool, half: int
) -> None:
    bias = bias and family != "qwen2"
    shape = replace(
        SHAPES["tiny"],
        family=family,
        qkv_bias=bias or family == "qwen2",
        out_bias=bias,
        qk_norm=family == "qwen3",
        scaling=scaling,
        tied=tied,
        head_dim=2 * half,
    )
    assert Shape.from_config(shape.to_config(end_id=1, pad_id=0)) == shape
