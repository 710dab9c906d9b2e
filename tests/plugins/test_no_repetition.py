"""`no_repetition`, called as any reward is called."""

from __future__ import annotations

import pytest
from examples import load

from mrclassic.rewards.contract import Weighted, score

no_repetition = load("no_repetition").no_repetition


def test_it_keeps_the_contract() -> None:
    completions = [
        "A good answer says each thing once.",
        "tea and toast and tea and toast and tea and toast",
        "Tea.",
        "",
    ]
    prompts = [[{"role": "user", "content": "What is for breakfast?"}]] * len(completions)
    columns = {"answer": ["toast"] * len(completions)}
    scores = score([Weighted("no_repetition", no_repetition, 0.5)], prompts, completions, columns)
    assert scores.faults == ()
    fresh, circling, short, empty = scores.parts["no_repetition"]
    assert (fresh, short, empty) == (1.0, 1.0, 1.0)
    # Nine runs of three words, of which four are different.
    assert circling == pytest.approx(4 / 9)
    assert scores.total == tuple(0.5 * value for value in scores.parts["no_repetition"] if value is not None)


def test_it_reads_plain_texts_too() -> None:
    """As TRL hands them over for prompts that are plain text."""
    assert no_repetition(completions=["one two three one two three", "one two"], prompts=["", ""]) == [0.75, 1.0]
