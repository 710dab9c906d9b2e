"""Practice by a learned taste: the sentinel says when the guess is pleased beyond what it was learned from."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.training.report import StepReport
from mrclassic.training.sentinel import PLEASED, REINFORCED, WINDOW, Sentinel

FIRST = {
    "rewards/taste/mean": 0.5, "rewards/taste/best": 0.7, "logged/taste/apart": 0.2, "kl": 0.05, "reward": 0.5,
    "completions/mean_length": 12.0, "completions/clipped_ratio": 0.0, "grad_norm": 0.3, "entropy": 1.0,
    "frac_reward_zero_std": 0.1,
}  # fmt: skip


def verdicts(change: dict[str, float], rules=PLEASED, updates: int = 3 * WINDOW) -> list[tuple[str, str, str]]:  # type: ignore[no-untyped-def]
    """What is said of a run in which the metrics go from `FIRST` to `change` after a window of updates."""
    sentinel, said = Sentinel(rules), []
    for step in range(1, updates + 1):
        metrics = FIRST if step <= WINDOW else {**FIRST, **change}
        verdict = sentinel.judge(StepReport(step, metrics))
        if verdict.action != "continue":
            said.append((verdict.action, verdict.rule, verdict.message))
    return said


@pytest.mark.parametrize(
    ("change", "action", "rule", "words"),
    [
        ({"rewards/taste/mean": 0.72, "reward": 0.72}, "pause", "beyond_taste", "best of a group was 0.70 at first"),
        ({"logged/taste/apart": 0.5}, "roll back", "apart", "times as far apart as at first"),
        ({"kl": 0.25}, "pause", "kl", "for a learned taste 0.2 are enough"),
        ({"completions/mean_length": 30.0, "reward": 0.65, "rewards/taste/mean": 0.65}, "pause", "length", "grew"),
    ],
)
def test_each_rule_says_what_it_saw(change: dict[str, float], action: str, rule: str, words: str) -> None:
    first = verdicts(change)[0]
    assert first[:2] == (action, rule)
    assert words in first[2]
    assert verdicts(change, REINFORCED) == [], "a reward that does not lie may go as far as this"


@given(
    mean=st.floats(0.4, 0.69),
    apart=st.floats(0.05, 0.39),
    kl=st.floats(0.0, 0.19),
    length=st.floats(8.0, 23.0),
)
@settings(max_examples=25, deadline=None)
def test_within_its_limits_practice_goes_on(mean: float, apart: float, kl: float, length: float) -> None:
    change = {
        "rewards/taste/mean": mean, "reward": mean, "logged/taste/apart": apart, "kl": kl,
        "completions/mean_length": length,
    }  # fmt: skip
    assert verdicts(change, [rule for rule in PLEASED if rule not in REINFORCED]) == []
