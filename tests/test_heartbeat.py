"""The night's heartbeat: seen by whoever looks, and in nobody's way."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mrclassic import heartbeat


@pytest.fixture(autouse=True)
def heartless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose heart has not begun."""
    monkeypatch.setattr(heartbeat, "_heart", None)


def test_a_beat_is_seen_and_a_silence_is_too(tmp_path: Path) -> None:
    path = tmp_path / "beat"
    assert heartbeat.pulse(path) == (0, "")
    heartbeat.begin(path)
    first = heartbeat.pulse(path)
    assert first[1] == ""
    time.sleep(0.6)
    heartbeat.beat("grpo: update 1 of 300")
    second = heartbeat.pulse(path)
    assert second[0] > first[0]
    assert second[1] == "grpo: update 1 of 300"
    heartbeat.beat("at once again says nothing new")
    assert heartbeat.pulse(path) == second
    time.sleep(0.6)
    heartbeat.beat("short")
    assert heartbeat.pulse(path)[1] == "short"


def test_any_words_fit(tmp_path: Path) -> None:
    heartbeat.begin(tmp_path / "beat")
    time.sleep(0.6)
    heartbeat.beat("ü\n" * 500)
    assert (tmp_path / "beat").stat().st_size == 120
    assert heartbeat.pulse(tmp_path / "beat")[1].startswith("ü ü ü")


def test_without_a_heart_a_beat_is_nothing() -> None:
    heartbeat.beat("nobody listens")


def test_a_beat_costs_next_to_nothing(tmp_path: Path) -> None:
    heartbeat.begin(tmp_path / "beat")
    begun = time.perf_counter()
    for _ in range(10_000):
        heartbeat.beat("update")
    assert time.perf_counter() - begun < 0.5
