"""The sentinel: every rule objects to what it is for, in words, and none to a healthy run."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.training.report import StepReport
from mrclassic.training.sentinel import REINFORCED, SUPERVISED, WINDOW, Sentinel, Verdict


def healthy(step: int, rng: random.Random) -> dict[str, float]:
    """A good night: reward climbs, answers stay as long as they were, the distance grows a little."""
    return {
        "loss": 0.01,
        "reward": min(0.9, 0.2 + step * 0.003) + rng.uniform(-0.02, 0.02),
        "frac_reward_zero_std": 0.3 + rng.uniform(-0.2, 0.2),
        "completions/clipped_ratio": 0.02,
        "completions/mean_length": 30 + rng.uniform(-5, 5),
        "entropy": 0.4 - min(0.2, step * 0.0005),
        "kl": min(0.05, step * 0.0002),
        "grad_norm": 0.5,
    }


def first_objection(
    change: object = None, *, steps: int = 300, begin: int = 60, rules: tuple = REINFORCED
) -> tuple[int, Verdict] | None:
    """The step at which the sentinel first says anything else than continue; `change` is applied from `begin` on."""
    sentinel, rng = Sentinel(rules), random.Random(1)
    for step in range(steps):
        metrics, applied = healthy(step, rng), True
        if change is not None and step >= begin:
            told = change(step - begin, metrics)  # type: ignore[operator]
            applied = told is not False
        verdict = sentinel.judge(StepReport(step + 1, metrics, applied=applied))
        if verdict.action != "continue":
            return step, verdict
    return None


def setting(**values: float):  # type: ignore[no-untyped-def]
    renamed = {name.replace("__", "/"): value for name, value in values.items()}

    def change(since: int, metrics: dict[str, float]) -> None:
        metrics.update(renamed)

    return change


def discarded(since: int, metrics: dict[str, float]) -> bool:
    metrics["grad_norm"] = math.nan
    return since not in (0, 12, 30)


@pytest.mark.parametrize("rules", [REINFORCED, SUPERVISED])
def test_a_healthy_run_hears_nothing(rules: tuple) -> None:
    assert first_objection(rules=rules, steps=2500) is None


@pytest.mark.parametrize(
    ("change", "action", "rule", "within"),
    [
        (discarded, "roll back", "nan", 31),
        (setting(frac_reward_zero_std=0.95, reward=0.99), "pause", "zero_std", WINDOW),
        (setting(frac_reward_zero_std=0.95, reward=0.01), None, None, WINDOW),
        (setting(completions__clipped_ratio=0.3), "pause", "truncated", WINDOW),
        (setting(completions__clipped_ratio=0.9), None, "truncated", WINDOW),
        (setting(completions__mean_length=70, reward=0.2), "pause", "length", WINDOW),
        (setting(entropy=2.0, reward=0.1), "roll back", "entropy", WINDOW),
        (setting(entropy=0.001, reward=0.2), "roll back", "entropy", WINDOW),
        (setting(kl=0.9), "roll back", "kl", WINDOW // 2),
        (setting(reward=0.1), "roll back", "reward", 2 * WINDOW),
    ],
)
def test_each_rule_fires_on_what_it_is_for(change: object, action: str | None, rule: str | None, within: int) -> None:
    found = first_objection(change)
    assert found is not None
    step, verdict = found
    assert 60 <= step < 60 + within
    assert rule is None or verdict.rule == rule
    assert verdict.action in ("pause", "roll back")
    assert action is None or verdict.action == action
    assert verdict.message.endswith(".")
    assert len(verdict.message) > 20


def test_a_reward_that_drifts_down_slowly_is_noticed() -> None:
    """The night that was lost: reward from 0.7 to 0.15 over a hundred updates while answers grew longer."""

    def drift(since: int, metrics: dict[str, float]) -> None:
        metrics["reward"] = max(0.15, 0.7 - since * 0.006)
        metrics["completions/mean_length"] = 30 + since * 0.3
        metrics["frac_reward_zero_std"] = min(0.9, 0.3 + since * 0.005)

    found = first_objection(drift, begin=0)
    assert found is not None
    assert found[0] < 130


def test_one_odd_update_stops_nothing() -> None:
    odd = setting(
        frac_reward_zero_std=1.0,
        completions__clipped_ratio=1.0,
        completions__mean_length=200,
        entropy=9,
        kl=3,
        reward=0,
    )
    assert first_objection(lambda since, metrics: odd(since, metrics) if since == 0 else None) is None


def test_two_discarded_updates_stop_nothing_and_old_ones_are_forgotten() -> None:
    assert first_objection(lambda since, metrics: since not in (0, 20)) is None
    assert first_objection(lambda since, metrics: since not in (0, 60, 120, 180)) is None


def test_the_first_update_is_looked_at_at_once() -> None:
    found = first_objection(setting(completions__clipped_ratio=0.97), begin=0)
    assert found is not None
    assert (found[0], found[1].action, found[1].rule) == (0, "warn", "truncated")
    found = first_objection(setting(frac_reward_zero_std=1.0), begin=0)
    assert found is not None
    assert (found[0], found[1].action, found[1].rule) == (0, "warn", "zero_std")


def supervised(losses: list[float]) -> Verdict:
    sentinel = Sentinel(SUPERVISED)
    verdicts = [sentinel.judge(StepReport(at + 1, {"loss": loss})) for at, loss in enumerate(losses)]
    return next((verdict for verdict in verdicts if verdict.action != "continue"), verdicts[-1])


def test_a_supervised_loss_that_explodes_is_rolled_back_and_one_that_falls_is_not() -> None:
    falling = [6 * 0.98**at for at in range(200)]
    assert supervised(falling).action == "continue"
    assert supervised([0.3 * 0.99**at for at in range(60)] + [5.0] * WINDOW).rule == "loss"
    assert supervised([0.3] * 60 + [9.0] + [0.3] * 60).action == "continue"


def test_a_state_is_good_only_after_an_applied_update_near_the_best_reward() -> None:
    sentinel = Sentinel(REINFORCED)
    assert not sentinel.healthy()
    sentinel.judge(StepReport(1, {"reward": 0.5}))
    assert sentinel.healthy()
    sentinel.judge(StepReport(2, {"reward": 0.5}, applied=False))
    assert not sentinel.healthy()
    for step in range(60):
        sentinel.judge(StepReport(3 + step, {"reward": 0.5}))
    assert sentinel.healthy()
    for step in range(WINDOW):
        sentinel.judge(StepReport(63 + step, {"reward": 0.4}))
    assert not sentinel.healthy()


@settings(max_examples=60, deadline=None)
@given(
    history=st.lists(
        st.dictionaries(
            st.sampled_from(["reward", "loss", "kl", "entropy", "frac_reward_zero_std", "completions/mean_length"]),
            st.floats() | st.floats(0, 1),
        ),
        max_size=70,
    )
)
def test_whatever_the_numbers_there_is_a_verdict(history: list[dict[str, float]]) -> None:
    sentinel = Sentinel((*REINFORCED, *SUPERVISED))
    for at, metrics in enumerate(history):
        verdict = sentinel.judge(StepReport(at + 1, metrics))
        assert verdict.action in ("continue", "warn", "pause", "roll back")
        assert (verdict.action == "continue") == (verdict.rule == "")
        sentinel.healthy()
