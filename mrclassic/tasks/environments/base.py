"""What a task of several turns is: an environment that opens a conversation, answers each reply and knows the end.

    environment.reset(rng)          -> the messages that open it
    environment.reply(completion)   -> (message, reward, done)
    environment.state_key(history)  -> a name that conversations share whose prospects are alike

A game (see `Game`) is plain functions over a position that never changes; `Dialogues` makes a task of it. The rewards
of a conversation add up to 1 where it is won, and to less where it is not. A quarter of all beginnings, chosen by a
hash of all that fixes them, is held out: `reset` and `sample` never draw one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from mrclassic.tasks.base import RIGHT, BadRow, Item, Judgement, ask, keyed, no_answer

Message = Mapping[str, str]
Position = TypeVar("Position")
WON = 1.0 - 1e-9  # rewards are sums of floats

_HELD_OUT_SHARE = 64  # of 256
_HELD_OUT_ITEMS = 800  # of each level that has so many
_TRIES = 40  # draws of a held-out beginning in a row that bring nothing new


class Reply(NamedTuple):
    """What the environment says, what the turn was worth, and whether that was the end."""

    message: str
    reward: float
    done: bool


class Environment(Protocol):
    """One conversation at a time. What it does is a function of how it was opened and of what was said since."""

    @property
    def turns(self) -> int:
        """Turns that a conversation takes at most."""
        ...

    def reset(self, rng: random.Random) -> Sequence[Message]:
        """Open another conversation, never a held-out one; the messages that it begins with."""
        ...

    def reply(self, completion: str) -> Reply:
        """The answer to what was said; nothing may be said after the end."""
        ...

    def reads(self, completion: str) -> bool:
        """Whether it could be read as a turn, if it were said now."""
        ...

    def state_key(self, history: Sequence[Message]) -> str | None:
        """The name of where `history` (of this conversation) stands; None where the environment has no such names."""
        ...


@runtime_checkable
class Talks(Protocol):
    """A task whose items are the beginnings of conversations."""

    def environment(self, item: Item) -> Environment:
        """The environment, opened with `item`."""
        ...


class Game(Protocol[Position]):
    """The rules of a game. `start` is all that fixes a conversation, in words."""

    name: str
    about: str
    levels: tuple[str, ...]

    def turns(self, level: str) -> int:
        """Turns that it takes at most."""
        ...

    def draw(self, rng: random.Random, level: str) -> str:
        """Any start."""
        ...

    def begin(self, level: str, start: str) -> Position:
        """The position before anything is said; raises ValueError for what is no start."""
        ...

    def opening(self, level: str, start: str) -> str:
        """What the user says first."""
        ...

    def answer(self, position: Position, completion: str) -> tuple[Position, Reply]:
        """Where a reply leads, and the answer to it."""
        ...

    def reads(self, position: Position, completion: str) -> bool:
        """Whether a reply can be read at all."""
        ...

    def key(self, position: Position) -> str:
        """See `Environment.state_key`."""
        ...

    def solve(self, level: str, start: str) -> list[str]:
        """The replies of one who plays well, and wins."""
        ...


class Play(Generic[Position]):
    """The environment of a game at a level."""

    def __init__(self, game: Game[Position], level: str) -> None:
        self._game, self._level = game, level
        self._start: Position | None = None
        self._position: Position | None = None
        self._done = False

    @property
    def turns(self) -> int:
        """Turns at most."""
        return self._game.turns(self._level)

    def reset(self, rng: random.Random) -> Sequence[Message]:
        """Open it with a start that training may draw."""
        return self.open(_training(self._game, rng, self._level))

    def open(self, start: str) -> Sequence[Message]:
        """Open it with this start."""
        self._start = self._position = self._game.begin(self._level, start)
        self._done = False
        return ({"role": "user", "content": self._game.opening(self._level, start)},)

    def reply(self, completion: str) -> Reply:
        """The game's answer."""
        if self._position is None or self._done:
            raise ValueError("nothing may be said before a conversation is opened, or after its end")
        self._position, said = self._game.answer(self._position, completion)
        self._done = said.done
        return said

    def reads(self, completion: str) -> bool:
        """Whether the game makes anything of it."""
        return self._position is not None and self._game.reads(self._position, completion)

    def state_key(self, history: Sequence[Message]) -> str | None:
        """The game's name for the position that the replies in `history` lead to."""
        position = self._start
        if position is None:
            return None
        for message in history:
            if message["role"] == "assistant":
                position, _ = self._game.answer(position, message["content"])
        return self._game.key(position)


class Dialogues(Generic[Position]):
    """The task of a game. An item is a beginning; its worked reply has a line for every turn, and so has a completion
    that is judged by itself."""

    def __init__(self, game: Game[Position]) -> None:
        self.game, self.name, self.about, self.levels = game, game.name, game.about, game.levels
        self._held_out = lru_cache(maxsize=len(game.levels))(self._all_held_out)

    def environment(self, item: Item) -> Environment:
        """The game, opened with `item`."""
        play = Play(self.game, item.meta["level"])
        play.open(item.meta["start"])
        return play

    def sample(self, rng: random.Random, level: str) -> Item:
        """A beginning to practise."""
        return self._item(level, _training(self.game, rng, level))

    def held_out(self, level: str, limit: int | None = None) -> Sequence[Item]:
        """The beginnings that training never sees, in a fixed order; the first `limit` of them."""
        return self._held_out(level)[:limit]

    def check(self, item: Item, completion: str) -> Judgement:
        """Right if the lines of `completion`, said one a turn, win, and none is left over."""
        level, start = item.meta["level"], item.meta["start"]
        position, total, found = self.game.begin(level, start), 0.0, False
        lines = completion.strip().splitlines() or [""]
        for at, line in enumerate(lines, start=1):
            found = found or self.game.reads(position, line)
            position, said = self.game.answer(position, line)
            total += said.reward
            if said.done and at < len(lines):
                return Judgement("wrong", f"it goes on after the end, at line {at + 1}", found)
            if said.done:
                break
        if not found:
            return no_answer("no line of it can be read as a turn")
        return RIGHT if total >= WON else Judgement("wrong", "it does not win")

    def row(self, data: Mapping[str, Any]) -> Item:
        """A row of a `start`, as `task sample --json` shows it, and its `level`."""
        start, level = data.get("start"), str(data.get("level", self.levels[0]))
        if not isinstance(start, str):
            raise BadRow('it has no "start"')
        if level not in self.levels:
            raise BadRow(f'its "level" is none of {", ".join(self.levels)}')
        try:
            self.game.begin(level, start)
        except ValueError as error:
            raise BadRow(f'its "start" cannot be read ({error})') from error
        return self._item(level, start)

    def _item(self, level: str, start: str) -> Item:
        lines = "\n".join(self.game.solve(level, start))
        return ask(self.game.opening(level, start), start, lines, task=self.name, level=level, start=start)

    def _all_held_out(self, level: str) -> tuple[Item, ...]:
        rng = keyed(self.name, "held-out", level)
        found: dict[str, Item] = {}
        tries = 0
        while len(found) < _HELD_OUT_ITEMS and tries < _TRIES:
            start = self.game.draw(rng, level)
            if not is_held_out(self.name, start):
                continue
            tries += 1
            if start not in found:
                found[start] = self._item(level, start)
                tries = 0
        return tuple(found.values())


def is_held_out(name: str, start: str) -> bool:
    """Whether a beginning of the game `name` belongs to the held-out split."""
    return blake2b(f"{name},{start}".encode(), digest_size=1).digest()[0] < _HELD_OUT_SHARE


def _training(game: Game[Position], rng: random.Random, level: str) -> str:
    while True:
        start = game.draw(rng, level)
        if not is_held_out(game.name, start):
            return start
