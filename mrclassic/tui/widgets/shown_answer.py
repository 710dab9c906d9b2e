"""An answer as the page of the picks shows it: its digit, its words, and what became of it."""

from __future__ import annotations

from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from mrclassic.tui.visible import visible


class ShownAnswer(Horizontal):
    """A click chooses one that has a digit."""

    class Clicked(Message):
        """It was clicked; `number` is its digit, or 0."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, digit: str, text: str, mark: str, chosen: bool, dim: bool = False) -> None:
        words = visible(text.strip()) or "(says nothing)"
        super().__init__(
            Static(digit, classes="picks--digit", markup=False),
            Static(Content.assemble(words, "  " if mark else "", (mark, "$accent italic")), markup=False),
            classes="picks--candidate",
        )
        self.number = int(digit) if digit.isdecimal() else 0
        self.set_class(chosen, "-chosen")
        self.set_class(dim, "-dim")

    def on_click(self) -> None:
        self.post_message(self.Clicked(self.number))
