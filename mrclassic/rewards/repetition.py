"""`repetition`: a penalty for saying the same three words again (arXiv 2502.03373, appendix C.2).

The share of the runs of three words that occurred before, as a negative number: 0 for an answer that repeats nothing,
towards -1 for one that goes in circles.
"""

from __future__ import annotations

import re
from typing import Any

from mrclassic.rewards.correct import Completions, texts_of
from mrclassic.rewards.metadata import reward

RUN = 3
_WORD = re.compile(r"\w+|[^\w\s]")


@reward(weight=0.2, range=(-1, 0))
def repetition(completions: Completions, **columns: Any) -> list[float]:
    """0 where there are fewer than three words; marks count as words, so that "!!!!!!" is a repetition."""
    return [_penalty(_WORD.findall(text.lower())) for text in texts_of(completions)]


def _penalty(words: list[str]) -> float:
    runs = list(zip(*(words[start:] for start in range(RUN)), strict=False))
    return len(set(runs)) / len(runs) - 1 if runs else 0.0
