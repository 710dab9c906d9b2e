"""bench sandbox and the doctor's line, as a shell sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from homes import mrclassic
from sandbox.machine import BACKENDS

from mrclassic.cli import doctor
from mrclassic.home import Home
from mrclassic.sandbox import backends

ROW = {
    "prompt": 'def double(x):\n    """Twice x."""\n',
    "entry_point": "double",
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}


def test_every_backend_is_measured(home: Home) -> None:
    """Without a dataset in the home, on the sample."""
    code, facts, narration = mrclassic(home.root, "bench", "sandbox", "--json")
    assert code == 0, narration
    assert [fact["backend"] for fact in facts] == list(backends.BACKENDS)
    for fact in facts:
        if fact["backend"] in BACKENDS:
            assert fact["right"] == fact["judged"] >= 120
            assert fact["problems"] == 18
            assert fact["problems_per_s"] > 5
        else:
            assert fact["why"]


def test_rows_without_a_reference_are_refused(home: Home, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({**ROW, "canonical_solution": ""}) + "\n")
    code, _, narration = mrclassic(home.root, "bench", "sandbox", "--file", str(rows))
    assert code == 2
    assert "canonical_solution" in narration


def test_the_doctor_says_what_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    check = doctor._sandbox()
    assert check.ok == bool(BACKENDS)
    assert all(name in check.detail for name in BACKENDS)
    monkeypatch.setattr(backends, "fault", lambda name: f"No {name} here.")
    assert doctor._sandbox() == doctor.Check(
        "sandbox",
        False,
        "bubblewrap: No bubblewrap here. landlock: No landlock here.",
        "Install bubblewrap (apt-get install bubblewrap) or a kernel with Landlock; until then no code is practised.",
    )
