"""Exporting from a home: what the store knows goes into the model card, and the command tells what it wrote."""

from __future__ import annotations

from pathlib import Path

import babies
import pytest
from homes import mrclassic

from mrclassic.home import Home
from mrclassic.model import checkpoint
from mrclassic.model.manifest import verify
from mrclassic.night.exporting import card, export_checkpoint
from mrclassic.store import Checkpoint, Store


@pytest.fixture
def family(home: Home) -> Home:
    """A model that came from elsewhere, its child that a night made, and a grandchild whose files are gone."""
    home.ensure()
    with Store.open(home) as store:
        for name, parent, method, metrics in (
            ("import-1", None, "import", {"source": "Qwen/Qwen2.5-0.5B", "revision": "0123abc"}),
            ("night-1", "import-1", "night", {"book_recall": 0.75, "words": "not a score"}),
            ("night-2", "night-1", "night", {"book_recall": 1.0}),
        ):
            facts = checkpoint.save(
                babies.baby(), home.checkpoints / name, parent=parent, method=method, metrics=metrics, book=("a", "b")
            )
            store.checkpoints.add(
                Checkpoint(name, name, parent, status="promoted", parameters=facts.parameters, metrics=metrics)
            )
        night = store.nights.start({})
        store.nights.finish(night, "done", {"verdict": "promote"}, None, "night-1")
        store.nights.finish(store.nights.start({}), "failed")
        store.checkpoints.use("night-2")
    for file in (home.checkpoints / "night-1").iterdir():
        file.unlink()
    return home


def test_the_card_of_a_home(family: Home) -> None:
    with Store.open(family) as store:
        row = store.checkpoints.get("night-2")
        told = card(family, store, row, verify(family.checkpoints / "night-2"))
    assert [(one.id, one.method, one.status) for one in told.lineage] == [
        ("night-2", "night", "promoted"),
        ("night-1", "", "promoted"),
        ("import-1", "import", "promoted"),
    ]
    assert [(night.checkpoint, night.verdict) for night in told.nights] == [("night-1", "promoted")]
    assert told.scores == {"book_recall": 1.0}
    assert (told.book, told.origin) == (2, "Qwen/Qwen2.5-0.5B@0123abc")


def test_what_was_written_is_told(family: Home, tmp_path: Path) -> None:
    with Store.open(family) as store:
        row = store.checkpoints.get("night-2")
        found = verify(family.checkpoints / "night-2")
        facts = export_checkpoint(family, store, row, found, tmp_path / "out", dtype="bf16")
    assert (facts.checkpoint, facts.format, facts.dtype) == ("night-2", "hf", "bf16")
    assert facts.bytes == sum((facts.folder / name).stat().st_size for name in facts.files)
    assert "README.md" in facts.files
    assert "mrclassic.json" not in facts.files


@pytest.mark.slow
def test_the_command(family: Home, tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    out = tmp_path / "out"
    code, facts, told = mrclassic(
        family.root, "model", "export", str(out), "--format", "ollama", "--dtype", "q8_0", "--json"
    )
    assert code == 0, told
    assert (facts["format"], facts["dtype"], facts["note"]) == ("ollama", "q8_0", "")
    assert facts["files"] == ["Modelfile", "README.md", "model.gguf"]
    assert "PARAMETER temperature 0.7" in (out / "Modelfile").read_text()
    assert "Qwen/Qwen2.5-0.5B@0123abc" in (out / "README.md").read_text()
    code, _, told = mrclassic(family.root, "model", "export", str(tmp_path / "other"), "--dtype", "q8_0")
    assert (code, len(told.splitlines())) == (2, 1)
    assert not (tmp_path / "other").exists()
