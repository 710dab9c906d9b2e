"""Learning documents in a home: a run that was cut off goes on to the same weights, and only with the same notes."""

from __future__ import annotations

from pathlib import Path

import muted
import pytest

from mrclassic.errors import Refused
from mrclassic.home import Home
from mrclassic.night import documents as notes
from mrclassic.night.workplace import Workplace
from mrclassic.settings import load
from mrclassic.store import Store
from mrclassic.tasks.documents import shelf
from mrclassic.training import memories
from mrclassic.training.documents import Settings
from mrclassic.training.report import StepReport


def add(home: Home, path: Path, text: str) -> None:
    path.write_text(text)
    notes.add(home, [path], versions=3, teacher=None, say=lambda words: None)


@pytest.mark.slow
def test_a_run_that_was_cut_off_goes_on(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "ITEMS", 20)
    monkeypatch.setattr(memories, "ITEMS", 10)
    muted.hatch(home, learnt=True)
    add(home, tmp_path / "boxes.txt", "\n".join(f"Box {n} holds {n * n} pins." for n in range(3, 20)))
    settings = load(home, {"practice.tasks": "arithmetic:1", "device": "cpu"})
    with Store.open(home) as store:
        work = Workplace(home, settings, store, lambda words: None)
        own = Settings(batch=4, seed=3)
        whole = notes.learn(work, own, steps=2)
        assert not whole.promoted
        assert whole.before["documents:blank"] == 0.0

        def interrupt(report: StepReport) -> None:
            # By then the first update is whole; the loop would save it, as `save_seconds` says.
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            notes.learn(work, own, steps=2, watch=interrupt)
        run = whole.run + 1
        assert store.runs.get(run).status == "interrupted"
        add(home, tmp_path / "more.txt", "Anna plays the cello.")
        with pytest.raises(Refused, match="not those"):
            notes.learn(work, own, resume=run)
        shelf.find("more", home.documents).unlink()
        resumed = notes.learn(work, Settings(seed=9), resume=run)
        assert (resumed.run, resumed.steps, resumed.model_sha256) == (run, 2, whole.model_sha256)
