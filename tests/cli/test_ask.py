"""ask, teach, undo, chat --plain and serve, as a shell sees them: real commands, a real mind, a real book."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import babies
import httpx
import pytest
from homes import command

from mrclassic import book
from mrclassic.home import Home
from mrclassic.mind import process
from mrclassic.store import Store, curation
from mrclassic.tui.visible import visible

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home").ensure()
    babies.hatch(home, "baby-1")
    home.settings_file.write_text("[chat]\nmax_tokens = 6\n")
    yield home
    process.stop(home)


@pytest.fixture
def run(home: Home) -> Run:
    def run(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return command("--home", str(home.root), *words, given=given)

    return run


def facts(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    loaded: dict[str, object] = json.loads(done.stdout)
    return loaded


def test_ask_teach_undo(run: Run, home: Home) -> None:
    asked = facts(run("ask", "Hello, 你好 🎩", "-n", "3", "--temperature", "1", "--seed", "7", "--json"))
    candidates = asked["candidates"]
    assert [candidate["slot"] for candidate in candidates] == [1, 2, 3]
    assert set(candidates[0]) >= {"slot", "text", "tokens", "logprob", "finish_reason"}
    assert asked["checkpoint"] == "baby-1"
    assert isinstance(asked["prompt"], int)
    again = facts(run("ask", "Hello, 你好 🎩", "-n", "3", "--temperature", "1", "--seed", "7", "--json"))
    assert [candidate["text"] for candidate in again["candidates"]] == [candidate["text"] for candidate in candidates]

    taught = facts(run("teach", "--pick", "2", "--json"))
    assert taught["prompt"] == again["prompt"]
    assert taught["text"] == candidates[1]["text"]
    assert taught["waiting"] == 1
    assert [(entry.turns[0].user, entry.reply) for entry in book.load(home.book)] == [
        ("Hello, 你好 🎩", book.clean(candidates[1]["text"]))
    ]

    taught = facts(run("teach", "--say", "Good day to you.", "--json"))
    assert (taught["prompt"], taught["kind"], taught["replaced"]) == (asked["prompt"], "typed", True)
    assert [entry.reply for entry in book.load(home.book)] == ["Good day to you."]

    undone = facts(run("undo", "--json"))
    assert undone["text"] == "Good day to you."
    assert [entry.reply for entry in book.load(home.book)] == [book.clean(candidates[1]["text"])]
    assert (
        run("undo").stdout == f"Taken back: Hello, 你好 🎩\n-> {visible(book.clean(candidates[1]['text']).strip())}\n"
    )
    assert book.load(home.book) == []
    with Store.open(home) as store:
        for kind in (curation.skip, curation.flag):
            kind(store, asked["prompt"])
    assert run("undo").stdout == "Taken back: the flag on Hello, 你好 🎩\n"
    undone = facts(run("undo", "--json"))
    assert (undone["kind"], undone["question"], undone["text"]) == ("skip", "Hello, 你好 🎩", "")
    nothing = run("undo")
    assert (nothing.returncode, nothing.stderr) == (1, "mrclassic: There is nothing to undo.\n")


def test_what_is_printed_for_people(run: Run) -> None:
    done = run("ask", "-", "-n", "2", given="Hello from a pipe.\n")
    assert done.returncode == 0
    assert done.stdout.startswith("1) ")
    assert "\n2) " in done.stdout
    assert "\x1b" not in done.stdout
    assert "teach --pick" in done.stderr
    taught = run("teach", "--say", "Hello.")
    assert taught.stdout == "Hello from a pipe.\n-> Hello.\n"
    assert "1 entry of the book waits" in taught.stderr


def test_going_on_with_a_conversation(run: Run, home: Home) -> None:
    assert run("ask", "x", "-c").returncode == 2
    run("ask", "Who are you?", "-n", "1")
    run("teach", "--say", "A small model.")
    run("ask", "This one is never answered.", "-c", "-n", "1")
    run("ask", "How small?", "-c", "-n", "1")
    run("teach", "--say", "Tiny.")
    last = book.load(home.book)[-1]
    assert [(turn.user, turn.reply) for turn in last.turns] == [
        ("Who are you?", "A small model."),
        ("How small?", "Tiny."),
    ]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("ask", ""), 2, "The question is empty; say something."),
        (("ask", " \n "), 2, "The question is empty; say something."),
        (("teach",), 2, "Give either --pick K or --say TEXT."),
        (("teach", "--pick", "1", "--say", "x"), 2, "Give either --pick K or --say TEXT."),
        (("teach", "--say", " "), 2, "The reply is empty; say something."),
        (("teach", "--pick", "1"), 2, 'No question waits for its reply; ask one first: mrclassic ask "Hello."'),
    ],
)
def test_wrong_words_get_one_sentence(run: Run, words: tuple[str, ...], code: int, sentence: str) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"mrclassic: {sentence}\n")


def test_a_pick_out_of_range(run: Run) -> None:
    run("ask", "Hello.", "-n", "2")
    done = run("teach", "--pick", "3")
    assert (done.returncode, done.stderr) == (2, "mrclassic: There is no candidate 3; pick one from 1 to 2.\n")


def test_a_prompt_of_100_kb(run: Run) -> None:
    done = run("ask", "-", given="more words " * 10_000)
    assert done.returncode == 1
    assert "this model reads 512. Shorten it." in done.stderr


def test_no_model_yet(tmp_path: Path) -> None:
    done = command("--home", str(tmp_path / "new"), "ask", "Hello.")
    assert (done.returncode, done.stderr) == (1, "mrclassic: No model here yet; run `mrclassic hatch`.\n")


def test_chat_line_by_line(run: Run, home: Home) -> None:
    lines = [
        "Hello.",
        "1",
        "And you?",
        "9",
        "= Very well.",
        "/undo",
        "= Splendid.",
        "/rate 4",
        "/rate 9",
        "/new",
        "/rate 1",
        "/nonsense",
        "Bye.",
        "/quit",
    ]
    done = run("chat", "--plain", given="\n".join(lines) + "\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("1) ") == 4, "three questions, one of them shown again by the undo"
    assert "There is no candidate 9" in done.stderr
    assert "There is no command /nonsense; /help tells them all.\n" in done.stderr
    for said in ("Rated.", "from 1 (poor) to 5 (splendid), not 9.", "Say something first."):
        assert said in done.stderr
    with Store.open(home) as store:
        assert [rating.score for rating in store.ratings.list()] == [4.0]
    entries = book.load(home.book)
    assert [turn.user for turn in entries[-1].turns] == ["Hello.", "And you?"]
    assert entries[-1].reply == "Splendid."
    assert len(entries) == 2


def test_line_by_line_what_was_undone_is_taken_once_more(run: Run, home: Home) -> None:
    lines = ["//Hello.", "/redo", "1=Hi.", "/undo", "/redo", "/redo", "//", "/skip", "/undo", "/redo"]
    done = run("chat", "--plain", given="\n".join(lines) + "\n")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Taken: Hi.\n") == 2
    assert done.stderr.count("There is nothing to redo.") == 2
    assert "Skipped again." in done.stderr
    with Store.open(home) as store:
        kinds = [pick.kind for pick in reversed(store.picks.history())]
        assert kinds == ["edited", "undo", "edited", "skip", "undo", "skip"]
    assert [(entry.turns[0].user, entry.reply) for entry in book.load(home.book)] == [("/Hello.", "Hi.")]


def test_in_a_chat_a_dash_is_a_dash(run: Run, home: Home) -> None:
    done = run("chat", "--plain", given="-\n=-\nHello.\n=Hi.\n")
    assert done.returncode == 0, done.stderr
    assert [entry.reply for entry in book.load(home.book)] == ["-", "Hi."]


def test_line_by_line_an_answer_is_edited_flagged_or_skipped_as_in_the_app(run: Run, home: Home) -> None:
    done = run("chat", "--plain", given="/skip\nHello.\n/flag\n/skip\nHello?\n2 = Good day to you.\n")
    assert done.returncode == 0, done.stderr
    for said in ("Say something first.", "Flagged for later.", "Skipped.", "Taken: Good day to you."):
        assert said in done.stderr
    with Store.open(home) as store:
        kinds = [pick.kind for pick in reversed(store.picks.history())]
        assert kinds == ["flag", "skip", "edited"]
        drawn = {each.id: each.shown for each in store.candidates.for_prompt(store.picks.history()[0].prompt)}
        assert drawn[store.picks.history()[0].candidate or 0] == 2
    assert [(entry.turns[0].user, entry.reply) for entry in book.load(home.book)] == [("Hello?", "Good day to you.")]


def test_a_draw_is_stored_as_it_was_drawn(run: Run, home: Home) -> None:
    """The row of a candidate in its draw goes with its seed; the number it is shown with is another matter."""
    words = ("ask", "Hello.", "-n", "5", "--temperature", "0", "--json")
    asked = facts(run(*words))["candidates"]
    assert [candidate["slot"] for candidate in asked] == [1, 2, 3, 4, 5]
    with Store.open(home) as store:
        stored = store.candidates.for_prompt(store.candidates.last_unanswered() or 0)
    assert [candidate.shown for candidate in stored] == [1, 2, 3, 4, 5]
    assert [candidate.text for candidate in stored] == [candidate["text"] for candidate in asked]
    assert sorted(candidate.slot for candidate in stored) == [0, 1, 2, 3, 4]
    assert [candidate.duplicate for candidate in stored] == sorted(candidate.duplicate for candidate in stored)


def test_chat_ends_with_its_input(run: Run) -> None:
    assert run("chat", "--plain", given="").returncode == 0


def test_serve_needs_its_token(run: Run, home: Home) -> None:
    run("ask", "Hello.", "-n", "1")  # a mind runs already: it makes room
    words = [sys.executable, "-m", "mrclassic", "--home", str(home.root), "serve", "--port", "0", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            told = json.loads("".join(iter(server.stdout.readline, "}\n")) + "}")
            key_file = Path(told["token_file"])
            assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
            assert key_file.read_text().strip() == told["token"]
            body = {"messages": [{"role": "user", "content": "Hello."}], "max_tokens": 3}
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": told["token"]}):
                refused = httpx.post(told["url"] + "/chat/completions", json=body, headers=headers, trust_env=False)
                assert refused.status_code == 401
                assert refused.json()["error"]["code"] == "invalid_api_key"
            with httpx.Client(headers={"Authorization": f"Bearer {told['token']}"}, trust_env=False) as client:
                answer = client.post(told["url"] + "/chat/completions", json=body)
                assert answer.json()["object"] == "chat.completion"
                assert client.post(told["url"] + "/shutdown").status_code == 404
            assert facts(run("ask", "Hello.", "-n", "1", "--json"))["candidates"], "the socket answers as before"
            assert process.holder(home) == server.pid
        finally:
            os.kill(server.pid, signal.SIGINT)
        server.wait(10)
        assert server.returncode == 0
