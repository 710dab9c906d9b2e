"""Reading a puzzle out of its text, strictly: our own wordings and that of the published puzzles.

A claim is read by recursive descent:

    claim = "if" part "then" part | part "if and only if" part | part ("and" part)* | part ("or" part)*
    part  = "(" claim ")" | "it is not true that" part | NAME "is" ["not"] a WORD
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from mrclassic.tasks.knights import claims
from mrclassic.tasks.knights.claims import FEWEST, MOST, Claim, Puzzle, Words
from mrclassic.tasks.knights.text import HEADS, SPEECHES, TAIL, forms

# The published puzzles: https://github.com/AlphaPav/mem-kk-logic
_PUBLISHED_HEAD = (
    "A very special island is inhabited only by {knights} and {knaves}. {Knights} always tell the truth, and {knaves} "
    "always lie. You meet {count} inhabitants: {names}."
)
_PUBLISHED_TAIL = "So who is {a_knight} and who is {a_knave}?"
_PUBLISHED_SPEECHES = (
    *(f'{{name}} {verb}, "{{claim}}".' for verb in ("commented", "said", "was heard saying", "noted")),
    *(f'{{name}} {verb}, "{{claim}}".' for verb in ("stated", "remarked")),
    *(f"{{name}} {verb} that {{claim}}." for verb in ("expressed", "told you", "said")),
    *(f'"{{claim}}," {{name}} {verb}.' for verb in ("declared", "claimed", "mentioned")),
    '{name} asserted: "{claim}".',
    'In {name}\'s words: "{claim}".',
    'In a statement by {name}: "{claim}".',
    'According to {name}, "{claim}".',
    'As {name} put it, "{claim}".',
    '"{claim}" - {name}.',
)

_LONGEST = 6_000  # characters of a question that is read
_LONGEST_CLAIM = 200  # tokens; bounds the depth of the descent too
_NAME = r"[^\W\d_]+(?:['-][^\W\d_]+)*"
NAME = re.compile(_NAME)
_ASKED = re.compile(r"[Ww]ho is an? ([^\W\d_]+) and who is an? ([^\W\d_]+)\?$")
_TOKEN = re.compile(rf"if and only if|it is not true that|{_NAME}|\S")


def read(question: str) -> Puzzle:
    """The puzzle that the question tells; raises ValueError with what is not understood."""
    if len(question) > _LONGEST:
        raise ValueError("it is too long")
    question = " ".join(question.split())
    asked = _ASKED.search(question)
    if asked is None:
        raise ValueError("it does not end in 'Who is a knight and who is a knave?'")
    words = Words(asked[1], asked[2])
    names, body = _frame(question, forms(words))
    if not FEWEST <= len(names) <= MOST or len(set(names)) < len(names) or not all(map(NAME.fullmatch, names)):
        raise ValueError(f"it does not name {FEWEST} to {MOST} people")
    said = _speeches(body, names)
    if len(said) < len(names):
        raise ValueError("somebody in it says nothing")
    found = tuple(_whole(said[name], names, words) for name in names)
    return Puzzle(names, claims.read(found, len(names)), words)


def _frame(question: str, every: dict[str, str]) -> tuple[tuple[str, ...], str]:
    """The names, and what stands between the introduction and the question at the end."""
    for head in (*HEADS, _PUBLISHED_HEAD):
        pattern = _pattern(head.format(names="{names}", count="{count}", **every))
        found = re.match(pattern.replace("{names}", r"(?P<names>[^.:\"]+)").replace("{count}", r"\d+"), question)
        for tail in (_PUBLISHED_TAIL, TAIL):
            if found and question.endswith(" " + tail.format(**every)):
                body = question[found.end() :].removesuffix(tail.format(**every)).strip()
                return tuple(re.split(r", and |, | and ", found["names"])), body
    raise ValueError("it does not begin and end as these puzzles do")


def _speeches(text: str, names: Sequence[str]) -> dict[str, str]:
    """Who says what."""
    said: dict[str, str] = {}
    place = 0
    while place < len(text):
        found = next((found for pattern in _patterns() if (found := pattern.match(text, place))), None)
        if found is None or found["name"] not in names:
            raise ValueError(f"nobody in it says {text[place : place + 40]!r}")
        if found["name"] in said:
            raise ValueError(f"{found['name']} speaks twice in it")
        said[found["name"]] = found["claim"]
        place = found.end()
    return said


@lru_cache(maxsize=1)
def _patterns() -> list[re.Pattern[str]]:
    return [
        re.compile(
            _pattern(speech)
            .replace('"\\.', r'\.?"\.?')  # the full stop is inside or outside
            .replace("{name}", rf"(?P<name>{_NAME})")
            .replace("{claim}", r'(?P<claim>[^".,:]+)')
            + "(?: |$)"
        )
        for speech in (*SPEECHES, *_PUBLISHED_SPEECHES)
    ]


def _whole(text: str, names: Sequence[str], words: Words) -> Claim:
    tokens = _TOKEN.findall(re.sub(r"^I(?=f |t )", "i", text))
    try:
        if len(tokens) > _LONGEST_CLAIM:
            raise IndexError
        claim = _claim(tokens, names, words)
        if tokens:
            raise IndexError
    except IndexError:  # it ended early, or did not end
        raise ValueError(f"what is said in it cannot be read: {text[:60]!r}") from None
    return claim


def _claim(tokens: list[str], names: Sequence[str], words: Words) -> Claim:
    if tokens[0] == "if":
        tokens.pop(0)
        first = _part(tokens, names, words)
        _need(tokens, "then")
        return ("->", first, _part(tokens, names, words))
    parts = [_part(tokens, names, words)]
    joint = tokens[0] if tokens and tokens[0] in ("and", "or", "if and only if") else ""
    while joint and tokens and tokens[0] == joint:
        tokens.pop(0)
        parts.append(_part(tokens, names, words))
    return ({"if and only if": "<=>"}.get(joint, joint), *parts) if joint else parts[0]


def _part(tokens: list[str], names: Sequence[str], words: Words) -> Claim:
    first = tokens.pop(0)
    if first == "(":
        claim = _claim(tokens, names, words)
        _need(tokens, ")")
        return claim
    if first == "it is not true that":
        return ("not", _part(tokens, names, words))
    _need(tokens, "is")
    denied = tokens[0] == "not"
    if denied:
        tokens.pop(0)
    _need(tokens, "a", "an")
    kind = tokens.pop(0)
    if first not in names or kind not in (words.knight, words.knave):
        raise IndexError
    leaf = ("telling-truth" if kind == words.knight else "lying", list(names).index(first))
    return ("not", leaf) if denied else leaf


def _need(tokens: list[str], *any_of: str) -> None:
    if tokens.pop(0) not in any_of:
        raise IndexError


def _pattern(template: str) -> str:
    """The template as a regular expression, with its fields left in."""
    return re.sub(r"\\([{} ])", r"\1", re.escape(template))
