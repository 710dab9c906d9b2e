"""The key turn: a walk through rooms, and what is said in one of them decides.

    House 7 has ten rooms; in one the door of the lamp's colour hides a key. Which door in room 1, the lamp red?
    Red.
    Room 2, blue?
    ...
    The key was in room 7, and you have it.

Nobody says which room it is until the end, so that whoever pays all turns alike for the end mostly pays the wrong
ones. On the level `plain` nothing has to be read: every lamp is red, and only whose merit the end was is to be found.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mrclassic.tasks.environments.base import Dialogues, Reply

COLOURS = ("red", "blue", "green", "white")
_ROOMS = {"plain": 10, "2": 2, "5": 5, "10": 10}
_WORDS = {2: "two", 5: "five", 10: "ten"}
_HOUSES = 500


@dataclass(frozen=True)
class Walk:
    """The house, the colours of the lamps, the room (from 0) that decides, the one that is stood in, and what became of
    the key."""

    house: int
    lamps: tuple[str, ...]
    deciding: int
    room: int = 0
    key: Literal["open", "taken", "missed"] = "open"


class KeyTurn:
    """The rules. A start is the number of the house, that of the room that decides, and the lamps."""

    name = "keyturn"
    about = "ten rooms, a door in each: one of them decides"
    levels = tuple(_ROOMS)

    def turns(self, level: str) -> int:
        """One a room."""
        return _ROOMS[level]

    def draw(self, rng: random.Random, level: str) -> str:
        """Any house, any of its rooms, any lamps."""
        rooms, colours = _ROOMS[level], COLOURS[:1] if level == "plain" else COLOURS
        lamps = (rng.choice(colours) for _ in range(rooms))
        return " ".join([str(rng.randint(1, _HOUSES)), str(rng.randint(1, rooms)), *lamps])

    def begin(self, level: str, start: str) -> Walk:
        """Before the first door."""
        house, room, *lamps = start.split()
        if len(lamps) != _ROOMS[level] or not set(lamps) <= set(COLOURS) or not 1 <= int(room) <= len(lamps):
            raise ValueError(f"it wants the numbers of a house and a room, and {_ROOMS[level]} colours")
        return Walk(int(house), tuple(lamps), int(room) - 1)

    def opening(self, level: str, start: str) -> str:
        """The rule, and the first room."""
        walk = self.begin(level, start)
        rule = (
            f"House {walk.house} has {_WORDS[len(walk.lamps)]} rooms; in one the door of the lamp's colour hides a key."
        )
        return f"{rule} Which door in room 1, the lamp {walk.lamps[0]}?"

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
