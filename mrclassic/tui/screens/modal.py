"""Two small questions: a line to be written, and whether something is really meant."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from mrclassic.tui.visible import visible


class Line(ModalScreen[str | None]):
    """Enter gives the line, Escape nothing."""

    BINDINGS: ClassVar = [Binding("escape", "dismiss(None)", "Back", show=False)]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        with Vertical(classes="modal") as page:
            page.border_title = self._title
            page.border_subtitle = "Enter · Esc back"
            yield Input(visible(self._text))

    @on(Input.Submitted)
    def entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value.strip())


class Sure(ModalScreen[bool]):
    """`y` is yes; anything that leads away is no."""

    BINDINGS: ClassVar = [
        Binding("y", "dismiss(True)", "Yes", show=False),
        Binding("escape,n,q,enter", "dismiss(False)", "No", show=False),
    ]

    def __init__(self, title: str, words: str) -> None:
        super().__init__()
        self._title, self._words = title, words

    def compose(self) -> ComposeResult:
        with Vertical(classes="modal") as page:
            page.border_title = self._title
            page.border_subtitle = "y yes · Esc no"
            yield Static(visible(self._words), markup=False)
