"""A verb of the shell, run from the app as a process of its own: nothing on the screen waits for it, and it outlives
the app that started it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

from mrclassic import shipped

if TYPE_CHECKING:
    from pathlib import Path

    from mrclassic.home import Home
    from mrclassic.settings import Settings

_LOOK = 0.1
_UNSTARTED = 126  # as a shell has it


@dataclass(frozen=True)
class Ran:
    """How it ended: its exit code, the facts that it printed as JSON (a list of them in `rows`), and the last sentence
    that it said."""

    code: int
    facts: dict[str, Any] = field(default_factory=dict)
    said: str = ""
    rows: list[Any] = field(default_factory=list)

    def fault(self, what: str = "That") -> str:
        """Why it failed, in a sentence: what it said itself, or else that `what` was asked of it has failed."""
        if self.code == _UNSTARTED:
            return f"{what} could not be started: {self.said}."
        return self.said or f"{what} failed (exit code {self.code})."


def start(home: Home, settings: Settings, name: str, *words: str, given: str = "") -> subprocess.Popen[bytes]:
    """Start `mrclassic WORDS`, which reads what is `given`; what it prints and says goes into logs of this name. Raises
    OSError."""
    command = shipped.python("-m", "mrclassic", "--home", str(home.root), "--device", settings.device, *words)
    with (
        _anew(_facts(home, name)) as printed,
        _anew(_log(home, name)) as narration,
        TemporaryFile() as read,  # unlike a pipe it takes any length at once
    ):
        read.write(given.encode())
        read.seek(0)
        return subprocess.Popen(
            command,
            stdin=read,
            stdout=printed,
            stderr=narration,
            start_new_session=True,  # neither Ctrl-C nor a closed terminal reaches it
            env=shipped.environment(),
        )


async def over(process: subprocess.Popen[bytes], home: Home, name: str) -> Ran:
    """Wait for its end. (Unlike asyncio's own child, it is not killed when the app leaves first.)"""
    while (code := process.poll()) is None:  # noqa: ASYNC110 - a thread that waits would keep who leaves waiting
        await asyncio.sleep(_LOOK)
    try:
        facts = json.loads(_facts(home, name).read_bytes() or b"{}")
    except ValueError:
        facts = {}
    lines = _log(home, name).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    said = lines[-1].removeprefix("mrclassic: ") if lines else ""
    return Ran(code, facts if isinstance(facts, dict) else {}, said, facts if isinstance(facts, list) else [])


async def run(home: Home, settings: Settings, name: str, *words: str, given: str = "") -> Ran:
    """Start it and wait for its end; where it cannot be started, that is its end."""
    try:
        process = await asyncio.to_thread(start, home, settings, name, *words, given=given)
    except OSError as error:
        return Ran(_UNSTARTED, said=error.strerror or str(error))
    return await over(process, home, name)


def _anew(path: Path) -> BinaryIO:
    """An empty file: one that was left running, by an app that ended or in another window, goes on with the old one."""
    path.unlink(missing_ok=True)
    return path.open("wb")


def _facts(home: Home, name: str) -> Path:
    return home.logs / f"{name}.out"


def _log(home: Home, name: str) -> Path:
    return home.logs / f"{name}.log"
