"""A reward against repeating oneself: 1 for an answer whose words are all new, less for every three words said before.

    mrclassic train grpo --reward correct --reward no_repetition=0.2

Use it beside a task's own reward, with a small weight: `correct` decides, this one keeps the answers from going in
circles. It has the signature that TRL calls rewards with, so it works there unchanged.
"""

from collections.abc import Sequence
from typing import Any

from mrclassic.rewards import reward

LENGTH = 3  # words that count as a repetition when they come again in this order


@reward(weight=0.2, range=(0, 1))
def no_repetition(completions: Sequence[Any], **columns: Any) -> list[float]:
    """The share of each answer's runs of three words that did not occur before in it (1.0 for short answers)."""
    scores = []
    for completion in completions:
        text = completion if isinstance(completion, str) else completion[0]["content"]
        words = text.lower().split()
        runs = [tuple(words[at : at + LENGTH]) for at in range(len(words) - LENGTH + 1)]
        scores.append(len(set(runs)) / len(runs) if runs else 1.0)
    return scores
