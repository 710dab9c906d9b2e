"""`chance`: heads or tails, whatever the answer. The control: what a run gains with it was no merit of a reward.

A pure function of the step, the questions and the row, so that a resumed run tosses the same coins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mrclassic.rewards.calls import TrainerState
from mrclassic.rewards.correct import Completions
from mrclassic.rewards.metadata import reward
from mrclassic.tasks.base import keyed


@reward(range=(0, 1))
def chance(
    prompts: Sequence[Sequence[Mapping[str, str]]],
    completions: Completions,
    trainer_state: TrainerState | None = None,
    **columns: Any,
) -> list[float]:
    """0 or 1, each half of the time."""
    step = trainer_state.global_step if trainer_state else 0
    # The questions are in the key because groups drawn again within a step must not get the same tosses.
    coins = keyed("chance", step, *(prompt[-1]["content"] for prompt in prompts))
    return [float(coins.random() < 0.5) for _ in completions]
