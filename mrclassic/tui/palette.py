"""The command palette: every command of the app, found by any of its letters and run where it works.

Its rows are made from the two tables, of the keys and of the slash commands: first what works on the page in front,
then the chat's, then what the other pages have, to which it goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from mrclassic.tui import keys
from mrclassic.tui.commands import COMMANDS
from mrclassic.tui.keys import Key
from mrclassic.tui.screens.arriving import Arriving

if TYPE_CHECKING:
    from textual.screen import Screen
    from textual.widget import Widget

    from mrclassic.tui.screens.chat import ChatScreen

PAGES = {place: f"chat.{place}" for place in ("nights", "models", "picks", "book", "skills")}
"""The pages that the chat leads to, and the key that does."""
PARTS = {"trust": "plugins", "revoke": "plugins", "draw": "try", "answer": "try", "try": "try"}
"""The part of the page of practice where something is done."""
AT_ONCE = frozenset(
    {
        *("nights.run", "nights.pause", "nights.resume", "nights.stop", "nights.plan", "picks.taste"),
        *("models.compare", "models.undo", "models.export", "book.find", "book.edit_all", "book.add", "book.measure"),
        *("skills.try", "skills.draw", "skills.answer"),
    }
)
"""What is done on arrival; all else there is done to what the owner chooses first."""
MOVES = frozenset({"leave", "across", "older", "newer", "next", "previous", "command_palette"})
"""Keys that only move about where one is: no commands."""
STEPS, STEP, STAY = 6, 0.05, 10.0
"""Steps back to the chat at most, seconds between two looks, and how long a page is waited for."""


@dataclass(frozen=True)
class Row:
    """One command: what it does, how it is reached otherwise, and what runs it."""

    words: str
    reached: str
    run: Callable[[], object]


class Everything(Provider):
    """Searches the commands."""

    async def discover(self) -> Hits:
        for row in self._rows():
            yield DiscoveryHit(row.words, row.run, help=row.reached)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for row in self._rows():
            score = max(matcher.match(row.words), matcher.match(row.reached))
            if score > 0:
                yield Hit(score, matcher.highlight(row.words), row.run, help=row.reached)

    @property
    def _chat(self) -> ChatScreen:
        return cast("ChatScreen", self.app.screen_stack[0])

    def _rows(self) -> Iterator[Row]:
        here, chat = self.screen, self._chat
        place = getattr(here, "PLACE", "")
        for key in keys.KEYS if here is not chat else ():
            if key.place == place and _command(key):
                yield Row(key.help, self._keys(key), partial(here.run_action, key.action))
        yield from self._of_chat(away=here is not chat)
        for key in keys.KEYS:
            if key.place in PAGES and key.place != place and _command(key) and not _digit(key):
                there = f"{self._keys(_key(PAGES[key.place]))}, then {self._keys(key)}"
                yield Row(key.help, there, partial(self._begin, self._do_there, key))

    def _of_chat(self, away: bool) -> Iterator[Row]:
        """What is done in the chat; each action once, whatever keys reach it."""
        chat, seen = self._chat, set()
        for command in COMMANDS:
            action = command.action or f"screen.obey('{command.name}')"
            seen |= {command.name, _bare(command.action)}
            key = next((key for key in keys.KEYS if command.action and key.action == command.action), None)
            reached = " · ".join(filter(None, (command.usage, self._keys(key) if key else "")))
            yield Row(command.help, reached, partial(self._begin, self._do_in_chat, chat, action))
        places: dict[str, Widget] = {"app": chat, "chat": chat}
        if not away:
            places |= {"history": chat.history, "list": chat.shelf}
            if chat.candidates.draw is not None:
                places["candidates"] = chat.candidates
        answers = len(chat.candidates.draw.pieces) if chat.candidates.draw is not None else 0
        for key in keys.KEYS:
            new = key.place in places and _bare(key.action) not in seen and _command(key)
            if new and not (_digit(key) and int(key.keys) > answers):
                seen.add(_bare(key.action))
                yield Row(
                    key.help,
                    self._keys(key),
                    partial(self._begin, self._do_in_chat, places[key.place], key.action),
                )

    def _keys(self, key: Key) -> str:
        """The first key of each place that reaches the same."""
        same = (each for each in keys.KEYS if each is key or (each.action == key.action and not _page(key, each)))
        moved = self._chat.settings.keys
        return " or ".join(dict.fromkeys(keys.shown(keys.keys_of(each.id, moved)[0]) for each in same))

    # Doing it

    def _begin(self, what: Callable[..., Any], *given: object) -> None:
        """In the background: pages are waited for."""
        self._chat.run_worker(what(*given), group="palette", exclusive=True)

    async def _do_in_chat(self, place: Widget, action: str) -> None:
        if action.startswith("app.") or await self._to_chat():
            await place.run_action(action)

    async def _do_there(self, key: Key) -> None:
        """Go to the page of this key, and do what it does, or say how it is done to what is chosen there."""
        chat = self._chat
        if not await self._to_chat():
            return
        await chat.run_action(_key(PAGES[key.place]).action)
        page = self.app.screen
        if not isinstance(page, Arriving):
            return  # the chat has said why not
        there = asyncio.Event()
        page.when_arrived(there.set)
        try:
            await asyncio.wait_for(there.wait(), STAY)
        except TimeoutError:
            return  # the page has said why it shows nothing
        part = PARTS.get(_bare(key.action))
        if part is not None:
            await page.run_action(f"screen.show_tab('{part}')")
        if self.app.screen is not page:
            return
        if key.id in AT_ONCE:
            await page.run_action(key.action)
        else:
            page.notify(f"Choose one with the arrows; then {self._keys(key)}: {key.help}.", timeout=6, markup=False)

    async def _to_chat(self) -> bool:
        """Leave the pages in front of the chat, each in its own way; false where one of them stays."""
        for _ in range(STEPS):
            page = self.app.screen
            if page is self._chat:
                return True
            await page.run_action(_leave(page))
            for _ in range(STEPS):
                if self.app.screen is not page:
                    break
                await asyncio.sleep(STEP)
        return self.app.screen is self._chat


def _key(key_id: str) -> Key:
    return next(key for key in keys.KEYS if key.id == key_id)


def _command(key: Key) -> bool:
    return key.id.partition(".")[2] not in MOVES and not (key.place in PAGES and key.id.endswith((".picks", ".book")))


def _digit(key: Key) -> bool:
    return key.id.startswith(("candidates.pick_", "picks.choose_"))


def _page(one: Key, other: Key) -> bool:
    """Whether the two are of different pages, so that the same action is not the same thing."""
    return one.place != other.place and bool({one.place, other.place} & {*PAGES, "compare", "editor"})


def _bare(action: str) -> str:
    """The action, wherever it is looked for."""
    return action.removeprefix("screen.")


def _leave(page: Screen[object]) -> str:
    key_id = f"{getattr(page, 'PLACE', '')}.leave"
    return next((key.action for key in keys.KEYS if key.id == key_id), "app.pop_screen")
