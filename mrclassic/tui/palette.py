"""The command palette: every command of the app, found by any of its letters and run where it works.

Its rows are made from the two tables, of the keys and of the slash commands; on another screen than the chat, from
whatever keys work there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from mrclassic.tui import keys
from mrclassic.tui.commands import COMMANDS

if TYPE_CHECKING:
    from textual.widget import Widget

    from mrclassic.tui.screens.chat import ChatScreen

ELSEWHERE = ("app.command_palette", "screen.older", "screen.newer")


@dataclass(frozen=True)
class Row:
    """One command: what it does, how it is reached otherwise, and what runs it."""

    words: str
    reached: str
    action: str
    place: Widget


class Everything(Provider):
    """Searches the commands that do something now."""

    async def discover(self) -> Hits:
        for row in self._rows():
            yield DiscoveryHit(row.words, self._run(row), help=row.reached)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for row in self._rows():
            score = max(matcher.match(row.words), matcher.match(row.reached))
            if score > 0:
                yield Hit(score, matcher.highlight(row.words), self._run(row), help=row.reached)

    def _run(self, row: Row) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            await row.place.run_action(row.action)

        return run

    def _rows(self) -> Iterator[Row]:
        if not hasattr(self.screen, "action_obey"):
            for active in self.screen.active_bindings.values():
                binding, place = active.binding, cast("Widget", active.node)
                if binding.action not in ELSEWHERE and binding.id:
                    yield Row(binding.description, keys.shown(binding.key), binding.action, place)
            return
        chat = cast("ChatScreen", self.screen)
        named = set()
        for command in COMMANDS:
            action = command.action or f"screen.obey('{command.name}')"
            named.add(command.action)
            yield Row(command.help, " · ".join(filter(None, (command.usage, self._keys(command.action)))), action, chat)
        places: dict[str, Widget] = {"app": chat, "chat": chat, "history": chat.history, "list": chat.shelf}
        if chat.candidates.draw is not None:
            places["candidates"] = chat.candidates
        for key in keys.KEYS:
            there = key.place in places and key.action not in (*ELSEWHERE, *named)
            if there and not (key.id.startswith("candidates.pick") and int(key.keys) > self._answers(chat)):
                yield Row(key.help, self._keys(key.action), key.action, places[key.place])

    @staticmethod
    def _answers(chat: ChatScreen) -> int:
        return len(chat.candidates.draw.pieces) if chat.candidates.draw is not None else 0

    def _keys(self, action: str) -> str:
        moved = cast("ChatScreen", self.screen).settings.keys
        return " or ".join(
            dict.fromkeys(
                keys.shown(keys.keys_of(key.id, moved)[0]) for key in keys.KEYS if action and key.action == action
            )
        )
