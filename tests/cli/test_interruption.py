"""Ctrl-C, SIGTERM and kill -9 in the middle of what takes long: one sentence, the right code, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import muted
import pytest
from homes import mrclassic

from mrclassic.home import Home
from mrclassic.store import Run, Store

pytestmark = pytest.mark.slow

SAVED = "mrclassic: interrupted; what was finished is saved."


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = muted.hatch(Home(tmp_path_factory.mktemp("mute") / "home"))
    home.settings_file.write_text("threads = 1\n", encoding="utf-8")  # so that updates are not over before we look
    return home


@pytest.fixture
def nest(model: Home, tmp_path: Path) -> Home:
    """A copy of a home with a model whose replies take no time."""
    return Home(shutil.copytree(model.root, tmp_path / "nest"))


def start(home: Home, *words: str) -> subprocess.Popen[str]:
    """The command line in a process of its own, to be interrupted."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MRCLASSIC_")}
    command = [sys.executable, "-m", "mrclassic", "--home", str(home.root), *words]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )


def when(process: subprocess.Popen[str], home: Home, reached: Callable[[Store], bool], sign: signal.Signals) -> str:
    """Send `sign` as soon as the store says `reached`, and wait for the end; what was narrated."""
    end = time.monotonic() + 120
    with Store.open(home) as store:
        while not reached(store):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < end
            time.sleep(0.02)
    process.send_signal(sign)
    _, narration = process.communicate(timeout=60)
    assert "Traceback" not in narration
    return narration


def learning(store: Store) -> bool:
    """Whether the newest run has done some updates."""
    return any(store.runs.steps(run.id) for run in store.runs.list(limit=1))


def last_run(home: Home) -> Run:
    with Store.open(home) as store:
        return store.runs.list(limit=1)[0]


def in_use(home: Home) -> str | None:
    with Store.open(home) as store:
        found = store.checkpoints.in_use()
    return found.id if found else None


def test_a_hatch_that_is_killed_then_interrupted_comes_to_the_same_model(tmp_path: Path) -> None:
    words = ("hatch", "--steps", "30", "--seed", "3", "--json")
    whole, torn = Home(tmp_path / "whole").ensure(), Home(tmp_path / "torn").ensure()
    for home in (whole, torn):
        home.book.write_text(muted.BOOK, encoding="utf-8")
        # One level: an unfinished model babbles through every item that it is measured on.
        home.settings_file.write_text('threads = 1\n[practice]\ntasks = "arithmetic:1"\n', encoding="utf-8")
    when(start(torn, *words), torn, learning, signal.SIGKILL)
    assert in_use(torn) is None

    process = start(torn, *words)
    narration = when(process, torn, lambda store: len(store.runs.list()) == 2 and learning(store), signal.SIGINT)
    assert process.returncode == 130
    assert "The same command goes on from here.\n" in narration
    assert narration.endswith(f"{SAVED}\n")
    assert in_use(torn) is None
    assert last_run(torn).status == "interrupted"

    code, again, narration = mrclassic(torn.root, *words)
    assert code == 0, narration
    assert "Going on from update" in narration
    assert again["steps"] == 30
    assert in_use(torn) == again["checkpoint"]
    assert list(torn.runs.iterdir()) == []
    assert again["model_sha256"] == mrclassic(whole.root, *words)[1]["model_sha256"]


def test_an_interrupted_training_is_resumed_to_the_same_model(nest: Home) -> None:
    whole = Home(shutil.copytree(nest.root, nest.root.parent / "whole"))
    words = ("train", "book", "--steps", "60", "--seed", "5")
    process = start(nest, *words)
    narration = when(process, nest, learning, signal.SIGINT)
    run = last_run(nest)
    assert process.returncode == 130
    assert f"`mrclassic train book --resume {run.id}` goes on from here.\n" in narration
    assert narration.endswith(f"{SAVED}\n")
    assert (run.status, in_use(nest)) == ("interrupted", "mute-1")

    # What it was given then holds, whatever has been put into use since.
    muted.hatch(nest, "mute-2", seed=1)
    code, resumed, narration = mrclassic(nest.root, "train", "book", "--resume", str(run.id), "--json")
    assert code in (0, 3), narration
    assert "Going on from update" in narration
    assert (resumed["run"], resumed["steps"]) == (run.id, 60)
    assert resumed["model_sha256"] == mrclassic(whole.root, *words, "--json")[1]["model_sha256"]
    with Store.open(nest) as store:
        assert store.checkpoints.get(resumed["checkpoint"]).parent == "mute-1"


@pytest.mark.parametrize(("stage", "sign", "code"), [("grpo", signal.SIGINT, 130), ("gate", signal.SIGTERM, 75)])
def test_a_night_cut_short_promotes_nothing_and_goes_on(
    nest: Home, stage: str, sign: signal.Signals, code: int
) -> None:
    def reached(store: Store) -> bool:
        night = store.nights.last()
        return night is not None and night.stage == stage

    process = start(nest, "night", "--now", "--minutes", "0.2", "--json")
    narration = when(process, nest, reached, sign)
    assert (process.returncode, SAVED in narration) == (code, code == 130)
    with Store.open(nest) as store:
        night = store.nights.last()
        assert night is not None
        assert (night.status, night.gate, night.checkpoint) == ("interrupted", None, None)
    assert in_use(nest) == "mute-1"
    assert "cut short" in mrclassic(nest.root, "report")[1]

    code, facts, narration = mrclassic(nest.root, "night", "--now", "--resume", "--json")
    assert code == 0, narration
    assert (facts["night"], facts["interrupted"]) == (night.id, False)
    with Store.open(nest) as store:
        assert [run.kind for run in store.runs.of_night(night.id)] == [stage["name"] for stage in facts["stages"]]
    assert list(nest.runs.iterdir()) == []
