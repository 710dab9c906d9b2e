"""The guard before the library's verifiers, some of which are content with what is near (101 for 100), and one with any
reply at all where a False is wanted.

Where the gold answer is a yes or no, the reply must be that word. Where it is nothing but numbers and what holds them
together (a number, a list, a matrix), the reply must have as many, and each must be equal to its own by the ladder of
our answers.
"""

from __future__ import annotations

import re

from mrclassic.tasks import answers, numbers
from mrclassic.tasks.base import RIGHT, Judgement, no_answer

_DECISIONS = frozenset({"true", "false", "yes", "no"})
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?(?:/\d+)?")
_LONGEST = 200  # characters of one number, in whatever words
_BETWEEN = re.compile(r"""[\s,;:()\[\]{}<>'"]*""")


def numbers_only(text: str) -> list[str] | None:
    """The numbers of a text that holds nothing else; None of any other."""
    found = _NUMBER.findall(text)
    return found if found and _BETWEEN.fullmatch(_NUMBER.sub(" ", text)) else None


def judge(gold: str, given: str) -> Judgement | None:
    """Whether the reply meets a gold answer of these kinds; None of any other."""
    if gold.strip().casefold() in _DECISIONS:
        told_so = given.strip().rstrip(".").casefold() == gold.strip().casefold()
        return RIGHT if told_so else Judgement("wrong", f"{given[:20]!r}; the answer is {gold.strip()}")
    wanted = numbers_only(gold)
    if wanted is None:
        return None
    if len(wanted) == 1 and numbers.read(gold) is not None:
        return answers.verify(gold.strip(), given) if len(given) <= _LONGEST else no_answer("no short answer found")
    told = numbers_only(given)
    if told is None or len(told) != len(wanted):
        how_many = "no" if told is None else str(len(told))
        return Judgement("wrong", f"{how_many} numbers instead of {len(wanted)}", found=told is not None)
    differ = [pair for pair in dict.fromkeys(zip(wanted, told, strict=True)) if pair[0] != pair[1]]
    return next((judged for judged in answers.verify_all(differ) if not judged.right), RIGHT)
