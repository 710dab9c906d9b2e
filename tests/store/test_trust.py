"""Trust is for one content of one path, and remembers what it was given for."""

from __future__ import annotations

from hashlib import sha256

import pytest

from mrclassic.home import Home
from mrclassic.store import Store, schema
from mrclassic.store.connection import Database


def digest(content: str) -> str:
    return sha256(content.encode()).hexdigest()


def test_trust_is_for_one_content_of_one_path(store: Store) -> None:
    assert store.trust.add("a", "/p/a.py", "one") == digest("one")
    assert store.trust.trusted("/p/a.py", digest("one"))
    assert not store.trust.trusted("/p/a.py", digest("two"))
    assert not store.trust.trusted("/p/b.py", digest("one"))
    store.trust.add("a", "/p/a.py", "two")
    assert not store.trust.trusted("/p/a.py", digest("one"))
    found = store.trust.get("/p/a.py")
    assert found is not None
    assert (found.name, found.content, found.revoked) == ("a", "two", None)
    assert store.trust.revoke("/p/a.py") is True
    assert store.trust.revoke("/p/a.py") is False
    assert (store.trust.list(), store.trust.get("/p/a.py")) == ([], None)
    assert [one.content for one in store.trust.list(revoked=True)] == ["one", "two"]


def test_approvals_from_before_contents_were_kept_still_stand(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
    Store.open(home).close()
    database = Database(home.database)
    database.insert("trust", {"path": "/p/a.py", "sha256": "11", "created": "2025-01-01T00:00:00Z"})
    database.close()
    monkeypatch.undo()
    with Store.open(home) as store:
        assert store.trust.trusted("/p/a.py", "11")
        assert [(one.name, one.content) for one in store.trust.list()] == [("", "")]
