"""Milliseconds from a key to the screen, through a pseudo-terminal, while five answers stream and a night goes on.

python -m tests.campaigns speed --keys 300

The model is a real one with random weights, in its own process. The night is its rows as a night writes them, two
updates a second with a sample each, so that it does not take the device away from the answers. Each figure is given by
the clock, without what the screen's thread waited for a processor (Linux tells it; other programs may be busy), and as
what it computed.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import babies
from tui.seats import Terminal

from mrclassic.daemon import status
from mrclassic.home import Home
from mrclassic.mind import process
from mrclassic.store import Store

PAUSE = 0.03  # seconds between two keys: a very fast typist's
UPDATES = 2.0  # of the night, a second
STREAM = 200  # tokens of an answer at most
SIGNS = "αβγδεζηθικλμνξοπρστυφχψω"  # what a model trained on English does not write
DONE = r"Which one\?"
ASKING = r"To Mr\. Classic"
BOTTOM = "Ω"  # the last line of the night's page


@dataclass(frozen=True)
class Stroke:
    """One key: seconds until it was painted, seconds of these that the app waited for a processor, and computed."""

    taken: float
    waited: float
    busy: float


@contextmanager
def night(home: Home) -> Iterator[None]:
    """A night that another process goes on with."""
    code = "import sys; from pathlib import Path; from campaigns import speed; speed.feed(Path(sys.argv[1]))"
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    fed = subprocess.Popen([sys.executable, "-c", code, str(home.root)], env={**os.environ, "PYTHONPATH": path})
    try:
        yield
    finally:
        fed.kill()
        fed.wait()


def feed(root: Path) -> None:
    """Write a night's updates until killed."""
    home = Home(root)
    with Store.open(home) as store, (home.run / "night.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.pwrite(lock.fileno(), json.dumps({"who": "night", "pid": os.getpid()}).encode(), 0)
        status.beat_file(home).write_text("grpo: update 1 of 5000")
        stages = [{"name": "grpo", "steps": 5000, "seconds_each": 1.0, "completions": 64}]
        number = store.nights.start({"plan": {"stages": stages, "measuring": 60.0}, "lines": ["grpo", BOTTOM]})
        run = store.runs.start("grpo", {}, None, number)
        store.nights.update(number, "running", "grpo")
        for step in range(1, 5001):
            wave = math.sin(step / 9)
            numbers = {"reward": 0.5 + 0.4 * wave, "kl": 0.01 * step, "frac_reward_zero_std": 0.5 - 0.3 * wave}
            more = {"entropy": 1.0 + 0.2 * wave, "completions/mean_length": 20 + 5 * wave, "seconds/update": 0.5}
            store.runs.step(run, step, {**numbers, **more})
            store.runs.sample(run, step, f"What is {step} + 7?", f"{step} + 7 = {step + 7}", float(step % 3 > 0))
            time.sleep(1 / UPDATES)


class Typist:
    """Presses keys and looks when they are painted."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._tasks = Path(f"/proc/{terminal.child.pid}/schedstat")

    def press(self, key: str, pattern: str) -> Stroke:
        """A key, and what it paints."""
        busy, waited = self._spent()
        taken = self._terminal.paints(pattern, keys=key)
        more, longer = self._spent()
        self._terminal.rest(PAUSE)
        return Stroke(taken, min(taken, longer - waited), more - busy)

    def _spent(self) -> tuple[float, float]:
        """Seconds that the screen's thread has computed, and that it has waited for a processor."""
        if not self._tasks.exists():
            return 0.0, 0.0
        computed, waited, _ = self._tasks.read_text().split()
        return int(computed) / 1e9, int(waited) / 1e9


def idle(terminal: Terminal, keys: int) -> list[Stroke]:
    """Typing into the box; nothing else goes on."""
    typist = Typist(terminal)
    strokes = []
    for place in range(keys):
        strokes.append(typist.press(SIGNS[place % len(SIGNS)], SIGNS[place % len(SIGNS)]))
        if place % 60 == 59:  # a message is not a book
            clear(terminal)
    clear(terminal)
    return strokes


def clear(terminal: Terminal) -> None:
    """Empty the box."""
    terminal.paints("nter sends", keys="\x15")  # Ctrl+U


def streaming(terminal: Terminal, keys: int) -> list[Stroke]:
    """Typing an answer of one's own while five stream."""
    typist = Typist(terminal)
    strokes: list[Stroke] = []
    while len(strokes) < keys:
        place = len(terminal.seen)
        terminal.paints("writing…", keys="ψ\rω")  # whoever types on at once keeps the box
        for sign in SIGNS * 4:
            strokes.append(typist.press(sign, sign))  # the one that meets the last layout, too
            if terminal.shows(DONE, place):
                break
        terminal.until(lambda place=place: terminal.shows(DONE, place))
        terminal.paints(ASKING, keys="\r")
        terminal.rest(0.2)
    return strokes


def nightly(terminal: Terminal, keys: int) -> list[Stroke]:
    """Paging on the night's page while five answers stream under it."""
    typist = Typist(terminal)
    strokes: list[Stroke] = []
    terminal.paints("writing…", keys="ψ\r")
    while len(strokes) < keys:
        place = len(terminal.seen)
        terminal.paints("update [0-9]", keys="\x1b[18~")  # F7
        terminal.rest(0.3)
        for _ in range(12):
            for _ in range(8):  # to the end of the page, however long it is
                stroke = typist.press("\x1b[6~", "[^ ]")
                if terminal.shows(BOTTOM, place):
                    strokes.append(stroke)
                    break
            place = len(terminal.seen)
            for _ in range(4):
                terminal.write(b"\x1b[5~")
                terminal.rest(PAUSE)
        terminal.paints("writing…|Which one", keys="\x1b[18~")
        terminal.until(lambda: True)
        terminal.rest(0.1)
        terminal.paints("writing…|Which one", keys="r")
    terminal.rest(2.0)
    return strokes


def figures(strokes: list[Stroke]) -> dict[str, float]:
    """Percentiles in milliseconds."""

    def cut(values: list[float]) -> list[float]:
        cuts = quantiles(values, n=100, method="inclusive")
        return [round(1000 * cuts[at], 1) for at in (49, 94, 98)]

    named = {"": [each.taken for each in strokes], "alone_": [each.taken - each.waited for each in strokes]}
    named["computed_"] = [each.busy for each in strokes]
    found = {
        f"{name}p{at}": value for name, many in named.items() for at, value in zip((50, 95, 99), cut(many), strict=True)
    }
    return {"keys": len(strokes), **found}


def measure(root: Path, keys: int, size: tuple[int, int] = (120, 40)) -> dict[str, Any]:
    """All of it, on a home in `root`."""
    home = Home(root / "home")
    babies.hatch(home)
    found: dict[str, Any] = {}
    try:
        with Terminal(home, size, chat={"max_tokens": STREAM}) as terminal:
            found["opened_ms"] = round(1000 * terminal.paints("nter sends"))
            terminal.until(lambda: b"is awake" in terminal.seen)
            terminal.rest(1.0)
            found["idle"] = figures(idle(terminal, keys))
            with night(home):
                terminal.rest(3.0)
                begun = time.monotonic()
                found["streaming"] = figures(streaming(terminal, keys))
                found["nightly"] = figures(nightly(terminal, keys))
            terminal.write(b"\x1b[21~")  # F10
            terminal.until(lambda: terminal.child.poll() is not None)
            found["seconds"] = round(time.monotonic() - begun)
    finally:
        process.stop(home)
    return found


def main(words: list[str]) -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="speed", description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=300, help="keys of each kind")
    parser.add_argument("--columns", type=int, default=120)
    parser.add_argument("--rows", type=int, default=40)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), given.keys, (given.columns, given.rows))
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0
