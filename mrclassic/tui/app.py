"""The app: opens the home, shows the chat, and leaves nothing behind that was not stored.

code = run(home, settings)
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.await_complete import AwaitComplete
from textual.events import Event, InputEvent

from mrclassic import desktop
from mrclassic.errors import MrClassicError
from mrclassic.tui import garbage, keys, lean
from mrclassic.tui.desk import Desk
from mrclassic.tui.palette import Everything
from mrclassic.tui.screens.chat import ChatScreen
from mrclassic.tui.screens.help import Help
from mrclassic.tui.store_thread import StoreThread
from mrclassic.tui.terminal import outlasting, teach_alt_enter
from mrclassic.tui.themes import CLASSIC_DARK, CONTRAST_DARK, OWN
from mrclassic.tui.visible import visible

if TYPE_CHECKING:
    from textual.driver import Driver

    from mrclassic.home import Home
    from mrclassic.settings import Settings

SWITCH = 0.001
"""Seconds after which the screen's thread gets its turn where another one, mostly the store's, computes."""
AGAIN_WITHIN = 2.0
"""Seconds in which a second Ctrl+C leaves."""


class ClassicApp(App[int]):
    """One window on one home."""

    CSS_PATH: ClassVar = "app.tcss"
    TITLE = "Mr. Classic"
    BINDINGS: ClassVar = keys.bindings("app")
    COMMANDS: ClassVar = {Everything}

    def __init__(self, home: Home, settings: Settings) -> None:
        super().__init__()
        self.home = home
        self.settings = settings
        self.moved = dict(settings.keys)
        self.conflicts = keys.check(self.moved)
        self.desk = Desk(home)
        self.store_thread = StoreThread()
        self.failure: MrClassicError | None = None
        for theme in OWN:
            self.register_theme(theme)
        self.theme = settings.ui.theme if settings.ui.theme in self.available_themes else CLASSIC_DARK.name
        if self.no_color and self.theme == CLASSIC_DARK.name:
            self.theme = CONTRAST_DARK.name  # without its colours the other one is grey on grey
        self._asked_to_leave = 0.0
        self._told: set[str] = set()
        self._stirred = monotonic()

    def on_mount(self) -> None:
        self._leave_on_signals()
        self.set_interval(garbage.PAUSE, self._tidy)
        self.set_keymap(self.moved)
        for sentence in self.conflicts:
            self.notify(sentence, severity="warning", timeout=10, markup=False)
        if self.settings.ui.theme not in self.available_themes:
            self.notify(
                f"mrclassic.toml, ui.theme: there is no theme {self.settings.ui.theme!r}; using {CLASSIC_DARK.name}.",
                severity="warning",
                markup=False,
            )

    async def on_event(self, event: Event) -> None:
        if isinstance(event, InputEvent):
            self._stirred = monotonic()
        await super().on_event(event)

    def _tidy(self) -> None:
        lean.forget(self)
        garbage.tidy(monotonic() - self._stirred)

    def get_driver_class(self) -> type[Driver]:
        return outlasting(super().get_driver_class())

    def get_default_screen(self) -> ChatScreen:
        return ChatScreen(self.desk, self.store_thread, self.home, self.settings)

    def call_back(self, words: str) -> None:
        """Tell an owner who is looking at another window, if he wants that: by the bell, and by a notification on the
        desktop. Over ssh that desktop is not here, so the terminal is asked to show it (OSC 9). A terminal that does
        not say where he looks has him looking here."""
        if self.app_focus or not self.settings.notify.desktop:
            return
        self.bell()
        if "SSH_CONNECTION" not in os.environ:
            # Not a pool's thread: it would keep an owner who leaves waiting for a desktop that does not answer.
            threading.Thread(target=self._show, args=(words,), daemon=True).start()
        elif self._driver is not None:
            self._driver.write(f"\x1b]9;Mr. Classic: {words}\a")

    def _show(self, words: str) -> None:
        fault = desktop.show("Answers", words)
        if fault and fault not in self._told:
            self._told.add(fault)
            with suppress(RuntimeError):  # the app has ended meanwhile
                self.call_from_thread(self.notify, visible(fault), severity="warning", timeout=10, markup=False)

    def fail(self, error: MrClassicError) -> None:
        """Leave because nothing can be done here; `run` raises the reason once the terminal is back."""
        self.failure = error
        self.exit(error.exit_code)

    async def action_quit(self) -> None:
        """Store what is typed, hang up, leave."""
        if isinstance(self.screen_stack[0], ChatScreen):
            await self.screen_stack[0].leave()
        self.exit(0)

    def action_help_quit(self) -> None:
        """Ctrl+C: say how to leave; a second one within two seconds leaves."""
        now = self._loop.time() if self._loop else 0.0
        if now - self._asked_to_leave < AGAIN_WITHIN:
            self.call_later(self.action_quit)
        else:
            self._asked_to_leave = now
            self.notify("F10 leaves; so does Ctrl+C once more.", timeout=AGAIN_WITHIN)

    def _leave_on_signals(self) -> None:
        """A closed terminal or a polite kill is a way to leave like any other."""
        # Not on Windows, and not where the app runs beside another main thread.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            for sign in (signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(sign, self._signalled)

    def _signalled(self) -> None:
        self.call_later(self.action_quit)

    def pop_screen(self) -> AwaitComplete:
        """Close the page on top, if there is one over the chat: of two Escapes in a row the second may find its page
        gone, and Textual (8.2) would end the app over that."""
        return super().pop_screen() if len(self.screen_stack) > 1 else AwaitComplete()

    def action_help(self) -> None:
        self._found("helped")
        self.push_screen(Help(self.moved, keys.place_of(self.focused, self.screen)))

    def action_next_theme(self) -> None:
        """The next of the app's own: lamplight, daylight, and both with high contrast."""
        names = [theme.name for theme in OWN]
        self.theme = names[(names.index(self.theme) + 1) % len(names)] if self.theme in names else names[0]

    def action_command_palette(self) -> None:
        """Everything there is, to be searched."""
        self._found("helped")
        super().action_command_palette()

    def _found(self, what: str) -> None:
        if isinstance(self.screen, ChatScreen):
            self.screen.happened(what)


def run(home: Home, settings: Settings) -> int:
    """Open the app on a home; returns the exit code. Raises `MrClassicError` if the store cannot be opened."""
    garbage.wait()
    lean.make()
    sys.setswitchinterval(SWITCH)
    teach_alt_enter()
    app = ClassicApp(home, settings)
    code = app.run()
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0 if code is None else code
