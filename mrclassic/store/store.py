"""The store: the database of one home, opened once and shared by the threads of a process."""

from __future__ import annotations

import contextlib
from types import TracebackType

from mrclassic.home import Home
from mrclassic.store import mending, schema
from mrclassic.store.candidates import Candidates
from mrclassic.store.checkpoints import Checkpoints
from mrclassic.store.connection import Database
from mrclassic.store.conversations import Conversations
from mrclassic.store.erasing import Erasing
from mrclassic.store.ledgers import Requests, Tombstones
from mrclassic.store.nights import Nights
from mrclassic.store.picks import Picks
from mrclassic.store.preferences import Preferences
from mrclassic.store.queues import Queues
from mrclassic.store.ratings import Ratings
from mrclassic.store.recalls import Recalls
from mrclassic.store.runs import Runs
from mrclassic.store.trust import Trust
from mrclassic.store.votes import Votes


class Store:
    """Everything that is stored, by area. Use it as a context manager, or close it."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self.conversations = Conversations(database)
        self.candidates = Candidates(database)
        self.picks = Picks(database)
        self.queues = Queues(database)
        self.checkpoints = Checkpoints(database)
        self.runs = Runs(database)
        self.nights = Nights(database)
        self.requests = Requests(database)
        self.erasing = Erasing(database)
        self.tombstones = Tombstones(database)
        self.trust = Trust(database)
        self.ratings = Ratings(database)
        self.preferences = Preferences(database, self.conversations, self.candidates, self.picks, self.ratings)
        self.votes = Votes(database)
        self.recalls = Recalls(database)

    @classmethod
    def open(cls, home: Home) -> Store:
        """Open the home's database, creating it or bringing its schema up to date."""
        mending.refuse_emptied(home.database)
        database = Database(home.database)
        try:
            schema.upgrade(database)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """All that is written inside is committed together, or not at all."""
        return self._db.transaction()

    def damage(self) -> list[str]:
        """What SQLite finds wrong with the file (empty: nothing)."""
        return schema.integrity(self._db)

    def copy(self) -> None:
        """Keep a copy of the database as it stands, which `mending` falls back on; raises StoreError or OSError."""
        mending.make_copy(self._db)

    def close(self) -> None:
        """Close the connections of all threads."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
