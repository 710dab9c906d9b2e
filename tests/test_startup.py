"""How soon the program answers, and what it leaves unloaded until it is needed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

COMPUTING = {"torch", "transformers", "safetensors", "tokenizers", "numpy", "sympy"}
SERVING = {"starlette", "uvicorn", "apscheduler"}
HELP = "import sys; sys.argv = ['mrclassic', '--help']; from mrclassic.cli import main; main()"
EVERYTHING_OF_THE_APP = """
import importlib, pkgutil
import mrclassic.tui.app
for module in pkgutil.walk_packages(mrclassic.tui.__path__, "mrclassic.tui."):
    importlib.import_module(module.name)
from mrclassic.daemon import status
from mrclassic.mind import client, process, protocol
from mrclassic.store import Store, curation
"""


def loaded(code: str, cwd: Path) -> set[str]:
    """The top-level packages in `sys.modules` after a fresh interpreter has run `code`."""
    program = f"""
import sys
try:
    exec({code!r})
except SystemExit as end:
    assert not end.code, end.code
sys.stderr.write(chr(10) + " ".join({{name.partition(".")[0] for name in sys.modules}}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    packages = loaded(HELP, tmp_path)
    assert "typer" in packages
    assert not packages & (COMPUTING | SERVING | {"textual", "pydantic", "sqlite_utils", "sqlite3", "httpx", "asyncio"})


def test_the_app_loads_without_what_computes(tmp_path: Path) -> None:
    packages = loaded("import mrclassic.tui.app", tmp_path)
    assert "textual" in packages
    assert not packages & (COMPUTING | SERVING)


def test_no_part_of_the_app_loads_what_computes(tmp_path: Path) -> None:
    packages = loaded(EVERYTHING_OF_THE_APP, tmp_path)
    assert not packages & (COMPUTING | SERVING)


@pytest.mark.alone
def test_help_answers_at_once(tmp_path: Path) -> None:
    def seconds() -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "mrclassic", "--help"], capture_output=True, check=True, cwd=tmp_path)
        return time.perf_counter() - begun

    # The best of several: the machine may be busy with other things, and the first run fills the caches.
    assert min(seconds() for _ in range(7)) < 0.4
