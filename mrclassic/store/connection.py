"""The one place that opens the database: write-ahead log, full synchronisation, foreign keys, one connection a thread.

Several processes (app, mind, night, shell) share the file. A transaction begins IMMEDIATE, because one that begins by
reading and writes later fails at once, without waiting, when another process wrote in between.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mrclassic import failpoints
from mrclassic.errors import MrClassicError

BUSY_SECONDS = 30.0

_MEND = "`mrclassic data mend` restores what can be had"

# What SQLite says, and what the owner can do about it. Anything else is a defect and keeps its traceback.
_REMEDIES = {
    "disk is full": "the disk is full; what is stored is safe, make room and try again",
    "disk i/o error": "the disk does not take it (full, or failing); make room and try again",
    "readonly": "it is read-only; make it writable",
    "unable to open": "it cannot be opened; check the folder and its permissions",
    "not a database": f"it is not a database or damaged; it was left as it is, {_MEND}",
    "malformed": f"it is damaged; it was left as it is, {_MEND}",
    "database is locked": f"another process held it for {BUSY_SECONDS:.0f} s; end that process and try again",
}


class StoreError(MrClassicError):
    """The database cannot be used: the message names the file and what to do."""


class DamagedStoreError(StoreError):
    """What is in the file is no database any more, or not all of it; see `store.mending`."""


def now() -> str:
    """The present moment as it is stored: UTC, ISO 8601, sortable as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def dump(value: object) -> str:
    """Plain data as JSON text (a Python NaN stays one: a loss that became NaN is worth recording)."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def connect(path: Path) -> sqlite3.Connection:
    """Open the database as everything here expects it."""
    # Created by us first, so that the file (and the log files that copy its mode) are the owner's alone. Never opened
    # when it is there: closing it again would end the locks of this process's other connections (POSIX locks belong to
    # the process), another process would then take itself for the last one, and delete the log under them.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        trouble = errno.EISDIR if path.is_dir() else 0 if os.access(path, os.R_OK | os.W_OK) else errno.EACCES
        if trouble:  # SQLite says only that it is unable to
            raise OSError(trouble, os.strerror(trouble), str(path)) from None
    # check_same_thread is off only so that close() can end the connections of other threads; each uses its own.
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.row_factory = sqlite3.Row
        _write_ahead(connection, path)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten, not only unlinked
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """One process (and thread) at a time, for what SQLite's own locks do not order: the first opening, an upgrade."""
    with path.with_name(f".{path.name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write_ahead(connection: sqlite3.Connection, path: Path) -> None:
    """Switch a new file to the write-ahead log; SQLite does not wait for others here, so this does."""
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    with exclusive(path):
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


class Database:
    """Statements and transactions on the calling thread's connection; SQLite's complaints become sentences."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: dict[threading.Thread, sqlite3.Connection] = {}
        self._guard = threading.Lock()
        # Runs when nobody holds the store any more, and at exit at the latest.
        self._finish = weakref.finalize(self, _close_all, self._open)

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection of this thread, opened when first needed."""
        thread = threading.current_thread()
        connection = self._open.get(thread)
        if connection is None:
            if not self._finish.alive:
                raise RuntimeError("the store is closed")
            with self._explained():
                connection = connect(self.path)
            with self._guard:
                for ended in [other for other in self._open if not other.is_alive()]:
                    self._open.pop(ended).close()
                self._open[thread] = connection
        return connection

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._guard:
            self._finish()

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._explained():
            return self.connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[object] = ()) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        with self._explained():
            found: sqlite3.Row | None = self.connection.execute(sql, parameters).fetchone()
            return found

    def value(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The first column of the first row, or None."""
        found = self.row(sql, parameters)
        return None if found is None else found[0]

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Execute a statement that writes; return how many rows it touched."""
        with self._explained():
            return self.connection.execute(sql, parameters).rowcount

    def insert(self, table: str, values: Mapping[str, object]) -> int:
        """Insert a row (table and columns are names from this program); return its id."""
        columns = ", ".join(values)
        marks = ", ".join("?" * len(values))
        sql = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - no text from outside
        with self._explained():
            return int(self.connection.execute(sql, tuple(values.values())).lastrowid or 0)

    def backup(self, into: sqlite3.Connection) -> None:
        """Copy all of it, as it stands at one moment, into another database."""
        with self._explained():
            self.connection.backup(into)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Inside another transaction of the same thread it is a part of that one."""
        connection = self.connection
        if connection.in_transaction:
            yield
            return
        with self._explained():
            connection.execute("BEGIN IMMEDIATE")
            try:
                failpoints.reached("store.begun")
                yield
                failpoints.reached("store.committing")
                connection.execute("COMMIT")
                failpoints.reached("store.committed")
            except BaseException:
                _roll_back(connection)
                raise

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            remedy = next((text for sign, text in _REMEDIES.items() if sign in str(error).lower()), None)
            if remedy is None:
                raise
            kind = DamagedStoreError if _MEND in remedy else StoreError
            raise kind(f"Cannot use the database {self.path}: {remedy}.") from error
        except OSError as error:
            if error.filename != str(self.path) and error.filename != self.path:
                raise
            why = error.strerror or str(error)
            remedy = (
                "check its permissions and those of the folder" if isinstance(error, PermissionError) else "mend that"
            )
            raise StoreError(f"Cannot open the database {self.path} ({why}); {remedy}.") from error


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # a full disk has ended it by itself
        connection.execute("ROLLBACK")


def _close_all(connections: dict[threading.Thread, sqlite3.Connection]) -> None:
    while connections:
        connections.popitem()[1].close()
