"""Three strikes, counted in plain data."""

from __future__ import annotations

import json
from typing import Any

from mrclassic.rewards.contract import Scores, Weighted, score
from mrclassic.rewards.standing import Standing

asked: list[int] = []


def sound(completions: Any, **columns: Any) -> list[float]:
    return [1.0] * len(completions)


def sometimes(completions: Any, fail: bool, **columns: Any) -> list[float]:
    asked.append(1)
    if fail:
        raise ValueError("not today")
    return [5.0] * len(completions)


def batch(standing: Standing, fail: bool = True) -> Scores:
    rewards = [Weighted("sound", sound), Weighted("sometimes", sometimes)]
    return score(rewards, [[]] * 2, ["a", "b"], {"fail": fail}, standing=standing)


def test_the_third_fault_is_the_last() -> None:
    asked.clear()
    standing = Standing()
    first, fine, second = batch(standing), batch(standing, fail=False), batch(standing)
    assert first.faults == second.faults == ("reward sometimes: it raised ValueError: not today",)
    assert fine.total == (6.0, 6.0)
    assert standing.quarantined == ()
    third = batch(standing)
    assert third.faults == (
        "reward sometimes: it raised ValueError: not today; that is 3 times, so it abstains from now on",
    )
    assert standing.quarantined == ("sometimes",)
    later = batch(standing, fail=False)
    assert later.faults == ()
    assert later.total == (1.0, 1.0)
    assert later.parts["sometimes"] == (None, None)
    assert len(asked) == 4


def test_a_resumed_run_keeps_the_count() -> None:
    facts: dict[str, Any] = {}
    batch(Standing(facts.setdefault("strikes", {})))
    batch(Standing(facts.setdefault("strikes", {})))
    resumed = json.loads(json.dumps(facts))
    assert "abstains from now on" in batch(Standing(resumed["strikes"])).faults[0]
    asked.clear()
    batch(Standing(resumed["strikes"]))
    assert not asked


def test_one_odd_value_counts_as_a_fault_too() -> None:
    standing = Standing()
    odd = [Weighted("odd", lambda completions, **columns: [1.0, float("nan")])]
    totals = [score(odd, [[]] * 2, ["a", "b"], {}, standing=standing).total for _ in range(4)]
    assert totals == [(1.0, None)] * 3 + [(None, None)]
