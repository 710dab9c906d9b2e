"""Drives the command line as an owner does: a process of its own, on a home of the test's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def mrclassic(home: Path, *words: str, timeout: float = 900) -> tuple[int, Any, str]:
    """Run the command line on `home`; its exit code, what it printed (parsed where it is JSON), its narration."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MRCLASSIC_")}
    done = subprocess.run(
        [sys.executable, "-m", "mrclassic", "--home", str(home), *words],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment,
        check=False,
    )
    try:
        return done.returncode, json.loads(done.stdout), done.stderr
    except ValueError:
        return done.returncode, done.stdout, done.stderr
