"""task add --fetch, against a hub of our own on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import pytest


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def fetch(home: Path, task: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "mrclassic", "--home", str(home), "task", "add", task, "--fetch"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "HF_HUB_OFFLINE": "0", **environment},
    )
    return done.returncode, done.stdout, done.stderr


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a download needs."""

    files: dict[str, bytes] = {}  # noqa: RUF012 - a new one for each test

    def do_HEAD(self) -> None:
        self._answer(False)

    def do_GET(self) -> None:
        self._answer(True)

    def _answer(self, body: bool) -> None:
        assert "authorization" not in {name.lower() for name in self.headers}
        content = self.files.get(self.path)
        self.send_response(200 if content is not None else 404)
        self.send_header("X-Repo-Commit", self.path.split("/")[5])
        self.send_header("ETag", '"a-tag"')
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if body and content:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """The files of a hub of our own, by path."""
    monkeypatch.setattr(Hub, "files", {})
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield Hub.files
        server.shutdown()
        thread.join()


TRIVIA = "/datasets/RUC-NLPIR/FlashRAG_datasets/resolve/bcafb8dd07d453be3cbeeeb3f78be1841bddf92c/triviaqa"


def test_fetch_takes_one_commit_of_the_hub(hub: dict[str, bytes], home: Path, tmp_path: Path) -> None:
    for split, number in (("train", 30), ("test", 4)):
        rows = [{"id": n, "question": f"Who is {split} {n}?", "golden_answers": [f"P{n}"]} for n in range(number)]
        hub[f"{TRIVIA}/{split}.jsonl"] = "\n".join(map(json.dumps, rows)).encode()
    code, out, told = fetch(home, "triviaqa", HOME=str(tmp_path / "elsewhere"))
    assert (code, out) == (0, "triviaqa: 34 rows in 1 level, 4 of them held out.\n"), told
    source = "RUC-NLPIR/FlashRAG_datasets at bcafb8dd07d4, licence Apache-2.0 (that of TriviaQA)"
    assert told == f"Fetching {source}.\n"
    folder = home / "tasks" / "triviaqa"
    assert sorted(path.name for path in folder.iterdir()) == ["source.txt", "test.jsonl", "train.jsonl"]
    assert (folder / "source.txt").read_text() == f"{source}\n"
    assert not (tmp_path / "elsewhere").exists(), "nothing is written outside the home"


def test_fetch_that_fails_leaves_nothing(hub: dict[str, bytes], home: Path) -> None:
    hub[f"{TRIVIA}/train.jsonl"] = b'{"question": "Q?", "golden_answers": ["A"]}'
    for endpoint, why in ((None, "it answered 404"), ("http://127.0.0.1:9", "it could not be reached")):
        code, out, told = fetch(home, "triviaqa", **({"HF_ENDPOINT": endpoint} if endpoint else {}))
        assert (code, out) == (1, "")
        assert why in told.splitlines()[-1]
        assert list((home / "tasks").iterdir()) == []


@pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed")
def test_fetch_reads_parquet(hub: dict[str, bytes], home: Path, tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    commit = "/datasets/openai/gsm8k/resolve/740312add88f781978c0658806c59bc2815b9866/main"
    for split in ("train", "test"):
        table = pyarrow.Table.from_pylist([{"question": f"{split}?", "answer": f"One.\nTwo.\n#### {len(split)}"}])
        pyarrow.parquet.write_table(table, tmp_path / "it.parquet")
        hub[f"{commit}/{split}-00000-of-00001.parquet"] = (tmp_path / "it.parquet").read_bytes()
    code, out, told = fetch(home, "gsm8k")
    assert (code, out) == (0, "gsm8k: 2 rows in 1 level, 1 of them held out.\n"), told


@pytest.mark.skipif(find_spec("pyarrow") is not None, reason="pyarrow is installed")
def test_parquet_without_its_reader_is_one_sentence(home: Path) -> None:
    code, out, told = fetch(home, "gsm8k")
    assert (code, out, len(told.splitlines())) == (2, "", 1)
    assert "pip install pyarrow" in told
