"""The short forms of the campaigns: each in a process of its own, which forks again and again.

The long forms: `python -m tests.campaigns kills`, `syscalls`, `power`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from campaigns import shim

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow
preloaded = pytest.mark.skipif(bool(shim.missing()), reason=f"calls cannot be made to fail here: {shim.missing()}")


def campaign(*words: str) -> str:
    """Run it; what it says, which is no fault."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MRCLASSIC_")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.campaigns", *words],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    return done.stdout


def test_every_failpoint_and_forty_random_kills() -> None:
    told = campaign("kills", "--kills", "40")
    kills = [int(found) for found in re.findall(r"(\d+) kills", told)]
    points = int(re.findall(r"\((\d+) at failpoints\)", told)[0])
    assert points >= 20
    assert sum(kills) >= 40 + points


@preloaded
def test_every_kind_of_writing_call_fails_once_and_for_good() -> None:
    told = campaign("syscalls", "--cases", "12")
    assert int(re.findall(r"(\d+) cases", told)[0]) == 12


@preloaded
def test_the_power_goes_at_any_moment() -> None:
    told = campaign("power", "--states", "120")
    assert "120 states" in told
