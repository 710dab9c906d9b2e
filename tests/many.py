"""A store with very many conversations, filled in one transaction: how quick the lists and the search stay."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing

from mrclassic.home import Home
from mrclassic.store import Store

WORDS = tuple(
    f"{first}{middle}{last}"
    for first in ("b", "c", "d", "f", "gr", "h", "l", "m", "n", "p", "qu", "r", "s", "st", "t", "v")
    for middle in ("a", "ai", "e", "ea", "i", "o", "ou", "u")
    for last in ("ck", "d", "ll", "m", "n", "ne", "r", "rd", "st", "t", "te", "ve", "ther", "ling", "ment", "")
)
"""Two thousand made-up words; drawn as real ones are, a few of them most of the time."""


def fill(home: Home, conversations: int, messages: int, seed: int = 0) -> None:
    """So many conversations with so many messages between them, each said after the one before."""
    Store.open(home).close()
    each, draw = max(1, messages // conversations), random.Random(seed)
    weights = [1 / rank for rank in range(1, len(WORDS) + 1)]
    pool = draw.choices(WORDS, weights, k=1 << 16)

    def sentence() -> str:
        start = draw.randrange(len(pool) - 16)
        return " ".join(pool[start : start + draw.randrange(4, 16)])

    def rows() -> Iterator[tuple[object, ...]]:
        for talk in range(1, conversations + 1):
            for turn in range(each):
                number = (talk - 1) * each + turn + 1
                role, origin = ("assistant", "candidate") if turn % 2 else ("user", "user")
                yield number, talk, number - 1 if turn else None, role, sentence(), origin, _moment(talk)

    with closing(sqlite3.connect(home.database)) as database, database:
        database.executemany(
            "INSERT INTO conversations (id, title, system, created, updated) VALUES (?, ?, '', ?, ?)",
            ((talk, sentence(), _moment(talk), _moment(talk)) for talk in range(1, conversations + 1)),
        )
        database.executemany(
            "INSERT INTO messages (id, conversation, parent, role, content, origin, created) VALUES (?,?,?,?,?,?,?)",
            rows(),
        )


def _moment(talk: int) -> str:
    return f"2026-{1 + talk // 9000 % 12:02}-{1 + talk // 300 % 28:02}T{talk % 24:02}:{talk % 60:02}:00.000000+00:00"
