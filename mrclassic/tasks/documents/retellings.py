"""The same passage in other words and another order. A fact that is read in one form only is learned by heart without
being known; varied, it can be asked for (Physics of Language Models 3.1, https://arxiv.org/abs/2309.14316).
"""

from __future__ import annotations

import random
from collections.abc import Set

from mrclassic.tasks.documents.facts import read, statements
from mrclassic.tasks.documents.passages import Passage
from mrclassic.tasks.documents.sentences import groups

VERSIONS = 5  # of each passage, the telling included
_TRIES = 8  # for each retelling: a passage of one sentence has only so many
_FRAMES = ("{}", "{}", "Remember: {}", "From the notes: {}", "As was told: {}")


def retellings(passage: Passage, count: int, rng: random.Random, lower: Set[str] = frozenset()) -> list[str]:
    """Up to `count` retellings that differ from the telling and from each other; those that came with the passage
    first."""
    found = list(dict.fromkeys(passage.retellings))[:count]
    if passage.verbatim or not passage.told:
        return found
    seen = {passage.text, *found}
    for _ in range(_TRIES * (count - len(found))):
        if len(found) == count:
            break
        told = _retold(passage, rng, lower)
        if told not in seen:
            seen.add(told)
            found.append(told)
    return found


def _retold(passage: Passage, rng: random.Random, lower: Set[str]) -> str:
    parts = []
    for group in groups(passage.told):
        fact = read(group[0], lower)
        # What leans on a sentence leans on its words too, so only a sentence by itself is told in others.
        alone = len(group) == 1 and fact is not None
        parts.append(rng.choice(list(statements(fact))) if alone and fact else " ".join(group))
    rng.shuffle(parts)
    frames = (*_FRAMES, f"{passage.title}: {{}}") if passage.title else _FRAMES
    return rng.choice(frames).replace("{}", " ".join(parts))
