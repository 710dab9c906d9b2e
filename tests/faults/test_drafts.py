"""What a killed process was writing goes with the next writing; what a living one writes stays."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from mrclassic import files
from mrclassic.model.manifest import Manifest, publish


def fill(folder: Path) -> None:
    (folder / "model.safetensors").write_text("weights")


def facts(folder: Path) -> Manifest:
    return Manifest(folder.name, "now", 1, "0")


def age(path: Path) -> None:
    os.utime(path, (time.time() - 3600,) * 2)


def test_what_a_killed_checkpoint_left_goes_with_the_next(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from mrclassic import failpoints\n"
        "from mrclassic.model.manifest import Manifest, publish\n"
        "failpoints.watch(lambda name: os.kill(os.getpid(), signal.SIGKILL) if name == 'checkpoint.filled' else None)\n"
        "publish(Path(sys.argv[1]) / 'one', lambda folder: (folder / 'a').write_text('a'), None)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -9
    (left,) = tmp_path.iterdir()
    assert (left / "a").exists()
    publish(tmp_path / "two", fill, facts)
    assert left.exists(), "just now: its maker may not have locked it yet"
    age(left)
    publish(tmp_path / "three", fill, facts)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["three", "two"]


def test_what_another_process_is_writing_stays(tmp_path: Path) -> None:
    def slowly(folder: Path) -> None:
        fill(folder)
        age(folder)
        publish(tmp_path / "quick", fill, facts)
        assert folder.exists()

    publish(tmp_path / "slow", slowly, facts)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["quick", "slow"]


def test_what_a_killed_writer_of_a_file_left_goes_with_the_next(tmp_path: Path) -> None:
    names = (".b[o]ok.txt.unfinished-x", ".c.unfinished-y", ".b[o]ok.txt-z")
    mine, others, owners = (tmp_path / name for name in names)
    for path in (mine, others, owners):
        path.write_text("half")
        age(path)
    files.replace(tmp_path / "b[o]ok.txt", b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [owners.name, others.name, "b[o]ok.txt"]
