"""A real service in its own process, whose nights are small programs that behave or misbehave as a night can."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mrclassic.daemon import status
from mrclassic.daemon.log import tail
from mrclassic.home import Home

# Runs the service with a night of our own; argv: home, grace, the night's program, settings of the night as JSON, the
# waits before another try as JSON.
SERVICE = """
import json, sys
from pathlib import Path
from mrclassic.daemon import again
from mrclassic.daemon.service import run
from mrclassic.home import Home
from mrclassic.settings import load

home, grace, program = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
again.BACK_OFF = tuple(json.loads(sys.argv[5]))
again.GAVE_WAY_SECONDS = 0.1
def read():
    settings = load(Home(home))
    night = settings.night.model_copy(update=json.loads(sys.argv[4]))
    return settings.model_copy(update={"night": night})
command = [sys.executable, "-c", program, str(home)]
sys.exit(run(Home(home), read(), command=command, poll=0.05, grace=grace, reload=read))
"""

# A night that saves when asked to, and has a helper of its own that would outlive it.
POLITE = """
import os, signal, subprocess, sys, time
root = sys.argv[1]
helper = subprocess.Popen(["sleep", "600"])
def end(number, frame):
    open(root + "/saved", "w").write("yes")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open(root + "/pids.part", "w").write(f"{os.getpid()} {helper.pid}")
os.rename(root + "/pids.part", root + "/pids")
print("practising")
time.sleep(600)
"""
DEAF = POLITE.replace("signal.signal(signal.SIGTERM, end)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")


def until(predicate: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait for something that processes do; fail loudly if they never do."""
    deadline = time.monotonic() + seconds
    while not predicate():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Whether a process is no more (a zombie that nobody buries, as in a container without init, is gone too)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z"


@dataclass
class Services:
    """Starts services for one home and ends what a failed test leaves."""

    home: Home
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(
        self,
        program: str = POLITE,
        *,
        at: str = "00:00",
        grace: float = 10.0,
        hours: float = 3.0,
        back_off: Sequence[float] = (60.0,),
        environment: Mapping[str, str] | None = None,
        **night: object,
    ) -> subprocess.Popen[str]:
        settings = {"start": at, "timezone": "UTC", "misfire_hours": hours, **night}
        words = (str(self.home.root), str(grace), program, json.dumps(settings), json.dumps(back_off))
        process = subprocess.Popen(
            [sys.executable, "-c", SERVICE, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.started.append(process)
        until(lambda: process.poll() is not None or self.status().pid == process.pid)
        return process

    def events(self, name: str) -> list[dict[str, Any]]:
        """What the log has of one kind of event."""
        return [each for each in tail(self.home, 1000) if each["event"] == name]

    def status(self) -> status.Status:
        return status.read(self.home)

    def pids(self) -> list[int]:
        """The processes of the night that is running: itself and its helper."""
        path = self.home.root / "pids"
        until(path.exists)
        pids = [int(word) for word in path.read_text().split()]
        path.unlink()
        return pids
