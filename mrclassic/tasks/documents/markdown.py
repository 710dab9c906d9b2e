"""Text and Markdown, cut into passages by headings and paragraphs.

Lines of `Q: ...` and `A: ...` are questions of the owner's own and no part of what is told. Items of a list, rows of a
table and lines such as `Phone: 12 34` are sentences; code is told as it stands.
"""

from __future__ import annotations

import re

from mrclassic.book import clean
from mrclassic.tasks.documents.passages import ROW, Pair, Passage, line, pieces
from mrclassic.tasks.documents.sentences import sentences

_HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*$")
_ASKED = re.compile(r"[*_]{0,2}Q(?:uestion)?[*_]{0,2}\s*:[*_]{0,2}\s*(\S.*)", re.IGNORECASE)
_ANSWERED = re.compile(r"[*_]{0,2}A(?:nswer)?[*_]{0,2}\s*:[*_]{0,2}\s*(\S.*)", re.IGNORECASE)
_ITEM = re.compile(r"(?:[-*+•]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?")
_KEYED = re.compile(r"[^\s:][^:.!?]{0,40}: \S")
_RULE = re.compile(r"[-=*_|:\s]{3,}$")
# Bounded, so that no text takes long: without an end in reach, each beginning would be followed to the end of the line.
_LINK = re.compile(r"!?\[([^\]]{0,300})\]\([^)\s]{0,300}(?:\s[^)]{0,300})?\)")
_EMPHASIS = re.compile(r"(\*\*\*|\*\*|\*|___|__|`)(?=\S)([^\n]{0,300}?\S)\1(?!\w)")
_FENCES = ("```", "~~~")


def read(text: str, name: str) -> tuple[list[Passage], list[str]]:
    """The passages of a text, and what was passed over, a sentence with its line each; `name` is the file's."""
    reader = _Reader(name)
    for number, each in enumerate(_without_comments(clean(text)).split("\n"), start=1):
        reader.take(number, each)
    reader.end()
    return reader.found, reader.faults


def _without_comments(text: str) -> str:
    """Comments go, but their lines stay, so that faults are counted right. One that never ends is none."""
    kept, at = [], 0
    while (begin := text.find("<!--", at)) >= 0 and (end := text.find("-->", begin)) >= 0:
        kept += [text[at:begin], "\n" * text.count("\n", begin, end)]
        at = end + len("-->")
    return "".join([*kept, text[at:]])


class _Reader:
    """Takes line by line; `found` grows by a section at a time."""

    def __init__(self, name: str) -> None:
        self.found: list[Passage] = []
        self.faults: list[str] = []
        self._name = name
        self._title = ""
        self._told: list[str] = []  # sentences of the section
        self._paragraph: list[str] = []  # lines of the paragraph
        self._pairs: list[Pair] = []
        self._asked: tuple[int, str] | None = None  # a question that waits for its answer, and its line
        self._code: list[str] | None = None  # within a fence
        self._table = False  # the line before was a row

    def take(self, number: int, raw: str) -> None:
        """The next line."""
        text = raw.strip()
        if text.startswith(_FENCES):
            self._fence()
        elif self._code is not None:
            self._code.append(raw.rstrip())
        elif not (text and self._asked and self._answer(text)):
            self._line(number, text)
        self._table = text.startswith("|")

    def end(self) -> None:
        """After the last line; a fence that was never closed ends here."""
        self._unanswered()
        self._end_section()
        if self._code is not None:
            self._fence()

    def _line(self, number: int, text: str) -> None:
        if heading := _HEADING.fullmatch(text):
            self._end_section()
            self._title = _plain(heading[1])
        elif question := _ASKED.fullmatch(text):
            self._end_paragraph()
            self._asked = number, _plain(question[1])
        elif not text or _RULE.fullmatch(text):
            if text.startswith("|") and self._table and self._told:
                self._told.pop()  # the heads of the columns
            self._end_paragraph()
        elif text.startswith("|"):
            self._end_paragraph()
            cells = [_plain(cell) for cell in text.strip("|").split("|")]
            self._told += sentences((": " if len(cells) == 2 else ROW).join(filter(None, cells)))
        else:
            item = _ITEM.match(text)
            if item or _KEYED.match(text):  # does not run on from the line before it
                self._end_paragraph()
            self._paragraph.append(_plain(text[item.end() :] if item else text.removeprefix(">")))

    def _answer(self, text: str) -> bool:
        """Whether the line answers the question that waits; a question is only waited for on the next line."""
        answer = _ANSWERED.fullmatch(text)
        if answer is None or self._asked is None or not (given := _plain(answer[1])):
            self._unanswered()
            return False
        self._pairs.append(Pair(self._asked[1], given))
        self._asked = None
        return True

    def _unanswered(self) -> None:
        if self._asked is not None:
            self.faults.append(
                f"{self._name} line {self._asked[0]}: a question without an answer; write A: ... below it."
            )
        self._asked = None

    def _fence(self) -> None:
        self._end_paragraph()
        if self._code is None:
            self._code = []
            return
        if any(self._code):
            self._end_section()
            self.found.append(Passage(tuple(self._code), self._title, verbatim=True))
        self._code = None

    def _end_paragraph(self) -> None:
        self._told += sentences(" ".join(self._paragraph))
        self._paragraph.clear()

    def _end_section(self) -> None:
        self._end_paragraph()
        self.found += pieces(self._told, self._title, self._pairs)
        self._told.clear()
        self._pairs.clear()


def _plain(text: str) -> str:
    """The text on one line, without Markdown's marks."""
    return line(_EMPHASIS.sub(r"\2", _LINK.sub(r"\1", text)))
