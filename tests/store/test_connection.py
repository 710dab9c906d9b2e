"""The connection: its settings, threads, transactions, several processes, and SQLite's complaints as sentences."""

from __future__ import annotations

import gc
import sqlite3
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest

from mrclassic.home import Home
from mrclassic.store import Store, StoreError
from mrclassic.store.connection import Database


@pytest.fixture
def database(home: Home, store: Store) -> Database:
    """A second door to the opened store's file."""
    return Database(home.database)


def test_every_connection_is_opened_as_it_should(home: Home, database: Database) -> None:
    assert database.value("PRAGMA journal_mode") == "wal"
    assert database.value("PRAGMA synchronous") == 2
    assert database.value("PRAGMA foreign_keys") == 1
    assert database.value("PRAGMA busy_timeout") == 30_000
    assert database.value("PRAGMA secure_delete") == 1
    for file in home.root.glob("mrclassic.db*"):
        assert file.stat().st_mode & 0o777 == 0o600, file


def test_each_thread_has_its_own_connection_and_an_ended_one_is_closed(database: Database) -> None:
    seen: list[sqlite3.Connection] = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: seen.append(database.connection))
        thread.start()
        thread.join()
    first, second = seen
    assert first is not second
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        first.execute("SELECT 1")  # its thread had ended when the second asked for one
    database.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        second.execute("SELECT 1")
    with pytest.raises(RuntimeError, match="closed"):
        _ = database.connection


def test_a_store_that_nobody_closes_leaves_no_open_connection(home: Home) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        connection = (database := Database(home.database)).connection
        del database
        gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_a_transaction_is_all_or_nothing_and_nests(store: Store) -> None:
    def fail() -> None:
        with store.transaction():
            store.conversations.create("first")
            with store.transaction():
                store.conversations.create("second")
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert store.conversations.list() == []
    with store.transaction(), store.transaction():
        store.conversations.create("third")
    assert [conversation.title for conversation in store.conversations.list()] == ["third"]


def test_writers_in_threads_and_processes_wait_for_each_other(home: Home, store: Store) -> None:
    code = (
        "import sys; from pathlib import Path; from mrclassic.home import Home; from mrclassic.store import Store\n"
        "with Store.open(Home(Path(sys.argv[1]))) as store:\n"
        "  for n in range(25):\n"
        "    with store.transaction():\n"
        "      count = len(store.conversations.list(1000)); store.conversations.create(str(count))"
    )
    children = [subprocess.Popen([sys.executable, "-c", code, str(home.root)]) for _ in range(2)]

    def write() -> None:
        for _ in range(25):
            with store.transaction():
                count = len(store.conversations.list(1000))
                store.conversations.create(str(count))

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [child.wait() for child in children] == [0, 0]
    # each counted what was there and wrote that number: no two saw the same count
    assert sorted(int(c.title) for c in store.conversations.list(1000)) == list(range(100))


def test_a_second_thread_does_not_end_the_locks_of_the_first(home: Home, store: Store) -> None:
    """Opening the file beside SQLite and closing it again dropped this process's POSIX locks; the next process to leave
    took itself for the last one and deleted the log, and with it what was written since."""
    code = (
        "import sys; from pathlib import Path; from mrclassic.home import Home; from mrclassic.store import Store\n"
        "with Store.open(Home(Path(sys.argv[1]))) as store: store.conversations.create('theirs')"
    )
    log = home.database.with_name(f"{home.database.name}-wal")
    store.conversations.create("ours")
    for count in (2, 3):
        thread = threading.Thread(target=store.conversations.list)
        thread.start()
        thread.join()
        subprocess.run([sys.executable, "-c", code, str(home.root)], check=True)
        assert log.exists()
        assert len(store.conversations.list()) == count


def test_many_processes_may_open_a_new_home_at_once(home: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from mrclassic.home import Home; from mrclassic.store import Store\n"
        "sys.stdin.readline()\n"
        "with Store.open(Home(Path(sys.argv[1]))) as store: store.conversations.create('x')"
    )
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", code, str(home.root)]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(5)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    assert [child.communicate()[1] for child in children] == [""] * 5
    with Store.open(home) as store:
        assert len(store.conversations.list()) == 5


def test_a_full_database_is_one_sentence_and_loses_nothing(home: Home, database: Database) -> None:
    database.run("CREATE TABLE ballast (content TEXT)")
    database.run(f"PRAGMA max_page_count = {database.value('PRAGMA page_count')}")
    with pytest.raises(StoreError, match="disk is full") as caught, database.transaction():
        database.insert("ballast", {"content": "x" * 1_000_000})
    assert str(home.database) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert database.value("SELECT count(*) FROM ballast") == 0


def test_a_disk_that_takes_no_more_is_one_sentence(home: Home, store: Store) -> None:
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from mrclassic.home import Home; from mrclassic.store import Store, StoreError\n"
        "store = Store.open(Home(Path(sys.argv[1])))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "try:\n"
        "  for n in range(100): store.conversations.create('x' * 20_000)\n"
        "except StoreError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(home.root)], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.startswith(f"Cannot use the database {home.database}: ")
    assert done.stdout.count("\n") == 1
    store.conversations.create("there is room again")
    assert store.damage() == []


def test_a_read_only_database_is_one_sentence(database: Database) -> None:
    database.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="read-only; make it writable"):
        database.run("DELETE FROM runs")


def test_a_damaged_database_is_one_sentence_and_is_left_as_it_is(home: Home) -> None:
    content = b"this is no database" * 500
    home.database.write_bytes(content)
    with pytest.raises(StoreError, match="not a database or damaged; it was left as it is") as caught:
        Store.open(home)
    assert str(home.database) in str(caught.value)
    assert home.database.read_bytes() == content


def test_damage_inside_is_found(home: Home) -> None:
    with Store.open(home) as store:
        for number in range(200):
            store.conversations.create("title " * 50 + str(number))
    with home.database.open("r+b") as file:
        file.seek(-4096 * 5, 2)
        file.write(b"\xff" * 4096 * 5)
    with Store.open(home) as store:
        assert store.damage()


def test_a_database_that_cannot_be_opened_is_one_sentence(home: Home) -> None:
    home.database.mkdir()
    with pytest.raises(StoreError, match="Is a directory"):
        Store.open(home)
    with pytest.raises(StoreError, match="No such file or directory"):
        Store.open(Home(Path(home.root / "nowhere")))
