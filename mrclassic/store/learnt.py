"""What the model in use knows of the book, and what still waits to be learnt.

The one place that counts it, for the app and the shell alike. The app may load nothing that computes, so the manifest
(`model/manifest.py`) is read here as the JSON that it is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from mrclassic.book import Entry
from mrclassic.home import Home
from mrclassic.store import curation

if TYPE_CHECKING:
    from mrclassic.store import Store

MANIFEST = "mrclassic.json"


def waiting(store: Store, home: Home) -> list[Entry]:
    """The entries of the book that the model in use has not learnt."""
    return curation.waiting(home, known(store, home))


def known(store: Store, home: Home) -> frozenset[str]:
    """The hashes of the entries that the model in use was trained on; none while nothing has hatched.

    Of a damaged checkpoint its nearest whole ancestor answers, so that is whose knowledge counts.
    """
    used = store.checkpoints.in_use()
    for row in store.checkpoints.lineage(used.id) if used else ():
        found = book_of(home.checkpoints / row.path)
        if found is not None:
            return found
    return frozenset()


def book_of(path: Path) -> frozenset[str] | None:
    """The entries that a checkpoint lists; None where it cannot be read.

    Files are held against their sizes only: their sha256 is the mind's to compute, once, when it loads them.
    """
    try:
        facts = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        if any((path / name).stat().st_size != size for name, (size, _) in facts["files"].items()):
            return None
        return frozenset(facts["book"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
