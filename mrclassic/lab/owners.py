"""Owners whose taste is known: what they like about a reply is a formula, how sure they are of it a number.

An owner picks the reply with the highest sum of liking and noise (Gumbel's, so that choices are a softmax of likings).
Asked again, they would not always pick the same: how often they would is the most that any model of them can reach.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from statistics import NormalDist, pstdev

from mrclassic.choices import Choice, choice
from mrclassic.tasks.base import keyed

_TO_ME = frozenset(("you", "your", "yours", "me", "my", "i", "we", "us"))
_normal = NormalDist()


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def warm(text: str) -> float:
    """The share of words that speak of oneself and of the other."""
    words = _words(text)
    return sum(word in _TO_ME for word in words) / max(1, len(words))


def tidy(text: str) -> float:
    """No word twice, and an end."""
    words = _words(text)
    return len(set(words)) / max(1, len(words)) + 0.5 * text.rstrip().endswith((".", "!", "?"))


def kind(text: str) -> float:
    """Both: to be spoken to, in words that do not repeat."""
    return 3 * warm(text) + tidy(text)


def whims(text: str) -> float:
    """Each word is liked or disliked, for no reason that anybody knows: the mean over the words."""
    words = _words(text)
    return sum(map(_whim, words)) / math.sqrt(max(1, len(words)))


def _whim(word: str) -> float:
    seed = int.from_bytes(blake2b(word.encode(), digest_size=4, person=b"whims").digest())
    return _normal.inv_cdf((seed + 0.5) / 2**32)


def brief(text: str) -> float:
    """The shorter the better."""
    return -math.log1p(len(text))


@dataclass(frozen=True)
class Owner:
    """`noise` is measured in deviations of what they like."""

    name: str
    about: str
    likes: Callable[[str], float]
    noise: float = 0.3

    def pick(self, shown: Sequence[tuple[tuple[tuple[str, str], ...], Sequence[str]]], seed: int) -> list[Choice]:
        """Their choices among the replies to each prompt."""
        spread = pstdev(self.likes(text) for _, texts in shown for text in texts) or 1.0
        found = []
        for place, (prompt, texts) in enumerate(shown):
            rng = keyed(seed, self.name, place)
            best = max(texts, key=lambda text: self.likes(text) / spread / self.noise + _gumbel(rng))
            made = choice(prompt, best, [text for text in texts if text != best], pick=place + 1)
            if made is not None:
                found.append(made)
        return found


def _gumbel(rng: random.Random) -> float:
    return -math.log(-math.log(max(1e-300, rng.random())))


KIND = Owner("kind", "likes to be spoken to, in words that do not repeat", kind)
BRIEF = Owner("brief", "likes it short, and nothing else", brief)
OWNERS: tuple[Owner, ...] = (
    Owner("warm", "likes to be spoken to", warm),
    Owner("tidy", "likes no word twice, and an end", tidy),
    Owner("whims", "likes some words and not others", whims),
    Owner("contrary", "likes what the tidy one does not", lambda text: -tidy(text)),
    BRIEF,
    Owner("noisy", "as the one with whims, but seldom sure", whims, 1.2),
)


def named(name: str | None) -> Owner:
    """The owner of that name; the kind one where there is none."""
    return next((each for each in OWNERS if each.name == name), KIND)
