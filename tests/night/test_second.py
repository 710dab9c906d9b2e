"""The second verifier: it agrees with right answers, doubts what was paid for wrongly, and then the gate refuses."""

from __future__ import annotations

import random

import pytest

from mrclassic.home import Home
from mrclassic.night import second
from mrclassic.night.gate import GateVerdict
from mrclassic.store import Store
from mrclassic.store.runs import Sample
from mrclassic.tasks import arithmetic, knights
from mrclassic.tasks.base import Item


def paid(task: str, question: str, answer: str, completion: str) -> Sample:
    detail = {"task": task, "answer": answer, "rewards": {"correct": 1.0}}
    return Sample(1, 1, 1, question, completion, 1.0, detail, "")


def worked(task: str, item: Item) -> Sample:
    return paid(task, item.question, item.answer, item.trace)


@pytest.mark.parametrize("level", arithmetic.levels)
def test_it_agrees_with_worked_sums(level: str) -> None:
    rng = random.Random(level)
    found = second.of(worked("arithmetic", arithmetic.sample(rng, level)) for _ in range(50))
    assert (found.asked, found.doubted, found.refusal) == (50, (), None)


def test_it_agrees_with_worked_puzzles() -> None:
    task, rng = knights.task(None), random.Random(3)
    found = second.of(worked("knights", task.sample(rng, "3")) for _ in range(20))
    assert (found.asked, found.doubted) == (20, ())


@pytest.mark.parametrize(
    ("task", "question", "answer", "completion", "agrees"),
    [
        ("arithmetic", "What is 47 + 85?", "132", "so 132.", True),
        ("arithmetic", "What is 47 + 85?", "133", "so 133.", False),
        ("arithmetic", "What is 47 + 85?", "132", "132, I hope", False),
        ("arithmetic", "What is 85 - 47?", "38", "-38", False),
        ("arithmetic", "What is 85 - 47?", "38", "1,38", False),
        ("gsm8k", "How many?", "18", "So she has $18 left.", True),
        ("gsm8k", "How many?", "1/2", "0.5", True),
        ("gsm8k", "How many?", "18", "So 17 or so.", False),
        ("math", "Solve.", "\\frac{1}{2}", "\\boxed{0.5}", True),
        ("math", "Solve.", "3", "\\boxed{4}", False),
        ("knights", "Who?", "ANSWER: (1) Zoey is a knight (2) Al is a knave.",
         "I think. ANSWER: (1) Zoey is a knight (2) Al is a knight.", False),
    ],
)  # fmt: skip
def test_by_other_means(task: str, question: str, answer: str, completion: str, agrees: bool) -> None:
    found = second.of([paid(task, question, answer, completion)])
    assert found.asked == 1
    assert (not found.doubted) == agrees


def test_a_night_whose_reward_paid_for_nonsense_is_refused(home: Home) -> None:
    promoted = GateVerdict("promote", ("arithmetic:3 gained",))
    with Store.open(home) as store:
        night = store.nights.start({})
        run = store.runs.start("grpo", {}, None, night)
        for a in range(60):
            wrong = a % 5 == 0
            detail = {"task": "arithmetic", "answer": str(a + 1 + wrong), "rewards": {"correct": 1.0}}
            store.runs.sample(run, a, f"What is {a} + 1?", f"so {a + 1 + wrong}.", 1.0, detail)
        verdict = second.confirmed(promoted, store, night)
        assert verdict.verdict == "keep"
        assert "A second verifier agrees with" in verdict.reasons[0]
        assert "of 50 answers" in verdict.reasons[0]
        # What was not paid, or what nobody else can judge, says nothing.
        other = store.nights.start({})
        run = store.runs.start("grpo", {}, None, other)
        for a in range(60):
            store.runs.sample(
                run,
                a,
                f"What is {a} + 1?",
                "so 7.",
                0.0,
                {"task": "arithmetic", "answer": "7", "rewards": {"correct": 0.0}},
            )
            store.runs.sample(
                run, a, "Rhyme!", "so 7.", 1.0, {"task": "rhyme", "answer": "7", "rewards": {"correct": 1.0}}
            )
        assert second.opinion(store, other).asked == 0
        assert second.confirmed(promoted, store, other) == promoted
