"""Drives the command line as an owner does: a process of its own, on a home of the test's.

The process is a fork of one that has imported the program already: most commands take a few milliseconds, where an
import of torch takes seconds. What must be a process from its first instruction on (a kill, a terminal, an
installation) starts one in its test.
"""

from __future__ import annotations

import atexit
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["everything"])


@cache
def _ready() -> None:
    """Start the process that is forked. Before Python 3.12 it looks for `everything` along PYTHONPATH alone."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parent), before)))
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def command(
    *words: str,
    given: str = "",
    folder: Path | None = None,
    timeout: float = 900,
    first: Callable[[], None] | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run `mrclassic` with `words` in `folder`, where it reads `given`. What the shell of the tests says to the program
    has no say; `environment` has, but for what libraries read as they are imported. `first` is done in the process
    before."""
    _ready()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MRCLASSIC_")} | environment
    with tempfile.TemporaryDirectory() as streams:
        files = [Path(streams) / name for name in ("in", "out", "err")]
        files[0].write_text(given, encoding="utf-8")
        for file in files[1:]:
            file.touch()
        process = _FORKS.Process(target=_live, args=(words, environment, folder or Path.cwd(), files, first))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(words, timeout)
        printed, told = (file.read_text(encoding="utf-8", errors="replace") for file in files[1:])
        return subprocess.CompletedProcess(words, process.exitcode, printed, told)


def _live(
    words: tuple[str, ...],
    environment: Mapping[str, str],
    folder: Path,
    files: list[Path],
    first: Callable[[], None] | None,
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, file in enumerate(files):
        os.dup2(os.open(file, os.O_RDWR), number)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, encoding="utf-8", closefd=False) for number, mode in enumerate("rww")
    )
    sys.argv = ["mrclassic", *words]
    from mrclassic.cli import main

    if first is not None:
        first()
    try:
        main()
    finally:
        atexit._run_exitfuncs()  # a fork ends without


def mrclassic(
    home: Path, *words: str, timeout: float = 900, first: Callable[[], None] | None = None
) -> tuple[int, Any, str]:
    """Run the command line on `home`; its exit code, what it printed (parsed where it is JSON), its narration."""
    done = command("--home", str(home), *words, timeout=timeout, first=first)
    try:
        return done.returncode, json.loads(done.stdout), done.stderr
    except ValueError:
        return done.returncode, done.stdout, done.stderr
