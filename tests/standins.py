"""Processes that stand in for ours where only what they hold matters."""

from __future__ import annotations

import subprocess
import sys

from mrclassic.home import Home

# A night that has the device; "kind" lets go of it when asked, "deaf" does not.
_NIGHT = """
import os, signal, sys, time
from pathlib import Path
from mrclassic.home import Home
from mrclassic.lease import Lease
held = Lease(Home(Path(sys.argv[1])), "cpu")
assert held.own("night")
def asked(*_):
    print("wanted" if held.wanted else "ended", flush=True)
    os._exit(75)
signal.signal(signal.SIGTERM, asked if sys.argv[2] == "kind" else signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


def night_on_the_cpu(home: Home, manner: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _NIGHT, str(home.root), manner],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process
