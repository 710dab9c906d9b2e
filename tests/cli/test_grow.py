"""model grow, as a shell sees it: a candidate that says what its parent says, and goes on from where that was."""

from __future__ import annotations

import json

import babies
import torch
from homes import mrclassic

from mrclassic.home import Home
from mrclassic.model import checkpoint
from mrclassic.model.manifest import verify
from mrclassic.store import Checkpoint, Store
from mrclassic.training.rows import row
from mrclassic.training.state import State
from mrclassic.training.supervised import start, update
from mrclassic.training.trainee import Schedule, Trainee


def trained(home: Home) -> str:
    """A checkpoint with moments, a book list and a score."""
    state = State(Trainee(babies.baby(), torch.float32), 0)
    shown = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "I am well, thank you."}]
    update(state, [row(babies.baby().tokenizer, shown, 512)], Schedule(1e-3, 10, 1))
    facts = checkpoint.save(
        state.trainee.full_policy(),
        home.checkpoints / "first",
        book=("one", "two"),
        metrics={"book_recall": 0.5},
        state=state.trainee.tensors(),
    )
    with Store.open(home) as store:
        more = {"parameters": facts.parameters, "model_sha256": facts.model_sha256, "metrics": {"book_recall": 0.5}}
        store.checkpoints.add(Checkpoint("first", "first", None, **more))
        store.checkpoints.use("first")
    return "first"


def test_grow(home: Home) -> None:
    parent = trained(home)
    code, facts, narration = mrclassic(home.root, "model", "grow", "--to", "small", "--seed", "3", "--json")
    assert code == 0, narration
    assert (facts["parent"], facts["moments"], facts["shape"]["hidden"]) == (parent, True, 384)
    assert facts["difference"] < 1e-4
    folder = home.checkpoints / facts["checkpoint"]
    found = verify(folder)
    assert (found.method, found.parent, found.book) == ("grow", parent, ("one", "two"))
    with Store.open(home) as store:
        entered = store.checkpoints.get(facts["checkpoint"])
        used = store.checkpoints.in_use()
    assert (entered.status, entered.metrics, entered.model_sha256) == (
        "candidate",
        {"book_recall": 0.5},
        found.model_sha256,
    )
    assert used is not None
    assert used.id == parent, "it answers only when it is told to"
    grown = checkpoint.load(folder, "cpu")
    saved = checkpoint.load_state(folder)
    assert saved is not None
    state = start(grown, 0, torch.float32, saved[0])
    assert float(state.trainee.optimizer.state("blocks.0.down")["exp_avg"].abs().sum()) > 0
    assert json.loads((folder / "config.json").read_text())["rms_norm_eps"] < 1e-5
