"""Finds the one place in a completion where its answer stands.

In this order: the last \\boxed{...}; what follows the last "ANSWER:", "the answer is" or "####"; the last formula;
a completion that is nothing but a short expression. Further places are not looked at once one is found, so that naming
several answers helps nobody: where a box follows a box with only "and" between, they are one list.
"""

from __future__ import annotations

import re

_TAIL = 20_000  # characters at the end that are looked at
_LONGEST = 2_000  # characters in which a stated answer must end
_SHORT = 200  # a bare answer is no longer
_WORDS = 5  # and a sentence has more words than a bare answer
_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*")
_MARK = re.compile(
    r"####|(?:\bfinal\s+answer|\banswer)\b\s*\**\s*(?:is\b\s*:?|[:=：]|\bequals\b)|\*\*\s*answer\s*:?\s*\*\*",
    re.IGNORECASE,
)
_FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<!\\)\$(.+?)(?<!\\)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_BETWEEN_BOXES = re.compile(r"[\s,;$.]*(?:\\?quad|\\text\s*\{)?[\s,;$]*(?:and|or|,)?[\s,;$}]*(?:\\quad)?[\s$]*")
_BETWEEN_FORMULAS = re.compile(r"\s*(?:,|;|and|or|, and|, or)\s*")
_SENTENCE_END = re.compile(r"(?<!\b[ap])(?<![ap]\.m)[.!?](?=\s+[A-Z]|\s*$)|\n")
_LEAD = re.compile(r"(?:\b(?:is|are|equals|be|get|gives|obtain|have|answer|result|total)\b|[:=])\s*", re.IGNORECASE)


def find(completion: str) -> str | None:
    """The answer's text, None where there is none."""
    text = completion[-_TAIL:]
    if _BOX.search(text):
        return _boxed(text)
    marks = list(_MARK.finditer(text))
    if marks:
        return _stated(text[marks[-1].end() :].lstrip("* \t"))
    formulas = list(_FORMULA.finditer(text))
    if formulas:
        return _last_formulas(text, formulas)
    return _bare(text)


def _boxed(text: str) -> str | None:
    """What is in the last box, and in those right before it; None where it does not close."""
    boxes = list(_BOX.finditer(text))[-8:]
    contents: list[str] = []
    start = len(text)
    for box in reversed(boxes):
        content, end = _box(text, box.end())
        if content is None:
            if contents:
                break
            return None
        if contents and not (start - end <= 40 and _BETWEEN_BOXES.fullmatch(text[end:start])):
            break
        contents.insert(0, content)
        start = box.start()
    distinct = list(dict.fromkeys(content.strip() for content in contents))
    found = ", ".join(distinct)
    return found if found.strip() else None


def _box(text: str, place: int) -> tuple[str | None, int]:
    """The content of the box whose argument begins at `place`, and its end."""
    if place >= len(text):
        return None, place
    if text[place] != "{":
        word = re.compile(r"\S[^\s$]*").match(text, place)
        return (word[0].rstrip("."), word.end()) if word else (None, place)
    depth = 0
    for end in range(place, len(text)):
        if text[end] in "{}" and text[end - 1] != "\\":
            depth += 1 if text[end] == "{" else -1
            if depth == 0:
                return text[place + 1 : end], end + 1
    return None, place


def _stated(text: str) -> str | None:
    """What follows a mark, up to the end of its sentence; of a formula with words around, the formula."""
    text = text.lstrip()
    display = re.match(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]", text, re.DOTALL)
    if display:
        return display[1] or display[2]
    ends = (found.start() for found in _SENTENCE_END.finditer(text[:_LONGEST]))
    end = next((end for end in ends if text.count("{", 0, end) <= text.count("}", 0, end)), len(text))
    sentence = text[:end].strip().strip("*").strip()
    formulas = list(_FORMULA.finditer(sentence))
    if formulas and len(sentence) - sum(len(found[0]) for found in formulas) > 40:
        return _last_formulas(sentence, formulas)
    return sentence if sentence.strip("$ ") else None


def _last_formulas(text: str, formulas: list[re.Match[str]]) -> str | None:
    """The last formula, with those that a mere "and" or comma joins to it and the words of a unit behind."""
    first = len(formulas) - 1
    while first and _BETWEEN_FORMULAS.fullmatch(text[formulas[first - 1].end() : formulas[first].start()]):
        first -= 1
    parts = [_content(found) for found in formulas[first:]]
    if len(parts) == 1 and not parts[0].strip():
        return None
    signs = " ".join(text[a.end() : b.start()] for a, b in zip(formulas[first:], formulas[first + 1 :], strict=False))
    word = " or " if "or" in signs else ", "
    return word.join(parts)


def _content(found: re.Match[str]) -> str:
    return next(part for part in found.groups() if part is not None)


def _bare(text: str) -> str | None:
    """A completion that is an expression, or the end of a last sentence that says "... is 42"."""
    # A line may break inside \text{square units}.
    text = re.sub(r"\{[^{}\n]*\n[^{}]*\}", lambda found: found[0].replace("\n", " "), text[-_LONGEST:])
    lines = text.strip().split("\n")
    if not lines[-1]:
        return None
    if len(lines) == 1 and len(text.strip()) <= _SHORT and _is_short(text):
        return text.strip()
    last = lines[-1].strip().rstrip(".").strip()
    leads = list(_LEAD.finditer(last))
    tail = last[leads[-1].end() :] if leads else ""
    return tail if tail and len(tail) <= _SHORT and _is_short(tail) and re.search("[0-9]|\\\\|^[A-Z]$", tail) else None


def _is_short(text: str) -> bool:
    return len(re.findall(r"(?<!\\)\b[A-Za-z]{2,}", text)) <= _WORDS
