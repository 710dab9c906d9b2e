"""Runs this Python as nobody, who may not look into root's folders: a mount namespace shows them elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mrclassic.sandbox.backends import bubblewrap

_ROOT = Path(__file__).parents[2]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """The result of `python WORDS`; skips the test where root may not mount."""
    prefix = Path(sys.base_prefix)
    stage = bubblewrap._stage(prefix, _ROOT)
    show = ["unshare", "--mount", "--propagation", "private", "sh", "-c", bubblewrap._SHOW, "sh"]
    shown = [*show, str(stage), str(prefix), str(_ROOT)]
    if subprocess.run([*shown, "true"], capture_output=True).returncode:
        pytest.skip("root may not mount here")
    python = Path(sys._base_executable).resolve().relative_to(prefix.resolve())  # type: ignore[attr-defined]
    environment = {
        "PATH": os.defpath,
        "HOME": "/tmp",
        "LD_LIBRARY_PATH": f"{stage}/python/lib",
        "PYTHONPATH": f"{stage}/inside:{stage}/inside/tests",
    }
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    return subprocess.run(
        [*shown, *nobody, f"{stage}/python/{python}", *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment,
        cwd="/",
    )
