"""`similarity`: how near a reply comes to a gold text, and only where it has the fact.

difflib's ratio alone pays a wrong fact in the right words (0.94) more than the right fact in other words (0.78), and a
model paid so learned no story. So: 1 for the missing word or name itself (or the whole gold sentence), 0.2 x ratio for
a reply that at least contains it, otherwise 0. `raw_similarity` is the plain ratio, to compare.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

from mrclassic.rewards.correct import Completions, texts_of
from mrclassic.rewards.metadata import reward

SHARE = 0.2  # for the right fact in other words
_LONGEST = 400  # characters of a gold text that are compared; the work grows with the product of both lengths
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_ARTICLES = {"a", "an", "the"}
_SMALL = frozenset(
    re.findall(
        r"\w+",
        "a an the and or but of in on at to from by for with as is are was were be been it its he she they them his her"
        " their this that these those there i you we my your our not no so",
    )
)


@reward(range=(0, 1))
def similarity(
    completions: Completions, answer: Sequence[str], reference: Sequence[str | None] | None = None, **columns: Any
) -> list[float | None]:
    """`answer`: the word, name or text that is right; `reference`: the sentence that it stood in, where there is one.
    Abstains where the answer is empty."""
    texts, sentences = texts_of(completions), reference or [None] * len(answer)
    return [
        _guarded(text, gold, sentence or gold) for text, gold, sentence in zip(texts, answer, sentences, strict=True)
    ]


@reward(range=(0, 1))
def raw_similarity(
    completions: Completions, answer: Sequence[str], reference: Sequence[str | None] | None = None, **columns: Any
) -> list[float]:
    """The ratio alone, which looks only at letters."""
    texts, sentences = texts_of(completions), reference or [None] * len(answer)
    return [ratio(text, sentence or gold) for text, gold, sentence in zip(texts, answer, sentences, strict=True)]


def ratio(text: str, gold: str) -> float:
    """difflib's `ratio()` in small letters; autojunk would drop the common letters of any text above 200."""
    text, gold = " ".join(text.lower().split()), " ".join(gold.lower().split())
    if not text or not gold:
        return float(text == gold)
    wanted = gold[:_LONGEST]
    shown = text[: 2 * len(wanted) + 64]
    same = sum(block.size for block in SequenceMatcher(None, shown, wanted, autojunk=False).get_matching_blocks())
    return min(1.0, 2 * same / (len(text) + len(gold)))


def _guarded(text: str, gold: str, sentence: str) -> float | None:
    wanted = _words(gold)
    if not wanted:
        return None
    given = _words(text)
    if given in (wanted, _words(sentence)):
        return 1.0
    content = [word for word in wanted if word not in _SMALL] or wanted
    return SHARE * ratio(text, sentence) if set(content) <= set(given) else 0.0


def _words(text: str) -> list[str]:
    """The words in small letters, without articles, unless there are only articles."""
    words = _WORD.findall(text.casefold().replace("’", "'"))
    return [word for word in words if word not in _ARTICLES] or words
