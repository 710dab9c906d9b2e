"""The app in a pseudo-terminal under an owner who never rests, and its memory, for as long as one likes.

python -m tests.campaigns hour --minutes 60

Asks, picks, edits, undoes, draws again, searches, switches and deletes conversations, opens every page and closes it,
in an order that chance gives. A random model answers; a night goes on beside it (see `speed`). The memory is that of
the app's process: what no other process shares with it.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import babies
import many
from campaigns import speed
from tui.seats import Terminal

from mrclassic.home import Home
from mrclassic.mind import process
from mrclassic.store import Store

WARM = 0.25
"""The part of the time after which caches are taken to be full, where there is an hour; sooner they are not."""
WORDS = [word for word in many.WORDS if "q" not in word]
"""Outside the box `q` leaves, and on a loaded machine the box may not have the focus yet."""
SETTLED = 2.0  # megabytes that count as nothing
REST = 0.12
ESCAPE = "\x1b"
BOX = "\x1b[<0;20;38M\x1b[<0;20;38m"  # a click into it: wherever the focus was
KEYS = {"F1": "\x1bOP", "F2": "\x1bOQ", "F3": "\x1bOR", "F4": "\x1bOS", "F7": "\x1b[18~", "F8": "\x1b[19~"}
KEYS |= {"F9": "\x1b[20~", "F10": "\x1b[21~", "F12": "\x1b[24~", "up": "\x1b[A", "down": "\x1b[B", "page": "\x1b[6~"}


@dataclass
class Hour:
    """What came of it. Memory in megabytes, one value for each look."""

    seconds: float = 0.0
    done: Counter[str] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)
    messages: int = 0
    picks: int = 0

    @property
    def growth(self) -> float:
        """Megabytes from the first third after the warm-up to the last."""
        warm = self.memory[int(len(self.memory) * WARM) :]
        third = max(1, len(warm) // 3)
        return median(warm[-third:]) - median(warm[:third])

    @property
    def facts(self) -> dict[str, Any]:
        tenth = max(1, len(self.memory) // 20)
        facts = {**vars(self), "done": dict(self.done), "memory": [round(each, 1) for each in self.memory[::tenth]]}
        return {**facts, "growth": round(self.growth, 2)}


class Owner:
    """Presses keys; after each deed he is in the chat again."""

    def __init__(self, terminal: Terminal, seed: int) -> None:
        self.terminal = terminal
        self.rng = random.Random(seed)
        self.found = Hour()
        self.pressed: deque[str] = deque(maxlen=40)

    def keys(self, *names: str, rest: float = REST) -> None:
        for name in names:
            self.pressed.append(name)
            self.terminal.write(KEYS.get(name, name).encode())
            self.terminal.rest(rest)
        if self.terminal.child.poll() is not None:
            self.terminal.rest(1.0)  # its last words
            raise AssertionError(
                f"It ended with {self.terminal.child.returncode} after {list(self.pressed)}:\n"
                f"{self.terminal.seen[-60000:].decode(errors='replace')}"
            )

    def deed(self) -> None:
        """One thing that an owner does."""
        deeds: list[Callable[[], None]] = [self.ask] * 6 + [self.page] * 4
        deeds += [self.switch, self.switch, self.search, self.undo, self.new, self.palette, self.theme, self.delete]
        deed = self.rng.choice(deeds)
        deed()
        self.found.done[deed.__name__] += 1
        if len(self.terminal.seen) > 2_000_000:
            self.terminal.seen = b""

    def ask(self) -> None:
        """A message, and one of its answers, sometimes drawn again or edited first."""
        if self.rng.random() < 0.3:
            self.keys("F3")
        self.keys(BOX, "\x15")  # Ctrl+U
        words = self.rng.choices(WORDS, k=self.rng.randrange(3, 12))
        place = len(self.terminal.seen)
        self.keys(" ".join(words), "\r")
        self.wait(speed.DONE, place)
        if self.rng.random() < 0.2:
            place = len(self.terminal.seen)
            self.keys("r")
            self.wait(speed.DONE, place)
        if self.rng.random() < 0.3:
            self.keys("e", " indeed", "\r")
        for digit in "12345":  # the first that says something
            self.keys(digit, rest=0.05)
        self.keys(BOX, "\x15")  # where a digit picked at once, the others went there

    def wait(self, pattern: str, place: int, seconds: float = 8.0) -> None:
        """Until it is painted; no longer than that, as gibberish may have taken the keys elsewhere."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.terminal.shows(pattern, place):
            self.terminal.rest(0.05)

    def page(self) -> None:
        """Each page, with a look around."""
        name = self.rng.choice(["F1", "F4", "F7", "F12"])
        self.keys(name, rest=0.4)
        self.keys(*self.rng.choices(["up", "down", "page", "\t"], k=4))
        self.keys(ESCAPE, rest=0.3)
        self.found.done[name] += 1

    def switch(self) -> None:
        """Another conversation."""
        self.keys(BOX, "F2", *["down"] * self.rng.randrange(1, 12), "\r", rest=0.06)
        self.terminal.rest(0.3)

    def search(self) -> None:
        """For a word, as it is typed."""
        self.keys(BOX, "F2", "/")
        self.keys(*self.rng.choice(WORDS)[:4], rest=0.05)
        self.keys("\r", "down", "\r")
        self.keys("F2", "/", ESCAPE, ESCAPE)

    def undo(self) -> None:
        """Take the last pick back, and skip it."""
        self.keys("F8", "s")

    def new(self) -> None:
        """A new conversation."""
        self.keys("F3")

    def palette(self) -> None:
        """Look for something in the palette, and leave it."""
        self.keys("\x10", rest=0.3)
        self.keys("t", "e", "m", ESCAPE, ESCAPE)

    def theme(self) -> None:
        """Other colours."""
        self.keys("F9")

    def delete(self) -> None:
        """A conversation, for good."""
        self.keys(BOX, "F2", "down", "d", "y", ESCAPE)


def memory(pid: int) -> float:
    """Megabytes that only this process has."""
    found = re.search(r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def run(root: Path, minutes: float, seed: int = 0, say: Callable[[str], None] = lambda line: None) -> Hour:
    """Drive the app on a home in `root`."""
    home = Home(root / "home")
    babies.hatch(home)
    begun = time.monotonic()
    try:
        with Terminal(home, (120, 40), chat={"max_tokens": 40}) as terminal, speed.night(home):
            terminal.until(lambda: b"is awake" in terminal.seen)
            owner, looked = Owner(terminal, seed), 0.0
            while (passed := time.monotonic() - begun) < 60 * minutes:
                owner.deed()
                if passed - looked >= 60 * minutes / 240:
                    looked = passed
                    owner.found.memory.append(memory(terminal.child.pid))
                    say(f"{passed / 60:6.1f} min  {owner.found.memory[-1]:7.1f} MB  {owner.found.done.total()} deeds")
            terminal.write(KEYS["F10"].encode() * 2)
            with suppress(AssertionError):
                terminal.until(lambda: terminal.child.poll() is not None)
        owner.found.seconds = round(time.monotonic() - begun)
        with Store.open(home) as store:
            talks = store.conversations.list(limit=10_000)
            owner.found.messages = sum(talk.messages for talk in talks)
            owner.found.picks = len(store.picks.history(1_000_000))
    finally:
        process.stop(home)
    return owner.found


def main(words: list[str]) -> int:
    """Print what came of it as JSON; 1 where the memory grew."""
    parser = argparse.ArgumentParser(prog="hour", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), given.minutes, given.seed, lambda line: sys.stderr.write(line + "\n") and None)
    sys.stdout.write(json.dumps(found.facts, indent=2) + "\n")
    return int(found.growth > SETTLED)
