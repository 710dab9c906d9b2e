"""data add, list, drop and train documents, as a shell sees them."""

from __future__ import annotations

import json
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

import muted
import pytest
from homes import mrclassic
from rehearsal import Rehearsed

from mrclassic.home import Home

NOTES = "# Boats\n" + "\n".join(f"- Box {n} holds {n} pins." for n in range(1, 60))


@pytest.fixture
def notes(tmp_path: Path) -> str:
    path = tmp_path / "notes.md"
    path.write_text(NOTES)
    return str(path)


def test_add_list_and_drop(home: Home, notes: str, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"question": "Who?", "answer": "Anna"}\n{oops\n')
    code, added, narration = mrclassic(home.root, "data", "add", notes, str(rows), "--json")
    assert code == 0, narration
    assert [each["new"] for each in added] == [True, True]
    assert added[0]["passages"] >= 4
    assert 0 < added[0]["held_out"] < added[0]["questions"]
    assert "rows.jsonl line 2" in narration
    code, again, _ = mrclassic(home.root, "data", "add", notes, "--json")
    assert [each["new"] for each in again] == [False]
    code, listed, _ = mrclassic(home.root, "data", "list", "--json")
    assert sorted(each["id"] for each in listed) == sorted(each["id"] for each in added)
    code, text, _ = mrclassic(home.root, "data", "list")
    assert f"{added[0]['questions']:,} questions" in text
    assert mrclassic(home.root, "task", "sample", "documents", "-n", "3", "--held-out", "--json")[0] == 0
    code, names, _ = mrclassic(home.root, "task", "list", "--json")
    (documents,) = (each for each in names if each["name"] == "documents")
    assert documents["source"] == str(home.documents)
    code, gone, _ = mrclassic(home.root, "data", "drop", "notes", "rows", "--json")
    assert (code, len(gone)) == (0, 2)
    assert list(home.documents.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("data", "add", "none.md"), 2, "There is no file none.md."),
        (("data", "drop", "none"), 2, "There is no document none; `mrclassic data list` shows those there are."),
        (
            ("data", "add", "none.md", "--teacher", "http://x/v1"),
            2,
            "A teacher needs its address and its model: --teacher URL --teacher-model NAME.",
        ),
        (("task", "add", "documents", "none.md"), 2, "What your notes say is added by `mrclassic data add FILE`."),
        (
            ("train", "documents"),
            2,
            "There is no document to ask about; `mrclassic data add FILE` takes your notes.",
        ),
    ],
)
def test_wrong_words_get_one_sentence(home: Home, words: tuple[str, ...], code: int, sentence: str) -> None:
    done, told, narration = mrclassic(home.root, *words)
    assert (done, told, narration) == (code, "", f"mrclassic: {sentence}\n")


def test_a_teacher_s_retellings_and_questions(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "boat.md"
    path.write_text("# Boats\nUncle Piet painted the Gull green last summer.\n\n## Code\n```\nsecret\n```\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Rehearsed)
    Rehearsed.replies = [
        "I would rather not.",
        json.dumps(
            {
                "retellings": ["Last summer the Gull was painted green by uncle Piet.", "Last summer Otto painted it."],
                "questions": [{"question": "Which colour has the Gull?", "answer": "green"}],
            }
        ),
    ]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    words = ("data", "add", str(path), "--teacher", f"http://127.0.0.1:{server.server_address[1]}/v1")
    try:
        code, (facts,), narration = mrclassic(home.root, *words, "--teacher-model", "large", "--json")
        assert code == 0, narration
        code, (again,), _ = mrclassic(home.root, *words, "--teacher-model", "large", "--json")
        assert not again["new"], "nobody is asked twice"
    finally:
        server.shutdown()
        server.server_close()
    assert "The passages go to 127.0.0.1." in narration
    assert facts["made"] == "large at 127.0.0.1, 5 versions"
    text = next(home.documents.glob("*.jsonl")).read_text()
    assert "Which colour has the Gull?" in text
    assert "Otto" not in text
    assert "secret" not in "".join(Rehearsed.asked), "code is told as it stands, and needs no teacher"
    assert len(Rehearsed.asked) == 2


def test_a_teacher_that_is_not_there_leaves_nothing(home: Home, notes: str) -> None:
    words = ("data", "add", notes, "--teacher", "http://127.0.0.1:9/v1", "--teacher-model", "large")
    code, _, narration = mrclassic(home.root, *words)
    assert code == 1
    assert "could not be reached" in narration.splitlines()[-1]
    assert list(home.documents.iterdir()) == []


@pytest.mark.slow
def test_documents_are_trained_measured_and_practised(home: Home, notes: str) -> None:
    muted.hatch(home, learnt=True)
    home.settings_file.write_text('[practice]\ntasks = "arithmetic:1"\n')
    assert mrclassic(home.root, "data", "add", notes)[0] == 0
    code, plan, narration = mrclassic(home.root, "train", "documents", "--plan")
    assert code == 0, narration
    assert "tellings out of" in plan
    code, facts, narration = mrclassic(home.root, "train", "documents", "--form", "both", "--steps", "2", "--json")
    assert code == 3, narration
    assert not facts["promoted"]
    assert (facts["steps"], facts["form"], facts["documents"]) == (2, "both", 1)
    assert {"documents:blank", "documents:question", "old_entries"} <= set(facts["before"]) == set(facts["after"])
    assert facts["before"]["documents:question"] == 0.0
    words = ("--task", "documents:question", "--reward", "similarity", "--steps", "1", "--prompts", "2", "--group", "2")
    code, facts, narration = mrclassic(home.root, "train", "grpo", *words, "--max-new", "8", "--json")
    assert code == 0, narration
    assert "documents:question" in facts["after"]
