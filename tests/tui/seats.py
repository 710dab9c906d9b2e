"""The seat of the app's tests: the app on a real home, and waiting for something to become true."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic, sleep

from textual.pilot import Pilot

from mrclassic.home import Home
from mrclassic.settings import Settings
from mrclassic.tui.app import ClassicApp
from mrclassic.tui.screens.chat import ChatScreen
from mrclassic.tui.widgets.answer_box import AnswerBox
from mrclassic.tui.widgets.candidates import Candidates
from mrclassic.tui.widgets.history import History

PATIENCE = 60.0
"""Seconds until something that should happen is given up: the model's process may start meanwhile."""


@dataclass
class Seat:
    """The owner's seat in front of the app."""

    app: ClassicApp
    pilot: Pilot[int]
    home: Home

    @property
    def screen(self) -> ChatScreen:
        screen = self.app.screen_stack[0]
        assert isinstance(screen, ChatScreen)
        return screen

    @property
    def box(self) -> AnswerBox:
        return self.screen.box

    @property
    def candidates(self) -> Candidates:
        return self.screen.candidates

    @property
    def history(self) -> History:
        return self.screen.history

    @property
    def texts(self) -> list[str]:
        """What the history shows."""
        return [bubble.text for bubble in self.history.bubbles]

    @property
    def toasts(self) -> str:
        """All notifications, as one text."""
        return "\n".join(note.message for note in self.app._notifications)

    def alive(self) -> None:
        """Raise what ended the app, if anything did: the closed store that a test then runs into says nothing."""
        if self.app._exception is not None:
            raise self.app._exception

    async def until(self, true: Callable[[], object], what: str = "") -> None:
        """Wait until something is true."""
        end = monotonic() + PATIENCE
        while not true():
            self.alive()
            assert monotonic() < end, f"waited in vain: {what or true.__code__.co_names}; toasts: {self.toasts!r}"
            await self.pilot.pause()
            await asyncio.sleep(0.01)

    async def opened(self) -> None:
        await self.until(lambda: self.screen.opened, "open")

    async def type(self, text: str) -> None:
        """Press the keys of a text."""
        for character in text:
            await self.pilot.press(character if character.isalnum() else _NAMES[character])

    async def ask(self, text: str) -> None:
        """Send a message and wait until all its candidates are written and stored."""
        await self.type(text)
        await self.pilot.press("enter")
        await self.answered()
        # Gibberish is now and then nothing at all, which cannot be picked.
        while (draw := self.candidates.draw) is not None and not all(piece.text.strip() for piece in draw.pieces):
            await self.pilot.press("r")
            await self.until(lambda before=draw: self.candidates.draw is not before, "another draw")
            await self.answered()

    async def answered(self) -> None:
        await self.until(lambda: self.candidates.draw is not None and self.candidates.draw.stored, "the candidates")
        await self.until(lambda: self.screen.focused is self.candidates or self.box.text, "the focus")

    async def idle(self) -> None:
        """Wait until everything asked of the store is done."""
        await self.pilot.pause()
        self.alive()
        await self.app.store_thread(lambda: None)
        await self.pilot.pause()


_NAMES = {" ": "space", ".": "full_stop", ",": "comma", "?": "question_mark", "!": "exclamation_mark"}


@asynccontextmanager
async def seat(home: Home, size: tuple[int, int] = (120, 40), **settings: object) -> AsyncIterator[Seat]:
    """The app, running without a terminal."""
    app = ClassicApp(home, Settings.model_validate({"chat": {"max_tokens": 12}, **settings}))
    async with app.run_test(size=size) as pilot:
        here = Seat(app, pilot, home)
        await here.opened()
        yield here
        await app.action_quit()


class Terminal:
    """The app in a pseudo-terminal of its own, as a process that can be killed."""

    _CODE = (
        "import sys\nfrom pathlib import Path\nfrom mrclassic.home import Home\n"
        "from mrclassic.settings import Settings\nfrom mrclassic.tui.app import run\n"
        "sys.exit(run(Home(Path(sys.argv[1])), Settings.model_validate_json(sys.argv[2])))\n"
    )

    def __init__(self, home: Home, size: tuple[int, int] = (100, 30), **settings: object) -> None:
        self._home, self._size, self._settings = home, size, settings
        self.seen = b""
        self._closed = False

    def __enter__(self) -> Terminal:
        self._mine, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", *reversed(self._size), 0, 0))
        self.child = subprocess.Popen(
            [sys.executable, "-c", self._CODE, str(self._home.root), json.dumps(self._settings)],
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color"},
        )
        os.close(its)
        return self

    def __exit__(self, *_: object) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        if not self._closed:
            self.close()

    def close(self) -> None:
        """Close the window with the app in it."""
        os.close(self._mine)
        self._closed = True

    def write(self, data: bytes) -> None:
        """Press keys."""
        os.write(self._mine, data)

    def until(self, true: Callable[[], object]) -> None:
        """Read what the app paints until something is true."""
        end = monotonic() + PATIENCE
        while not true():
            assert monotonic() < end, f"waited in vain; the app showed {self.seen[-400:]!r}"
            self._read(0.05)

    def paints(self, pattern: str, keys: str = "") -> float:
        """Press keys; the seconds until the app has painted something that matches."""
        begun, place = monotonic(), len(self.seen)
        self.write(keys.encode())
        self.until(lambda: self.shows(pattern, place))
        return monotonic() - begun

    def shows(self, pattern: str, place: int = 0) -> bool:
        """Whether it has painted something that matches, after this place in `seen`."""
        return re.search(pattern.encode(), self.seen[place:]) is not None

    def rest(self, seconds: float) -> None:
        """Press nothing for a while."""
        end = monotonic() + seconds
        while monotonic() < end:
            self._read(max(0.0, end - monotonic()))

    def _read(self, seconds: float) -> None:
        if self._closed:
            sleep(seconds)
            return
        # Reading from a terminal whose other side is closed is an error on Linux, and means the end.
        with suppress(OSError):
            if select.select([self._mine], [], [], seconds)[0]:
                self.seen += os.read(self._mine, 65536)
