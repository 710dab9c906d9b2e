"""Small models with random weights, for tests that need some model and not a good one. They speak gibberish."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mrclassic.home import Home
from mrclassic.model import checkpoint
from mrclassic.model.policy import Policy
from mrclassic.store import Checkpoint, Store

_TEXTS = ("Hello. Good morning, how are you today? I am well, thank you; words and more words.",) * 3


@cache
def baby(seed: int = 0) -> Policy:
    """A `tiny` policy that nobody has trained."""
    return Policy.fresh("tiny", _TEXTS, seed=seed)


def hatch(home: Home, name: str = "baby-1", parent: str | None = None, seed: int = 0) -> Path:
    """Put a random checkpoint into use in `home`; returns its folder."""
    home.ensure()
    folder = home.checkpoints / name
    facts = checkpoint.save(baby(seed), folder, parent=parent)
    with Store.open(home) as store:
        row = Checkpoint(
            name, name, parent, status="promoted", parameters=facts.parameters, model_sha256=facts.model_sha256
        )
        store.checkpoints.add(row)
        store.checkpoints.use(name)
    return folder
