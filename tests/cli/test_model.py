"""model list, show, use, undo and export, as a shell sees them, on small models with random weights."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import babies
import pytest
from homes import command

from mrclassic.home import Home
from mrclassic.store import Store

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(home: Home) -> Run:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return command("--home", str(home.root), "model", *words)

    return run


@pytest.fixture
def family(home: Home) -> Home:
    """Two checkpoints, the second in use."""
    babies.hatch(home, "old-1")
    babies.hatch(home, "new-1", parent="old-1", seed=1)
    return home


def damage(home: Home, checkpoint: str) -> None:
    weights = home.checkpoints / checkpoint / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))


def in_use(home: Home) -> str:
    with Store.open(home) as store:
        row = store.checkpoints.in_use()
    assert row is not None
    return row.id


@pytest.mark.usefixtures("family")
def test_list(run: Run) -> None:
    rows = json.loads(run("list", "--json").stdout)
    assert [(row["id"], row["parent"], row["in_use"]) for row in rows] == [
        ("new-1", "old-1", True),
        ("old-1", None, False),
    ]
    lines = run("list").stdout.splitlines()
    assert [line[:7] for line in lines] == ["* new-1", "  old-1"]


def test_without_any_model(run: Run) -> None:
    done = run("list", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    for words in (("show",), ("undo",), ("export", "/nowhere/at/all")):
        done = run(*words)
        assert (done.returncode, done.stderr) == (1, "mrclassic: No model here yet; run `mrclassic hatch`.\n")


def test_show(run: Run, family: Home) -> None:
    facts = json.loads(run("show", "--json").stdout)
    assert (facts["id"], facts["in_use"], facts["whole"], facts["lineage"]) == ("new-1", True, True, ["old-1"])
    assert facts["parameters"] > 500_000
    assert Path(facts["folder"]) == family.checkpoints / "new-1"
    assert json.loads(run("show", "old", "--json").stdout)["id"] == "old-1", "the beginning of an id is enough"
    damage(family, "old-1")
    facts = json.loads(run("show", "old-1", "--json").stdout)
    assert facts["whole"] is False
    assert "model.safetensors is not as it was written" in facts["trouble"]
    assert "whole        no" in run("show", "old-1").stdout


def test_use_and_undo(run: Run, family: Home) -> None:
    assert run("use", "old").stderr == "old-1 answers from the next reply on.\n"
    assert in_use(family) == "old-1"
    assert run("use", "old-1").stderr == "old-1 is in use already.\n"
    assert json.loads(run("undo", "--json").stdout) == {"checkpoint": "new-1", "before": "old-1"}
    done = run("undo")
    assert done.stderr.splitlines() == [
        "old-1 answers from the next reply on.",
        "`mrclassic model use new-1` takes this back.",
    ]
    assert in_use(family) == "old-1", "undone twice is further back"
    done = run("undo")
    assert done.returncode == 1
    assert "there is nothing to go back to" in done.stderr
    assert run("use", "new-1").returncode == 0
    assert in_use(family) == "new-1"


def test_undo_passes_over_what_was_removed(run: Run, family: Home) -> None:
    babies.hatch(family, "newest-1", parent="new-1", seed=2)
    shutil.rmtree(family.checkpoints / "new-1")
    assert [row["here"] for row in json.loads(run("list", "--json").stdout)] == [True, False, True]
    assert "removed" in run("list").stdout
    assert run("undo").returncode == 0
    assert in_use(family) == "old-1"
    done = run("use", "new-1")
    assert (done.returncode, len(done.stderr.splitlines())) == (3, 1)
    assert "were removed" in done.stderr


def test_prune(run: Run, family: Home) -> None:
    for number in range(6):
        with Store.open(family) as store:
            row = store.checkpoints.get("old-1")
            (family.checkpoints / f"c-{number}").mkdir()
            (family.checkpoints / f"c-{number}" / "file").write_text("x" * 100)
            store.checkpoints.add(replace(row, id=f"c-{number}", path=f"c-{number}", created=f"2020-01-0{number + 1}"))
    facts = json.loads(run("prune", "--dry-run", "--json").stdout)
    assert facts == {"removed": ["c-5", "c-4", "c-3", "c-2", "c-1", "c-0"][1:], "freed": 500}
    assert run("prune", "--keep", "1").stdout.splitlines() == ["c-5", "c-4", "c-3", "c-2", "c-1", "c-0"]
    assert in_use(family) == "new-1"
    assert not (family.checkpoints / "c-0").exists()
    assert run("undo").returncode == 0


def test_undo_with_nothing_before(run: Run, home: Home) -> None:
    babies.hatch(home, "only-1")
    done = run("undo")
    assert done.returncode == 1
    assert "there is nothing to go back to" in done.stderr


def test_an_unknown_checkpoint(run: Run, family: Home) -> None:
    done = run("use", "nobody")
    assert done.returncode == 2
    assert done.stderr == "mrclassic: There is no checkpoint nobody; see `mrclassic model list`.\n"
    assert in_use(family) == "new-1"


@pytest.mark.parametrize("words", [("use", "old-1"), ("undo",), ("export", "copy", "--checkpoint", "old-1")])
def test_a_damaged_checkpoint_is_refused(run: Run, family: Home, words: tuple[str, ...], tmp_path: Path) -> None:
    damage(family, "old-1")
    words = tuple(str(tmp_path / word) if word == "copy" else word for word in words)
    done = run(*words)
    assert done.returncode == 3
    assert "model.safetensors is not as it was written" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert in_use(family) == "new-1"
    assert not (tmp_path / "copy").exists()


def test_weights_put_in_anothers_place_are_refused(run: Run, family: Home) -> None:
    (family.checkpoints / "old-1").rename(family.root / "aside")
    (family.checkpoints / "new-1").rename(family.checkpoints / "old-1")
    done = run("use", "old-1")
    assert done.returncode == 3
    assert "these are not the weights that were saved as old-1" in done.stderr


@pytest.mark.slow
def test_export_opens_in_transformers(run: Run, family: Home, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from mrclassic.model import checkpoint

    folder = tmp_path / "deep" / "copy"
    facts = json.loads(run("export", str(folder), "--checkpoint", "old-1", "--json").stdout)
    assert facts["checkpoint"] == "old-1"
    assert sorted(facts["files"]) == sorted(file.name for file in folder.iterdir())
    assert not {"mrclassic.json", "training"} & {file.name for file in folder.iterdir()}
    ours = checkpoint.load(family.checkpoints / "old-1", "cpu")
    theirs = AutoModelForCausalLM.from_pretrained(folder)
    conversation = [{"role": "user", "content": "Hello, 你好 🎩"}]
    tokens = AutoTokenizer.from_pretrained(folder).apply_chat_template(
        conversation, add_generation_prompt=True, return_dict=False
    )
    assert tokens == ours.tokenizer.encode_chat(conversation)
    assert sum(weights.numel() for weights in theirs.parameters()) == ours.shape.parameters
    with torch.no_grad():
        assert bool(torch.isfinite(theirs(torch.tensor([tokens])).logits).all())


@pytest.mark.usefixtures("family")
def test_export_goes_only_where_there_is_nothing(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    assert run("export", str(folder)).returncode == 0, "an empty folder will do"
    done = run("export", str(folder))
    assert (done.returncode, len(done.stderr.splitlines())) == (3, 1)
    assert "is not an empty folder" in done.stderr
    file = tmp_path / "file"
    file.write_text("mine")
    assert run("export", str(file)).returncode == 3
    assert file.read_text() == "mine"


@pytest.mark.usefixtures("family")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_export_where_nothing_may_be_written(run: Run, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        done = run("export", str(tmp_path / "copy"))
    finally:
        tmp_path.chmod(0o700)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
