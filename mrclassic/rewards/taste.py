"""`taste`: how well the owner would like an answer, as far as their picks have taught it; between 0 and 1.

What was learned (`training/reward_model.py`) computes; here it is only asked. Whoever resolves the name hands it over,
and does so only where its evidence allows it (`evidence.py`). Answers to the same prompt are compared with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from mrclassic.rewards.correct import Completions, texts_of
from mrclassic.rewards.metadata import reward

NAME = "taste"
APART = "taste/apart"


class Liked(NamedTuple):
    """How well a reply is liked, and how far those who were asked are apart about it."""

    value: float
    apart: float


Likes = Callable[[Sequence[Sequence[Mapping[str, str]]], Sequence[str]], Sequence[Liked]]


@reward(weight=0.3, range=(0, 1))
class Taste:
    """A learned taste as a reward; `likes` says of prompts and answers how well each is liked."""

    def __init__(self, likes: Likes) -> None:
        self.likes = likes

    def __call__(
        self, prompts: Sequence[Sequence[Mapping[str, str]]], completions: Completions, **columns: Any
    ) -> list[float]:
        texts = texts_of(completions)
        found = self.likes(prompts, texts)
        if (log := columns.get("log_metric")) is not None and found:
            log(APART, fmean(each.apart for each in found))  # the sentinel watches it
        # An empty answer cannot be picked, so nothing was learned about it; it is the least that an answer can be.
        return [each.value if text.strip() else 0.0 for each, text in zip(found, texts, strict=True)]
