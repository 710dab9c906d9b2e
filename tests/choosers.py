"""Owners whose taste is known, and a store full of their picks."""

from __future__ import annotations

import random
from collections.abc import Callable

from mrclassic.choices import Choice, choice
from mrclassic.home import Home
from mrclassic.store import NewCandidate, Store, curation

WORDS = ["rain", "tea", "sun", "moon", "good", "bad", "yes", "no", "well", "so", "it", "is", "and"]


def likes_tea(text: str) -> float:
    """The share of words that are tea, or good."""
    words = text.split()
    return sum(word in ("tea", "good") for word in words) / max(1, len(words))


def replies(rng: random.Random, count: int = 5) -> list[str]:
    """Different replies of random words."""
    found: dict[str, None] = {}
    while len(found) < count:
        found[" ".join(rng.choices(WORDS, k=rng.randint(2, 7)))] = None
    return list(found)


def choices(
    count: int, taste: Callable[[str], float] = likes_tea, *, seed: int = 0, noise: float = 0.05, size: int = 5
) -> list[Choice]:
    """So many choices of one who picks by `taste`, less sure by `noise`."""
    rng = random.Random(seed)
    found = []
    for at in range(count):
        shown = replies(rng, size)
        best = max(shown, key=lambda text: taste(text) + rng.gauss(0, noise))
        made = choice([("user", f"What of {at}?")], best, [text for text in shown if text != best], pick=at + 1)
        assert made is not None
        found.append(made)
    return found


def draw(store: Store, prompt: int, texts: list[str], checkpoint: str = "micro") -> list[int]:
    """Store candidates for a message; their ids in the order given."""
    new = [
        NewCandidate(
            slot=slot, shown=slot + 1, text=text, tokens=3, logprob=-1.0, finish_reason="stop", seed=slot,
            temperature=0.7, top_p=1.0, checkpoint=checkpoint,
        )
        for slot, text in enumerate(texts)
    ]  # fmt: skip
    return [each.id for each in store.candidates.add_draw(prompt, new)]


def pick_all(home: Home, made: list[Choice]) -> None:
    """Make these choices the picks of `home`."""
    with Store.open(home) as store, store.transaction():
        for each in made:
            talk = store.conversations.create().id
            asked = store.conversations.add(talk, None, "user", each.prompt[-1][1], origin="user").id
            ids = draw(store, asked, list(each.replies))
            text = each.replies[each.winner]
            reply = store.conversations.add(talk, asked, "assistant", text, origin="candidate")
            entry = curation.entry_for(store, asked, text)
            store.picks.record(
                asked, "candidate", text=text, candidate=ids[each.winner], message=reply.id, entry_hash=entry.hash
            )
