"""Telling the owner of a night: a real server hears the facts, and nothing that fails is more than a sentence."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from mrclassic.errors import UsageError
from mrclassic.home import Home
from mrclassic.night.gate import SuiteScores, judge
from mrclassic.night.notify import headline, night_over
from mrclassic.night.report import NightReport, StageReport
from mrclassic.settings import Notify, load

GATE = judge([SuiteScores("arithmetic:3", "target", (0.0,) * 600 + (1.0,) * 400, (0.0,) * 400 + (1.0,) * 600)])
REPORT = NightReport(
    7,
    "2026-11-20T04:30:00+00:00",
    "2026-11-20T05:30:00+00:00",
    60,
    "cpu",
    "a",
    "b",
    stages=(StageReport("grpo", "done", 3000.0, 40, 2560, 80_000, curve=((1, {"reward": float("nan")}),)),),
    gate=GATE,
    promoted=True,
    price=2.0,
)


class Ear(BaseHTTPRequestHandler):
    """Answers with `code` and keeps what it was told."""

    code: ClassVar[int] = 200
    heard: ClassVar[list[dict]] = []

    def do_POST(self) -> None:
        self.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.code)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    Ear.heard.clear()
    server = HTTPServer(("127.0.0.1", 0), Ear)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/night"
    server.shutdown()
    server.server_close()


def told(**own: object) -> list[str]:
    said: list[str] = []
    night_over(Notify.model_validate(own), REPORT, said.append)
    return said


def test_nobody_is_told_unless_asked() -> None:
    assert told() == []
    assert Ear.heard == []


@pytest.mark.parametrize("code", [200, 204])
def test_a_webhook_hears_the_facts(address: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ear, "code", code)
    assert told(webhook=address) == []
    (facts,) = Ear.heard
    assert (facts["night"], facts["promoted"], facts["checkpoint_after"]) == (7, True, "b")
    assert facts["cost"] == {"minutes": 60.0, "updates": 40, "completions": 2560, "tokens": 80_000, "money": 2.0}
    assert facts["stages"][0]["curve"][0][1]["reward"] == "nan"


@pytest.mark.parametrize("code", [301, 404, 500])
def test_an_answer_that_is_no_yes_is_one_sentence(address: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ear, "code", code)
    (sentence,) = told(webhook=address)
    assert str(code) in sentence
    assert len(Ear.heard) == 1


def test_nobody_listening_is_one_sentence(address: str) -> None:
    (sentence,) = told(webhook="http://127.0.0.1:1/night")
    assert sentence.startswith("The webhook (notify.webhook) could not be told")
    (sentence,) = told(webhook="http://[broken/night")
    assert "webhook" in sentence


def test_a_desktop_shows_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = tmp_path / "shown"
    command = tmp_path / "notify-send"
    command.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {shown}\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert told(desktop=True) == []
    assert shown.read_text().splitlines()[-2:] == ["Mr. Classic: Night 7", headline(REPORT)]
    assert headline(REPORT) == "A new model is in use: arithmetic:3 40% -> 60%."
    command.write_text("#!/bin/sh\necho 'no bus' >&2\nexit 1\n")
    assert told(desktop=True) == ["No desktop notification: no bus."]
    command.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "neither notify-send nor osascript" in told(desktop=True)[0]


def test_an_address_that_is_none_is_refused_with_its_line(home: Home) -> None:
    home.settings_file.write_text('[notify]\nwebhook = "example.org"\n')
    with pytest.raises(UsageError, match=r"line 2: notify\.webhook"):
        load(home)
