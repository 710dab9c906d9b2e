"""A damaged database: what can be read of it, and what only the last copy of it still has, in a new file.

The damaged one is kept aside with its log. The copy is made while all is well (by each night); a conversation that is
deleted takes the copy along, so that nothing deleted comes back from it.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from mrclassic.files import fsync
from mrclassic.store.connection import DamagedStoreError, Database, StoreError, exclusive
from mrclassic.store.schema import upgrade

_LOGS = ("-wal", "-shm")
# SQLite's own locks: who has a database with a write-ahead log open holds these bytes as long as it is open.
_SHARED_FIRST, _SHARED_SIZE = 0x40000002, 510
_INNER = 5  # the kind of a table's page that holds only the numbers of others


@dataclass(frozen=True)
class Mended:
    """Where the damaged file lies now; rows by table in all, and of those, how many the copy gave."""

    aside: Path
    rows: dict[str, int]
    from_copy: int


def copy_of(path: Path) -> Path:
    """Where the copy of a database lies."""
    return path.with_name(f"{path.name}.copy")


def make_copy(database: Database) -> None:
    """Copy the database as it stands now; raises StoreError (DamagedStoreError where it is not whole) or OSError,
    and the former copy stays."""
    draft, target = database.path.with_name(f".{database.path.name}.copying"), copy_of(database.path)
    try:
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with closing(sqlite3.connect(draft)) as copy:
            database.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            whole = _intact(copy)
        if not whole:
            words = "it is damaged; `mrclassic data mend` restores what can be had"
            raise DamagedStoreError(f"Cannot use the database {database.path}: {words}.")
        fsync(draft)
        draft.replace(target)
        fsync(target.parent)
    except sqlite3.OperationalError as error:  # of the copy's file: what the database says is explained already
        with suppress(OSError):
            _remove(draft)
        raise StoreError(f"{draft} cannot be written ({error}); make room, or mend the disk.") from error
    except BaseException:
        with suppress(OSError):
            _remove(draft)
        raise


def drop_copy(path: Path) -> None:
    """Remove the copy: something was deleted, and the copy still has it."""
    copy_of(path).unlink(missing_ok=True)


def mend(path: Path) -> Mended | None:
    """Put what can be had into a new database at `path`; None where nothing is wrong with it.

    Raises StoreError where another process has it open: that one would go on writing into what is put aside.
    """
    with exclusive(path):
        if _whole(path):
            return None
        if _open_elsewhere(path):
            raise StoreError(
                f"The database {path} is damaged and open in another program; end that (the app, "
                "`mrclassic daemon`, a night), then `mrclassic data mend` restores what can be had."
            )
        aside = _put_aside(path)
        fresh = path.with_name(f".{path.name}.mending")
        _remove(fresh)
        try:
            mended = _filled(fresh, aside, copy_of(path))
            fsync(fresh)
            for log in _logs(path):  # of the damaged one: it must never meet the new file
                log.unlink(missing_ok=True)
            fresh.replace(path)
            fsync(path.parent)
        finally:
            _remove(fresh)
    return mended


def refuse_emptied(path: Path) -> None:
    """Raise DamagedStoreError where the database has become an empty file: SQLite would begin a new one in it."""
    if _emptied(path):
        raise DamagedStoreError(
            f"Cannot use the database {path}: it is empty, and was not; `mrclassic data mend` restores its last copy."
        )


def _emptied(path: Path) -> bool:
    return path.exists() and path.stat().st_size == 0 and copy_of(path).exists()


def _whole(path: Path) -> bool:
    if not path.exists() or _emptied(path):
        return not path.exists()
    try:
        with closing(sqlite3.connect(path)) as database:
            return _intact(database)
    except sqlite3.DatabaseError:
        return False


def _intact(database: sqlite3.Connection) -> bool:
    """Raises sqlite3.OperationalError where it cannot be read for a reason of the disk's."""
    try:
        return bool(database.execute("PRAGMA integrity_check").fetchall() == [("ok",)])
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        return False


def _open_elsewhere(path: Path) -> bool:
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
        except OSError:
            return True
    return False


def _put_aside(path: Path) -> Path:
    """A copy of the damaged files under a name of their own; the originals stay until the new one is whole."""
    names = (path.with_name(f"{path.name}.bad{'' if n == 1 else f'-{n}'}") for n in itertools.count(1))
    aside = next(name for name in names if not name.exists())
    for each, to in zip((path, *_logs(path)), (aside, *_logs(aside)), strict=True):
        if each.exists() and not each.name.endswith("-shm"):
            shutil.copy2(each, to)
            fsync(to)
    fsync(path.parent)
    return aside


def _filled(fresh: Path, aside: Path, copy: Path) -> Mended:
    """Make the new database from the damaged one and, where that has gaps, from the copy."""
    database = Database(fresh)
    try:
        upgrade(database)
        new = database.connection
        new.execute("PRAGMA foreign_keys = OFF")
        new.execute("PRAGMA synchronous = OFF")  # the whole file is synchronised once, when it is ready
        new.execute("BEGIN IMMEDIATE")
        tables = _tables(new)
        reading = _copied(aside)
        if not _readable_schema(reading) and copy.exists():
            _lend_schema(copy, reading)
        _pour(reading, new, tables)
        _remove(reading)
        had = _count(new, tables)
        if copy.exists():
            _pour(copy, new, tables)
        _tie_up(new, tables)
        new.execute("COMMIT")
        rows = _count(new, tables)
        new.execute("PRAGMA journal_mode = DELETE")
    finally:
        database.close()
    return Mended(aside, rows, max(0, sum(rows.values()) - sum(had.values())))


def _copied(aside: Path) -> Path:
    """A working copy of what was put aside: reading it may fold its log into it."""
    work = aside.with_name(f".{aside.name}.reading")
    for each, to in zip((aside, *_logs(aside)), (work, *_logs(work)), strict=True):
        if each.exists():
            shutil.copy2(each, to)
    return work


def _readable_schema(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path)) as database:
            return database.execute("SELECT count(*) FROM messages") is not None
    except sqlite3.DatabaseError:
        return False


def _lend_schema(copy: Path, damaged: Path) -> None:
    """Give a database whose first page, or another of its schema, is lost those of its copy: page for page the copy is
    what it was, so its tables begin at the same places (https://sqlite.org/fileformat2.html)."""
    whole = copy.read_bytes()
    size = int.from_bytes(whole[16:18]) or 65536
    first = bytearray(whole[:size])
    pages = -(-damaged.stat().st_size // size)
    first[18:20] = b"\2\2" if any(log.exists() for log in _logs(damaged)) else b"\1\1"  # whether it has a log
    first[28:40] = pages.to_bytes(4) + bytes(8)  # its own length; its free pages are unknown
    first[92:96] = first[24:28]
    lent = {1: bytes(first)}
    if first[100] == _INNER:
        cells = int.from_bytes(first[103:105])
        places = (int.from_bytes(first[at : at + 2]) for at in range(112, 112 + 2 * cells, 2))
        for at in (108, *places):  # the last child stands in the head, the others in the cells
            child = int.from_bytes(first[at : at + 4])
            lent[child] = whole[(child - 1) * size : child * size]
    with damaged.open("r+b") as file:
        for number, page in lent.items():
            file.seek((number - 1) * size)
            file.write(page)


def _pour(source: Path, new: sqlite3.Connection, tables: Sequence[str]) -> None:
    """Take over every row that can be read and is not there yet."""
    with suppress(sqlite3.DatabaseError, OSError), closing(sqlite3.connect(source)) as old:
        old.text_factory = bytes
        for table in tables:
            with suppress(sqlite3.DatabaseError):  # a table that cannot even be asked about
                _pour_table(old, new, table)
        with suppress(sqlite3.DatabaseError):  # an id is never given twice, not even that of a row that is lost
            for name, last in old.execute("SELECT name, seq FROM sqlite_sequence").fetchall():
                new.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (last, name.decode()))


def _pour_table(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> None:
    known = _columns(old, table)
    columns = [name for name in _columns(new, table) if name in known]
    key = ", ".join(_key(new, table))
    backwards = ", ".join(f"{name} DESC" for name in _key(new, table))
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    for order in (key, backwards):  # from both ends up to the damage
        for row in _readable(old, f"SELECT {names} FROM {table} ORDER BY {order}"):  # noqa: S608
            with suppress(sqlite3.DatabaseError, UnicodeDecodeError):  # a row that is no longer one
                values = [value.decode() if isinstance(value, bytes) else value for value in row]
                new.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", values)  # noqa: S608


def _readable(old: sqlite3.Connection, query: str) -> Iterator[Sequence[object]]:
    """The rows up to the first that cannot be read."""
    with suppress(sqlite3.DatabaseError):
        yield from old.execute(query)


# A message whose conversation, or the one before it, is lost goes on from what there is.
_LOOSE_MESSAGES = (
    """INSERT INTO conversations (id, title, system, created, updated)
    SELECT conversation, 'restored', '', min(created), max(created) FROM messages
    WHERE conversation NOT IN (SELECT id FROM conversations) GROUP BY conversation""",
    """UPDATE messages SET parent = (
        SELECT max(e.id) FROM messages e WHERE e.conversation = messages.conversation AND e.id < messages.id
    ) WHERE parent NOT IN (SELECT id FROM messages)""",
)


def _tie_up(new: sqlite3.Connection, tables: Sequence[str]) -> None:
    """Rows that name others which are lost: the name is dropped where a row may be without, else the row."""
    for statement in _LOOSE_MESSAGES:
        new.execute(statement)
    while new.execute("PRAGMA foreign_key_check").fetchone() is not None:
        for table in tables:
            needed = {row[1] for row in new.execute(f"PRAGMA table_info({table})") if row[3]}
            for _, _, parent, column, key, *_ in new.execute(f"PRAGMA foreign_key_list({table})").fetchall():
                lost = f"WHERE {column} NOT IN (SELECT {key} FROM {parent})"  # noqa: S608 - names of our own
                if column not in needed:
                    with suppress(sqlite3.DatabaseError):  # of a pick nothing can be changed
                        new.execute(f"UPDATE {table} SET {column} = NULL {lost}")  # noqa: S608
                new.execute(f"DELETE FROM {table} {lost}")  # noqa: S608


def _tables(new: sqlite3.Connection) -> list[str]:
    """Ours: not those of SQLite, of its full-text search (filled by triggers), or of the migrations."""
    rows = new.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return [row[0] for row in rows if not row[0].startswith(("sqlite_", "_sqlite", "messages_fts"))]


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    rows = connection.execute(f"PRAGMA table_info({table})").fetchall()
    return [name.decode() if isinstance(name, bytes) else str(name) for name in (row[1] for row in rows)]


def _key(connection: sqlite3.Connection, table: str) -> list[str]:
    """The columns of the primary key, in its order."""
    rows = connection.execute(f"PRAGMA table_info({table})").fetchall()
    return [row[1] for row in sorted(rows, key=lambda row: row[5]) if row[5]]


def _count(connection: sqlite3.Connection, tables: Sequence[str]) -> dict[str, int]:
    return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}  # noqa: S608


def _logs(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + ending) for ending in _LOGS)


def _remove(path: Path) -> None:
    for each in (path, *_logs(path), path.with_name(f".{path.name}.lock")):
        each.unlink(missing_ok=True)
