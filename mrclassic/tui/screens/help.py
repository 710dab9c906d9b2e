"""The help page: what this is for, and every key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rich.table import Table
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from mrclassic.tui.keys import KEYS, PLACES, Key, keys_of, shown

PROLOGUE = """\
Write to Mr. Classic; he gives several answers. Pick the best with its digit, edit one, or write a better one \
yourself. Each pick goes into your book at once, and he learns the book by heart in the next lesson or night.

The answers are shuffled, so that the first place wins nothing by being first. With the mouse a click highlights \
an answer, and a double click picks it."""


_DIGITS = {
    "candidates.pick_": "Pick the answer with that digit",
    "picks.choose_": "Choose the answer with that digit instead",
}


class Help(ModalScreen[None]):
    """Closes with Escape, Enter, F1 or q."""

    BINDINGS: ClassVar = [Binding("escape,enter,f1,q,question_mark", "app.pop_screen", "Close", show=False)]

    def __init__(self, moved: Mapping[str, str], place: str = "") -> None:
        """`place` is where it was asked for: its keys come first."""
        super().__init__()
        self._moved = moved
        self._places = sorted(PLACES.items(), key=lambda each: each[0] != place)

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(PROLOGUE, classes="help--prologue", markup=False)
            for place, title in self._places:
                yield Static(title, classes="help--title", markup=False)
                yield Static(self._table([key for key in KEYS if key.place == place]))
            yield Static(
                "Move a key in mrclassic.toml under [keys], by its id: " + ", ".join(key.id for key in KEYS) + ".",
                classes="help--note",
                markup=False,
            )

    def on_mount(self) -> None:
        page = self.query_one("#help")
        page.border_title = "Mr. Classic"
        page.border_subtitle = "Esc closes"
        page.focus()

    def _table(self, keys: list[Key]) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(width=20, style=self.app.theme_variables["accent"])
        table.add_column()
        for names, words in self._rows(keys):
            table.add_row(names, words)
        return table

    def _rows(self, keys: list[Key]) -> list[tuple[str, str]]:
        """Keys and words; the nine digits share a row while they are where they were."""
        rows = []
        for beginning, words in _DIGITS.items():
            digits = [key for key in keys if key.id.startswith(beginning)]
            if digits and not any(key.id in self._moved for key in digits):
                rows.append(("1-9", words))
                keys = [key for key in keys if key not in digits]
        return rows + [(", ".join(shown(name) for name in keys_of(key.id, self._moved)), key.help) for key in keys]
