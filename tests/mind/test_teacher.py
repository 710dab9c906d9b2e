"""Asking a teacher: the protocol, the key, a busy server, and sentences for all that can go wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mrclassic.errors import MrClassicError, UsageError
from mrclassic.mind import teacher as asking
from mrclassic.mind.teacher import Teacher

MESSAGES = [{"role": "user", "content": "Hello."}]


class Server(ThreadingHTTPServer):
    """Answers with `replies` in turn: a status, and what is sent."""

    replies: list[tuple[int, object]]
    seen: list[tuple[str, str | None, Any]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, self.headers["Authorization"], body))
        status, content = self.server.replies.pop(0)
        data = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        if status == 307:
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


def reply(text: object) -> tuple[int, object]:
    return 200, {"choices": [{"message": {"role": "assistant", "content": text}}]}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(asking, "_PAUSES", (0.01, 0.01))
    server = Server(("127.0.0.1", 0), Handler)
    server.replies, server.seen = [], []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def address(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/v1"


@pytest.mark.parametrize("tail", ["", "/", "/chat/completions"])
def test_a_reply(server: Server, tail: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "secret")
    server.replies = [reply("Good day.")]
    with Teacher(address(server) + tail, "large", "MINE") as teacher:
        assert teacher.ask(MESSAGES) == "Good day."
        assert teacher.name == "large at 127.0.0.1"
    ((path, key, body),) = server.seen
    assert (path, key) == ("/v1/chat/completions", "Bearer secret")
    assert (body["model"], body["messages"]) == ("large", MESSAGES)


def test_a_busy_server_is_asked_again_and_no_key_is_sent_where_there_is_none(server: Server) -> None:
    server.replies = [(503, "later"), (429, ""), reply(None)]
    with Teacher(address(server), "large") as teacher:
        assert teacher.ask(MESSAGES) == ""
    assert [key for _, key, _ in server.seen] == [None] * 3


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, "no"), r"wants a key \(HTTP 401\); put it in \$TEACHER_API_KEY"),
        ((404, "no such\nmodel"), "HTTP 404: no such model"),
        ((307, ""), "HTTP 307"),
        ((200, "hello"), "does not speak the OpenAI protocol"),
        ((200, {"choices": []}), "does not speak the OpenAI protocol"),
    ],
)
def test_what_goes_wrong_is_told(server: Server, answer: tuple[int, object], words: str) -> None:
    server.replies = [answer]
    with Teacher(address(server), "large") as teacher, pytest.raises(MrClassicError, match=words):
        teacher.ask(MESSAGES)


def test_nobody_there() -> None:
    with Teacher("http://127.0.0.1:9/v1", "large") as teacher, pytest.raises(MrClassicError, match="reached"):
        teacher.ask(MESSAGES)
    for url in ("localhost:11434", "ftp://x/v1", "http://"):
        with pytest.raises(UsageError, match="no address"):
            Teacher(url, "large")
