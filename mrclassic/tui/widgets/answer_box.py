"""Where the owner writes: the next message, an answer of his own, or an edited candidate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from textual.events import Key, Paste
from textual.message import Message
from textual.widgets import TextArea

from mrclassic.tui.commands import Offer
from mrclassic.tui.keys import bindings, keys_of
from mrclassic.tui.visible import visible

LABELS = {
    "message": "To Mr. Classic",
    "typed": "Your own answer",
    "edited": "Answer {shown}, edited",
}


class AnswerBox(TextArea):
    """A growing multi-line box; Enter sends, Ctrl+J or Alt+Enter begins a new line."""

    BINDINGS: ClassVar = bindings("box")

    class Sent(Message):
        """Enter was pressed on a text."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Walked(Message):
        """Another of the offers is to be highlighted; by 0: none is wanted."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    class EmptyBackspace(Message):
        """Backspace was pressed in a box in which nothing has been written since the last message or pick."""

    def __init__(self, moved: Mapping[str, str]) -> None:
        super().__init__(
            id="box",
            soft_wrap=True,
            show_line_numbers=False,
            tab_behavior="focus",
            highlight_cursor_line=False,
            placeholder="Enter sends, Ctrl+J is a new line, / is a command.",
        )
        self.cursor_blink = False
        self.mode = "message"
        self.untouched = True
        self.handed_over = False
        """A text has left the box and has not arrived yet: no moment to save an empty draft."""
        self.offered: Callable[[], Offer | None] = lambda: None
        """How a command that is being typed would be completed."""
        self._own = {key: name for name in ("send", "newline") for key in keys_of(f"box.{name}", moved)}
        self.become("message")

    def become(self, mode: str, shown: int = 0) -> None:
        """Change what the text will be: `message`, `typed` or `edited`."""
        self.mode = mode
        self.border_title = LABELS[mode].format(shown=shown)
        self.set_class(mode != "message", "-answer")

    def put(self, text: str) -> None:
        """Replace the text; the cursor goes to its end."""
        self.load_text(visible(text))
        self.move_cursor(self.document.end)
        self.untouched = not text

    async def _on_key(self, event: Key) -> None:
        # A binding is asked only after the key has bubbled up to the app. What is typed on meanwhile would overtake it,
        # so the two keys whose place in the text matters are looked at here.
        action = self._own.get(event.key)
        offer = self.offered()
        if offer is not None and self._completes(offer, event.key, action):
            event.stop()
            event.prevent_default()
        elif action is not None:
            event.stop()
            event.prevent_default()
            await self.run_action(action)
        elif event.key == "enter":
            # Without this TextArea would begin a new line, whatever Enter has been moved to.
            event.prevent_default()

    def _completes(self, offer: Offer, key: str, action: str | None) -> bool:
        """What Tab, the arrows and Enter do while a command is being typed; false where they mean the usual."""
        if key in ("up", "down", "escape"):
            self.post_message(self.Walked({"up": -1, "down": 1, "escape": 0}[key]))
        elif key == "tab" or (action == "send" and offer.text.strip() != self.text.strip()):
            self.put(offer.text)
            if key != "tab" and offer.whole and not offer.text.endswith(" "):
                self.action_send()
        else:
            return False
        return True

    async def _on_paste(self, event: Paste) -> None:
        event.text = visible(event.text)

    def action_send(self) -> None:
        """Hand the text over; the box is empty at once, so that what is typed on belongs to the next text."""
        text = self.text
        self.put("")
        self.handed_over = True
        self.post_message(self.Sent(text))

    def action_newline(self) -> None:
        self.insert("\n")

    def on_text_area_changed(self) -> None:
        if self.text:
            self.untouched = False

    def action_delete_left(self) -> None:
        if self.untouched and not self.text:
            self.post_message(self.EmptyBackspace())
        else:
            super().action_delete_left()
