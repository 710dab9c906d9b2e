"""model import owner/name, against a hub of our own on this machine that speaks the hub's protocol."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import foreign
import micro
import pytest
import torch
from homes import mrclassic
from safetensors import safe_open

from mrclassic.errors import MrClassicError, Refused
from mrclassic.home import Home
from mrclassic.model import checkpoint
from mrclassic.model.decoder import to_named
from mrclassic.model.importing.hub import Repository
from mrclassic.model.manifest import sha256
from mrclassic.night.importing import Imported, import_model
from mrclassic.store import Store

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "someone/Small-1.5"
CHUNK = 10 * 2**20  # what the library takes at a time; less than that is lost when the line breaks
BROKEN = CHUNK + 2**19


@dataclass
class Served:
    """What the hub holds, what it was asked, and how it misbehaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)  # method, path, range
    commit: str = COMMIT
    status: int = 200
    breaks: bool = False  # the line breaks: after some bytes of the weights, and at once when the rest is asked for
    altered: str | None = None  # a file that is not what its hash says


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as an import needs: the listing with hashes, and files with ETags and ranges."""

    served: Served

    def do_HEAD(self) -> None:
        self._answer(False)

    def do_GET(self) -> None:
        self._answer(True)

    def _answer(self, body: bool) -> None:
        served = self.served
        served.asked.append((self.command, self.path, self.headers["Range"]))
        if served.status != 200:
            self._send(served.status, b"{}", {"X-Error-Code": "GatedRepo"} if served.status == 403 else {}, body)
        elif found := re.fullmatch(rf"/api/models/{NAME}/revision/([^?]+)(\?.*)?", self.path):
            known = found[1] in ("main", "v1", COMMIT)
            listing = json.dumps(self._listing() if known else {"error": "no"}).encode()
            headers = {} if known else {"X-Error-Code": "RevisionNotFound"}
            self._send(200 if known else 404, listing, headers, body)
        elif (found := re.fullmatch(rf"/{NAME}/resolve/{COMMIT}/(.+)", self.path)) and found[1] in served.files:
            self._file(found[1], body)
        else:
            self._send(404, b"", {"X-Error-Code": "RepoNotFound" if "/api/" in self.path else "EntryNotFound"}, body)

    def _listing(self) -> dict[str, Any]:
        siblings: list[dict[str, Any]] = []
        for name, content in self.served.files.items():
            digest = hashlib.sha256(content).hexdigest()
            lfs = {"lfs": {"sha256": digest, "size": len(content), "pointerSize": 130}} if large(name) else {}
            siblings.append({"rfilename": name, "size": len(content), "blobId": blob(content), **lfs})
        return {"id": NAME, "sha": self.served.commit, "siblings": siblings, "private": False}

    def _file(self, name: str, body: bool) -> None:
        content = self.served.files[name]
        etag = hashlib.sha256(content).hexdigest() if large(name) else blob(content)
        if name == self.served.altered:
            content = bytes([content[0] ^ 1]) + content[1:]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if large(name):
            headers |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(content))}
        begin, asked = 0, self.headers["Range"]
        if asked:
            begin = int(asked.removeprefix("bytes=").partition("-")[0])
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        cut = None if not self.served.breaks or name != "model.safetensors" else 0 if asked else BROKEN
        self._send(206 if asked else 200, content[begin:], headers, body, cut)

    def _send(self, status: int, content: bytes, headers: dict[str, str], body: bool, stop: int | None = None) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(content if stop is None else content[:stop])
        if stop is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def large(name: str) -> bool:
    return name.endswith((".safetensors", "tokenizer.json"))


def blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Served]:
    """A hub that holds one small model, in one file."""
    folder = tmp_path / "published"
    folder.mkdir()
    checkpoint.write_model(micro.policy(vocab_size=704), folder)
    (folder / "chat_template.jinja").unlink()
    foreign.qwen().save(folder)
    served = Served({path.name: path.read_bytes() for path in folder.iterdir()})
    served.files |= {"README.md": b"# Small", "pytorch_model.bin": b"\x80", "modeling_own.py": b"raise SystemExit"}
    monkeypatch.setattr(Hub, "served", served, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))  # the import sets it for good
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        yield served
        server.shutdown()
        thread.join()


def fetched(served: Served) -> list[str]:
    """The files whose content was asked for."""
    return [path.rpartition("/")[2] for method, path, _ in served.asked if method == "GET" and "/resolve/" in path]


def kept(home: Home) -> list[str]:
    with Store.open(home) as store:
        return [row.id for row in store.checkpoints.list()]


def test_a_model_of_the_hub_at_one_commit(hub: Served, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home.root / "elsewhere"))
    code, facts, narration = mrclassic(home.root, "model", "import", f"{NAME}@v1", "--json")
    assert code == 0, narration
    assert (facts["source"], facts["revision"], facts["in_use"]) == (NAME, COMMIT, True)
    wanted = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert sorted(fetched(hub)) == sorted(wanted), "each once, and nothing that is not read"
    assert all(COMMIT in path for method, path, _ in hub.asked if "/resolve/" in path)
    with Store.open(home) as store:
        assert store.checkpoints.get(facts["checkpoint"]).metrics == {"source": NAME, "revision": COMMIT}
    assert not (home.runs / "import").exists(), "what was fetched is not kept twice"
    assert not (home.root / "elsewhere").exists(), "nothing is written outside the home"


def bring(home: Home, name: str = NAME) -> Imported:
    with Store.open(home) as store:
        return import_model(home, store, name)


def test_an_interrupted_download_goes_on_where_it_ended(hub: Served, home: Home, tmp_path: Path) -> None:
    policy = micro.policy(vocab_size=704, hidden=256, ffn=16384, layers=1)
    (tmp_path / "larger").mkdir()
    checkpoint.write_model(policy, tmp_path / "larger")
    hub.files |= {name: (tmp_path / "larger" / name).read_bytes() for name in ("config.json", "model.safetensors")}
    assert len(hub.files["model.safetensors"]) > BROKEN
    hub.breaks = True
    with pytest.raises(MrClassicError, match="could not be reached, or went silent; the same command goes on"):
        bring(home)
    assert kept(home) == []
    hub.breaks = False
    hub.asked.clear()
    facts = bring(home)
    assert [asked for method, path, asked in hub.asked if method == "GET" and "/resolve/" in path] == [
        f"bytes={CHUNK}-"
    ]
    with safe_open(home.checkpoints / facts.checkpoint / "model.safetensors", "pt") as written:
        for name, tensor in to_named(policy.decoder).items():
            assert torch.equal(written.get_tensor(name), tensor)


def test_what_is_not_what_the_hub_says_is_thrown_away_alone(hub: Served, home: Home) -> None:
    hub.altered = "model.safetensors"
    with pytest.raises(
        MrClassicError, match=r"model.safetensors of someone/Small-1.5@0123456789ab does not have the hash"
    ):
        bring(home)
    assert kept(home) == []
    hub.altered = None
    hub.asked.clear()
    facts = bring(home)
    assert fetched(hub) == ["model.safetensors"]
    written = home.checkpoints / facts.checkpoint / "tokenizer.json"
    assert sha256(written) == hashlib.sha256(hub.files["tokenizer.json"]).hexdigest()


def test_what_cannot_be_used_is_refused_before_its_weights_are_fetched(hub: Served, home: Home) -> None:
    whole = dict(hub.files)
    config = json.loads(whole["config.json"])
    index = json.dumps(
        {"weight_map": {"model.norm.weight": "model-1.safetensors", "x": "model-2.safetensors"}}
    ).encode()
    weights = {name: content for name, content in whole.items() if name != "model.safetensors"}
    for files, words in (
        (whole | {"config.json": json.dumps({**config, "model_type": "bert"}).encode()}, "'bert' model"),
        (weights, "pytorch_model.bin is a pickle"),
        ({name: each for name, each in whole.items() if name != "tokenizer.json"}, "holds no tokenizer.json"),
        (weights | {"model.safetensors.index.json": index, "model-1.safetensors": b"x"}, "names model-2.safetensors"),
    ):
        hub.files = files
        hub.asked.clear()
        with pytest.raises(Refused, match=words) as caught:
            bring(home)
        assert "\n" not in str(caught.value)
        assert not any(name.startswith("model") and name.endswith("safetensors") for name in fetched(hub))
        assert kept(home) == []


def test_a_disk_too_small_is_said_before_the_weights_are_fetched(
    hub: Served, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mrclassic.night.importing.shutil.disk_usage", lambda path: SimpleNamespace(free=200_000))
    with pytest.raises(Refused, match="GiB while it is imported, but only"):
        bring(home)
    assert "model.safetensors" not in fetched(hub)


def test_when_there_is_no_answer(hub: Served, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(name: str = NAME) -> str:
        with pytest.raises(MrClassicError) as caught:
            bring(home, name)
        return str(caught.value)

    assert "the model has no such revision" in told(f"{NAME}@v9")
    assert "there is no such model on the hub" in told("someone/Else")
    hub.status = 403
    assert "its makers want their terms accepted" in told()
    hub.status = 500
    assert "the hub answered 500" in told()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "the hub could not be reached" in told()
    assert kept(home) == []


def test_offline_nothing_is_asked(hub: Served, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    code, _, narration = mrclassic(home.root, "model", "import", NAME)
    assert (code, hub.asked) == (1, [])
    assert "HF_HUB_OFFLINE is set, so nothing is asked of the network" in narration.splitlines()[-1]


def test_names_of_repositories() -> None:
    assert Repository.named("Qwen/Qwen2.5-0.5B") == Repository("Qwen/Qwen2.5-0.5B", "main")
    assert Repository.named("a/b@refs/pr/1") == Repository("a/b", "refs/pr/1")
    assert [Repository.named(each) for each in ("gpt2", "./a/b", "/a/b", "a/b/c", "../b", "a/b@", "a b/c")] == [
        None
    ] * 7
