"""An owner's evening from shell to shell, in a real terminal (tmux) and with a model that has really hatched.

Chat, pick, write a better answer, take it back, write it again, leave, train, ask again. What was on the screen at each
step is kept as `walk.txt` in the test's folder.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mrclassic import book
from mrclassic.home import Home

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="the walk needs tmux"),
]

PATIENCE = 60.0
QUESTION = "Do you like the sea?"
ANSWER = "I have only read of it. It sounds like rain that stays."


class Walk:
    """One shell in tmux: keys in, screens out, each kept with a heading."""

    def __init__(self, server: str, record: Path) -> None:
        self._tmux = ("tmux", "-L", server, "-f", os.devnull)
        self._record = record

    def run(self, *words: str) -> str:
        return subprocess.run([*self._tmux, *words], capture_output=True, text=True, check=True).stdout

    def types(self, text: str) -> None:
        self.run("send-keys", "-l", text)

    def presses(self, *keys: str) -> None:
        self.run("send-keys", *keys)

    @property
    def screen(self) -> str:
        return self.run("capture-pane", "-p")

    def sees(self, pattern: str, heading: str, patience: float = PATIENCE) -> str:
        """Wait until the screen matches, and keep it under a heading."""
        end = time.monotonic() + patience
        while not re.search(pattern, screen := self.screen, re.MULTILINE):
            assert time.monotonic() < end, f"waited in vain for {pattern!r} ({heading}):\n{screen}"
            time.sleep(0.1)
        with self._record.open("a", encoding="utf-8") as record:
            record.write(f"=== {heading}\n\n{screen.rstrip()}\n\n")
        return screen


@contextmanager
def shell(home: Home, folder: Path) -> Iterator[Walk]:
    """A shell in which `mrclassic` is the program under test, on this home."""
    program = folder / "bin" / "mrclassic"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m mrclassic "$@"\n')
    program.chmod(0o755)
    walk = Walk(f"mrclassic-{os.getpid()}", folder / "walk.txt")
    variables = {"PATH": f"{program.parent}:{os.environ['PATH']}", "PS1": "$ ", "MRCLASSIC_HOME": str(home.root)}
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    walk.run("new-session", "-d", "-x", "100", "-y", "30", "-c", str(folder), f"env {settings} sh")
    try:
        yield walk
    finally:
        walk.run("kill-server")


def test_an_evening_with_the_hatched_model(nest: Home, tmp_path: Path) -> None:
    with shell(nest, tmp_path) as walk:
        walk.sees(r"^\$$", "A shell")
        walk.types("mrclassic\n")
        walk.sees("Mr. Classic is awake", "The app opens")

        walk.types("Hello there. Who are you?")
        walk.presses("Enter")
        asked = walk.sees(r"Which one\?", "A message has five answers")
        # What is sampled may begin with a space, wrap elsewhere, or say nothing, which is not to be picked.
        shown = dict(re.findall(r"^ +([1-5])  +(\S.*?)(?: {2,}.*)?$", asked, re.MULTILINE))
        number, text = next((number, text) for number, text in shown.items() if "says nothing" not in text)
        walk.presses(number)
        taken = walk.sees(r"▌ +" + r"\s+".join(map(re.escape, text.split()[:3])), f"{number} takes it")
        assert "Which one?" not in taken

        walk.presses("F3")
        walk.sees("Write something below", "F3: a new conversation")
        walk.types(QUESTION)
        walk.presses("Enter")
        walk.sees(r"Which one\?", "Another question")
        walk.presses("Tab")
        walk.types(ANSWER)
        walk.sees(ANSWER, "Tab leads to an answer of one's own")
        walk.presses("Enter")
        walk.sees(r"Mr\. Classic · your own answer", "It is taken")
        assert book.load(nest.book)[-1].reply == ANSWER

        walk.presses("BSpace")
        undone = walk.sees(r"Which one\?", "Backspace takes it back; the answers wait again")
        assert ANSWER not in undone
        assert ANSWER not in nest.book.read_text(encoding="utf-8")

        walk.presses("Tab")
        walk.types(ANSWER)
        walk.presses("Enter")
        walk.sees(r"Mr\. Classic · your own answer", "Written again")
        walk.sees(r"\d picks? waiting", "The status line counts what waits")
        walk.presses("F10")
        left = walk.sees(r"^\$$", "F10 leaves; the shell is as it was")
        assert "To Mr. Classic" not in left

        walk.types("mrclassic train book\n")
        lesson = walk.sees("It is in use now|Not used", "One lesson", patience=900)
        assert "It is in use now" in lesson, lesson
        walk.types(f"mrclassic ask {shlex.quote(QUESTION)} -n 1 --temperature 0\n")
        walk.sees(re.escape(f"1) {ANSWER}"), "Asked again")
        walk.types("clear; mrclassic\n")
        walk.sees("no picks waiting", "The app once more: nothing waits")
        walk.presses("F3")
        walk.sees("Write something below", "A new conversation")
        walk.types(QUESTION)
        walk.presses("Enter")
        again = walk.sees(r"Which one\?", "The taught answer is among the five")
        assert ANSWER in again
        walk.presses("F10")
        walk.sees(r"^\$$", "Good night")
