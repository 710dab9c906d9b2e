"""The list of conversations: searching as it is typed, and what is done to a conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from textual import on, work
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from mrclassic.tui import keys, shelf
from mrclassic.tui.desk import LISTED
from mrclassic.tui.screens.modal import Line, Sure
from mrclassic.tui.screens.practising import Practising
from mrclassic.tui.screens.unsent import LOST
from mrclassic.tui.store_thread import StoreThread
from mrclassic.tui.widgets.conversations import Conversations, Entry
from mrclassic.tui.widgets.find import Find

if TYPE_CHECKING:
    from mrclassic.home import Home
    from mrclassic.settings import Settings
    from mrclassic.tui.desk import Desk
    from mrclassic.tui.views import Standing

T = TypeVar("T")
PLACEHOLDERS: Mapping[shelf.Kind, str] = {
    "own": "Search…",
    "imported": "Imported; search…",
    "archived": "Put away; search…",
}


class Shelving(Practising):
    """The shelf and its box to search in, `find`."""

    def __init__(self, desk: Desk, thread: StoreThread, home: Home, settings: Settings) -> None:
        super().__init__(desk, thread, home, settings)
        self.home = home
        self.shelf = Conversations()
        self.find = Find()
        self.find.placeholder = PLACEHOLDERS["own"]
        self.apart = Static(id="apart")
        self.reading = StoreThread()
        """A search must not hold up what is being stored."""
        self._listed: Sequence[Entry] = ()

    def list_shown(self, standing: Standing) -> None:
        """These are the last conversations; they are shown unless a search is."""
        self._listed = standing.entries
        if not self.find.value.strip():
            self._show_list()
        else:
            self.shelf.mark(self.conversation)
        self._tell_apart(standing.imported)

    def _show_list(self) -> None:
        self.shelf.show(self._listed, self.conversation, empty="" if self.desk.kind == "own" else "There is none.")

    def _tell_apart(self, imported: int) -> None:
        """Below the list: how many others there are, to be clicked on."""
        words = "your own" if self.desk.kind == "imported" else f"{imported:,} imported"
        key = keys.shown(keys.keys_of("list.imported", self.settings.keys)[0])
        self.apart.display = bool(imported) or self.desk.kind == "imported"
        self.apart.update(
            Content.from_markup("[$accent]$key[/] [@click=screen.imported]$words[/]", key=key, words=words)
        )

    def open_list(self) -> None:
        """Show the list, wherever it is hidden."""
        raise NotImplementedError

    # Searching

    def action_find(self, words: str = "") -> None:
        """To the box to search in."""
        self.open_list()
        if words:
            self.find.value = words
        else:
            self.find.select_all()
        self.set_focus(self.find)

    @on(Input.Changed, "#find")
    def searched(self, event: Input.Changed) -> None:
        self._search(event.value)

    @work(group="find", exclusive=True)
    async def _search(self, words: str) -> None:
        if not words.strip():
            self._show_list()
            return
        try:
            found = await self.reading(shelf.find, self.desk.store, words)
            # Of a search that was overtaken nothing is shown: its worker was cancelled.
            self.shelf.show(found, self.conversation)
            more = await self.reading(shelf.find_more, self.desk.store, words, found)
            self.shelf.show(more, self.conversation, empty="Nothing found.")
        except LOST as error:
            self.complain("The search failed", error)

    @on(Find.Done)
    def found(self, event: Find.Done) -> None:
        """From the search to what it found, or away from it."""
        if event.kept and self.shelf.option_count:
            self.shelf.highlighted = 0
            self.set_focus(self.shelf)
        elif not event.kept:
            self.find.value = ""
            self.action_write()

    @on(OptionList.OptionHighlighted, "#conversations")
    def further(self, event: OptionList.OptionHighlighted) -> None:
        """At the end of the list: more of it."""
        if event.option_index + 1 == self.desk.listed and not self.find.value.strip():
            self.desk.listed += LISTED
            self.look()

    def action_archived(self) -> None:
        """The list of those put away, or back to the others."""
        self._list_those("archived")

    def action_imported(self) -> None:
        """The list of those that came from files, or back to the owner's own."""
        self._list_those("imported")

    def _list_those(self, kind: shelf.Kind) -> None:
        self.desk.kind = "own" if self.desk.kind == kind else kind
        self.desk.listed = LISTED
        self.find.placeholder = PLACEHOLDERS[self.desk.kind]
        self.find.value = ""
        self.look()

    # What is done to one

    async def _named(self) -> tuple[int, str] | None:
        """The conversation that is meant: the highlighted one in the list, else the one that is open."""
        if self.focused is self.shelf and self.shelf.chosen is not None:
            return self.shelf.chosen.id, self.shelf.chosen.title
        if self.focused is self.shelf:
            self.say("Choose a conversation in the list first.", timeout=3)
            return None
        if self.conversation is None:
            self.say("There is no conversation here yet.", timeout=3)
            return None
        title = await self.title_here()
        return None if title is None else (self.conversation, title)

    async def title_here(self) -> str | None:
        """The title of the open conversation, which need not be listed; None where it cannot be read, which is said."""
        here = self.conversation
        return "" if here is None else await self._do(lambda: shelf.title(self.desk.store, here), "No title")

    @work(group="shelf")
    async def action_rename(self) -> None:
        """Give a conversation another title."""
        meant = await self._named()
        if meant is None:
            return
        title = await self.app.push_screen_wait(Line("Another title", meant[1]))
        if title:
            await self._do(lambda: self.desk.store.conversations.rename(meant[0], title), "It could not be renamed")

    @work(group="shelf")
    async def action_archive(self) -> None:
        """Put a conversation out of the list, or back into it."""
        meant = await self._named()
        if meant is None:
            return

        def turn() -> bool:
            talk = self.desk.store.conversations.get(meant[0])
            self.desk.store.conversations.archive(talk.id, not talk.archived)
            return not talk.archived

        away = await self._do(turn, "It could not be put away")
        if away is not None:
            self.say(
                f"“{meant[1]}” is {'put away; A in the list shows it' if away else 'back in the list'}.", timeout=4
            )

    @work(group="shelf")
    async def action_delete(self) -> None:
        """Delete a conversation for good, once the owner has said that it is meant."""
        meant = await self._named()
        if meant is None:
            return
        words = (
            f"“{meant[1]}”, its messages, answers and picks are deleted for good. What it put into the book stays "
            "there: the book is your own file."
        )
        if not await self.app.push_screen_wait(Sure("Delete it?", words)):
            return
        open_here = meant[0] == self.conversation
        if open_here:
            self.workers.cancel_group(self, "draw")
            self.leave_practice()
            self.draft_changed = False
        seen = await self._do(
            lambda: shelf.delete(self.desk.store, self.home, meant[0]), "The conversation could not be deleted"
        )
        if seen is None:
            return
        if open_here:
            self.conversation = None
            await self.switch(self.desk.last)
        count = f"{seen} {'checkpoint was' if seen == 1 else 'checkpoints were'}"
        self.say(f"Deleted.{f' {count} trained on something of it.' if seen else ''}", timeout=6)

    @work(group="shelf")
    async def action_export(self, form: str = "markdown") -> None:
        """Write a conversation to a file in the home."""
        meant = await self._named()
        if meant is None:
            return
        path = await self._do(
            lambda: shelf.export(self.desk.store, self.home, meant[0], form), "It could not be written"
        )
        if path is not None:
            self.say(f"Written to {path}", timeout=8)

    async def action_fork(self) -> None:
        """A new conversation from the chosen message on."""
        bubble = self.history.chosen
        if bubble is None or bubble.message is None:
            self.say("Choose a message with the arrows first.", timeout=3)
            return
        message = bubble.message
        await self.switch(lambda: self.desk.fork(message))
        self.say("A fork: the other conversation stays as it was.", timeout=4)

    def action_copy_chosen(self) -> None:
        """Copy the chosen message, through the terminal (OSC 52), which also works over ssh."""
        bubble = self.history.chosen or next(iter(self.history.bubbles[-1:]), None)
        if bubble is not None:
            self.app.copy_to_clipboard(bubble.text)
            self.say("Copied.", timeout=2)

    async def _do(self, work: Callable[[], T], failed: str) -> T | None:
        """Do it on the store's thread and bring the list up to date; None where it failed, which is said."""
        try:
            done = await self.thread(work)
        except LOST as error:
            self.complain(failed, error)
            return None
        self.look()
        if self.find.value.strip():
            self._search(self.find.value)
        return done
