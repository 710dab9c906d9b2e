"""The box above the list of conversations: what is typed into it is searched for at once."""

from __future__ import annotations

from typing import ClassVar

from textual.message import Message
from textual.widgets import Input

from mrclassic.tui.keys import bindings


class Find(Input):
    """Enter or Down leads to what was found, Escape ends the search."""

    BINDINGS: ClassVar = bindings("find")

    class Done(Message):
        """The owner leaves; `kept`: to what was found."""

        def __init__(self, kept: bool) -> None:
            super().__init__()
            self.kept = kept

    def __init__(self) -> None:
        super().__init__(id="find", placeholder="Search…", compact=True, select_on_focus=False)
        self.cursor_blink = False

    def action_done(self, kept: bool) -> None:
        self.post_message(self.Done(kept))
