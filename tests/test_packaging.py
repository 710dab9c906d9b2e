"""The wheel: everything that travels is inside, and installed by itself it hatches and answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from mrclassic.home import Home
from mrclassic.mind import process

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture
def command(wheel: Path, tmp_path: Path) -> Path:
    """`mrclassic` in an environment that holds the wheel, and sees this one's libraries but not this tree."""
    folder = tmp_path / "env"
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True, timeout=120)
    (site,) = folder.glob("lib/python*/site-packages")
    # A path in a .pth file is searched for packages only: an editable install that lies there is not followed.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "mrclassic"


def test_what_travels_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    own = {file.relative_to(ROOT).as_posix() for file in (ROOT / "mrclassic").rglob("*") if file.suffix != ".pyc"}
    assert {name for name in own if (ROOT / name).is_file()} <= inside
    assert "mrclassic/tui/app.tcss" in inside
    assert "mrclassic/py.typed" in inside
    for folder in ("data", "plugins", "systemd"):
        files = [file.name for file in (ROOT / folder).iterdir() if file.is_file()]
        assert files
        assert {f"mrclassic/shipped/{folder}/{name}" for name in files} <= inside
    assert not any(name.startswith(("tests/", "data/", "plugins/")) for name in inside)


@pytest.mark.slow
def test_installed_by_itself_it_hatches_and_answers(command: Path, tmp_path: Path) -> None:
    empty, owner = tmp_path / "empty", tmp_path / "owner"
    empty.mkdir()
    owner.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    environment = {**kept, "HOME": str(owner)}

    def run(*words: str) -> str:
        done = subprocess.run(
            [str(command), *words], capture_output=True, text=True, timeout=280, cwd=empty, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    python = command.with_name("python")
    where = [str(python), "-c", "import mrclassic; print(mrclassic.__file__)"]
    found = subprocess.run(where, capture_output=True, text=True, check=True, cwd=empty, env=environment).stdout
    assert Path(found.strip()).is_relative_to(command.parent.parent)

    home = Home(owner / ".mrclassic")
    try:
        hatched = json.loads(run("hatch", "--minutes", "0.1", "--json"))
        assert hatched["book_pairs"] >= 400
        asked = json.loads(run("ask", "hello", "--json"))
        assert asked["checkpoint"] == hatched["checkpoint"]
        assert len(asked["candidates"]) == 5
    finally:
        process.stop(home)
    assert list(empty.iterdir()) == []
    # Libraries keep caches of their own beside; what Mr. Classic writes lies in its home.
    assert [file.name for file in owner.iterdir() if file.name != ".cache"] == [".mrclassic"]
