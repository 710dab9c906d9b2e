"""The schema, as migrations: each runs once, in order, and is never edited after a release; a change is a new one.

sqlite-utils keeps the record of what was applied. Its import costs a tenth of a second (it brings numpy), so `upgrade`
looks at `user_version` first and imports it only where there is something to do.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from mrclassic.store.connection import Database, StoreError, exclusive

if TYPE_CHECKING:
    import sqlite_utils

# AUTOINCREMENT: an id is never given twice, so that a tombstone or an exported row cannot come to mean another one.
# Names of checkpoints and runs in other tables are no foreign keys where the thing named may never have lived here (an
# imported checkpoint's parent) or may be gone (a pruned one).
_TABLES = (
    """
    CREATE TABLE conversations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        title TEXT NOT NULL, system TEXT NOT NULL, draft TEXT NOT NULL DEFAULT '',
        created TEXT NOT NULL, updated TEXT NOT NULL,
        archived INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1))
    )""",
    "CREATE INDEX conversations_recent ON conversations (archived, updated DESC, id DESC)",
    """
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        parent INTEGER REFERENCES messages (id) ON DELETE CASCADE,
        role TEXT NOT NULL CHECK (role IN ('system', 'user', 'assistant')),
        content TEXT NOT NULL,
        origin TEXT NOT NULL CHECK (origin IN ('user', 'candidate', 'typed', 'edited')),
        checkpoint TEXT, created TEXT NOT NULL,
        retracted INTEGER REFERENCES picks (id)  -- the undo that took it out of the conversation
    )""",
    "CREATE INDEX messages_live ON messages (conversation, id) WHERE retracted IS NULL",
    "CREATE INDEX messages_conversation ON messages (conversation)",
    "CREATE INDEX messages_parent ON messages (parent)",
    "CREATE INDEX messages_retracted ON messages (retracted) WHERE retracted IS NOT NULL",
    """
    CREATE TABLE draws (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        prompt INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        created TEXT NOT NULL
    )""",
    "CREATE INDEX draws_prompt ON draws (prompt, id)",
    """
    CREATE TABLE candidates (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        draw INTEGER NOT NULL REFERENCES draws (id) ON DELETE CASCADE,
        slot INTEGER NOT NULL, shown INTEGER NOT NULL,
        text TEXT NOT NULL, tokens INTEGER NOT NULL, logprob REAL, finish_reason TEXT,
        seed INTEGER NOT NULL, temperature REAL NOT NULL, top_p REAL NOT NULL,
        checkpoint TEXT, duplicate INTEGER NOT NULL CHECK (duplicate IN (0, 1)),
        UNIQUE (draw, slot), UNIQUE (draw, shown)
    )""",
    """
    CREATE TABLE picks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        prompt INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        kind TEXT NOT NULL CHECK (kind IN ('candidate', 'typed', 'edited', 'skip', 'flag', 'undo')),
        candidate INTEGER REFERENCES candidates (id) ON DELETE CASCADE,
        text TEXT NOT NULL,
        message INTEGER REFERENCES messages (id) ON DELETE CASCADE,
        supersedes INTEGER REFERENCES picks (id) ON DELETE CASCADE,
        replaced_entry TEXT,  -- as the book had it; '' is none; NULL until the book was looked at
        entry_hash TEXT,
        booked INTEGER NOT NULL CHECK (booked IN (0, 1)),
        created TEXT NOT NULL
    )""",
    "CREATE INDEX picks_prompt ON picks (prompt, id)",
    "CREATE INDEX picks_supersedes ON picks (supersedes, kind)",
    "CREATE INDEX picks_candidate ON picks (candidate)",
    "CREATE INDEX picks_message ON picks (message)",
    "CREATE INDEX picks_hash ON picks (entry_hash)",
    "CREATE INDEX picks_waiting ON picks (id) WHERE booked = 0",
    """
    CREATE TRIGGER picks_append_only
    BEFORE UPDATE OF id, prompt, kind, candidate, text, message, supersedes, entry_hash, created ON picks
    BEGIN SELECT RAISE(ABORT, 'picks are append-only'); END""",
    """
    CREATE TABLE ratings (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        score REAL NOT NULL, created TEXT NOT NULL
    )""",
    "CREATE INDEX ratings_conversation ON ratings (conversation, id)",
    """
    CREATE TABLE checkpoints (
        id TEXT PRIMARY KEY NOT NULL,
        path TEXT NOT NULL, parent TEXT, run INTEGER,
        status TEXT NOT NULL CHECK (status IN ('candidate', 'promoted', 'rejected', 'golden')),
        created TEXT NOT NULL, parameters INTEGER NOT NULL, model_sha256 TEXT NOT NULL, metrics TEXT NOT NULL
    )""",
    "CREATE INDEX checkpoints_created ON checkpoints (created DESC)",
    """
    CREATE TABLE pointers (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL CHECK (name IN ('in_use', 'golden')),
        checkpoint TEXT NOT NULL REFERENCES checkpoints (id),
        created TEXT NOT NULL
    )""",
    "CREATE INDEX pointers_name ON pointers (name, id)",
    """
    CREATE TABLE nights (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        status TEXT NOT NULL CHECK (status IN ('planned', 'running', 'done', 'failed', 'interrupted')),
        stage TEXT NOT NULL, started TEXT NOT NULL, finished TEXT,
        plan TEXT NOT NULL, gate TEXT, report TEXT, checkpoint TEXT
    )""",
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL, status TEXT NOT NULL, settings TEXT NOT NULL,
        parent_checkpoint TEXT, checkpoint TEXT,
        night INTEGER REFERENCES nights (id),
        facts TEXT NOT NULL, started TEXT NOT NULL, finished TEXT
    )""",
    "CREATE INDEX runs_kind ON runs (kind, id)",
    "CREATE INDEX runs_night ON runs (night)",
    """
    CREATE TABLE steps (
        run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        step INTEGER NOT NULL, metrics TEXT NOT NULL, created TEXT NOT NULL,
        PRIMARY KEY (run, step)
    ) WITHOUT ROWID""",
    """
    CREATE TABLE samples (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        step INTEGER NOT NULL, digest TEXT NOT NULL,
        prompt TEXT NOT NULL, completion TEXT NOT NULL, reward REAL, detail TEXT NOT NULL, created TEXT NOT NULL,
        UNIQUE (run, step, digest)
    )""",
    """
    CREATE TABLE alarms (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        step INTEGER NOT NULL, rule TEXT NOT NULL, verdict TEXT NOT NULL, message TEXT NOT NULL, created TEXT NOT NULL,
        UNIQUE (run, step, rule)
    )""",
    """
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL, payload TEXT NOT NULL, created TEXT NOT NULL, done TEXT, result TEXT
    )""",
    "CREATE INDEX requests_waiting ON requests (id) WHERE done IS NULL",
    """
    CREATE TABLE tombstones (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL, name TEXT NOT NULL, entries TEXT NOT NULL, checkpoints TEXT NOT NULL, created TEXT NOT NULL
    )""",
    """
    CREATE TABLE trust (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        path TEXT NOT NULL, sha256 TEXT NOT NULL, created TEXT NOT NULL, revoked TEXT
    )""",
    "CREATE INDEX trust_path ON trust (path, sha256)",
)


def first(db: sqlite_utils.Database) -> None:
    """The tables, and full-text search over messages kept up to date by triggers."""
    for statement in _TABLES:
        db.execute(statement)
    db.table("messages").enable_fts(["content"], create_triggers=True, tokenize="unicode61 remove_diacritics 2")


def content_of_plugins(db: sqlite_utils.Database) -> None:
    """Approvals keep what was approved, so that a change can be shown."""
    for column in ("name", "content"):
        db.execute(f"ALTER TABLE trust ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")


def undone_uses(db: sqlite_utils.Database) -> None:
    """A checkpoint that came into use by going back is told from one that was chosen, so that going back goes on."""
    db.execute("ALTER TABLE pointers ADD COLUMN undo INTEGER NOT NULL DEFAULT 0")


def search_by_beginnings(db: sqlite_utils.Database) -> None:
    """The index of messages knows how words begin: a search that follows the typing asks for little else, and among a
    million messages a single letter takes more than a second otherwise."""
    db.execute("DROP TABLE messages_fts")
    db.execute(
        'CREATE VIRTUAL TABLE "messages_fts" USING FTS5 ("content", content="messages",'
        " tokenize='unicode61 remove_diacritics 2', prefix='1 2 3 4 5')"
    )
    db.execute("INSERT INTO messages_fts (messages_fts) VALUES ('rebuild')")


def what_taste_learns_from(db: sqlite_utils.Database) -> None:
    """A rating knows up to where it was given; preferences and conversations from elsewhere are told from the owner's
    own, and are kept once: `digest` and `imported` name what they say."""
    db.execute("ALTER TABLE ratings ADD COLUMN message INTEGER REFERENCES messages (id) ON DELETE CASCADE")
    db.execute("CREATE INDEX ratings_message ON ratings (message)")
    db.execute("ALTER TABLE conversations ADD COLUMN imported TEXT")
    db.execute("CREATE UNIQUE INDEX conversations_imported ON conversations (imported) WHERE imported IS NOT NULL")
    db.execute(
        """
        CREATE TABLE imported_preferences (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            source TEXT NOT NULL, digest TEXT NOT NULL UNIQUE,
            messages TEXT NOT NULL, candidates TEXT NOT NULL, winner INTEGER NOT NULL, created TEXT NOT NULL
        )"""
    )


def votes(db: sqlite_utils.Database) -> None:
    """Which of two checkpoints the owner found better at a question."""
    db.execute(
        """
        CREATE TABLE votes (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            prompt TEXT NOT NULL, first TEXT NOT NULL, second TEXT NOT NULL,
            first_text TEXT NOT NULL, second_text TEXT NOT NULL,
            choice TEXT NOT NULL CHECK (choice IN ('first', 'second', 'both', 'neither')),
            blind INTEGER NOT NULL CHECK (blind IN (0, 1)), created TEXT NOT NULL
        )"""
    )
    db.execute("CREATE INDEX votes_pair ON votes (first, second)")


def recall_of_entries(db: sqlite_utils.Database) -> None:
    """What a checkpoint says to each entry of the book."""
    db.execute(
        """
        CREATE TABLE recalls (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            checkpoint TEXT NOT NULL, entry TEXT NOT NULL,
            known INTEGER NOT NULL CHECK (known IN (0, 1)),
            said TEXT NOT NULL, chance REAL, created TEXT NOT NULL,
            UNIQUE (checkpoint, entry)
        )"""
    )


def own_conversations_apart(db: sqlite_utils.Database) -> None:
    """The list finds the owner's own conversations among very many from files, and those among his."""
    own, from_files = "imported IS NULL OR updated > created", "imported IS NOT NULL AND updated <= created"
    order = "archived, updated DESC, id DESC"
    for name, which in (("own", own), ("from_files", from_files)):
        db.execute(f"CREATE INDEX conversations_{name} ON conversations ({order}) WHERE {which}")


MIGRATIONS: tuple[Callable[[sqlite_utils.Database], None], ...] = (
    first,
    content_of_plugins,
    undone_uses,
    search_by_beginnings,
    what_taste_learns_from,
    votes,
    recall_of_entries,
    own_conversations_apart,
)


def upgrade(database: Database) -> None:
    """Bring the database up to this program's schema; refuses one that a newer program wrote."""
    if _behind(database):
        with exclusive(database.path):
            if _behind(database):  # still: another process may have done it while this one waited
                _apply(database)


def _behind(database: Database) -> bool:
    version = int(database.value("PRAGMA user_version"))
    if version > len(MIGRATIONS):
        raise StoreError(
            f"The database {database.path} was written by a newer Mr. Classic (schema {version}, this program knows "
            f"{len(MIGRATIONS)}); update this program."
        )
    return version < len(MIGRATIONS)


def _apply(database: Database) -> None:
    import sqlite_utils
    from sqlite_utils.migrations import Migrations

    migrations = Migrations("mrclassic")
    for migration in MIGRATIONS:
        migrations(name=migration.__name__)(migration)
    connection = database.connection
    shape = connection.row_factory
    connection.row_factory = None  # sqlite-utils reads plain tuples
    try:
        with database.transaction():
            # Inside our transaction sqlite-utils uses savepoints: the schema is upgraded whole or not at all.
            migrations.apply(sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False))
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    finally:
        connection.row_factory = shape


def integrity(database: Database) -> list[str]:
    """What SQLite finds wrong with the file (empty: nothing)."""
    try:
        found = [str(row[0]) for row in database.rows("PRAGMA quick_check")]
    except (StoreError, sqlite3.DatabaseError) as error:
        return [str(error)]
    return [] if found == ["ok"] else found
