"""bench verify and task check math, as a shell sees them."""

from __future__ import annotations

import json
from pathlib import Path

from homes import mrclassic

from mrclassic.home import Home


def write(path: Path, *rows: object) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_verify_on_rows_of_ones_own(home: Home, tmp_path: Path) -> None:
    rows = [("1/2", "0.5", True), ("x^2-1", "(x-1)(x+1)", True), ("5", "6", False)]
    file = write(tmp_path / "f.jsonl", *({"answer": a, "completion": c, "right": right} for a, c, right in rows))
    code, facts, narration = mrclassic(home.root, "bench", "verify", "--file", file, "--json")
    assert code == 0, narration
    assert facts["rows"] == 3
    assert facts["ladder"] == {"right": 2, "accepted_right": 2, "wrong": 1, "accepted_wrong": 0, "errors": 0}
    assert facts["math_verify"]["right"] == 2
    assert facts["rows_per_s"] > 0


def test_verify_on_hostile_answers(home: Home) -> None:
    code, facts, narration = mrclassic(home.root, "bench", "verify", "--hostile", "40", "--json")
    assert code == 0, narration
    assert (facts["strings"], facts["above_2_s"]) == (40, 0)


def test_a_bad_row_is_one_sentence(home: Home, tmp_path: Path) -> None:
    file = write(tmp_path / "f.jsonl", {"answer": "1"})
    code, _, narration = mrclassic(home.root, "bench", "verify", "--file", file)
    assert code == 2
    assert "line 1" in narration


def test_task_check_math(home: Home, tmp_path: Path) -> None:
    file = write(
        tmp_path / "f.jsonl",
        {"answer": "\\frac{1}{2}", "completion": "ANSWER: 0.5"},
        {"answer": "5", "completion": "9^{9^{9^9}}"},
        {"problem": "Q", "solution": "\\boxed{(1,2]}", "level": "Level 2", "completion": "1<x\\le 2"},
        {"problem": "Q", "answer": "3", "completion": "\\boxed{4}"},
    )
    code, facts, narration = mrclassic(home.root, "task", "check", "math", "--file", file, "--json")
    assert code == 0, narration
    assert [row["verdict"] for row in facts] == ["right", "error", "right", "wrong"]
