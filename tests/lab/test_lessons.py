"""The experiment on lessons in its short form, on a micro model that knows a small book."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pupils
import pytest

from mrclassic.home import Home
from mrclassic.lab import lessons
from mrclassic.lab.experiment import Options
from mrclassic.lab.ground import Ground
from mrclassic.lab.lessons import TAUGHT
from mrclassic.lab.run import carry_out
from mrclassic.night.workplace import Workplace
from mrclassic.settings import Settings
from mrclassic.store import Store
from mrclassic.training.suites import RECALL, SuiteResult


@pytest.fixture
def ground(home: Home) -> Iterator[Ground]:
    name = pupils.settle(home, ())
    settings = Settings.model_validate({"threads": 1, "lesson": {"batch": 32, "learning_rate": 0.01}})
    with Store.open(home) as store:
        work = Workplace(home, settings, store, lambda words: None)
        yield Ground(work, work.parent().policy, name)


def test_lessons_teach_and_keep_where_single_examples_forget(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lessons, "answers", lambda: list(pupils.NEW))
    monkeypatch.setattr(lessons, "PICKS", 1)
    results, findings = carry_out(lessons, ground, Options(seeds=1))  # type: ignore[arg-type]
    taught, single = results
    assert (taught.arm, taught.trained, single.arm, single.trained) == ("lessons", 2, "single", 2)
    assert taught.after[TAUGHT].score == 1.0
    assert taught.after[RECALL].score == 1.0
    assert single.after[RECALL].score < 1.0
    assert taught.values("recall")[-1] == 1.0
    assert all(0 <= share <= 1 for result in results for share in result.values("drawn/after"))
    assert taught.values("drawn/before")[0] < taught.values("drawn/after")[0]
    held = {finding.claim: finding.held for finding in findings}
    assert held["after ten lessons all that was taught is known"]
    assert held["the rest of the book stays known (99% and more)"]

    worse = replace(taught, after={**taught.after, RECALL: SuiteResult(RECALL, (0.0,) * 6, ("",) * 6)})
    held = {finding.claim: finding.held for finding in lessons.findings([worse], ground)}
    assert held["the rest of the book stays known (99% and more)"] is False
