"""A folder for other programs: whole or not at all, the same numbers, and a card that says what it is."""

from __future__ import annotations

import builtins
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import vocabularies
from exports import CARD, saved

from mrclassic.errors import MrClassicError, Refused, UsageError
from mrclassic.model import checkpoint
from mrclassic.model.decoder import to_named
from mrclassic.model.exporting import package
from mrclassic.model.exporting.card import readme
from mrclassic.model.exporting.folder import Folder
from mrclassic.model.policy import Policy
from mrclassic.model.shapes import Scaling, Shape

gguf = pytest.importorskip("gguf")


@pytest.fixture
def model(tmp_path: Path) -> tuple[Policy, Folder]:
    return saved(tmp_path / "model")


# -- Hugging Face


def test_a_hugging_face_folder_is_the_model_with_a_card(model: tuple[Policy, Folder], tmp_path: Path) -> None:
    _, source = model
    made = package.export(source, tmp_path / "a" / "b", CARD)
    assert (made.dtype, made.note) == ("f32", "")
    assert made.files == sorted([*source.names, "README.md"])
    for name in source.names:
        assert (tmp_path / "a" / "b" / name).read_bytes() == (source.path / name).read_bytes()
    assert sorted(file.name for file in (tmp_path / "a").iterdir()) == ["b"], "nothing is left beside it"


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_in_another_format_transformers_opens_it(family: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    own = {"family": family, "qkv_bias": family == "qwen2", "qk_norm": family == "qwen3"}
    policy, source = saved(tmp_path / "model", vocabularies.qwen, **own)
    package.export(source, tmp_path / "half", CARD, dtype="bf16")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "half", dtype="auto")
    assert theirs.dtype == torch.bfloat16
    ids = torch.randint(0, 400, (2, 30), generator=torch.Generator().manual_seed(3))
    ours = checkpoint.read_model(tmp_path / "half")
    for name, tensor in to_named(policy.decoder).items():
        assert torch.equal(to_named(ours.decoder)[name], tensor.bfloat16().float())
    with torch.no_grad():
        assert (theirs.float()(ids).logits - ours.decoder.logits(ours.decoder(ids))).abs().max() < 1e-4


def test_numbers_that_float16_cannot_hold_are_refused(tmp_path: Path) -> None:
    policy, _ = saved(tmp_path / "model")
    policy.decoder.norm[0] = policy.decoder.embedding[5, 5] = 1e6
    (tmp_path / "loud").mkdir()
    checkpoint.write_model(policy, tmp_path / "loud")
    source = Folder(tmp_path / "loud", sorted(file.name for file in (tmp_path / "loud").iterdir()))
    for kind in ("hf", "gguf"):
        with pytest.raises(Refused, match="--dtype bf16"):
            package.export(source, tmp_path / "out", CARD, form=kind, dtype="f16")  # type: ignore[arg-type]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["loud", "model"]


# -- whole or not at all


def test_only_into_a_folder_that_is_new_or_empty(model: tuple[Policy, Folder], tmp_path: Path) -> None:
    _, source = model
    target = tmp_path / "there"
    target.mkdir()
    made = package.export(source, target, CARD, form="gguf")
    assert sorted(file.name for file in target.iterdir()) == made.files == ["README.md", "model.gguf"]
    with pytest.raises(Refused, match="not an empty folder"):
        package.export(source, target, CARD)
    with pytest.raises(UsageError, match="q8_0"):
        package.export(source, tmp_path / "other", CARD, dtype="q8_0")


@pytest.mark.parametrize("there", [True, False])
def test_what_fails_leaves_nothing(
    model: tuple[Policy, Folder], tmp_path: Path, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, source = model
    target = tmp_path / "out"
    if there:
        target.mkdir()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(package, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        package.export(source, target, CARD, form="ollama")
    assert target.exists() == there
    assert sorted(file.name for file in tmp_path.iterdir()) == (["model", "out"] if there else ["model"])
    assert not there or list(target.iterdir()) == []


def test_without_the_package_a_sentence(
    model: tuple[Policy, Folder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, source = model
    real = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name == "gguf":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MrClassicError, match=r"pip install mrclassic\[gguf\]"):
        package.export(source, tmp_path / "out", CARD, form="gguf")
    assert not (tmp_path / "out").exists()


# -- GGUF, read back


def test_gguf_is_read_back(tmp_path: Path) -> None:
    policy, source = saved(tmp_path / "model", vocabularies.llama3, scaling=Scaling("llama3", 8.0, 32), tied=False)
    package.export(source, tmp_path / "out", CARD, form="gguf")
    file = gguf.GGUFReader(tmp_path / "out" / "model.gguf")
    keys = {name: field.contents() for name, field in file.fields.items()}
    assert keys["general.architecture"] == "llama"
    assert keys["general.name"] == "Mr. Classic 20260102-night"
    assert keys["llama.context_length"] == policy.shape.context
    assert keys["llama.vocab_size"] == len(keys["tokenizer.ggml.tokens"]) == policy.live < policy.shape.vocab_size
    assert keys["tokenizer.ggml.pre"] == "llama-bpe"
    assert keys["tokenizer.ggml.eos_token_id"] == policy.tokenizer.end_id
    assert keys["tokenizer.ggml.add_bos_token"] is True
    assert keys["tokenizer.chat_template"] == policy.tokenizer.template
    tensors = {tensor.name: tensor for tensor in file.tensors}
    assert len(tensors) == len(to_named(policy.decoder)) + 1
    assert tensors["rope_freqs.weight"].data.tolist() == pytest.approx([1.0, 8.0, 8.0, 8.0], rel=0.3)
    ours = to_named(policy.decoder)
    assert torch.equal(torch.tensor(tensors["output.weight"].data), ours["lm_head.weight"][: policy.live])
    # Rows of a head: 0 4 1 5 2 6 3 7.
    told = torch.tensor(tensors["blk.1.attn_q.weight"].data)
    assert torch.equal(told[:8], ours["model.layers.1.self_attn.q_proj.weight"][[0, 4, 1, 5, 2, 6, 3, 7]])


@pytest.mark.parametrize(
    ("family", "own"),
    [
        ("llama", {"qkv_bias": True, "out_bias": True, "head_dim": 16}),
        ("qwen2", {"qkv_bias": True}),
        ("qwen3", {"qk_norm": True, "tied": False}),
    ],
)
def test_every_tensor_is_there(family: str, own: dict[str, Any], tmp_path: Path) -> None:
    policy, source = saved(tmp_path / "model", vocabularies.qwen, family=family, **own)
    package.export(source, tmp_path / "out", CARD, form="gguf")
    found = {one.name: torch.tensor(one.data) for one in gguf.GGUFReader(tmp_path / "out" / "model.gguf").tensors}
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[family.upper()], policy.shape.layers)
    ours = to_named(policy.decoder)
    assert len(found) == len(ours)
    for name, tensor in ours.items():
        told = found[names.get_name(name, try_suffixes=(".weight", ".bias"))]
        if family == "llama" and ("q_proj" in name or "k_proj" in name):
            told = told.view(-1, 8, 2, *told.shape[1:]).transpose(1, 2).reshape(told.shape)
        assert torch.equal(told, tensor[: policy.live] if tensor.shape[0] == 544 else tensor)


@pytest.mark.parametrize(("dtype", "kind"), [("f16", "F16"), ("bf16", "BF16"), ("q8_0", "Q8_0")])
def test_matrices_are_narrowed_and_vectors_are_not(
    model: tuple[Policy, Folder], tmp_path: Path, dtype: Any, kind: str
) -> None:
    policy, source = model
    package.export(source, tmp_path / "out", CARD, form="gguf", dtype=dtype)
    file = gguf.GGUFReader(tmp_path / "out" / "model.gguf")
    kinds = {tensor.name: tensor.tensor_type.name for tensor in file.tensors}
    assert {kinds["token_embd.weight"], kinds["blk.0.ffn_down.weight"]} == {kind}
    assert {kinds["output_norm.weight"], kinds["blk.0.attn_norm.weight"]} == {"F32"}
    found = next(tensor for tensor in file.tensors if tensor.name == "token_embd.weight")
    near = torch.tensor(gguf.quants.dequantize(found.data, found.tensor_type))
    assert torch.allclose(near, policy.decoder.embedding[: policy.live], atol=1e-3)


def test_rows_that_are_no_blocks_stay_in_half_precision(tmp_path: Path) -> None:
    _, source = saved(tmp_path / "model", ffn=72)
    package.export(source, tmp_path / "out", CARD, form="gguf", dtype="q8_0")
    kinds = {one.name: one.tensor_type.name for one in gguf.GGUFReader(tmp_path / "out" / "model.gguf").tensors}
    assert (kinds["blk.0.ffn_down.weight"], kinds["blk.0.ffn_up.weight"]) == ("F16", "Q8_0")


@pytest.mark.parametrize(
    "shape",
    [
        {"family": "qwen3", "qk_norm": True, "qkv_bias": True, "out_bias": True},
        {"family": "qwen2", "qkv_bias": True, "head_dim": 16},
        {"family": "qwen2", "qkv_bias": True, "scaling": Scaling("llama3", 8.0, 32)},
    ],
)
def test_what_llama_cpp_cannot_compute_is_refused(shape: dict[str, Any], tmp_path: Path) -> None:
    policy, source = saved(tmp_path / "model", vocabularies.qwen, **shape)
    assert source.shape == policy.shape
    with pytest.raises(Refused, match=r"llama\.cpp knows no"):
        package.export(source, tmp_path / "out", CARD, form="gguf")


# -- the card


def test_the_card_tells_lineage_nights_and_scores() -> None:
    shape = Shape(vocab_size=1536, hidden=128, layers=4, heads=4, kv_heads=2, head_dim=32, ffn=384, context=512)
    told = readme(CARD, shape, form="gguf", dtype="q8_0", note="this differs")
    head = told.split("---\n")[1]
    assert "# license:" in head
    assert "library_name: llama.cpp" in head
    for line in (
        "# Mr. Classic 20260102-night",
        "- 12,345 parameters: Llama, 4 layers of 128, 4 heads over 2, stored as q8_0",
        "| 20260102-night | night | 2026-01-02 | promoted |",
        "| a\\|b | - | 2026-01-01 | golden |",
        "| 2026-01-02 | promoted | 20260102-night |",
        "| arithmetic:1 | 0.500 |",
        "What differs: this differs.",
        "- was trained on 7 entries of its owner's book",
    ):
        assert line in told.splitlines()
    bare = replace(CARD, nights=(), scores={}, lineage=(), origin="Qwen/Qwen2.5-0.5B@0123abc", book=0)
    told = readme(bare, shape, form="hf", dtype="bf16")
    for title in ("Lineage", "Nights", "Scores", "What differs", "book"):
        assert title not in told
    assert "- began as Qwen/Qwen2.5-0.5B@0123abc" in told
    assert "that of Qwen/Qwen2.5-0.5B@0123abc holds for what came from there." in told
