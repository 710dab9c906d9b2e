"""Programs with faults are judged wrong: all that differ for certain, and most of those with one small fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from published import DATA, needs
from sandbox import mutants

from mrclassic import shipped

PUBLISHED = [DATA / "humaneval/HumanEval.jsonl.gz", DATA / "mbpp/sanitized-mbpp.json"]
SAMPLES = [shipped.folder("data") / "tasks" / f"{name}.jsonl" for name in ("humaneval", "mbpp")]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_faults_in_the_sample_are_found(path: Path) -> None:
    different, faulty = mutants.drawn(path, "different"), mutants.drawn(path, "faulty", 60)
    assert different == {"wrong": different.total()}
    assert set(faulty) <= {"right", "wrong"}
    assert faulty["right"] < 0.2 * faulty.total()  # some faults change nothing: x <= 0 for x < 0 in max(0, x)


@pytest.mark.slow
@needs("humaneval/HumanEval.jsonl.gz")
@needs("mbpp/sanitized-mbpp.json")
def test_a_thousand_programs_that_differ_are_wrong() -> None:
    different = mutants.drawn(PUBLISHED[0], "different") + mutants.drawn(PUBLISHED[1], "different", 600)
    assert different == {"wrong": 124 * 4 + 600}
