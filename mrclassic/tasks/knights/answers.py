"""The answer line, and reading who is said to be what out of a reply in anybody's words.

    (1) Zoe is a knight (2) Ben is a knave

Read is what stands in the last answer block: after the last `ANSWER:` (or `CONCLUSION:`, `<answer>`, `\\boxed{`), else
from the last `(1) NAME` on, else the run of plain statements that ends the reply. There `Zoe is not a knave`, `Zoe:
knight`, `Zoe and Ben are knights`, `Knights: Zoe, Ben` and `everyone is a knight` all count; a sentence with an if, an
or, a perhaps states nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

from mrclassic.tasks.knights.claims import Puzzle, Words
from mrclassic.tasks.knights.text import article, plural

_LAST = 10_000  # characters of a reply that are looked at

_MARKER = re.compile(r"<answer>|\b(?:answer|conclusion|solution)\s*(?:is\s*)?:|\\boxed\s*\{")
_BREAK = re.compile(r"\(\d{1,2}\)|(?m:^[ \t]*(?:\d{1,2}[.):]|[-+\u2022]))|\b(?:because|since)\b")
_FIRST = re.compile(r"(?:\(1\)|(?m:^[ \t]*1[.):]))\s*([^\W_]+)")
_TOKEN = re.compile(r"[^\W_]+(?:['-][^\W_]+)*|\n|[^\w\s]")
_CLAUSE_END = re.compile(r"(?<=[!?;\n])|(?<=\.)(?=\s)")

# Words with which a sentence takes back, or leaves open, what it states.
_HEDGES = """
    if or either neither nor never none nobody maybe perhaps possibly probably might may could would should cannot
    unless whether suppose supposing assume assuming say says said claim claims claimed state states stated
    tell tells told contradiction contradicts clash impossible false wrong except apart only other others rest ?
"""
# Each token of a clause becomes one letter, and a regular expression over the letters reads the statements.
_LETTERS: Mapping[str, str] = {
    form: letter
    for letter, forms in {
        "i": "is are be was were",
        "c": ": = - \u2013 \u2014 \u2192 > | (",
        "a": "and , & but while whereas also",
        "A": "all everyone everybody both",
        "n": "not no",
        "h": _HEDGES,
        "": 'a an the indeed therefore thus must of them ) . } "',
    }.items()
    for form in forms.split()
} | {"\n": ""}
_LIST = "N(?:a{0,3}N){0,15}"  # bounded, so that reading takes linear time
_STATEMENT = re.compile(
    rf"(?P<who>{_LIST})(?P<link>[icA]*)(?P<not>n?)(?P<what>[KV])"
    rf"|(?P<all>A)[ic]+(?P<none>n?)(?P<kind>[KV])|(?P<heading>[KV])[ic]+(?P<listed>{_LIST})"
)


def reply(puzzle: Puzzle, solution: Sequence[bool]) -> str:
    """The answer in the form that traces end with."""
    words = {True: article(puzzle.words.knight), False: article(puzzle.words.knave)}
    return " ".join(
        f"({place}) {name} is {words[knight]}"
        for place, (name, knight) in enumerate(zip(puzzle.names, solution, strict=True), start=1)
    )


def said(text: str, names: Sequence[str], words: Words) -> dict[int, set[bool]]:
    """What the answer block says of each person, by number; both values where it contradicts itself."""
    text = _plain(text[-_LAST:])
    letters = _letters(tuple(names), words)
    clauses, whole = _block(text, letters)
    stated: dict[int, set[bool]] = {}
    for clause in reversed(clauses):
        found = _statements(clause, letters, len(names), in_full=not whole)
        if stated and not found and not whole:
            break
        for person, knight in found:
            stated.setdefault(person, set()).add(knight)
    return stated


def _plain(text: str) -> str:
    """One case, no emphasis, contractions taken apart."""
    text = unicodedata.normalize("NFC", text).casefold().replace("\u2019", "'")
    text = re.sub(r"[*_`#]+", "", re.sub(r"\\text\s*\{", " ", text))
    return re.sub(r"(?<=\w)'s\b", " is", re.sub(r"(?<=\w)n't\b", " not", text))


@lru_cache(maxsize=256)
def _letters(names: tuple[str, ...], words: Words) -> Mapping[str, str]:
    people = {_plain(name): f"N{person}" for person, name in enumerate(names)}
    kinds = {
        form: letter for word, letter in ((words.knight, "K"), (words.knave, "V")) for form in (word, plural(word))
    }
    return {**_LETTERS, **{form.casefold(): letter for form, letter in kinds.items()}, **people}


def _block(text: str, letters: Mapping[str, str]) -> tuple[list[str], bool]:
    """The clauses of the answer block; or, and False, those of a reply that has none."""
    _, closed, after = text.rpartition("</think>")
    text = after if closed else text
    starts = [found.end() for found in _MARKER.finditer(text)] or [
        found.start() for found in _FIRST.finditer(text) if letters.get(found[1], "").startswith("N")
    ]
    block = text[starts[-1] if starts else 0 :].partition("</answer>")[0]
    clauses = _CLAUSE_END.split(_BREAK.sub(";", block))
    return [clause for clause in clauses if clause.strip(" \t\n;.")], bool(starts)


def _statements(clause: str, letters: Mapping[str, str], people: int, in_full: bool) -> list[tuple[int, bool]]:
    """Who is said to be what in a clause; nothing where it hedges, or says more than is understood. `in_full`: the
    first statement needs its verb."""
    code, persons = "", []
    for token in _TOKEN.findall(clause):
        letter = letters.get(token, "o")
        if letter.startswith("N"):
            persons.append((len(code), int(letter[1:])))
        code += letter[:1]
    matches = list(_STATEMENT.finditer(code))
    left = _STATEMENT.sub("", code)
    if not matches or "Aa" in code or any(letter in "hnKV" for letter in left):
        return []
    if in_full and not (matches[0]["link"] or matches[0]["all"] or matches[0]["heading"]):
        return []
    found: list[tuple[int, bool]] = []
    for match in matches:
        kind = match["what"] or match["kind"] or match["heading"]
        first, last = match.span("listed" if match["heading"] else "who")
        who = range(people) if match["all"] else [person for at, person in persons if first <= at < last]
        found += [(person, (kind == "K") != bool(match["not"] or match["none"])) for person in who]
    return found
