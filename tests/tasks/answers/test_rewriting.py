"""Golds written in other ways stay right, changed golds are wrong: thousands of each, from the published answers."""

from __future__ import annotations

import random

import pytest
from published import DATA, needs
from rewriting import mutated, rewritten

from mrclassic.tasks import math, rows
from mrclassic.tasks.answers import find, judge, verify


@pytest.fixture(scope="module")
def golds() -> list[str]:
    task = math.task(DATA / "math")
    return [task.row(row).answer for path in task.files for _, row in rows.read(path)]


@needs("math")
def test_every_published_gold_is_right_against_itself(golds: list[str]) -> None:
    task = math.task(DATA / "math")
    assert len(golds) == 4_850
    assert task.faults == ()
    for path in task.files:
        for _, row in rows.read(path):
            item = task.row(row)
            assert verify(item.answer, item.answer).verdict == "right"
            assert task.check(item, str(row["solution"])).verdict == "right", item.answer


@needs("math")
def test_rewritten_golds_are_right_and_mutated_ones_wrong(golds: list[str]) -> None:
    rng, rewritten_count, mutated_count = random.Random(1), 0, 0
    for gold in golds * 2:
        text = rewritten(gold, rng)
        assert judge(gold, text).verdict == "right", (gold, text)
        rewritten_count += gold not in text
        wrong = mutated(gold, rng)
        if wrong is not None:
            judgement = judge(gold, wrong)
            assert judgement.verdict == "wrong", (gold, wrong)
            assert judgement.found, (gold, wrong)
            mutated_count += 1
    assert rewritten_count >= 1_000
    assert mutated_count >= 1_000


@needs("math_verifier")
def test_what_real_models_wrote() -> None:
    folder = DATA / "math_verifier"
    for _, row in rows.read(folder / "math_verify_model_outputs.jsonl"):
        assert judge(row["gold"], row["answer"]).verdict == "right", row
    agreed = total = 0
    for _, row in rows.read(folder / "qwen_math_cot_100.jsonl"):
        for response, score in zip(row["response"], row["score"], strict=True):
            total += 1
            agreed += (judge(row["gold"], response).verdict == "right") == score
    # Where they part, that grader's answer is the odd one: 10{,}000 is 10000.
    assert agreed >= 0.985 * total


@needs("math")
def test_a_worked_solution_has_its_answer_in_the_last_box() -> None:
    task = math.task(DATA / "math")
    for _, row in rows.read(DATA / "math" / "math500.jsonl"):
        assert verify(row["answer"], find(row["solution"]) or "").verdict == "right"
    assert {item.meta["subject"] for item in task.held_out("1", 200)} >= {"Algebra", "Prealgebra", "Number Theory"}
