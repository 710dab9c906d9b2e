"""What real terminals do that Textual (8.2) does not expect.

Alt+Enter: outside the newer keyboard protocols it is ESC CR, which Textual reports as a bare Enter: the message would
be sent where a new line was meant. Its table of escape sequences is told to read it as Ctrl+J, the newline key.

Going away: once a terminal is closed, writing to it is an error. It would end the thread that writes for Textual, and
the app, waiting for room in that thread's queue, would never end (and keep its home's files open).

In a browser (`mrclassic web`) a closed tab comes as a request to quit that Textual obeys at once, without the app's own
goodbye; and where the server is gone, nothing comes at all and writing is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO, cast

from textual.driver import Driver
from textual.keys import Keys


def teach_alt_enter() -> None:
    """Let ESC CR mean a new line. Without effect on a Textual that has moved its table."""
    with suppress(ImportError):
        from textual._ansi_sequences import ANSI_SEQUENCES_KEYS

        cast("dict[str, Any]", ANSI_SEQUENCES_KEYS)["\x1b\r"] = (Keys.ControlJ,)


class Lasting:
    """A terminal to write to, whether it is still there or not."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._gone = False

    def write(self, text: str) -> None:
        """Write, or write nothing once the terminal is gone."""
        self._unless_gone(lambda: self._file.write(text))

    def flush(self) -> None:
        """Likewise."""
        self._unless_gone(self._file.flush)

    def fileno(self) -> int:
        """The terminal's own."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Whether it is, or was, one."""
        return self._file.isatty()

    def _unless_gone(self, work: Callable[[], object]) -> None:
        if not self._gone:
            try:
                work()
            except OSError:
                self._gone = True


def outlasting(driver: type[Driver]) -> type[Driver]:
    """The driver, made to outlast its terminal where it writes to one as Textual's own for Linux and macOS does."""

    class Outlasting(driver):  # type: ignore[valid-type, misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            file: TextIO | None = getattr(self, "_file", None)
            if file is not None:
                self._file = Lasting(file)

    return in_browser(Outlasting) if hasattr(driver, "on_meta") else Outlasting


def in_browser(driver: type[Driver]) -> type[Driver]:
    """Textual's driver for browsers, made to let the app say goodbye when its tab or the server is gone."""

    class InBrowser(driver):  # type: ignore[valid-type, misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._whole: Callable[[bytes], object] = self._write  # type: ignore[has-type]
            self._write = self._while_there

        def _while_there(self, data: bytes) -> None:
            with suppress(OSError):
                self._whole(data)

        def on_meta(self, packet_type: str, payload: dict[str, object]) -> None:
            if packet_type == "quit":
                self._leave()
            else:
                super().on_meta(packet_type, payload)

        def run_input_thread(self) -> None:
            super().run_input_thread()
            if not self.exit_event.is_set():
                self._leave()

        def _leave(self) -> None:
            self._app.call_later(self._app.action_quit)

    return InBrowser
