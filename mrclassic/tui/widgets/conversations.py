"""The list of conversations, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from mrclassic.tui.keys import bindings
from mrclassic.tui.visible import visible

TITLE_CELLS = 19
"""Room for a title on one row beside its mark."""


@dataclass(frozen=True)
class Entry:
    """One row of the list."""

    id: int
    title: str
    detail: str
    message: int | None = None
    """The message that a search found in it."""


class Conversations(OptionList):
    """Enter or a click opens a conversation."""

    BINDINGS: ClassVar = bindings("list")

    class Opened(Message):
        """A conversation was chosen."""

        def __init__(self, conversation: int, message: int | None = None) -> None:
            super().__init__()
            self.conversation = conversation
            self.message = message

    def __init__(self) -> None:
        super().__init__(id="conversations", markup=False)
        self._entries: tuple[Entry, ...] = ()
        self.current: int | None = None
        self._empty = ""

    def show(self, entries: Sequence[Entry], current: int | None, empty: str = "") -> None:
        """Show these, the current one marked; `empty` is said where there is none. With the focus the light stays on
        the conversation it was on, or at its place where that is gone: nothing is done to one that is not seen."""
        if (tuple(entries), current, empty) == (self._entries, self.current, self._empty):
            return
        lit, place = self.chosen, self.highlighted
        self._entries, self.current, self._empty = tuple(entries), current, empty
        self.clear_options()
        self.add_options([Option(_row(entry, entry.id == current), id=str(entry.id)) for entry in entries])
        if empty and not entries:
            self.add_option(Option(Content.assemble((f"  {empty}", "$foreground 60%")), disabled=True))
        seen = [(entry.id, entry.message) for entry in entries]
        ids = [entry.id for entry in entries]
        if self.has_focus and lit is not None and (lit.id, lit.message) in seen:
            self.highlighted = seen.index((lit.id, lit.message))
        elif self.has_focus and ids and place is not None:
            self.highlighted = min(place, len(ids) - 1)
        elif current in ids:
            self.highlighted = ids.index(current)

    def mark(self, current: int | None) -> None:
        """Another one is the current one; what is listed stays."""
        self.show(self._entries, current, self._empty)

    @property
    def chosen(self) -> Entry | None:
        """The highlighted conversation."""
        place = self.highlighted
        return self._entries[place] if place is not None and place < len(self._entries) else None

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        entry = self._entries[event.option_index]
        self.post_message(self.Opened(entry.id, entry.message))


def _row(entry: Entry, current: bool) -> Content:
    mark = ("▸ ", "$accent") if current else ("  ", "")
    title = (_cut(visible(entry.title)), "bold" if current else "")
    return Content.assemble(mark, title, "\n", (f"  {_cut(visible(entry.detail))}", "$foreground 60%"))


def _cut(title: str) -> str:
    return title if cell_len(title) <= TITLE_CELLS else set_cell_size(title, TITLE_CELLS - 1).rstrip() + "…"
