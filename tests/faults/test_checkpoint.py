"""A checkpoint in which any byte of any file is wrong, or any file gone: an ancestor answers, and the files stay."""

from __future__ import annotations

import asyncio
import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import babies
import micro
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mrclassic.errors import MrClassicError
from mrclassic.home import Home
from mrclassic.mind import process
from mrclassic.mind.client import MindClient
from mrclassic.model import checkpoint
from mrclassic.model.manifest import NAME, CorruptCheckpoint
from mrclassic.model.tokenizer import Tokenizer

FILES = (
    *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
    *("generation_config.json", NAME, "training/state.json", "training/state.safetensors"),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoints") / "micro-1"
    policy = micro.policy()
    checkpoint.save(policy, path, state=dict(policy.decoder.named_parameters()), state_facts={"step": 1})
    return path


@pytest.fixture(scope="module")
def content(whole: Path) -> str:
    return micro.digest(checkpoint.load(whole, "cpu"))


def trouble(path: Path) -> str:
    """What is said of a checkpoint that cannot be opened; empty where it can."""
    try:
        checkpoint.load(path, "cpu")
        checkpoint.load_state(path)
    except CorruptCheckpoint as error:
        return str(error)
    return ""


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(FILES),
    place=st.floats(0, 1, exclude_max=True),
    how=st.sampled_from(["flip", "cut", "zeros", "grow", "gone", "folder", "insert"]),
    junk=st.binary(min_size=1, max_size=6),
)
def test_whatever_is_wrong_with_a_file_it_is_one_error_or_does_not_matter(
    whole: Path,
    content: str,
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    place: float,
    how: str,
    junk: bytes,
) -> None:
    path = tmp_path_factory.mktemp("damaged") / whole.name
    shutil.copytree(whole, path)
    file = path / name
    data = bytearray(file.read_bytes())
    at = int(place * len(data))
    if how == "flip":
        data[at] ^= 1 + junk[0] % 255
    elif how == "insert":
        data[at:at] = junk
    else:
        data[at:] = {"cut": b"", "zeros": bytes(len(data) - at), "grow": bytes(data[at:]) + junk}.get(how, b"")
    file.write_bytes(data)
    if how in ("gone", "folder"):
        file.unlink()
    if how == "folder":
        file.mkdir()
    if said := trouble(path):
        assert str(path) in said
        assert "\n" not in said
    else:
        assert name == NAME, "every other file is held against its hash"
        assert micro.digest(checkpoint.load(path, "cpu")) == content
    shutil.rmtree(path)


WRONG = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(key="config.json", value=[math.inf, "x"])
@example(key="files", value={"../mrclassic.json": [1, "x"]})
@given(key=st.sampled_from(["format", "id", "book", "files", "metrics", "step", "config.json", "new"]), value=WRONG)
def test_a_manifest_that_says_something_else_is_one_error_or_does_not_matter(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, key: str, value: object
) -> None:
    path = tmp_path_factory.mktemp("damaged") / whole.name
    shutil.copytree(whole, path)
    facts = json.loads((path / NAME).read_text())
    (facts["files"] if key == "config.json" else facts)[key] = value
    (path / NAME).write_text(json.dumps(facts))
    assert "\n" not in trouble(path)
    shutil.rmtree(path)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["tokenizer.json", "tokenizer_config.json", "generation_config.json"]),
    place=st.floats(0, 1, exclude_max=True),
    junk=st.binary(min_size=1, max_size=4),
)
def test_a_foreign_tokenizer_that_is_damaged_is_one_sentence(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, name: str, place: float, junk: bytes
) -> None:
    """Where no manifest vouches for it, as on import."""
    path = tmp_path_factory.mktemp("foreign")
    for each in ("tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja"):
        shutil.copy(whole / each, path / each)
    data = bytearray((path / name).read_bytes())
    at = int(place * len(data))
    data[at : at + len(junk)] = junk
    (path / name).write_bytes(data)
    with suppress(MrClassicError):
        Tokenizer.load(path)
    shutil.rmtree(path)


# -- the whole program


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    babies.hatch(home, "baby-1")
    babies.hatch(home, "baby-2", parent="baby-1", seed=5)
    yield home
    process.stop(home)


@pytest.mark.parametrize("name", ["tokenizer.json", NAME])
def test_the_mind_answers_with_the_ancestor_says_so_and_keeps_the_damaged_one(family: Home, name: str) -> None:
    file = family.checkpoints / "baby-2" / name
    file.write_bytes(os.urandom(300))
    bad = file.read_bytes()

    async def ask() -> tuple[str, str | None]:
        client = MindClient(family)
        try:
            answer = await client.complete([{"role": "user", "content": "Hello."}], max_tokens=3)
            return answer.checkpoint, answer.notice
        finally:
            await client.aclose()

    checkpoint_, notice = asyncio.run(ask())
    assert checkpoint_ == "baby-1"
    assert notice is not None
    assert "baby-2" in notice
    assert notice.endswith("its ancestor baby-1 answers instead.")
    assert file.read_bytes() == bad
