"""Doing things to words: backwards, in capitals, letters counted, words picked and joined, up to three in a row.

    Take "lamp": write it backwards, then put it in capitals.   ->  l-a-m-p, p-m-a-l, P-M-A-L, so PMAL.
    Take "red sky": pick word 2, then count the letter s.       ->  r-e-d s-k-y, s-k-y, 1, so 1.

Words are spelled out in the worked reply: a tokenizer makes one token of several letters, and a model that has only
that cannot see what it turns round. Levels are the number of steps.

The held-out split takes texts: of one in four, chosen by hash, nothing is ever asked in training, whatever is done to
it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from mrclassic.tasks import slots
from mrclassic.tasks.base import RIGHT, BadRow, Item, Judgement, Refusal, ask, keyed, no_answer

name = "strings"
about = "words turned round, counted, picked and joined, one to three steps"
asking = "Write a task about a word."
levels: tuple[str, ...] = ("1", "2", "3")

_HELD_OUT_ITEMS = 500  # of each level
_WORDS, _LETTERS = 4, 12  # at most: words of a text, letters of a word
_WIDEST = 36  # characters of what a step makes
_LONGEST = 60  # characters; what is longer than that answers nothing
_QUESTION = re.compile(r'Take "([a-z]+(?: [a-z]+)*)": (.+)\.')
_COUNTED = re.compile(r"count the letter ([a-z])")
_PICKED = re.compile(r"pick word ([1-9])")

# What can be done to a text and leaves a text.
_STEPS: Mapping[str, Callable[[str], str]] = {
    "write it backwards": lambda text: text[::-1],
    "put it in capitals": str.upper,
    "double it": lambda text: text + text,
    "drop its first letter": lambda text: text[1:].strip(),
    "drop its last letter": lambda text: text[:-1].strip(),
    "keep its first letter": lambda text: text[:1],
    "join its words": lambda text: text.replace(" ", ""),
    "turn the order of its words round": lambda text: " ".join(reversed(text.split())),
}
_OF_WORDS = ("join its words", "turn the order of its words round")  # they need more than one
_ALL = "count its letters"


def is_held_out(text: str) -> bool:
    """Whether nothing may be asked of the text in training."""
    return blake2b(text.encode(), digest_size=1, person=b"strings").digest()[0] < 64


def item(text: str, steps: Sequence[str]) -> Item:
    """The question, its gold answer and its worked reply; raises ValueError where a step cannot be done."""
    stages = [text]
    for place, step in enumerate(steps):
        if stages[-1].isdecimal():
            raise ValueError("a count can only come last")
        stages.append(_done(step, stages[-1]))
        if not stages[-1]:
            raise ValueError(f"step {place + 1} leaves nothing")
        if len(stages[-1]) > _WIDEST:
            raise ValueError(f"step {place + 1} makes it too long")
    answer = stages[-1]
    shown = ", ".join(map(_spelled, stages))
    question = f'Take "{text}": {", then ".join(steps)}.'
    return ask(question, answer, f"{shown}, so {answer}.", task=name, level=str(len(steps)))


def _done(step: str, text: str) -> str:
    if step == _ALL:
        return str(len(text.replace(" ", "")))
    if found := _COUNTED.fullmatch(step):
        return str(text.lower().count(found[1]))
    words = text.split()
    if found := _PICKED.fullmatch(step):
        if int(found[1]) > len(words):
            raise ValueError(f"there is no word {found[1]}")
        return words[int(found[1]) - 1]
    if step in _OF_WORDS and len(words) < 2:
        raise ValueError("there is only one word")
    return _STEPS[step](text)


def _spelled(text: str) -> str:
    return text if text.isdecimal() else " ".join("-".join(word) for word in text.split())


def _draw(rng: random.Random, level: str, held_out: bool) -> Item:
    while True:
        text = " ".join(_word(rng) for _ in range(rng.choice((1, 1, 2, 3))))
        if is_held_out(text) != held_out:
            continue
        counts = [_ALL, f"count the letter {rng.choice(text.replace(' ', ''))}"]
        steps = [rng.choice([*_STEPS, f"pick word {rng.randint(1, 3)}", *counts]) for _ in range(int(level))]
        try:
            return item(text, steps)
        except ValueError:
            continue


def _word(rng: random.Random) -> str:
    """Three to six letters that can be spoken."""
    size = rng.randint(3, 6)
    kinds = ("bcdfghklmnprstvwz", "aeiou")
    begin = rng.random() < 0.3
    return "".join(rng.choice(kinds[(place + begin) % 2]) for place in range(size))


def sample(rng: random.Random, level: str) -> Item:
    """A training item of so many steps."""
    return _draw(rng, level, held_out=False)


@lru_cache(maxsize=len(levels))
def _held_out(level: str) -> tuple[Item, ...]:
    rng, found = keyed("strings held-out", level), dict[str, Item]()
    while len(found) < _HELD_OUT_ITEMS:
        drawn = _draw(rng, level, held_out=True)
        found.setdefault(drawn.question, drawn)
    return tuple(found.values())


def held_out(level: str, limit: int | None = None) -> Sequence[Item]:
    """The held-out items of `level` in a fixed order; the first `limit` of them."""
    return _held_out(level)[:limit]


def check(item: Item, completion: str) -> Judgement:
    """Right if the reply gives the answer letter by letter, capitals too."""
    given = slots.given(completion)
    if not given or len(given[-1]) > _LONGEST:
        return no_answer("it gives no short answer")
    if all(each == item.answer for each in given):
        return RIGHT
    return Judgement("wrong", f"{given[-1]}, not {item.answer}")


def row(data: Mapping[str, Any]) -> Item:
    """A row has a `question` (or `prompt`), with or without an `answer`."""
    question, answer = data.get("question", data.get("prompt")), data.get("answer")
    if isinstance(answer, str):
        return ask(str(question or ""), answer.strip())
    if not isinstance(question, str) or answer is not None:
        raise BadRow('it has neither a "question" nor an "answer" that is text')
    found = _read(question)
    if isinstance(found, Refusal):
        raise BadRow(f'it has no "answer", and its question: {found.reason}')
    return found


def _read(question: str) -> Item | Refusal:
    found = _QUESTION.fullmatch(question.strip())
    if found is None:
        return Refusal("unparsable", """not of the form 'Take "WORDS": STEP, then STEP.'""")
    text, steps = found[1], found[2].split(", then ")
    if not all(step in _STEPS or step == _ALL or _COUNTED.fullmatch(step) or _PICKED.fullmatch(step) for step in steps):
        return Refusal("unparsable", "a step is none of those that are known")
    words = text.split()
    if len(steps) > len(levels) or len(words) > _WORDS or max(map(len, words)) > _LETTERS:
        return Refusal("invalid", "it is too long")
    try:
        return item(text, steps)
    except ValueError as error:
        return Refusal("invalid", str(error))


def parse(question: str) -> Item | Refusal:
    """Read a question strictly; refuses steps that cannot be done, and texts of the held-out split."""
    found = _read(question)
    if isinstance(found, Refusal):
        return found
    text = found.question.split('"')[1]
    return Refusal("held-out", "the text belongs to the held-out split") if is_held_out(text) else found


def skeleton(question: str) -> str:
    """The question without its words, letters and numbers: how alike two questions are."""
    bare = re.sub(r'(?<=")[a-z ]+(?=")', lambda found: " ".join("X" for _ in found[0].split()), question)
    return re.sub(r"\d", "D", re.sub(r"the letter [a-z]\b", "the letter X", bare))
