"""Hostile programs, on every backend that this machine offers: none is judged right, none leaves anything behind."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from sandbox import attacks_escape, attacks_resources, attacks_verdict, ordinary
from sandbox.assault import FAMILIES, HONEST, TESTS, assault
from sandbox.machine import BACKENDS

from mrclassic.sandbox.judge import Check, Judge


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_gets_through(backend: str, family: str, tmp_path: Path) -> None:
    outcomes, found = assault(backend, family, tmp_path)
    assert found == []
    if family == "resources":
        assert outcomes["one long call"].detail == outcomes["sleep"].detail == "out of time"
        assert "SIGSEGV" in outcomes["a segmentation fault"].detail


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_forged_frame_does_not_reach_the_next_check(backend: str) -> None:
    forger = attacks_verdict.ATTACKS["forge frames on every descriptor"]
    late = attacks_verdict.ATTACKS["a late frame"]
    mixed = [Check(text, TESTS["sort"], "f", seconds=1.0) for text in (forger, late) * 5]
    checks = [each for pair in zip(mixed, [HONEST[True], HONEST[False]] * 5, strict=True) for each in pair]
    with Judge(workers=1, backend=backend) as judge:
        verdicts = [each.verdict for each in judge.judge(checks)]
    assert verdicts == ["wrong", "right", "wrong", "wrong"] * 5


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="the whole suite already runs as an ordinary user")
def test_nothing_gets_through_from_an_ordinary_user() -> None:
    """Root becomes nobody before it starts a sandbox; here everything is an ordinary user's from the beginning."""
    done = ordinary.run("-m", "sandbox.assault")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "landlock" in found
    assert {name: each for name, each in found.items() if each and not each[0].startswith("absent")} == {}
    assert {name for name, each in found.items() if not each} == set(BACKENDS)


def test_no_attack_knows_an_answer() -> None:
    for texts in (attacks_verdict.ATTACKS, attacks_resources.ATTACKS, attacks_escape.ATTACKS):
        assert not [text for text in texts.values() if re.search(r"sorted\(|\.sort\(|1, 2, 3", text)]
