"""Mending a damaged database: what `store.mending` restores, and the checkpoints that only their folders still know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mrclassic.errors import MrClassicError
from mrclassic.home import Home
from mrclassic.model.manifest import Manifest, manifest, verify
from mrclassic.store import Checkpoint, Store, mending


@dataclass(frozen=True)
class Restored:
    """What came of it: where the damaged file lies, rows by table, how many of all the copy gave, and checkpoints that
    were entered again from their folders; `in_use` where that had to be chosen anew."""

    aside: Path
    rows: dict[str, int]
    from_copy: int
    entered: tuple[str, ...]
    in_use: str | None

    @property
    def sentence(self) -> str:
        """For the owner."""
        messages, picks = self.rows.get("messages", 0), self.rows.get("picks", 0)
        words = [
            f"The database was damaged. {messages:,} messages and {picks:,} picks are restored"
            + (f" ({self.from_copy:,} rows from its last copy)" if self.from_copy else "")
            + f"; the damaged file is kept as {self.aside}."
        ]
        if self.entered:
            words.append(f"Of {len(self.entered)} checkpoints only the folders still told.")
        if self.in_use is not None:
            words.append(f"Which was in use is lost: {self.in_use} is now; `mrclassic model list` shows them all.")
        return " ".join(words)


def mend(home: Home) -> Restored | None:
    """Restore what can be had; None where nothing is wrong. Raises StoreError where the database is open elsewhere."""
    found = mending.mend(home.database)
    if found is None:
        return None
    with Store.open(home) as store:
        entered = _enter_checkpoints(home, store)
        chosen = _put_into_use(home, store) if store.checkpoints.in_use() is None else None
    return Restored(found.aside, found.rows, found.from_copy, entered, chosen)


def _manifests(home: Home) -> dict[str, Manifest]:
    """Of every folder that has one, oldest first."""
    found = {}
    for folder in home.checkpoints.iterdir():
        try:
            found[folder.name] = manifest(folder)
        except MrClassicError:
            continue
    return dict(sorted(found.items(), key=lambda each: each[1].created))


def _enter_checkpoints(home: Home, store: Store) -> tuple[str, ...]:
    known = {row.id for row in store.checkpoints.list(limit=1_000_000)}
    entered = []
    for name, facts in _manifests(home).items():
        if name not in known:
            run = facts.run if facts.run in {each.id for each in store.runs.list(limit=1_000_000)} else None
            store.checkpoints.add(
                Checkpoint(
                    name,
                    name,
                    facts.parent,
                    run,
                    created=facts.created,
                    parameters=facts.parameters,
                    model_sha256=facts.model_sha256,
                    metrics=dict(facts.metrics),
                )
            )
            entered.append(name)
    return tuple(entered)


def _put_into_use(home: Home, store: Store) -> str | None:
    """The newest whole one that another grew from was surely in use; where there is none, the newest whole one."""
    found = _manifests(home)
    parents = {facts.parent for facts in found.values()}
    newest = list(found)[::-1]
    for name in sorted(newest, key=lambda each: each not in parents):
        try:
            verify(home.checkpoints / name)
        except MrClassicError:
            continue
        store.checkpoints.set_status(name, "promoted")
        return store.checkpoints.use(name).id
    return None
