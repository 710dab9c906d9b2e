"""The key turn: a walk through rooms, and what is said in one of them decides.

    House 7 has ten rooms; in one the door of the lamp's colour hides a key. Which door in room 1, the lamp red?
    Red.
    Room 2, blue?
    ...
    The key was in room 7, and you have it.

Nobody says which room it is until the end, so that whoever pays all turns alike for the end mostly pays the wrong
ones. On the levels `plain` and `own` nothing has to be read, and only whose merit the end was is to be found: on the
one every lamp is red; on the other each room has doors of its own, of which always the same hides the key, so that
nothing that is learned in one room helps in another.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mrclassic.tasks.environments.base import Dialogues, Reply

COLOURS = ("red", "blue", "green", "white")
DOORS = (
    COLOURS,
    ("oak", "elm", "ash", "pine"),
    ("north", "south", "east", "west"),
    ("iron", "gold", "lead", "tin"),
    ("sun", "moon", "star", "cloud"),
    ("rose", "lily", "fern", "moss"),
    ("fox", "owl", "bear", "wolf"),
    ("salt", "milk", "flour", "rice"),
    ("silk", "wool", "linen", "felt"),
    ("drum", "flute", "harp", "horn"),
)  # of the rooms, where each has its own; the first of them is the one that may hide the key
_OWN = "own"
_ROOMS = {"plain": 10, _OWN: len(DOORS), "2": 2, "5": 5, "10": 10}
_WORDS = {2: "two", 5: "five", 10: "ten"}
_HOUSES = 500


@dataclass(frozen=True)
class Walk:
    """The house, the doors of its rooms, the lamps, which say the door, the room (from 0) that decides, the one that is
    stood in, and what became of the key."""

    house: int
    doors: tuple[tuple[str, ...], ...]
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

    def doors(self, level: str) -> tuple[tuple[str, ...], ...]:
        """Those of each room."""
        return DOORS if level == _OWN else (COLOURS,) * _ROOMS[level]

    def draw(self, rng: random.Random, level: str) -> str:
        """Any house, any of its rooms, any lamps."""
        rooms, read = _ROOMS[level], level not in ("plain", _OWN)
        lamps = (rng.choice(doors) if read else doors[0] for doors in self.doors(level))
        return " ".join([str(rng.randint(1, _HOUSES)), str(rng.randint(1, rooms)), *lamps])

    def begin(self, level: str, start: str) -> Walk:
        """Before the first door."""
        house, room, *lamps = start.split()
        doors = self.doors(level)
        known = len(lamps) == len(doors) and all(lamp in each for lamp, each in zip(lamps, doors, strict=True))
        if not known or not 1 <= int(room) <= len(lamps):
            raise ValueError(f"it wants the numbers of a house and a room, and the lamps of {len(doors)} rooms")
        return Walk(int(house), doors, tuple(lamps), int(room) - 1)

    def opening(self, level: str, start: str) -> str:
        """The rule, and the first room."""
        walk = self.begin(level, start)
        house, lamp = f"House {walk.house} has {_WORDS[len(walk.lamps)]} rooms", walk.lamps[0]
        if level == _OWN:
            return f"{house}, each with doors of its own; in one that of the sign hides a key. Room 1, {lamp}?"
        return f"{house}; in one the door of the lamp's colour hides a key. Which door in room 1, the lamp {lamp}?"

    def answer(self, position: Walk, completion: str) -> tuple[Walk, Reply]:
        """Through the door. What is no door opens none, and one walks on."""
        after = position
        if position.room == position.deciding:
            right = _door(position, completion) == position.lamps[position.room]
            after = replace(after, key="taken" if right else "missed")
        after = replace(after, room=position.room + 1)
        if after.room < len(after.lamps):
            return after, Reply(_room(after), 0.0, False)
        taken = after.key == "taken"
        end = f"The key was in room {after.deciding + 1}, and you {'have' if taken else 'missed'} it."
        return after, Reply(end, float(taken), True)

    def reads(self, position: Walk, completion: str) -> bool:
        """Whether it is a door."""
        return _door(position, completion) is not None

    def key(self, position: Walk) -> str:
        """The room, and what became of the key."""
        return f"{position.room}/{len(position.lamps)} {position.key}"

    def solve(self, level: str, start: str) -> list[str]:
        """The lamp's colour, everywhere."""
        return [f"{lamp.capitalize()}." for lamp in self.begin(level, start).lamps]


def _room(walk: Walk) -> str:
    return f"Room {walk.room + 1}, {walk.lamps[walk.room]}?"


def _door(position: Walk, completion: str) -> str | None:
    word = completion.strip().removesuffix(".").casefold()
    return word if word in position.doors[position.room] else None


def task(folder: Path | None) -> Dialogues[Walk]:
    """The task; it has no files."""
    return Dialogues(KeyTurn())
