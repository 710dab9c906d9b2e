"""Questions of the book in words that nobody has written: something said before or after, a word more, a word less, or
two that changed places.

They make no good English, and need not: that a question means the same with a word more is what a small model learns
from them, and then it finds its way from phrasings that no list has either.
"""

from __future__ import annotations

import random

from mrclassic.book import Entry
from mrclassic.model.tokenizer import Message
from mrclassic.training.supervised import vary

AS_TYPED = 0.25  # share that keeps its words, and is only typed hastily
MOST = 2  # changes of one question
_OPENINGS = (
    *("So,", "Well,", "Please,", "And", "Now,", "Say,", "Tell me,", "Tell me", "Please tell me", "Do you know"),
    *("Can you tell me", "I want to know", "May I ask", "Could you say"),
)
_ENDINGS = ("then?", "now?", "please", "please?", "my friend?", "today?", "for me?", "exactly?", "really?", "at all?")
_SMALL = (
    *("a", "the", "do", "you", "me", "my", "is", "are", "of", "to", "in"),
    *("it", "that", "this", "really", "ever", "just", "some", "any", "so", "very", "can"),
)


def reworded(entry: Entry, rng: random.Random) -> list[Message]:
    """The entry's talk with its last question in other words; all else as it stands."""
    messages: list[Message] = list(entry.messages)
    messages[-2] = {**messages[-2], "content": other_words(messages[-2]["content"], rng)}
    return messages


def other_words(question: str, rng: random.Random) -> str:
    """The question in other words."""
    words = question.split()
    if rng.random() < AS_TYPED or not words:
        return vary(question, rng)
    for _ in range(rng.randint(1, MOST)):
        words = _changed(words, rng)
    return " ".join(words)


def _changed(words: list[str], rng: random.Random) -> list[str]:
    """The words with one change; as they are where that change cannot be made."""
    first, last, at = words[0], words[-1], rng.randrange(len(words))
    match rng.randrange(6):
        case 0:
            return [*rng.choice(_OPENINGS).split(), first[:1].lower() + first[1:], *words[1:]]
        case 1:
            return [*words[:-1], last.rstrip(".?!") or last, *rng.choice(_ENDINGS).split()]
        case 2 if len(words) > 2:
            return words[:at] + words[at + 1 :]
        case 3:
            return [*words[:at], rng.choice(_SMALL), *words[at:]]
        case 4 if at + 1 < len(words):
            return [*words[:at], words[at + 1], words[at], *words[at + 2 :]]
        case 5 if words[at].lower().strip(".?!") in _SMALL:
            return [*words[:at], rng.choice(_SMALL), *words[at + 1 :]]
    return words
