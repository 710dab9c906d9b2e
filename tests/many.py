"""A store with very many conversations, filled in one transaction: how quick the lists and the search stay.

    python tests/many.py FOLDER [CONVERSATIONS MESSAGES [SEED IMPORTED]]

fills a home in FOLDER (100,000 and 1,000,000, in a minute or two; none imported) and prints milliseconds.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from mrclassic.home import Home
from mrclassic.store import Store
from mrclassic.tui import shelf
from mrclassic.tui.desk import Desk

WORDS = tuple(
    f"{first}{middle}{last}"
    for first in ("b", "c", "d", "f", "gr", "h", "l", "m", "n", "p", "qu", "r", "s", "st", "t", "v")
    for middle in ("a", "ai", "e", "ea", "i", "o", "ou", "u")
    for last in ("ck", "d", "ll", "m", "n", "ne", "r", "rd", "st", "t", "te", "ve", "ther", "ling", "ment", "")
)
"""Two thousand made-up words; drawn as real ones are, a few of them most of the time."""


def fill(home: Home, conversations: int, messages: int, seed: int = 0, imported: int = 0) -> None:
    """So many conversations with so many messages between them, each said after the one before; the last `imported` of
    them came from files."""
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
        # The index is built once at the end: that takes a third of the time.
        triggers = database.execute("SELECT name, sql FROM sqlite_master WHERE name LIKE 'messages_a_'").fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        database.executemany(
            "INSERT INTO conversations (id, title, system, created, updated, imported) VALUES (?, ?, '', ?, ?, ?)",
            (
                (talk, sentence(), _moment(talk), _moment(talk), str(talk) if talk > conversations - imported else None)
                for talk in range(1, conversations + 1)
            ),
        )
        database.executemany(
            "INSERT INTO messages (id, conversation, parent, role, content, origin, created) VALUES (?,?,?,?,?,?,?)",
            rows(),
        )

        database.execute(
            "INSERT INTO picks (prompt, kind, text, message, entry_hash, booked, created)"
            " SELECT parent, 'typed', content, id, printf('%016x', id), 1, created FROM messages"
            " WHERE role = 'assistant'"
        )
        database.execute("INSERT INTO messages_fts (messages_fts) VALUES ('rebuild')")
        for _, sql in triggers:
            database.execute(sql)


def figures(home: Home) -> dict[str, float]:
    """Milliseconds: opening the store at its last conversation and at an old one, the facts around it, and the first
    results of searches (the slowest of the beginnings of a common word, of a rare one, and of what is not there)."""
    desk = Desk(home)
    taken = {"open": _timed(desk.open), "list and status": _timed(desk.standing)}
    desk.kind = "imported"
    taken["list of those from files"] = _timed(desk.standing)
    taken["an old conversation"] = _timed(lambda: desk.show(17))
    store = desk.store
    for what, word in (("common", WORDS[0]), ("rare", WORDS[-1]), ("absent", "xylophone")):
        typed = [word[:end] for end in range(1, len(word) + 1)] + [f"{WORDS[0]} {word}"]
        taken[f"search, {what} word"] = max(_timed(lambda text=text: shelf.find(store, text)) for text in typed)
        taken[f"all of it, {what} word"] = _timed(
            lambda word=word: shelf.find_more(store, word, shelf.find(store, word))
        )
    taken["questions asked before"] = _timed(store.conversations.openings)
    desk.close()
    return taken


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begun)


def _moment(talk: int) -> str:
    return f"2026-{1 + talk // 9000 % 12:02}-{1 + talk // 300 % 28:02}T{talk % 24:02}:{talk % 60:02}:00.000000+00:00"


if __name__ == "__main__":
    folder, *sizes = sys.argv[1:]
    there = Home(Path(folder)).ensure()
    sys.stdout.write(
        f"filled in {_timed(lambda: fill(there, *map(int, sizes or (100_000, 1_000_000)))) / 1000:.0f} s\n"
    )
    for name, milliseconds in figures(there).items():
        sys.stdout.write(f"{name:<28} {milliseconds:8.1f} ms\n")
