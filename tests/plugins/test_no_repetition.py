"""The example plugin, called as any reward is called."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from mrclassic import shipped
from mrclassic.rewards.contract import Weighted, score


@pytest.fixture(scope="module")
def plugin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("no_repetition", shipped.folder("plugins") / "no_repetition.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_keeps_the_contract(plugin: ModuleType) -> None:
    completions = [
        "A good answer says each thing once.",
        "tea and toast and tea and toast and tea and toast",
        "Tea.",
        "",
    ]
    prompts = [[{"role": "user", "content": "What is for breakfast?"}]] * len(completions)
    columns = {"answer": ["toast"] * len(completions)}
    scores = score([Weighted("no_repetition", plugin.no_repetition, 0.5)], prompts, completions, columns)
    assert scores.faults == ()
    fresh, circling, short, empty = scores.parts["no_repetition"]
    assert (fresh, short, empty) == (1.0, 1.0, 1.0)
    # Nine runs of three words, of which four are different.
    assert circling == pytest.approx(4 / 9)
    assert scores.total == tuple(0.5 * value for value in scores.parts["no_repetition"] if value is not None)


def test_it_reads_plain_texts_too(plugin: ModuleType) -> None:
    """As TRL hands them over for prompts that are plain text."""
    assert plugin.no_repetition(completions=["one two three one two three", "one two"], prompts=["", ""]) == [0.75, 1.0]
