"""Which plugin files the owner approved: a name, a place, and exactly that content."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from mrclassic.store.connection import Database, now


@dataclass(frozen=True)
class Trusted:
    """An approval. `content` is what the owner was shown; empty in approvals from before it was kept."""

    id: int
    name: str
    path: str
    sha256: str
    content: str
    created: str
    revoked: str | None


class Trust:
    """The approvals; what was revoked stays on record."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, name: str, path: str, content: str) -> str:
        """Approve the file at `path` with this content and return its hash; an earlier approval of the path ends."""
        digest = sha256(content.encode()).hexdigest()
        values = {"name": name, "path": path, "sha256": digest, "content": content, "created": now()}
        with self._db.transaction():
            self.revoke(path)
            self._db.insert("trust", values)
        return digest

    def get(self, path: str) -> Trusted | None:
        """The approval of `path` that stands."""
        return next((one for one in self.list() if one.path == path), None)

    def trusted(self, path: str, digest: str) -> bool:
        """Whether the owner approved this path with this content."""
        sql = "SELECT 1 FROM trust WHERE path = ? AND sha256 = ? AND revoked IS NULL"
        return self._db.row(sql, (path, digest)) is not None

    def revoke(self, path: str) -> bool:
        """End the approval of a path; return whether there was one."""
        sql = "UPDATE trust SET revoked = ? WHERE path = ? AND revoked IS NULL"
        return self._db.run(sql, (now(), path)) > 0

    def list(self, revoked: bool = False) -> list[Trusted]:
        """The approvals that stand, or all that were ever given."""
        sql = (
            "SELECT id, name, path, sha256, content, created, revoked FROM trust"
            " WHERE ? OR revoked IS NULL ORDER BY path, id"
        )
        return [Trusted(*row) for row in self._db.rows(sql, (revoked,))]
