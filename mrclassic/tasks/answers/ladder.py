"""From the cheapest rung up: the same text, the same number, the same tree, the same values, and computer algebra last.

    tidy text  ->  exact numbers  ->  own grammar, within limits  ->  exact or 70-digit values at points  ->  a worker

A rung hands on only what it cannot tell. "error" means that nobody can tell: such an answer is masked, not counted as
wrong. Nothing on the rungs before the worker can hang, because limits are checked before anything is computed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

from mrclassic.tasks.answers import comparing, grammar, slot, symbolic
from mrclassic.tasks.answers.spelling import LONGEST, join_thousands, squeezed, tidy, unwrapped
from mrclassic.tasks.answers.tree import Node, TooCostly, Unreadable
from mrclassic.tasks.base import RIGHT, Judgement, no_answer

_KEPT = 4_096  # judgements and trees that are remembered
_NUMBER = re.compile(r"(-?)([0-9]*)(?:\.([0-9]+))?|(-?)(?:\\frac\{(-?[0-9]+)\}\{([0-9]+)\}|([0-9]+)/([0-9]+))")
_CHOICE = re.compile(r"\(?([A-Ja-j])(?:\)\s*.*|[.:]\s.*|[.:]?)", re.DOTALL)
_OPTION = re.compile(r"\(([A-J])\)\s*(.+)", re.DOTALL)
_WORDS = re.compile(r"[A-Za-z][A-Za-z\s.,'-]+")
_LETTER = re.compile(r"\(?([A-J])\)?")
# Only these are worth a worker: what the grammar cannot read for other reasons is no mathematics.
_ALGEBRA = re.compile(
    r"\\(?:i*int|oint|sum|prod|lim|partial|nabla|det|sup|inf|liminf|limsup)(?![A-Za-z])|\\begin\s*\{|\\frac\s*\{\s*d"
)
_BOMB = re.compile(r"!\s*!|\^[^^]{0,12}\^[^^]{0,12}\^|[0-9]{60}|![^=]{0,8}\^|\^[^=]{0,8}!|\^\{?[0-9.]{4}|[0-9]{4}\s*!")
_NOTHING = frozenset({"nosolution", "nosolutions", "norealsolution", "norealsolutions", "none", "\\emptyset", "\\{\\}",
                      "\\varnothing", "emptyset", "theemptyset", "nosuchnumber"})  # fmt: skip
_UNDEFINED = frozenset({"undefined", "doesnotexist", "dne", "notdefined"})


def verify(gold: str, answer: str) -> Judgement:
    """Whether `answer` says what `gold` says: right, wrong, or error where that cannot be told."""
    return verify_all([(gold, answer)])[0]


def verify_all(pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
    """As `verify`, for each pair of gold and answer; what needs a worker goes there together."""
    found = [_remembered(*pair) if len("".join(pair)) <= LONGEST else _own(*pair) for pair in pairs]
    asked = list(dict.fromkeys(pair for pair, judged in zip(pairs, found, strict=True) if judged is None))
    replies = dict(zip(asked, _algebra(tuple(asked)), strict=True)) if asked else {}
    return [judged or replies[pair] for pair, judged in zip(pairs, found, strict=True)]


def judge(gold: str, completion: str) -> Judgement:
    """Whether the answer that a completion ends with is `gold`."""
    return judge_all([gold], [completion])[0]


def judge_all(golds: Sequence[str], completions: Sequence[str]) -> list[Judgement]:
    """As `judge`, row by row."""
    answers = [slot.find(completion) for completion in completions]
    judged = iter(
        verify_all([(gold, answer) for gold, answer in zip(golds, answers, strict=True) if answer is not None])
    )
    return [no_answer() if answer is None else next(judged) for answer in answers]


def _own(gold: str, answer: str) -> Judgement | None:
    """The judgement of all rungs but the worker's; None where it takes that."""
    gold_text, text = _text(gold), _text(answer)
    if gold_text is None or text is None:
        same = gold.strip() == answer.strip()
        return RIGHT if same else Judgement("error", f"longer than {LONGEST} characters")
    if gold_text == text:
        return RIGHT
    if not text:
        return no_answer("the answer is empty")
    short, gold_short = squeezed(text), squeezed(gold_text)
    if short == gold_short:
        return RIGHT
    numbers = _number(gold_short), _number(short)
    if numbers[0] is not None and numbers[1] is not None and not ("." in short and "." in gold_short):
        if numbers[0] == numbers[1]:
            return RIGHT
        if "." not in short and "." not in gold_short:
            return _wrong(answer, gold)
    if _same_words(gold_text, text):
        return RIGHT
    return _by_tree(gold, answer, gold_text, text)


_remembered = lru_cache(maxsize=_KEPT)(_own)  # of short texts only: the memory is bounded


def _by_tree(gold: str, answer: str, gold_text: str, text: str) -> Judgement | None:
    """Compare trees under each way to read a comma between digits."""
    costly, algebra = False, False
    for gold_tree in _trees(gold_text):
        for tree in _trees(text):
            if isinstance(gold_tree, TooCostly) or isinstance(tree, TooCostly):
                costly = True
                continue
            if isinstance(gold_tree, Unreadable) or isinstance(tree, Unreadable):
                algebra |= all(
                    _ALGEBRA.search(side) is not None
                    for side, read in ((gold_text, gold_tree), (text, tree))
                    if isinstance(read, Unreadable)
                )
                continue
            try:
                if comparing.equal(gold_tree, tree):
                    return RIGHT
            except TooCostly:
                costly = True
            except (Unreadable, RecursionError):
                algebra |= _ALGEBRA.search(gold_text + text) is not None
    if costly:
        return Judgement("error", "too costly to compute")
    if algebra:
        return Judgement("error", "too costly to compute") if _BOMB.search(text) else None
    return _wrong(answer, gold)


@lru_cache(maxsize=_KEPT)
def _trees(text: str) -> tuple[Node | TooCostly | Unreadable, ...]:
    """The ways to read a text: 1,234 as a number, or as a list where that has spaces or no other sense."""
    joined = join_thousands(text)
    readings = [joined] if joined == text or " " in text or "." in text else [joined, text]
    found: list[Node | TooCostly | Unreadable] = []
    for reading in readings:
        try:
            found.append(grammar.read(reading))
        except (TooCostly, Unreadable) as error:
            found.append(error)
        except RecursionError:
            found.append(TooCostly("nested too deep"))
    return tuple(found)


def _text(answer: str) -> str | None:
    """The tidy text; None where it is too long to be looked at."""
    if len(answer) > LONGEST:
        return None
    inner = slot.find(answer) if "\\boxed" in answer else answer
    text = tidy(inner if inner is not None else answer)
    return text if len(text) <= 2 * LONGEST else None


def _number(text: str) -> Fraction | None:
    """The value of a plain integer, decimal or fraction; None for all else."""
    found = _NUMBER.fullmatch(text) if len(text) <= 80 else None
    if found is None:
        return None
    sign, whole, decimals, fraction_sign, over, under, over_, under_ = found.groups()
    if over is not None or over_ is not None:
        below = int(under or under_)
        return Fraction(int(over or over_), below) * (-1 if fraction_sign else 1) if below else None
    if not (whole or decimals):
        return None
    value = Fraction(int(f"{whole or ''}{decimals or ''}"), 10 ** len(decimals or ""))
    return -value if sign else value


def _same_words(gold_text: str, answer: str) -> bool:
    """(B) is B and "B. 12"; no solution is the empty set."""
    option = _OPTION.fullmatch(unwrapped(gold_text))
    if option:
        return _same_words(option[1], answer) or verify(option[2], answer).verdict == "right"
    gold = squeezed(gold_text)
    letter = _LETTER.fullmatch(gold)
    if letter:
        choice = _CHOICE.fullmatch(unwrapped(answer))
        return choice is not None and choice[1].upper() == letter[1] and (len(answer) <= 3 or choice[1].isupper())
    a, b = (re.sub(r"[\s.,]", "", text).casefold() for text in (gold, squeezed(answer)))
    alike = a == b and _WORDS.fullmatch(gold) is not None
    return alike or any(a in words and b in words for words in (_NOTHING, _UNDEFINED))


@lru_cache(maxsize=_KEPT)
def _reply(gold: str, answer: str) -> list[Judgement]:
    """The remembered reply of a worker, filled in by `_algebra`."""
    return []


def _algebra(pairs: tuple[tuple[str, str], ...]) -> list[Judgement]:
    open_ = [pair for pair in pairs if not _reply(*pair)]
    texts = [(f"${_text(gold)}$", f"${_text(answer)}$") for gold, answer in open_]
    for pair, word in zip(open_, symbolic.ask(texts) if texts else (), strict=True):
        judged = {"right": RIGHT, "wrong": _wrong(pair[1], pair[0])}
        _reply(*pair).append(judged.get(word, Judgement("error", "computer algebra came to no end")))
    return [_reply(*pair)[0] for pair in pairs]


def _wrong(answer: str, gold: str) -> Judgement:
    return Judgement("wrong", f"{_short(answer)}, not {_short(gold)}")


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else f"{text[:37]}..."


def forget() -> None:
    """Empty the memory of judgements (for measuring)."""
    _remembered.cache_clear()
    _trees.cache_clear()
    _reply.cache_clear()
