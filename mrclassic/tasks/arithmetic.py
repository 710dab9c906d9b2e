"""Sums and differences with the working shown, column by column from the right.

    What is 47 + 85?      ->  7+5=12, 4+8+1=13, so 132.
    What is 83 - 47?      ->  13-7=6, 8-4-1=3, so 36.

Digits are single tokens and the carry (or the borrow) stands in the open, so that every step of the reply is a fact
about one-digit numbers: asked for the sum in one go, a model of a million parameters hardly learns two digits.

The held-out split takes unordered pairs of operands, chosen by hash: if 47 + 85 is held out, so are 85 + 47 and
85 - 47, at every level. Of the pairs below 100 it takes half (so that two-digit differences, of which there are 4,095,
leave 2,000 to measure on), of the larger ones a quarter. Only `held_out` yields them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from mrclassic.tasks.base import RIGHT, BadRow, Item, Judgement, Refusal, keyed, no_answer

name = "arithmetic"
about = "sums and differences, column by column"
asking = "Write a sum."

# Fixed before any training: (operation, digits). The order is that of difficulty.
_LEVELS: dict[str, tuple[str, int]] = {
    "1": ("+", 1),
    "2": ("+", 2),
    "3": ("-", 2),
    "4": ("+", 3),
    "5": ("-", 3),
}
levels: tuple[str, ...] = tuple(_LEVELS)

_HELD_OUT_ITEMS = 2_000  # of each level that has so many
_QUESTION = re.compile(r"What is ([0-9]{1,3}) ([+-]) ([0-9]{1,3})\?")  # \d would also match other scripts' digits
# A number at the end that stands alone: the 132 of "1,132", "1 132", "- 132" or "x132" is not one.
_ANSWER = re.compile(r"(?:^|[=:]|[^\s\d\u2212\u2013-]\s+)(-?[0-9]+)\.?$")


def is_held_out(a: int, b: int) -> bool:
    """Whether the unordered pair belongs to the held-out split."""
    low, high = sorted((a, b))
    return blake2b(f"{low},{high}".encode(), digest_size=1).digest()[0] < (128 if high < 100 else 64)


def item(a: int, b: int, operation: str) -> Item:
    """The question about `a` and `b`, its gold answer and its worked reply."""
    answer = a + b if operation == "+" else a - b
    question = f"What is {a} {operation} {b}?"
    meta = {"task": name, "a": a, "b": b, "operation": operation}
    return Item(({"role": "user", "content": question},), str(answer), trace(a, b, operation), meta)


def trace(a: int, b: int, operation: str) -> str:
    """The worked reply: one clause a column from the right, then the result."""
    columns = max(len(str(a)), len(str(b)))
    clauses: list[str] = []
    over = 0  # the carry of a sum, the borrow of a difference
    for place in range(columns):
        x, y = a // 10**place % 10, b // 10**place % 10
        step = f"{operation}1" if over else ""
        if operation == "+":
            total = x + y + over
            clauses.append(f"{x}+{y}{step}={total}")
            over = total // 10
        else:
            lent = 10 if x - y - over < 0 else 0
            clauses.append(f"{x + lent}-{y}{step}={x + lent - y - over}")
            over = lent // 10
    result = a + b if operation == "+" else a - b
    return f"{', '.join(clauses)}, so {result}."


def _operands(level: str, rng: random.Random) -> tuple[int, int, str]:
    operation, digits = _LEVELS[level]
    low, high = (0 if digits == 1 else 10 ** (digits - 1)), 10**digits - 1
    a, b = rng.randint(low, high), rng.randint(low, high)
    return (max(a, b), min(a, b), operation) if operation == "-" else (a, b, operation)


def sample(rng: random.Random, level: str) -> Item:
    """A training item of `level`."""
    while True:
        a, b, operation = _operands(level, rng)
        if not is_held_out(a, b):
            return item(a, b, operation)


@lru_cache(maxsize=len(_LEVELS))
def _held_out(level: str) -> tuple[Item, ...]:
    operation, digits = _LEVELS[level]
    low, high = (0 if digits == 1 else 10 ** (digits - 1)), 10**digits - 1
    if digits <= 2:
        pairs: Iterator[tuple[int, int]] = (
            (a, b) for a in range(low, high + 1) for b in range(low, high + 1) if operation == "+" or a >= b
        )
        found = [item(a, b, operation) for a, b in pairs if is_held_out(a, b)]
        keyed("arithmetic held-out order", level).shuffle(found)
        return tuple(found)
    rng = keyed("arithmetic held-out", level)
    chosen: dict[tuple[int, int], Item] = {}
    while len(chosen) < _HELD_OUT_ITEMS:
        a, b, operation = _operands(level, rng)
        if is_held_out(a, b):
            chosen.setdefault((a, b), item(a, b, operation))
    return tuple(chosen.values())


def held_out(level: str, limit: int | None = None) -> Sequence[Item]:
    """The held-out items of `level` in a fixed mixed order; the first `limit` of them."""
    return _held_out(level)[:limit]


def check(item: Item, completion: str) -> Judgement:
    """Right if the number that ends the reply is the answer. A reply that ends in no number is wrong."""
    found = _ANSWER.search(completion.strip())
    if found is None:
        return no_answer("it does not end in a number")
    return RIGHT if found[1] == item.answer else Judgement("wrong", f"{_short(found[1])}, not {item.answer}")


def _short(number: str) -> str:
    return number if len(number) <= 12 else f"{number[:9]}..."


def row(data: Mapping[str, Any]) -> Item:
    """A row has a `question` (or `prompt`), an `answer`, or both."""
    question, answer = data.get("question", data.get("prompt")), data.get("answer")
    if answer is not None:
        if isinstance(answer, bool) or not isinstance(answer, str | int | float):
            raise BadRow('its "answer" is neither text nor a number')
        return Item(({"role": "user", "content": str(question or "")},), str(answer).strip())
    if not isinstance(question, str):
        raise BadRow('it has neither "question" nor "answer"')
    # Held-out questions may not be practised, but they may be judged.
    match = _QUESTION.fullmatch(question.strip())
    if match is None:
        raise BadRow('it has no "answer", and its question is not of the form "What is A + B?"')
    return item(int(match[1]), int(match[3]), match[2])


def parse(question: str) -> Item | Refusal:
    """Read `What is A + B?` strictly; refuses anything else, negative results, and held-out pairs."""
    match = _QUESTION.fullmatch(question.strip())
    if match is None:
        return Refusal("unparsable", "not of the form 'What is A + B?'")
    left, operation, right = match.groups()
    a, b = int(left), int(right)
    if str(a) != left or str(b) != right:
        return Refusal("invalid", "a number begins with 0")
    if operation == "-" and b > a:
        return Refusal("invalid", "the result would be negative")
    if is_held_out(a, b):
        return Refusal("held-out", "the pair belongs to the held-out split")
    return item(a, b, operation)


def skeleton(question: str) -> str:
    """The question with its digits blotted out: how alike two questions are."""
    return re.sub(r"\d", "D", question)
