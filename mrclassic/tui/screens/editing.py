"""The book's editor: one entry or all of it, each mistake said at its line, nothing saved while there is one.

What is typed is kept beside the book from the first stroke on: a crash, or leaving without saving, loses nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static, TextArea

from mrclassic.tui.drafting import Edit, examine
from mrclassic.tui.keys import bindings, keys_of, shown
from mrclassic.tui.screens.modal import Sure
from mrclassic.tui.screens.unsent import LOST
from mrclassic.tui.visible import visible
from mrclassic.tui.widgets.book_text import BookText
from mrclassic.tui.widgets.hints import Hints

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from mrclassic.book import BookError
    from mrclassic.tui.drafting import Drafts
    from mrclassic.tui.store_thread import StoreThread

LOOK_EVERY = 0.3
"""Seconds between two readings of what is being typed."""
KEEP_EVERY = 1.0
"""Seconds between two savings of it: this much can be lost in a crash."""


class Editing(Screen[bool]):
    """Leaves with whether something was saved."""

    PLACE = "editor"
    BINDINGS: ClassVar = bindings("editor")
    AUTO_FOCUS = "#book-text"

    def __init__(self, drafts: Drafts, thread: StoreThread, moved: Mapping[str, str], edit: Edit, said: str) -> None:
        """`said` is told first: mostly nothing, or that an earlier edit is gone on with."""
        super().__init__()
        self._drafts, self._thread, self._moved = drafts, thread, moved
        self.edit = edit
        self.faults: list[BookError] = []
        self._said = said
        self._looked = self._kept = ""
        """The text as it was read, and kept, last."""
        self._saved = False
        self.box = BookText()
        self.hints = Hints(moved)

    def compose(self) -> ComposeResult:
        yield Static(id="editor--title", markup=False)
        yield self.box
        yield Static(id="editor--state")
        yield self.hints

    def on_mount(self) -> None:
        self.hints.show("editor")
        self._put(self.edit)
        self._kept = self.edit.text
        if self._said:
            self._say(self._said)
        self.set_interval(LOOK_EVERY, self.look)
        self.set_interval(KEEP_EVERY, self.keep)

    def _put(self, edit: Edit) -> None:
        self.edit = edit
        self.box.put(edit.text, edit.line, edit.start + 1)
        what = "The whole book" if edit.whole else "A new entry" if edit.start == edit.end else "One entry"
        self.query_one("#editor--title", Static).update(
            f"{what} · > asks, the reply follows, a blank line ends an entry"
        )
        self._looked = ""
        self.look()

    # While it is typed

    @work(group="look", exclusive=True)
    async def look(self) -> None:
        """Read the text as the book will be read, where it has changed."""
        text = self.box.text
        if text == self._looked:
            return
        self._looked = text
        try:
            entries, self.faults = await self._thread(examine, self._edited(text))
        except LOST as error:
            self._say(str(error), "error")
            return
        first = self.edit.start
        self.box.mark({fault.line - 1: fault.sentence for fault in self.faults})
        if self.faults:
            key = shown(keys_of("editor.next", self._moved)[0])
            more = f"   ({key}: next of {len(self.faults)})" if len(self.faults) > 1 else f"   ({key}: go there)"
            line = f"Line {self.faults[0].line + first}: {self.faults[0].sentence}"
            words = "[@click=screen.next][$text-error]$line[/][$foreground 60%]$more[/][/]"
            state = Content.from_markup(words, line=line, more=more)
        else:
            count = "1 entry" if len(entries) == 1 else f"{len(entries):,} entries"
            state = Content.assemble((f"{count}, no mistake", "$text-success"))
        self.query_one("#editor--state", Static).update(state)

    def _edited(self, text: str) -> Edit:
        edit = self.edit
        return Edit(edit.base, edit.start, edit.end, text, self.box.cursor_location[0])

    @work(group="keep")
    async def keep(self) -> None:
        """Keep what is typed beside the book, where it has changed."""
        await self._keep()

    async def _keep(self) -> None:
        text = self.box.text
        if text == self._kept:
            return
        edit, self._kept = self._edited(text), text
        try:
            await self._thread(self._drafts.keep, edit)
        except LOST as error:
            self._kept = ""
            self._say(f"What you are typing could not be kept: {error}", "error")

    # Keys

    @work(group="save", exclusive=True)
    async def action_save(self) -> None:
        """Write it into the book, or say why not."""
        try:
            outcome = await self._thread(self._drafts.save, self._edited(self.box.text))
        except LOST as error:
            self._say(str(error), "error")
            return
        if outcome.done:
            self.app.notify(visible(outcome.said), markup=False, timeout=3)
            self.dismiss(True)
            return
        if outcome.edit.base != self.edit.base:
            self._put(outcome.edit)
        elif self.faults:
            self.action_next()
        self._say(outcome.said, "warning")

    def action_next(self) -> None:
        """To the next line with a mistake."""
        lines = sorted(fault.line - 1 for fault in self.faults)
        if lines:
            here = self.box.cursor_location[0]
            self.box.go(next((line for line in lines if line > here), lines[0]))
            self.box.focus()

    @work(group="revert", exclusive=True)
    async def action_revert(self) -> None:
        """Throw away what was typed, once that is confirmed."""
        if self._edited(self.box.text).changed and not await self.app.push_screen_wait(
            Sure("Throw it away?", "What you changed here is lost, and the book stays as it is.")
        ):
            return
        await self._thread(self._drafts.drop)
        self.dismiss(False)

    @work(group="leave", exclusive=True)
    async def action_leave(self) -> None:
        """Back to the page; what is not saved is kept."""
        await self._keep()
        if self._edited(self.box.text).changed:
            self.app.notify("Not saved, and kept: e goes on with it.", timeout=4, markup=False)
        self.dismiss(False)

    @on(TextArea.Changed)
    def changed(self) -> None:
        # Lines have moved: what was said at them is said anew in a moment, at the right ones.
        if self.box.text.count("\n") != self._looked.count("\n"):
            self.box.mark({})

    def _say(self, sentence: str, severity: Literal["information", "warning", "error"] = "information") -> None:
        self.notify(visible(sentence), markup=False, timeout=6, severity=severity)
