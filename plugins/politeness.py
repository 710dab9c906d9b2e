"""A reward for good manners: thanks, please, sorry, an offer of help; no shouting, no insults.

    mrclassic train grpo --reward correct --reward politeness=0.2

A plain civil answer gets 0.5. Each kind of courtesy adds a quarter, once: "please please please" is one courtesy, and
two are enough for 1.0. Shouting (words in capitals, rows of exclamation marks) takes a quarter, an insult everything.
An answer that is nothing but courtesies says nothing, so it stays at 0.5.
"""

import re
from collections.abc import Sequence
from typing import Any

from mrclassic.rewards import reward

CONTENT = 3  # words beyond the courtesies that make an answer one

COURTESIES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:thank you|thanks|much obliged|i appreciate)\b",
        r"\bplease\b|\bif you (?:like|wish|please|would)\b|\bmay i\b|\b(?:would|could) you\b",
        r"\b(?:sorry|pardon|excuse me|i apologi[sz]e|my apologies|i(?: am|'m|’m) afraid)\b",
        r"\b(?:you(?: are|'re|’re) welcome|my pleasure|with pleasure|gladly|of course|certainly|happy to|glad to)\b",
        r"\b(?:good (?:morning|afternoon|evening|night|day)|goodbye|welcome|dear|take care|kind regards|best wishes)\b",
    )
]
INSULT = re.compile(
    r"\b(?:idiot(?:s|ic)?|stupid(?:ity)?|dumb(?:ass)?|morons?|moronic|imbeciles?|fools?|losers?|shut up|get lost|"
    r"who cares|screw you|damn you|you(?: are|'re|’re) (?:ugly|useless|worthless|pathetic|disgusting)|"
    r"bastards?|bitch(?:es)?|assholes?|arseholes?|fuck\w*|shit(?:ty)?|crap(?:py)?)\b",
    re.IGNORECASE,
)
SHOUT = re.compile(r"\b[A-Z]{4,}\b[^a-z]{1,20}\b[A-Z]{4,}\b|!{2,}")
WORD = re.compile(r"\w+")


@reward(weight=0.2, range=(0, 1))
def politeness(completions: Sequence[Any], **columns: Any) -> list[float]:
    """0 for an insult, 0.25 for shouting, 0.5 for a plain answer, up to 1 with two kinds of courtesy."""
    return [_score(each if isinstance(each, str) else each[0]["content"]) for each in completions]


def _score(text: str) -> float:
    if not text.strip() or INSULT.search(text):
        return 0.0
    kinds = sum(courtesy.search(text) is not None for courtesy in COURTESIES)
    if kinds:
        rest = text
        for courtesy in COURTESIES:
            rest = courtesy.sub(" ", rest)
        if len(set(WORD.findall(rest.lower()))) < CONTENT:
            kinds = 0
    shouting = SHOUT.search(text) is not None
    return min(1.0, 0.5 + 0.25 * kinds) - 0.25 * shouting
