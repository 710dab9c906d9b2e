"""Checkpoints: whole or absent, never overwritten, and nothing altered is ever opened."""

from __future__ import annotations

import json
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import micro
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.errors import MrClassicError
from mrclassic.model import checkpoint
from mrclassic.model.engine import Engine, Request
from mrclassic.model.manifest import NAME, CorruptCheckpoint, manifest, verify

FILES = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "generation_config.json",
    "training/state.safetensors",
    "training/state.json",
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoints" / "cp-1"
    state = {"moments": torch.arange(6.0)}
    checkpoint.save(micro.policy(), path, step=3, state=state, state_facts={"step": 3})
    return path


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    policy = micro.policy(seed=4, tied=False)
    path = tmp_path / "cp-2"
    book, metrics = ("aa", "bb"), {"book_recall": 0.99, "说": "好"}
    facts = checkpoint.save(
        policy, path, parent="cp-1", run=7, method="book", step=12, book=book, metrics=metrics,
        state={"a": torch.ones(2)}, state_facts={"cursor": 5},
    )  # fmt: skip
    assert manifest(path) == facts == verify(path)
    assert (facts.id, facts.parent, facts.run, facts.method, facts.step) == ("cp-2", "cp-1", 7, "book", 12)
    assert (facts.book, facts.metrics, facts.parameters) == (book, metrics, policy.shape.parameters)
    assert facts.parameters == sum(weight.numel() for weight in policy.decoder.parameters())
    assert set(facts.files) == set(FILES)
    opened = checkpoint.load(path, "cpu")
    assert opened.shape == policy.shape
    assert micro.digest(opened) == micro.digest(policy)
    request = Request(tuple(policy.tokenizer.encode_chat([{"role": "user", "content": "Hi 1"}])), n=3, max_new=20)
    assert Engine(opened, 3).generate([request]) == Engine(policy, 3).generate([request])
    state = checkpoint.load_state(path)
    assert state is not None
    assert torch.equal(state[0]["a"], torch.ones(2))
    assert state[1] == {"cursor": 5}


def test_the_same_weights_have_the_same_hash(tmp_path: Path) -> None:
    one, two = (checkpoint.save(micro.policy(seed=1), tmp_path / name) for name in ("one", "two"))
    assert one.model_sha256 == two.model_sha256
    assert checkpoint.save(micro.policy(seed=2), tmp_path / "three").model_sha256 != one.model_sha256
    assert checkpoint.load_state(tmp_path / "one") is None


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_is_found_and_its_file_named(saved: Path, name: str) -> None:
    file = saved / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(CorruptCheckpoint, match=f"cp-1: {name} is not as it was written"):
        checkpoint.load(saved, "cpu")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_shortened_file_is_named(saved: Path, name: str) -> None:
    file = saved / name
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CorruptCheckpoint, match=name):
        checkpoint.load(saved, "cpu")
    file.unlink()
    with pytest.raises(CorruptCheckpoint, match=f"{name} is missing"):
        checkpoint.load(saved, "cpu")


def test_a_folder_that_is_not_there_or_empty(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(CorruptCheckpoint, match="no checkpoint here"):
            checkpoint.load(path, "cpu")


@settings(max_examples=60, deadline=None)
@given(cut=st.floats(0, 0.999))
def test_a_truncated_manifest_is_one_sentence(tmp_path_factory: pytest.TempPathFactory, cut: float) -> None:
    path = tmp_path_factory.mktemp("cut") / "cp"
    checkpoint.save(micro.policy(), path)
    text = (path / NAME).read_text(encoding="utf-8").rstrip()
    (path / NAME).write_text(text[: int(len(text) * cut)], encoding="utf-8")
    with pytest.raises(CorruptCheckpoint, match="manifest cannot be read"):
        checkpoint.load(path, "cpu")


@pytest.mark.parametrize("content", ["[]", "null", "1", "{}", '{"format": 1}', '{"format": 1, "files": 3, "book": []}'])
def test_a_manifest_that_is_something_else(saved: Path, content: str) -> None:
    (saved / NAME).write_text(content, encoding="utf-8")
    with pytest.raises(CorruptCheckpoint, match="manifest cannot be read"):
        manifest(saved)


def test_a_manifest_of_a_later_program_says_so(saved: Path) -> None:
    facts = json.loads((saved / NAME).read_text(encoding="utf-8"))
    (saved / NAME).write_text(json.dumps({**facts, "format": 2}), encoding="utf-8")
    with pytest.raises(CorruptCheckpoint, match="newer"):
        checkpoint.load(saved, "cpu")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path, value: float) -> None:
    policy = micro.policy()
    with torch.no_grad():
        policy.decoder.blocks[1].down[0, 0] = value
    with pytest.raises(MrClassicError, match=r"not finite \(model.layers.1.mlp.down_proj.weight\)"):
        checkpoint.save(policy, tmp_path / "cp")
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite_are_not_opened(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    checkpoint.write_model(micro.policy(), tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["model.norm.weight"][0] = float("nan")
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(CorruptCheckpoint, match="norm holds values that are not finite"):
        checkpoint.read_model(tmp_path)


def test_nothing_is_overwritten(saved: Path) -> None:
    before = (saved / NAME).read_bytes()
    with pytest.raises(MrClassicError, match="never overwritten"):
        checkpoint.save(micro.policy(seed=9), saved)
    assert (saved / NAME).read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["cp-1"]


_SAVER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import micro, torch
from mrclassic.model import checkpoint
policy = micro.policy(seed=3, hidden=256, ffn=1024)
state = {"moments": torch.ones(500_000)}
print("ready", flush=True)
sys.stdin.readline()
for number in range(1000):
    checkpoint.save(policy, Path(sys.argv[1]) / f"cp-{number}", state=state, state_facts={"n": number})
    print(number, flush=True)
"""


def _saver(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _SAVER, str(folder), str(Path(micro.__file__).parent)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_killed_at_any_moment_a_save_leaves_nothing_or_a_whole_checkpoint(tmp_path: Path) -> None:
    rng = random.Random(1)
    unfinished = 0
    for attempt in range(4):
        folder = tmp_path / f"attempt-{attempt}"
        folder.mkdir()
        child = _saver(folder)
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        child.stdin.write("\n")
        child.stdin.flush()
        time.sleep(rng.uniform(0.02, 0.3))
        child.send_signal(signal.SIGKILL)
        told = child.stdout.read().split()
        child.wait()
        named = sorted(folder.glob("cp-*"))
        for path in named:
            verify(path)
            assert checkpoint.load_state(path) is not None
        # What was reported done is there, and whatever else lies there is a hidden leftover that nothing opens.
        assert len(named) in (len(told), len(told) + 1)
        leftovers = [path for path in folder.iterdir() if path not in named]
        assert all(path.name.startswith(".cp-") for path in leftovers)
        unfinished += len(leftovers)
        # The next process saves under the same name as if nothing had been.
        checkpoint.save(micro.policy(), folder / f"cp-{len(named)}")
    assert unfinished, "no kill hit a save: the test shows nothing"


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A limit on file sizes stands for the full disk: writing fails half-way."""
    policy = micro.policy(hidden=128, ffn=512)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(MrClassicError, match=r"model\.safetensors cannot be written"):
            checkpoint.save(policy, tmp_path / "cp")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
    checkpoint.save(policy, tmp_path / "cp")


def test_the_copy_for_replies_is_float32_while_small(saved: Path) -> None:
    opened = checkpoint.load_for_replies(saved, "cpu")
    assert opened.dtype == torch.float32
    assert not any(weight.requires_grad for weight in opened.decoder.parameters())
    assert checkpoint.load_for_replies(saved, "cpu", "bf16").dtype == torch.bfloat16
