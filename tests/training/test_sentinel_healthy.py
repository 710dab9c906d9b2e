"""No rule stops a healthy run: of any length, from any beginning, with the noise of small and large updates."""

from __future__ import annotations

import random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from traces import Shape, objection

from mrclassic.training.report import StepReport
from mrclassic.training.sentinel import REINFORCED, SELF_PLAYED, SUPERVISED, Sentinel

healthy_shapes = st.builds(
    lambda start, gain, spread, length, entropy, sure, kl, clipped, missing, updates, completions: Shape(
        reward=(start, min(0.97, start + gain)),
        spread=(spread, min(0.6, spread + 0.2)),
        length=(length, length * 1.3),
        entropy=(entropy, entropy * sure),
        kl=kl,
        clipped=clipped,
        not_found=(missing, missing * 0.5),
        updates=updates,
        completions=completions,
    ),
    start=st.floats(0.1, 0.6),
    gain=st.floats(0.15, 0.6),
    spread=st.floats(0.05, 0.5),
    length=st.floats(8, 400),
    entropy=st.floats(0.02, 1.5),
    sure=st.floats(0.02, 1.1),
    kl=st.floats(0, 0.3),
    clipped=st.floats(0, 0.12),
    missing=st.floats(0, 0.3),
    updates=st.integers(100, 1500),
    completions=st.sampled_from([64, 256, 512]),
)


@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(shape=healthy_shapes, seed=st.integers(0, 2**32))
def test_a_run_that_learns_hears_nothing(shape: Shape, seed: int) -> None:
    rng = random.Random(seed)
    found = objection(shape=shape, steps=400, seed=seed, look=lambda step: shape.look(step, rng), warnings=False)
    assert found is None, found


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(level=st.floats(0.15, 0.9), completions=st.sampled_from([64, 256]), seed=st.integers(0, 2**32))
def test_a_run_that_learns_nothing_new_is_not_stopped_for_it(level: float, completions: int, seed: int) -> None:
    """A plateau, or a control with random rewards: nothing is gained, and nothing is broken either."""
    shape = Shape((level, level), (0.3, 0.3), (30, 30), (0.4, 0.35), 0.05, completions=completions)
    rng = random.Random(seed)
    found = objection(shape=shape, steps=400, seed=seed, look=lambda step: shape.look(step, rng), warnings=False)
    assert found is None, found


@pytest.mark.parametrize("seed", range(4))
def test_a_curriculum_that_moves_to_harder_questions_is_not_taken_for_decay(seed: int) -> None:
    """Mastered levels give way: answers become three times as long, rewards fall from 0.85 to 0.4, distance grows."""
    sentinel, rng = Sentinel(REINFORCED), random.Random(seed)
    for step in range(500):
        hard = min(1.0, max(0.0, (step - 100) / 250))
        shape = Shape(
            (0.85 - 0.45 * hard,) * 2, (0.3, 0.3), (20 + 40 * hard,) * 2, (0.2 + 0.5 * hard,) * 2, 0.15, updates=200
        )
        shares = {"share/arithmetic:1": 1 - hard, "share/arithmetic:5": hard}
        verdict = sentinel.judge(StepReport(step + 1, shape.at(step, rng) | shares))
        assert verdict.action == "continue", (step, verdict)


@pytest.mark.parametrize("rules", [SUPERVISED, SELF_PLAYED])
def test_the_other_methods_hear_nothing_either(rules: tuple) -> None:
    assert objection(rules=rules, steps=1000) is None


def test_supervised_losses_that_fall_and_jitter_are_healthy() -> None:
    sentinel, rng = Sentinel(SUPERVISED), random.Random(3)
    for step in range(1500):
        metrics = {"loss": 7 * 0.995**step * rng.lognormvariate(0, 0.3), "grad_norm": rng.lognormvariate(-1, 0.8)}
        assert sentinel.judge(StepReport(step + 1, metrics)).action == "continue"
