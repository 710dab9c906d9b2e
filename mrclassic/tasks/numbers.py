"""Numbers as people and models write them, read exactly, and the one number that a reply gives as its answer.

`$1,234.50`, `1/2`, `2 1/2`, `.5`, `1.2e3`, `70 thousand`, `-3`: all become fractions, so that 0.5 is 1/2 and 18.00
is 18, while 0.333 is not 1/3. Units before or after a number do not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from mrclassic.tasks import slots
from mrclassic.tasks.base import RIGHT, Judgement, no_answer

Number = Fraction | None  # None: looks like a number, but is a date, too long, divided by zero

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_NUMBER = re.compile(
    rf"""
    (?P<minus> (?<![\w)\]%}}])(?<![\d)\]%]\s) - )?      # in 16-3, 16 -3 and 10%-5 the sign is an operation
    (?<![\w^]) [$€£]? (?P<sign>-)?                      # not within a word or an exponent
    (?:
      (?:
        (?P<whole>\d+)\s+(?P<top>\d+)/(?P<bottom>\d+)   # 2 1/2
      | (?P<over>{_DIGITS})\s?/\s?(?P<under>\d+)        # 1/2
      | (?P<plain>{_DIGITS}(?:\.\d+)?|\.\d+)(?:e(?P<power>[+-]?\d{{1,2}})(?!\w))?
      ) (?! \d | [.,:/]\d | e[+-]?\d )
      | \d[\d.,:/e+-]*\d                                # a date, a time, 1,23: no number, but read as one thing
    )
    (?:\s+(?P<scale>{"|".join(_SCALES)})\b)?
    """,
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)
_MOST_CHARACTERS = 80
_TAIL = 1_000  # characters in which the last number of a long reply is looked for
_SEVERAL = 4
_SENTENCE = re.compile(r"[.!?](?:\s|$)|\n")
# What stands between two numbers of which a reply leaves open which it means: "17 or 18", "17 to 18", "17, 18".
_EITHER = re.compile(r"""[\s"'()]*(?:to|and|,\s*and|[,;/&–-])?[\s"'()]*|(?:.*\W)?or(?:\W.*)?""", re.IGNORECASE)

# After the number of "the answer is 18": a sum, or a choice.
_GOES_ON = re.compile(
    r"""[\s"')]*(?:[-+*/=×÷^<>–&;]|,?\s*[$€£]?\d|(?:to|and|by|times|plus|minus)\b)|.*\bor\b""", re.IGNORECASE
)
_WORDS = {
    word: first + step * place
    for first, step, words in (
        (0, 1, "zero one two three four five six seven eight nine ten eleven twelve"),
        (13, 1, "thirteen fourteen fifteen sixteen seventeen eighteen nineteen"),
        (20, 10, "twenty thirty forty fifty sixty seventy eighty ninety"),
    )
    for place, word in enumerate(words.split())
}


def read(text: str) -> Number:
    """The number that the whole of `text` is, with or without a currency or a percent sign; else None."""
    found = _NUMBER.fullmatch(slots.plain(text).strip().rstrip(".%").rstrip())
    return None if found is None else _value(found)


def judge(reply: str, gold: Fraction) -> Judgement:
    """Right if the reply gives one answer and that is `gold`."""
    answers = answer(reply)
    if not answers:
        return no_answer("no number found")
    if len(answers) > 1:
        return Judgement("wrong", f"several answers: {', '.join(map(show, answers[:4]))}; the answer is {show(gold)}")
    return RIGHT if answers[0] == gold else Judgement("wrong", f"{show(answers[0])}; the answer is {show(gold)}")


def answer(reply: str) -> list[Number]:
    """The number that a reply gives as its answer: none, one, or several that it leaves the reader to choose from.

    First what is in the places made for it, then what the last "the answer is" states, then the number it ends in.
    """
    text = slots.plain(reply)
    marked = slots.marked(text)
    if marked:
        return list(dict.fromkeys(value for content in marked for value in _of(content)))
    for content in reversed(slots.stated(text)):
        sentence = _SENTENCE.split(content, maxsplit=1)[0]
        values = _of(sentence)
        if len(values) == 1:
            return values
        first = _NUMBER.match(sentence)
        if first is not None and not _GOES_ON.match(sentence, first.end()):  # "18, since 9 eggs cost $2 each"
            return [_value(first)]
    return _last(text)


def show(value: Number) -> str:
    """A number in few characters."""
    text = "?" if value is None else str(value)
    return text if len(text) <= 24 else f"{text[:20]}..."


def _of(content: str) -> list[Number]:
    """The different numbers in the place of an answer; of a sum with its result, the result."""
    if "=" in content and not re.search(r"\bor\b", content, re.IGNORECASE):
        content = content.rpartition("=")[2] or content
    values = [_value(found) for found in _NUMBER.finditer(content)] or list(_spelt(content))
    return list(dict.fromkeys(values))


def _last(text: str) -> list[Number]:
    """The number that stands last, and those before it between which and it the reply does not choose."""
    if len(text) > _TAIL:  # mostly enough; and a number is not cut in two
        tail = text[-_TAIL:].partition(" ")[2]
        text = tail if _NUMBER.search(tail) else text
    found = list(_NUMBER.finditer(text))
    values = [_value(each) for each in found[-1:]]
    for before, after in zip(found[-2 : -2 - _SEVERAL : -1], found[: -1 - _SEVERAL : -1], strict=False):
        between = text[before.end() : after.start()]
        if len(between) > 60 or _SENTENCE.search(between) or not _EITHER.fullmatch(between):
            break
        values.append(_value(before))
    return list(dict.fromkeys(reversed(values)))


def _value(found: re.Match[str]) -> Number:
    part = {name: (text or "").replace(",", "") for name, text in found.groupdict().items()}
    if len(found[0]) > _MOST_CHARACTERS:
        return None
    try:
        if part["whole"]:
            value = int(part["whole"]) + Fraction(int(part["top"]), int(part["bottom"]))
        elif part["over"]:
            value = Fraction(int(part["over"]), int(part["under"]))
        elif part["plain"]:
            value = Fraction(part["plain"]) * Fraction(10) ** int(part["power"] or "0")
        else:
            return None
    except ZeroDivisionError:
        return None
    value *= _SCALES.get(part["scale"].lower(), 1)
    return -value if part["minus"] or part["sign"] else value


def _spelt(text: str) -> Iterator[Fraction]:
    """The numbers written in words: "twenty-five", "one hundred and five thousand"."""
    total = part = 0
    begun = False
    for word in [*re.findall(r"[a-z]+", text.lower()), ""]:
        if word in _WORDS:
            part, begun = part + _WORDS[word], True
        elif begun and word == "hundred":
            part *= 100
        elif begun and word in _SCALES:
            total, part = total + part * _SCALES[word], 0
        elif begun and word != "and":
            yield Fraction(total + part)
            total, part, begun = 0, 0, False
