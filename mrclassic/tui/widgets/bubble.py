"""One message of the conversation: who speaks, and what was said."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from mrclassic.tui.widgets.prose import prose

NAMES = {"user": "You", "assistant": "Mr. Classic", "system": "Instructions"}


class Bubble(Vertical):
    """A message; `note` is a quiet word beside the name (`your own answer`, `skipped`)."""

    class Clicked(Message):
        """The message was clicked."""

        def __init__(self, said: Bubble) -> None:
            super().__init__()
            self.said = said

    def __init__(self, role: str, text: str, note: str = "", message: int | None = None) -> None:
        super().__init__(classes=f"bubble -{role}")
        self.message = message
        self.role = role
        self.text = text
        self.note = note

    def compose(self) -> ComposeResult:
        yield Static(self._heading(), classes="bubble--name", markup=False)
        # What the owner typed is shown as typed; only answers may be Markdown.
        yield prose(self.text, markdown=self.role == "assistant")

    def on_click(self) -> None:
        self.post_message(self.Clicked(self))

    def mark(self, note: str) -> None:
        """Put a quiet word beside the name and dim the message."""
        self.note = note
        self.add_class("-dim")
        self.query_one(".bubble--name", Static).update(self._heading())

    def _heading(self) -> str:
        name = NAMES.get(self.role, self.role)
        return f"{name} · {self.note}" if self.note else name
