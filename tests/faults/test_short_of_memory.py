"""Memory that really runs out: the system refuses it, and torch's allocator says so.

Smaller passes until they fit, with the same result; and where nothing fits, a sentence, and it goes on later.
"""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import muted
import nights
import pytest
from campaigns import nest
from faults.shortage import TRAINING, Shortage
from homes import mrclassic

from mrclassic.home import Home
from mrclassic.store import Store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a process has mapped as data"),
]
MIB = 1 << 20
LARGE = (
    'threads = 1\ndevice = "cpu"\ndtype = "fp32"\n[book]\nbatch = 512\n'
    '[practice]\ntasks = "arithmetic:1"\nprompts = 16\ngroup = 16\nreplay = 48\nselfplay = 0.0\n'
)
DONE = (0, 3)  # promoted or not
BOOK = ("train", "book", "--steps", "2", "--seed", "1", "--json")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A micro model, and updates that want some fifty megabytes in one pass."""
    home = nights.hatch(tmp_path / "home", nest.mute())
    home.settings_file.write_text(LARGE, encoding="utf-8")
    return home


def twin(home: Home, name: str) -> Home:
    return Home(Path(shutil.copytree(home.root, home.root.parent / name)))


def updates(home: Home, run: int = 1) -> list[dict[str, Any]]:
    with Store.open(home) as store:
        return [metrics for _, metrics in store.runs.steps(run)]


def test_a_training_takes_less_at_a_time_and_learns_the_same(home: Home) -> None:
    easy, hard, killed = (twin(home, name) for name in ("easy", "hard", "killed"))
    code, _, narration = mrclassic(easy.root, *BOOK)
    assert code in DONE, narration
    code, facts, narration = mrclassic(hard.root, *BOOK, first=Shortage(hard.root, 24 * MIB))
    assert code in DONE, narration
    assert [each["microbatch/halved"] for each in updates(easy)] == [0.0, 0.0]
    first, second = updates(hard)
    assert first["microbatch/halved"] >= 1
    assert second["microbatch/halved"] == 0
    for each, wanted in zip((first, second), updates(easy), strict=True):
        assert each["loss"] == pytest.approx(wanted["loss"], rel=1e-5)
        assert each["grad_norm"] == pytest.approx(wanted["grad_norm"], rel=1e-3)  # nothing was counted twice

    # Killed before anything of it was saved, and gone on with where there is memory enough: to the same weights.
    code, _, _ = mrclassic(killed.root, *BOOK, first=Shortage(killed.root, 24 * MIB, dies="checkpoint.begun"))
    assert code == -signal.SIGKILL
    code, again, narration = mrclassic(killed.root, "train", "book", "--resume", "1", "--json")
    assert code in DONE, narration
    assert again["model_sha256"] == facts["model_sha256"]


def test_a_night_goes_through_with_less_at_a_time(home: Home) -> None:
    words = ("night", "--now", "--minutes", "0.2", "--json")
    code, facts, narration = mrclassic(home.root, *words, first=Shortage(home.root, 40 * MIB))
    assert code == 0, narration
    assert "failed" not in [stage["status"] for stage in facts["stages"]]
    assert any(each["microbatch/halved"] for each in updates(home))
    assert facts["gate"] is not None


def test_where_nothing_fits_it_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    home = muted.hatch(Home(tmp_path / "home"))
    home.settings_file.write_text(LARGE, encoding="utf-8")
    code, _, narration = mrclassic(home.root, *BOOK, first=Shortage(home.root, 4 * MIB, after=TRAINING))
    assert code == 1
    assert "Traceback" not in narration
    assert "`mrclassic train book --resume 1` goes on from here.\n" in narration
    assert narration.splitlines()[-1].startswith("mrclassic: Memory ran out, however little was computed at a time; ")
    with Store.open(home) as store:
        assert store.runs.get(1).status == "interrupted"
        assert store.damage() == []
    code, resumed, narration = mrclassic(home.root, "train", "book", "--resume", "1", "--json")
    assert code in DONE, narration
    assert (resumed["run"], resumed["steps"]) == (1, 2)
    assert [each["microbatch/halved"] for each in updates(home)][1:] == [0.0]
