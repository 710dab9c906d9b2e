"""A disk that fills up during a night: one sentence, nothing in use or stored is lost, and with room it goes on."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import muted
import nights
import pytest
from campaigns import nest
from faults.shortage import Killed
from homes import mrclassic

from mrclassic.home import Home
from mrclassic.model.manifest import verify
from mrclassic.store import Store

pytestmark = pytest.mark.slow

LITTLE = "threads = 1\n[practice]\nprompts = 2\ngroup = 2\nreplay = 2\nselfplay = 0.0\ntasks = 'arithmetic:1'\n"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("MRCLASSIC_")}
NIGHT = ("night", "--now", "--minutes", "0.2", "--json")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = muted.hatch(Home(tmp_path / "home"))
    home.settings_file.write_text(LITTLE)
    return home


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB of its own, where this process may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("a disk of its own cannot be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def unharmed(home: Home, model: str = "mute-1") -> None:
    """What was in use is, and is whole; so is the database; nothing half made lies about."""
    with Store.open(home) as store:
        used = store.checkpoints.in_use()
        assert used is not None
        assert used.id == model
        verify(home.checkpoints / used.path)
        assert store.damage() == []
        assert [row.id for row in store.checkpoints.list()] == [model]
        night = store.nights.last()
        assert night is None or night.status in (
            "failed",
            "interrupted",
            "running",
        )  # that a disk is full may not fit on it
    assert [path.name for path in home.checkpoints.iterdir()] == [model]


def goes_on(home: Home) -> None:
    """With room again the night that was cut short comes to its end."""
    code, facts, narration = mrclassic(home.root, *NIGHT, "--resume")
    assert code == 0, narration
    assert facts["candidate"] is not None
    assert facts["gate"] is not None
    with Store.open(home) as store:
        night = store.nights.last()
        assert night is not None
        assert night.status == "done"


def test_files_that_cannot_grow(home: Home) -> None:
    """A limit on the size of files, which any system has: the database fits below it, and a checkpoint does not."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, resource.RLIM_INFINITY))

    command = [sys.executable, "-m", "mrclassic", "--home", str(home.root), *NIGHT]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, preexec_fn=limit)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "cannot be written below" in done.stderr.splitlines()[-1]
    unharmed(home)
    goes_on(home)


def model(home: Home) -> str:
    """The weights that the night comes to which was cut short."""
    code, facts, narration = mrclassic(home.root, "night", "--now", "--resume", "--json")
    assert code == 0, narration
    assert "given up" not in narration
    with Store.open(home) as store:
        return store.checkpoints.get(facts["candidate"]).model_sha256


def fill(disk: Path) -> Path:
    """Take all that is left of `disk`."""
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while file.write(bytes(1 << 16)):
            pass
    return disk / "filler"


def test_a_disk_that_fills_up_in_the_middle(tmp_path: Path, small_disk: Path) -> None:
    home = nights.hatch(tmp_path / "home", nest.mute())
    home.settings_file.write_text(LITTLE)
    code, _, narration = mrclassic(home.root, *NIGHT, first=Killed("state.saved"))  # so that both have one plan
    assert code == -signal.SIGKILL, narration
    there = Home(Path(shutil.copytree(home.root, small_disk / "home")))
    wanted = model(home)

    command = [sys.executable, "-m", "mrclassic", "--home", str(there.root), "night", "--now", "--resume", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    end = time.monotonic() + 120
    with Store.open(there) as store:
        while not any(run.kind == "grpo" and store.runs.steps(run.id) for run in store.runs.of_night(1)):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < end
            time.sleep(0.02)
    filler = fill(small_disk)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1, said
    assert "Traceback" not in said
    assert "the disk is full" in said.splitlines()[-1]
    unharmed(there, "micro")
    filler.unlink()
    assert model(there) == wanted
