"""What holds for every example: it says what it is; each reward keeps the contract on any text, and takes no time. What
holds for curricula is in tests/curricula/test_all.py."""

from __future__ import annotations

import time
from typing import Any

import pytest
from examples import load
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic import shipped
from mrclassic.plugins.find import Plugin, in_file
from mrclassic.rewards.contract import Weighted, score
from mrclassic.rewards.metadata import metadata

EVERY = [each for path in sorted(shipped.folder("plugins").glob("*.py")) for each in in_file(path, "shipped")]
NAMES = [each.name for each in EVERY if each.kind == "reward"]
FUNCTIONS = {name: getattr(load(name), name) for name in NAMES}
PROSE = "The old man walked to the sea, and there he sat; he said: thank you, kind friend! What a day it was. "


def ask(name: str, *texts: str, **columns: Any) -> list[float | None]:
    prompt = [{"role": "user", "content": "Well?"}]
    scores = score([Weighted(name, FUNCTIONS[name])], [prompt] * len(texts), texts, columns)
    assert scores.faults == ()
    return list(scores.parts[name])


def test_there_are_some() -> None:
    assert len(NAMES) >= 4
    assert len([each for each in EVERY if each.kind == "curriculum"]) >= 2


@pytest.mark.parametrize("plugin", EVERY, ids=lambda plugin: plugin.name)
def test_it_is_listed_with_what_it_is_for(plugin: Plugin) -> None:
    assert f"`{plugin.name}.py`" in (shipped.folder("plugins") / "README.md").read_text()
    assert plugin.about


@pytest.mark.parametrize("name", NAMES)
def test_a_reward_says_how_it_is_used(name: str) -> None:
    assert f"--reward {name}" in (load(name).__doc__ or "")
    assert metadata(FUNCTIONS[name]).range == (0, 1)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(max_size=200) | st.lists(st.sampled_from(PROSE.split())).map(" ".join), min_size=1))
def test_any_text_gets_a_value_in_its_range_or_none(name: str, texts: list[str]) -> None:
    together = ask(name, *texts)
    assert together == [ask(name, text)[0] for text in texts]  # one answer has no bearing on another
    assert together == FUNCTIONS[name](completions=texts)  # as TRL asks about plain text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "text", ["a" * 50_000, "e" * 50_000, "a e " * 12_000, "!" * 50_000, "[" * 50_000, "A\n" * 25_000]
)
def test_no_answer_holds_it_up(name: str, text: str) -> None:
    begun = time.perf_counter()
    ask(name, text)
    assert time.perf_counter() - begun < 2.0


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_takes_no_time(name: str) -> None:
    texts = [f"{PROSE * 4}\n{number}" for number in range(256)]
    ask(name, *texts[:8])
    begun = time.perf_counter()
    ask(name, *texts)
    assert time.perf_counter() - begun < 1.0
