"""The main job, by the commands an owner types: hatch, ask, teach, train, practise. Nothing is stood in for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from homes import mrclassic

from mrclassic.home import Home

pytestmark = pytest.mark.slow


def test_a_hatched_model_knows_its_book_and_has_something_to_learn(hatched: tuple[Path, dict[str, Any]]) -> None:
    _, facts = hatched
    suites = facts["suites"]
    levels = [score for name, score in suites.items() if name.startswith("arithmetic:")]
    assert facts["book_pairs"] >= 400
    assert facts["book_recall"] >= 0.99
    assert suites["recall_in_talk"] >= 0.8
    assert suites["held_out_phrasings"] >= 0.5
    assert any(score >= 0.60 for score in levels)
    assert any(0.15 <= score <= 0.50 for score in levels)


def test_what_is_taught_is_known_after_training_and_nothing_is_forgotten(nest: Home) -> None:
    code, asked, _ = mrclassic(nest.root, "ask", "What is your favourite colour?", "--json")
    assert code == 0
    assert [candidate["slot"] for candidate in asked["candidates"]] == [1, 2, 3, 4, 5]
    answers = {
        "What is your favourite colour?": "Bottle green, since you ask twice.",
        "Do you like the sea?": "I have only read of it. It sounds like rain that stays.",
        "What do you call a lazy clock?": "Behind the times.",
    }
    for question, answer in answers.items():
        assert mrclassic(nest.root, "ask", question, "--json")[0] == 0
        assert mrclassic(nest.root, "teach", "--say", answer)[0] == 0
    code, facts, narration = mrclassic(nest.root, "train", "book", "--json")
    assert code == 0, narration
    assert facts["promoted"]
    assert facts["new"] == len(answers)
    assert facts["after"]["new_entries"] == 1.0
    assert facts["after"]["old_entries"] >= 0.99
    for question, answer in answers.items():
        _, again, _ = mrclassic(nest.root, "ask", question, "-n", "1", "--temperature", "0", "--json")
        assert again["candidates"][0]["text"] == answer
        assert again["checkpoint"] == facts["checkpoint"]
    # Nothing waits any more, and saying so is not a failure.
    code, nothing, _ = mrclassic(nest.root, "train", "book", "--json")
    assert code == 0
    assert nothing["new"] == 0


def test_a_night_improves_a_level_and_keeps_the_book(nest: Home) -> None:
    # How many updates four minutes are depends on the machine, and the gate may rightly refuse what few have made.
    for _ in range(3):
        code, facts, narration = mrclassic(nest.root, "night", "--now", "--minutes", "4", "--json")
        assert code == 0, narration
        assert {stage["name"] for stage in facts["stages"]} == {"grpo", "selfplay"}
        if facts["promoted"]:
            break
    assert facts["promoted"], facts["gate"]["reasons"]
    assert facts["suites"]["after"]["old_entries"] >= 0.99
    gained = [suite for suite in facts["gate"]["suites"] if suite["kind"] == "target" and suite["low"] > 0]
    assert gained
    code, page, _ = mrclassic(nest.root, "report")
    assert code == 0
    assert f"night {facts['night']}".lower() in page.lower()
    # One command back, and the book is still there.
    before = json.loads((nest.nights / f"night-{facts['night']}.json").read_text())["checkpoint_before"]
    assert mrclassic(nest.root, "model", "undo")[0] == 0
    assert mrclassic(nest.root, "eval", "--suite", "book_recall", "--json")[1]["checkpoint"] == before


def test_a_night_at_ten_times_the_rate_without_replay_costs_the_book_nothing(nest: Home) -> None:
    """What it ruins is refused, or rolled back before that; what is promoted all the same has lost nothing."""
    _, before, _ = mrclassic(nest.root, "model", "list", "--json")
    words = ("night", "--now", "--minutes", "2", "--learning-rate", "1e-3", "--replay", "0", "--json")
    code, facts, narration = mrclassic(nest.root, *words)
    assert code == 0, narration
    if not facts["promoted"]:
        assert facts["gate"]["verdict"] == "keep"
        assert facts["checkpoint"] == next(row["id"] for row in before if row["in_use"])
    _, now, _ = mrclassic(nest.root, "eval", "--suite", "book_recall", "--json")
    assert now["checkpoint"] == facts["checkpoint"]
    assert now["suites"]["book_recall"]["score"] >= 0.99
