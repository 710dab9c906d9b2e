"""A disk that fills up during a night: one sentence, nothing in use or stored is lost, and with room it goes on."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import muted
import pytest
from homes import mrclassic

from mrclassic.home import Home
from mrclassic.model.manifest import verify
from mrclassic.store import Store

pytestmark = pytest.mark.slow

LITTLE = "threads = 1\n[practice]\nprompts = 2\ngroup = 2\nreplay = 2\nselfplay = 0.0\ntasks = 'arithmetic:1'\n"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("MRCLASSIC_")}
NIGHT = ("night", "--now", "--minutes", "0.6", "--json")


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


def unharmed(home: Home) -> None:
    """What was in use is, and is whole; so is the database; nothing half made lies about."""
    with Store.open(home) as store:
        used = store.checkpoints.in_use()
        assert used is not None
        assert used.id == "mute-1"
        verify(home.checkpoints / used.path)
        assert store.damage() == []
        assert [row.status for row in store.checkpoints.list()].count("promoted") == 1
        night = store.nights.last()
        assert night is None or night.status in ("failed", "interrupted")
    assert [path.name for path in home.checkpoints.iterdir()] == ["mute-1"]


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


def test_a_disk_that_is_full(home: Home, small_disk: Path) -> None:
    there = Home(Path(shutil.copytree(home.root, small_disk / "home")))
    filler = small_disk / "filler"
    filler.write_bytes(bytes(int(shutil.disk_usage(small_disk).free - (3 << 20))))
    code, _, narration = mrclassic(there.root, *NIGHT)
    assert code == 1, narration
    assert "Traceback" not in narration
    assert "the disk is full" in narration.splitlines()[-1]
    unharmed(there)
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    goes_on(there)
