"""What comes from elsewhere is a checkpoint like any other, or one sentence and nothing kept."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import foreign
import micro
import pytest
import torch
from homes import mrclassic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from mrclassic.errors import MrClassicError, Refused, UsageError
from mrclassic.home import Home
from mrclassic.model import checkpoint
from mrclassic.model.importing import weights
from mrclassic.model.importing.words import examiner
from mrclassic.model.manifest import verify
from mrclassic.model.shapes import Shape
from mrclassic.model.template import compiled
from mrclassic.model.tokenizer import Tokenizer
from mrclassic.night import importing
from mrclassic.night.importing import Imported, import_model
from mrclassic.store import Store

SHAPE = {"vocab_size": 704, "family": "qwen2", "qkv_bias": True}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model as its makers published it: Qwen2's shape, bf16 in two shards, with Qwen's words."""
    folder = tmp_path / "model"
    folder.mkdir()
    checkpoint.write_model(micro.policy(**SHAPE), folder)
    (folder / "chat_template.jinja").unlink()
    foreign.qwen().save(folder)
    tensors = {name: tensor.bfloat16() for name, tensor in load_file(folder / "model.safetensors").items()}
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {"model-00001-of-00002.safetensors": names[:9], "model-00002-of-00002.safetensors": names[9:]}
    for part, held in parts.items():
        save_file({name: tensors[name] for name in held}, folder / part, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: part for part, held in parts.items() for name in held}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def bring(home: Home, folder: Path, **how: Any) -> Imported:
    with Store.open(home) as store:
        return import_model(home, store, str(folder), **how)


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def nothing_kept(home: Home) -> bool:
    with Store.open(home) as store:
        return not store.checkpoints.list() and not list(home.checkpoints.iterdir())


# -- what is kept


def test_an_import_is_a_checkpoint_like_any_other(home: Home, folder: Path) -> None:
    told: list[str] = []
    moved: list[int] = []
    facts = bring(home, folder, progress=importing.Progress(lambda what, size: told.append(what), moved.append))
    path = home.checkpoints / facts.checkpoint
    found = verify(path)
    assert (found.method, found.metrics, found.book) == ("import", {"source": "model"}, ())
    assert (facts.in_use, facts.dtype, facts.vocabulary) == (True, "bfloat16", 704)
    assert told == ["importing"]
    written = load_file(path / "model.safetensors")
    assert sum(moved) == sum(tensor.numel() * 2 for tensor in written.values())
    for part in folder.glob("*.safetensors"):
        for name, tensor in load_file(part).items():
            assert written[name].dtype == torch.bfloat16
            assert torch.equal(written[name], tensor)
    settings = json.loads((path / "generation_config.json").read_text())
    assert (settings["temperature"], settings["top_p"], settings["top_k"]) == (0.7, 0.8, 20)
    assert settings["eos_token_id"] == foreign.qwen().generation["eos_token_id"]
    assert json.loads((path / "config.json").read_text())["dtype"] == "bfloat16"
    with Store.open(home) as store:
        row = store.checkpoints.get(facts.checkpoint)
        assert store.checkpoints.golden() == store.checkpoints.in_use() == row
        assert (row.parent, row.model_sha256, row.parameters) == (None, found.model_sha256, facts.parameters)


def test_a_second_one_waits_until_it_is_wanted(home: Home, folder: Path) -> None:
    first = bring(home, folder)
    second, third = bring(home, folder), bring(home, folder, use=True)
    assert (first.in_use, second.in_use, third.in_use) == (True, False, True)
    assert len({first.checkpoint, second.checkpoint, third.checkpoint}) == 3
    assert first.model_sha256 == second.model_sha256
    with Store.open(home) as store:
        assert store.checkpoints.get(second.checkpoint).status == "candidate"
        assert [row.id for row in store.checkpoints.uses()] == [third.checkpoint, first.checkpoint]


def test_what_it_brought_survives_training(home: Home, folder: Path, tmp_path: Path) -> None:
    facts = bring(home, folder)
    policy = checkpoint.load(home.checkpoints / facts.checkpoint, "cpu")
    child = policy.cast(torch.bfloat16).cast(torch.float32)
    checkpoint.save(child, tmp_path / "child")
    again = checkpoint.load(tmp_path / "child", "cpu")
    assert again.shape == policy.shape
    assert again.generation == policy.generation
    assert again.tokenizer.template == foreign.QWEN25
    assert (again.tokenizer.end_ids, again.tokenizer.end) == (policy.tokenizer.end_ids, "<|im_end|>")
    talk = [{"role": "user", "content": "Hello 12 <|im_end|>"}]
    assert again.tokenizer.encode_chat(talk) == policy.tokenizer.encode_chat(talk)


def test_replies_are_read_in_their_own_format_at_once(home: Home, folder: Path) -> None:
    facts = bring(home, folder)
    policy = checkpoint.load_for_replies(home.checkpoints / facts.checkpoint, "cpu", "bf16")
    assert policy.dtype == torch.bfloat16
    assert not any(weight.requires_grad for weight in policy.decoder.parameters())


def test_a_model_without_a_chat_template_gets_ours(home: Home, folder: Path) -> None:
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.pop("chat_template")
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "eos_token": "<|endoftext|>"}))
    facts = bring(home, folder)
    assert not facts.own_template
    tokenizer = Tokenizer.load(home.checkpoints / facts.checkpoint)
    assert tokenizer.end == "<|endoftext|>"
    said = tokenizer.render([{"role": "user", "content": "Hi"}])
    assert said == "<|user|>Hi<|endoftext|><|assistant|>"


def test_of_several_templates_the_default_is_taken(home: Home, folder: Path) -> None:
    several = [{"name": "tool_use", "template": "{{ tools }}"}, {"name": "default", "template": foreign.QWEN3}]
    change(folder / "tokenizer_config.json", chat_template=several)
    facts = bring(home, folder)
    assert (home.checkpoints / facts.checkpoint / "chat_template.jinja").read_text() == foreign.QWEN3


def test_on_the_command_line(home: Home, folder: Path) -> None:
    code, facts, narration = mrclassic(home.root, "model", "import", str(folder), "--json")
    assert code == 0, narration
    assert (facts["family"], facts["in_use"]) == ("qwen2", True)
    code, _, narration = mrclassic(home.root, "model", "import", str(folder / "nowhere" / "at" / "all"))
    assert code == 2
    assert "neither a folder here nor a name" in narration


# -- what is refused


def damaged(home: Home, folder: Path, words: str, kind: type[MrClassicError] = Refused) -> None:
    with pytest.raises(kind, match=words) as caught:
        bring(home, folder)
    assert "\n" not in str(caught.value)
    assert nothing_kept(home)


def test_pickles_only(home: Home, folder: Path) -> None:
    for path in folder.glob("model*"):
        path.unlink()
    damaged(home, folder, "there are no weights")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    damaged(home, folder, "pytorch_model.bin is a pickle")


def test_a_wrong_family(home: Home, folder: Path) -> None:
    change(folder / "config.json", model_type="gpt_neox", architectures=["GPTNeoXForCausalLM"])
    damaged(home, folder, "'gpt_neox' model; Mr. Classic opens models of the Llama, Qwen2 and Qwen3 families")


def test_a_missing_shard(home: Home, folder: Path) -> None:
    (folder / "model-00002-of-00002.safetensors").unlink()
    damaged(home, folder, "model-00002-of-00002.safetensors, which .* names, is missing")


def test_an_index_that_points_elsewhere(home: Home, folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    for name in ("../model-00001-of-00002.safetensors", "/etc/passwd", "weights.bin"):
        change(index, weight_map={"model.norm.weight": name})
        damaged(home, folder, "no safetensors file beside it")


def test_weights_that_the_settings_do_not_want(home: Home, folder: Path) -> None:
    change(folder / "config.json", num_hidden_layers=3)
    damaged(home, folder, "missing")
    change(folder / "config.json", num_hidden_layers=1)
    damaged(home, folder, "unknown")
    change(folder / "config.json", num_hidden_layers=2, intermediate_size=65)
    damaged(home, folder, r"is \(64, 32\), but config.json makes it \(65, 32\)")


def test_another_homes_checkpoint_whose_files_changed(home: Home, tmp_path: Path) -> None:
    checkpoint.save(micro.policy(), tmp_path / "theirs")
    assert bring(home, tmp_path / "theirs").own_template
    data = bytearray((tmp_path / "theirs" / "model.safetensors").read_bytes())
    data[-3] ^= 1
    (tmp_path / "theirs" / "model.safetensors").write_bytes(data)
    with pytest.raises(Refused, match=r"model.safetensors is not as it was written"):
        bring(home, tmp_path / "theirs")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none(home: Home, folder: Path, value: float) -> None:
    part = folder / "model-00001-of-00002.safetensors"
    tensors = load_file(part)
    tensors["model.layers.0.mlp.up_proj.weight"][5, 7] = value
    save_file(tensors, part)
    damaged(home, folder, "up_proj.weight holds values that are not finite")


TOKENIZERS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    # The first three make the library panic: while it parses, and only when it encodes.
    "normalizer": (
        lambda made: made.update(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
        "PanicException",
    ),
    "merges": (
        lambda made: made["model"].update(merges=[["Ġt", "Ġt"]], continuing_subword_prefix="##########"),
        "raised",
    ),
    "splitter": (lambda made: made.update(pre_tokenizer={"type": "FixedLength", "length": 0}), "PanicException"),
    "model": (lambda made: made["model"].update(type="Nothing"), "cannot be used"),
    "ids": (lambda made: made["model"]["vocab"].update(a=5000), "ids reach to 5,001"),
}


@pytest.mark.parametrize("fault", TOKENIZERS)
def test_a_tokenizer_that_breaks_its_parser(home: Home, folder: Path, fault: str) -> None:
    path = folder / "tokenizer.json"
    made = json.loads(path.read_text())
    spoil, words = TOKENIZERS[fault]
    spoil(made)
    path.write_text(json.dumps(made))
    damaged(home, folder, f"tokenizer.*{words}")


TEMPLATES = {
    "loop": ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "more than 2 seconds"),
    "macro": ("{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(90) }}", "2 seconds"),
    "doubling": (
        "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "longer",
    ),
    "filter": ("{{ range(99999) | select('in', range(100000, 199999) | list) | list }}", "more than 2 seconds"),
    "power": ("{{ 9 ** 9 ** 9 }}", "may not use"),
    "memory": ("{{ 'a' * 10 ** 10 }}", "may not use"),
    "include": ("{% include '/etc/passwd' %}", "read another file"),
    "import": ("{% from '/etc/passwd' import x %}", "read another file"),
    "escape": ("{{ messages.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
    "open": ("{{ open('/etc/passwd').read() }}", "'open' is undefined"),
    "syntax": ("{% if %}", "cannot be read"),
    "silent": ("Hello.", "leaves out what is said"),
}


@pytest.mark.parametrize("fault", TEMPLATES)
def test_a_template_that_is_no_template(folder: Path, fault: str) -> None:
    template, words = TEMPLATES[fault]
    examine = examiner()
    assert examine({"folder": str(folder), "vocabulary": 704}) == {}
    told = examine({"config": {"eos_token": "<|im_end|>"}, "template": template, "ids": []})
    assert words in told["refused"]


def test_a_template_that_hangs_beyond_its_clock_is_killed(
    home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where no clock is looked at, within one call of the interpreter."""
    monkeypatch.setattr(importing, "_WRITING", 0.5)
    change(folder / "tokenizer_config.json", chat_template=TEMPLATES["loop"][0])
    damaged(home, folder, "the chat template cannot be used: .* it gave no answer within 0.5 seconds")


def test_a_template_that_turns_bad_later_is_stopped_in_a_reply() -> None:
    tricky = (
        "{% if messages|length > 2 %}{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
        "{% endif %}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    )
    render = compiled(tricky)
    talk = [{"role": "user", "content": "Hi"}]
    assert render(messages=talk) == "Hi"
    with pytest.raises(MrClassicError, match="more than 2 seconds"):
        render(messages=talk * 3)
    assert render(messages=talk) == "Hi"


def test_generation_marks_and_loop_controls_are_understood() -> None:
    render = compiled(
        "{% for m in messages %}{% if m['content'] == 'stop' %}{% break %}{% endif %}"
        "{% generation %}{{ m['content'] ~ '|' ~ 1 }}{% endgeneration %}{% endfor %}"
    )
    assert render(messages=[{"content": "a"}, {"content": "stop"}, {"content": "b"}]) == "a|1"


def test_a_source_that_is_nothing(home: Home) -> None:
    for source in ("nothing-here", "./a/b", "a/b/c", "https://example.org/a/b"):
        with Store.open(home) as store, pytest.raises(UsageError, match="neither a folder here nor a name"):
            import_model(home, store, source)
    with Store.open(home) as store, pytest.raises(Refused, match=r"no config.json"):
        import_model(home, store, str(home.root))


def test_what_fails_at_the_very_end_leaves_nothing(home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mrclassic.store.checkpoints.Checkpoints.add", broken)
        with pytest.raises(KeyboardInterrupt):
            bring(home, folder)
    assert nothing_kept(home)
    with monkeypatch.context() as patch:
        patch.setattr(weights, "_copy_one", broken)
        with pytest.raises(KeyboardInterrupt):
            bring(home, folder)
    assert nothing_kept(home)


# -- headers


def written(path: Path, header: bytes, data: bytes = b"") -> Path:
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return path


ENTRY = '{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ('{"a":' + ENTRY + ',"a":' + ENTRY + "}", "there twice"),
        ('{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}', "8 bytes do not hold"),
        ('{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}', "no whole number"),
        ('{"a":{"dtype":"F32","shape":[true,2],"data_offsets":[0,8]}}', "no whole number"),
        ('{"a":{"dtype":"I8","shape":[8],"data_offsets":[0,8]}}', "as I8 are not read"),
        ('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}', "not known"),
        ('{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', "do not begin where"),
        ('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', "but its header describes"),
        ('{"a":' + ENTRY + ',"b":' + ENTRY + "}", "do not begin where"),
        ("[]", "cannot be used"),
        ("{", "cannot be used"),
        ('{"a":' + "[" * 100_000, "cannot be used"),
    ],
)
def test_a_header_that_lies(tmp_path: Path, header: str, words: str) -> None:
    path = written(tmp_path / "w.safetensors", header.encode(), b"\0" * 8)
    with pytest.raises(Refused, match=words):
        weights._header(path)


def test_a_header_without_end(tmp_path: Path) -> None:
    for data in (b"", b"\1\0", struct.pack("<Q", 2**62) + b"{}", struct.pack("<Q", 2**24) + b" " * 2**24):
        (tmp_path / "w.safetensors").write_bytes(data)
        with pytest.raises(Refused, match="no safetensors file"):
            weights._header(tmp_path / "w.safetensors")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 2**20), byte=st.integers(0, 255), cut=st.booleans())
def test_a_spoilt_file_is_read_as_it_is_or_refused(tmp_path: Path, place: int, byte: int, cut: bool) -> None:
    """Whatever byte of it changes: a sentence, or the tensors that its header then describes."""
    whole = tmp_path / "whole.safetensors"
    if not whole.exists():
        save_file({"a": torch.ones(3, 2), "b": torch.ones(5).bfloat16()}, whole)
    data = bytearray(whole.read_bytes())
    place %= len(data)
    spoilt = data[:place] if cut else data[:place] + bytes([byte]) + data[place + 1 :]
    (tmp_path / "spoilt.safetensors").write_bytes(spoilt)
    try:
        found = weights._header(tmp_path / "spoilt.safetensors")
    except Refused:
        return
    end = max(stored.begin + stored.size for stored in found.values())
    assert end == len(spoilt)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 99), formats=st.lists(st.sampled_from(["float32", "bfloat16", "float16"]), min_size=3))
def test_a_copy_is_what_the_library_reads(tmp_path: Path, seed: int, formats: list[str]) -> None:
    """Any mixture of formats, odd sizes included, in pieces smaller than a tensor."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        f"t{at}": torch.randn(int(torch.randint(1, 9, (1,), generator=generator)), 3, generator=generator).to(
            getattr(torch, name)
        )
        for at, name in enumerate(formats)
    }
    save_file(tensors, tmp_path / "from.safetensors")
    found = weights._header(tmp_path / "from.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "_PIECE", 20)
        weights.copy(found, tmp_path / "to.safetensors")
    copied = load_file(tmp_path / "to.safetensors")
    assert copied.keys() == tensors.keys()
    assert all(torch.equal(copied[name], tensors[name]) for name in tensors)
    assert all(copied[name].dtype == tensors[name].dtype for name in tensors)


def test_copies_that_say_nothing_new_are_left_out(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    checkpoint.write_model(micro.policy(), folder)
    tensors = load_file(folder / "model.safetensors")
    more = {
        "lm_head.weight": tensors["model.embed_tokens.weight"].clone(),
        "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4),
    }
    save_file(tensors | more, folder / "model.safetensors")
    facts = bring(home, folder)
    assert load_file(home.checkpoints / facts.checkpoint / "model.safetensors").keys() == tensors.keys()


def test_expected_names_are_those_of_the_decoder() -> None:
    shape = Shape.from_config(micro.SHAPE.to_config(end_id=1, pad_id=0))
    assert shape == micro.SHAPE
