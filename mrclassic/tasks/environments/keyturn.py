"""The key turn: a walk through rooms, and what is said in one of them decides.

    Ten rooms; in one of them the door of the lamp's colour hides a key. Which door in room 1, the lamp red?
    Red.
    Room 2, blue?
    ...
    The key was in room 7, and you have it.

Nobody says which room it is until the end, so that whoever pays all turns alike for the end mostly pays the wrong ones.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mrclassic.tasks.environments.base import Dialogues, Reply

COLOURS = ("red", "blue", "green", "white")
_ROOMS = {"2": "Two", "5": "Five", "10": "Ten"}


@dataclass(frozen=True)
class Walk:
    """The colours of the lamps, the room (from 0) that decides, the room one stands in, and what became of the key."""

    lamps: tuple[str, ...]
    deciding: int
    room: int = 0
    key: Literal["open", "taken", "missed"] = "open"


class KeyTurn:
    """The rules. A start is the number of the room that decides, and the lamps."""

    name = "keyturn"
    about = "ten rooms, a door in each: one of them decides"
    levels = tuple(_ROOMS)

    def turns(self, level: str) -> int:
        """One a room."""
        return int(level)

    def draw(self, rng: random.Random, level: str) -> str:
        """Any of the rooms, any lamps."""
        rooms = int(level)
        return " ".join([str(rng.randint(1, rooms)), *(rng.choice(COLOURS) for _ in range(rooms))])

    def begin(self, level: str, start: str) -> Walk:
        """Before the first door."""
        number, *lamps = start.split()
        if len(lamps) != int(level) or not set(lamps) <= set(COLOURS) or not 1 <= int(number) <= len(lamps):
            raise ValueError(f"it wants a room and {level} colours")
        return Walk(tuple(lamps), int(number) - 1)

    def opening(self, level: str, start: str) -> str:
        """The rule, and the first room."""
        rule = f"{_ROOMS[level]} rooms; in one of them the door of the lamp's colour hides a key."
        return f"{rule} Which door in room 1, the lamp {self.begin(level, start).lamps[0]}?"

    def answer(self, position: Walk, completion: str) -> tuple[Walk, Reply]:
        """Through the door. What is no door opens none, and one walks on."""
        after = position
        if position.room == position.deciding:
            right = _door(completion) == position.lamps[position.room]
            after = replace(after, key="taken" if right else "missed")
        after = replace(after, room=position.room + 1)
        if after.room < len(after.lamps):
            return after, Reply(_room(after), 0.0, False)
        taken = after.key == "taken"
        end = f"The key was in room {after.deciding + 1}, and you {'have' if taken else 'missed'} it."
        return after, Reply(end, float(taken), True)

    def reads(self, position: Walk, completion: str) -> bool:
        """Whether it is a door."""
        return _door(completion) is not None

    def key(self, position: Walk) -> str:
        """The room, and what became of the key."""
        return f"{position.room}/{len(position.lamps)} {position.key}"

    def solve(self, level: str, start: str) -> list[str]:
        """The lamp's colour, everywhere."""
        return [f"{lamp.capitalize()}." for lamp in self.begin(level, start).lamps]


def _room(walk: Walk) -> str:
    return f"Room {walk.room + 1}, {walk.lamps[walk.room]}?"


def _door(completion: str) -> str | None:
    word = completion.strip().removesuffix(".").casefold()
    return word if word in COLOURS else None


def task(folder: Path | None) -> Dialogues[Walk]:
    """The task; it has no files."""
    return Dialogues(KeyTurn())
