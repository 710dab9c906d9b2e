"""Sandboxes killed while they judge: every verdict comes, none is false, and the judge goes on."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress

import pytest
from sandbox import processes

from mrclassic.sandbox import backends
from mrclassic.sandbox.backends import NoSandbox
from mrclassic.sandbox.judge import Check, Judge

SLOW = "import time\ndef add(a, b):\n    time.sleep(0.1)\n    return a + b"
RIGHT = Check(SLOW, "assert add(1, 1) == 2", "add", "asserts")
WRONG = Check(SLOW, "assert add(1, 1) == 3", "add", "asserts")


@pytest.fixture(autouse=True)
def _sandboxed() -> None:
    try:
        backends.choose("auto")
    except NoSandbox as error:
        pytest.skip(f"no sandbox here: {error}")


def children() -> list[int]:
    """What this process has started itself, not what that has."""
    mine = os.getpid()
    return [pid for pid, parent in processes._processes() if parent == mine]


def test_killed_again_and_again_it_gives_no_false_verdict() -> None:
    processes.adopt_orphans()
    before = set(processes.descendants())
    checks = [RIGHT, WRONG] * 20
    with Judge(workers=2) as judge:
        judge.judge([RIGHT])
        found: list[object] = []
        working = threading.Thread(target=lambda: found.extend(judge.judge(checks)))
        working.start()
        killed = 0
        while working.is_alive() and killed < 6:
            time.sleep(0.25)
            for pid in set(children()) - before:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
        working.join(60)
        assert not working.is_alive(), "a verdict never came"
        verdicts = [outcome.verdict for outcome in found]  # type: ignore[attr-defined]
        wanted = ["right", "wrong"] * 20
        assert all(one in (two, "error") for one, two in zip(verdicts, wanted, strict=True)), found
        assert verdicts.count("error") <= killed
        assert [outcome.verdict for outcome in judge.judge([RIGHT, WRONG])] == ["right", "wrong"]
    assert killed >= 6
    assert processes.left_since(before) == {}
