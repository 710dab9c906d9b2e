"""The schema: applied once, found again at once, never half, and kept from a program that is too old."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest
import sqlite_utils

from mrclassic.home import Home
from mrclassic.store import Store, StoreError, schema
from mrclassic.store.connection import Database


def test_the_migrations_are_on_record_and_run_once(home: Home) -> None:
    for _ in range(2):
        Store.open(home).close()
    database = sqlite_utils.Database(str(home.database))
    applied = [row["name"] for row in database["_sqlite_migrations"].rows]
    assert applied == [migration.__name__ for migration in schema.MIGRATIONS]
    assert database.table("messages").detect_fts() == "messages_fts"
    assert {"messages_ai", "messages_ad", "messages_au"} <= set(database.table("messages").triggers_dict)
    database.close()


def test_every_foreign_key_has_an_index(home: Home) -> None:
    """Without one, each deletion reads the whole child table."""
    Store.open(home).close()
    database = sqlite_utils.Database(str(home.database))
    for table in database.tables:
        indexed = {index.columns[0] for index in table.indexes if index.columns} | set(table.pks[:1])
        for key in table.foreign_keys:
            if key.other_table != "checkpoints":  # never deleted
                assert key.column in indexed, f"{table.name}.{key.column}"
    database.close()


def test_a_migration_that_fails_leaves_the_database_as_it_was(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(home) as store:
        store.conversations.create("kept")

    def second(db: sqlite_utils.Database) -> None:
        db.execute("CREATE TABLE later (id INTEGER)")
        db.execute("CREATE TABLE later (id INTEGER)")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, second))
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        Store.open(home)
    monkeypatch.undo()
    with Store.open(home) as store:
        assert [conversation.title for conversation in store.conversations.list()] == ["kept"]
    database = Database(home.database)
    assert database.row("SELECT 1 FROM sqlite_master WHERE name = 'later'") is None
    database.close()


def test_a_newer_database_is_refused(home: Home) -> None:
    Store.open(home).close()
    database = Database(home.database)
    database.run("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StoreError, match=r"newer Mr\. Classic .*update this program"):
        Store.open(home)


def test_an_up_to_date_store_opens_without_sqlite_utils(home: Home) -> None:
    """Its import costs a tenth of a second, at every command."""
    Store.open(home).close()
    code = (
        "import sys; from pathlib import Path; from mrclassic.home import Home; from mrclassic.store import Store\n"
        "Store.open(Home(Path(sys.argv[1]))).close(); print({'sqlite_utils', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(home.root)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
