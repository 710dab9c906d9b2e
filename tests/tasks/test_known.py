"""Questions with kept answers as a domain of self-play: trivia, and what the owner's documents say."""

from __future__ import annotations

from pathlib import Path

from mrclassic import tasks
from mrclassic.tasks.base import Asked, Item, Refusal
from mrclassic.tasks.documents import Documents, shelf

NOTES = """The key of the shed is under the blue pot. Anna Holm works as a baker. The boat is called Tern.
The wall is 9 metres long. Our cat is named Piet. The bread is baked by Anna Holm. The meeting is on Friday.
The tram stops at Elm Street. The garden was planted in 1954. The lamp stands behind the piano."""


def notes(folder: Path) -> Documents:
    file = folder / "notes.txt"
    file.write_text(NOTES)
    document, _, _ = shelf.prepare(file, folder / "documents")
    shelf.put(document, folder / "documents")
    return Documents(folder / "documents")


def test_a_question_about_the_notes_has_the_stored_fact_as_gold(tmp_path: Path) -> None:
    task = notes(tmp_path)
    assert isinstance(task, Asked)
    kept = [item for level in task.loaded.levels.values() for item in level.train]
    assert kept
    for item in kept:
        assert task.parse(item.question) == item
        said = task.parse(item.question.upper().rstrip("?."))
        assert isinstance(said, Item)
        assert said.answer == item.answer
    for level in task.levels:
        for item in task.held_out(level):
            for question in (item.question, item.question.lower().rstrip("?.")):
                found = task.parse(question)
                assert isinstance(found, Refusal)
                assert found.kind == "held-out"


def test_what_is_not_known_is_refused(tmp_path: Path) -> None:
    for task in (notes(tmp_path), tasks.get("triviaqa")):
        for question, kind in (("Who painted the moon?", "invalid"), (" ", "unparsable"), ("a" * 5000, "unparsable")):
            found = task.parse(question)  # type: ignore[attr-defined]
            assert isinstance(found, Refusal)
            assert found.kind == kind


def test_names_and_numbers_make_no_other_form() -> None:
    task = tasks.get("triviaqa")
    one, two, other = (
        task.skeleton(question)  # type: ignore[attr-defined]
        for question in ("Who wrote Emma in 1815?", "Who wrote Hard Times in 1854?", "Who sang Emma in 1815?")
    )
    assert one == two != other
