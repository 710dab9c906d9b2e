"""Documents in a home: written whole, the same file again changes nothing, and the task that asks about them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from mrclassic import tasks
from mrclassic.errors import UsageError
from mrclassic.rewards import get as reward
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.documents import Documents, shelf

NOTES = """# Boats
The Gull lies in Wieck. Anna plays the cello.

Q: Who is Piet?
A: an uncle

Q: How old is he?
A: 71
"""


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "My notes.md"
    path.write_text(NOTES)
    return path


def add(path: Path, folder: Path, versions: int = 5) -> tuple[shelf.Document, bool]:
    document, _, new = shelf.prepare(path, folder, versions=versions)
    if new:
        shelf.put(document, folder)
    return document, new


def test_the_same_again_changes_nothing(notes: Path, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    document, new = add(notes, folder)
    assert new
    assert document.id.startswith("my-notes-")
    path = folder / f"{document.id}.jsonl"
    assert [each.name for each in folder.iterdir()] == [path.name]
    assert shelf.load(path) == document
    edited = path.read_text().replace("an uncle", "my uncle")
    path.write_text(edited)
    assert add(notes, folder)[1] is False
    assert path.read_text() == edited, "what the owner changed stays"
    assert add(notes, folder, versions=2)[1], "made in another way it is made anew"
    notes.write_text(NOTES + "More.")
    newer, new = add(notes, folder)
    assert new
    assert newer.id != document.id
    assert shelf.paths(folder) == [folder / f"{newer.id}.jsonl"], "it takes the place of the older one"


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"", "a.txt", "empty"),
        (b" \n\n", "a.md", "empty"),
        (b"fine\n\xff\xfe", "a.txt", "line 2: not UTF-8"),
        (b"a\0b", "a.txt", "no text"),
        (b"{}\n", "a.jsonl", "line 1"),
        (None, "none.txt", "There is no file"),
    ],
)
def test_what_cannot_be_used_is_told(content: bytes | None, name: str, words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=words):
        shelf.prepare(tmp_path / name, tmp_path)
    with pytest.raises(UsageError, match="folder"):
        shelf.prepare(tmp_path, tmp_path)


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "LARGEST", 2**20)
    (tmp_path / "all.txt").write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(UsageError, match="larger than 1 MiB"):
        shelf.prepare(tmp_path / "all.txt", tmp_path)


@pytest.mark.parametrize(
    "line", ["{oops", '{"questions": 3}', '{"questions": [{"question": "Q", "answer": "A", "kind": "x"}]}']
)
def test_a_damaged_document_is_named(line: str, notes: Path, tmp_path: Path) -> None:
    document, _ = add(notes, tmp_path)
    path = tmp_path / f"{document.id}.jsonl"
    path.write_text(path.read_text() + line)
    with pytest.raises(UsageError, match=rf"{document.id}.jsonl line \d"):
        shelf.load(path)
    assert add(notes, tmp_path)[1], "added again, it is made again"
    assert shelf.load(path) == document


def test_finding_one(notes: Path, tmp_path: Path) -> None:
    first, _ = add(notes, tmp_path)
    other = tmp_path / "my-notes.txt"
    other.write_text("Piet has a hat.")
    add(other, tmp_path)
    assert shelf.find(first.id, tmp_path).name == f"{first.id}.jsonl"
    assert shelf.find(first.id[:12], tmp_path).name == f"{first.id}.jsonl"
    with pytest.raises(UsageError, match="Several"):
        shelf.find("my-", tmp_path)
    for name in ("", "your-", "../x"):
        with pytest.raises(UsageError, match="no document"):
            shelf.find(name, tmp_path)


def world(folder: Path) -> Path:
    rows = [
        {"text": f"Box {n} holds {n * n} pins.", "question": f"How many pins are in box {n}?", "answer": n * n}
        for n in range(60)
    ]
    path = folder / "boxes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_task(tmp_path: Path) -> None:
    home = tmp_path / "tasks"
    home.mkdir()
    assert "documents" not in tasks.names(home)
    with pytest.raises(UsageError, match="data add"):
        _ = tasks.get("documents", home).levels
    add(world(tmp_path), tmp_path / "documents")
    assert "documents" in tasks.names(home)
    task = tasks.get("documents", home)
    assert isinstance(task, Documents)
    assert task.levels == ("blank", "question")
    for level in task.levels:
        held = {item.question for item in task.held_out(level)}
        rng = random.Random(0)
        assert len(held) == len(task.held_out(level)) > 10
        drawn = [task.sample(rng, level) for _ in range(500)]
        assert not held & {item.question for item in drawn}
        for item in [*drawn[:30], *task.held_out(level, 30)]:
            assert task.check(item, item.trace).right
            assert task.check(item, f"I think it is {item.answer}.").right
            assert not task.check(item, f"1{item.answer}").right
            assert not task.check(item, "").found
    assert all(versions[0].startswith("Box ") for versions in task.tellings)
    arms = Arms([(task, None)])
    item = arms.sample("documents:blank", random.Random(1))
    columns = {"answer": [item.answer] * 2, "reference": [item.meta["reference"]] * 2}
    told = [[{"content": item.answer}], [{"content": "no"}]]
    assert reward("similarity", arms)(completions=told, **columns) == [1.0, 0.0]


def test_documents_that_contradict_each_other_are_not_asked(tmp_path: Path) -> None:
    for name, height in (("Ines", "3 m"), ("Piet", "4 m")):
        (tmp_path / f"{name}.txt").write_text(f"The height of the mast is {height}. {name} plays the oboe.")
        add(tmp_path / f"{name}.txt", tmp_path / "documents")
    levels = Documents(tmp_path / "documents").loaded.levels.values()
    asked = [item.question for level in levels for item in (*level.train, *level.held_out)]
    assert not any("height" in question for question in asked)
    assert len(asked) == len(set(asked))
