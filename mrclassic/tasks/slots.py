"""Where a reply gives its answer: after `ANSWER:` or `####`, in `\\boxed{}`, after "the answer is", or at its end."""

from __future__ import annotations

import re

LONGEST = 20_000  # characters: of a longer reply only the end is read, so that none takes long to judge

# A line of "#### Step 1" or "#### 1. Add" is a heading; the dataset's own mark stands before the answer itself.
_MARK = re.compile(r"\bANSWER\s*:|^[ \t]*####(?=[ \t]*[-$€£.]{0,3}\d)(?![ \t]*\d+[.):]\s+\w)", re.MULTILINE | re.ASCII)
_STATED = re.compile(r"\banswer\s*(?:is\b\s*:?|:|=)", re.IGNORECASE)
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{([^{}]*)\}")
# Typography that changes no answer. Each pattern is linear in the text.
_PLAIN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\\[dt]?frac\s*\{(-?\d+)\}\s*\{(\d+)\}"), r" \1/\2"),
    (re.compile(r"\\(?:text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\([$%#&_])"), r"\1"),
    (re.compile(r"(?<=\d)(?:\\[,!]|[\u00a0\u2009\u202f])(?=\d{3})"), ","),
    (re.compile(r"\\[,;:! ]|\\[()\[\]]|[\u00a0\u2009\u202f]"), " "),
    (re.compile(r"[*`]{2,3}|`"), ""),
    (re.compile(r"\.{2,}|…"), " "),
    (re.compile(r"−"), "-"),
)


def plain(reply: str) -> str:
    """The end of a reply without the typography of Markdown and LaTeX."""
    text = reply[-LONGEST:]
    for pattern, instead in _PLAIN:
        text = pattern.sub(instead, text)
    return text


def marked(text: str) -> list[str]:
    """What stands in the places made for an answer, each to the end of its line; `text` is plain."""
    parts = _MARK.split(text)[1:]
    return [_line(part) for part in parts] + [found.strip() for found in _BOXED.findall(text)]


def stated(text: str) -> list[str]:
    """What follows "the answer is" or "answer:", each to the end of its line; `text` is plain."""
    return [_line(part) for part in _STATED.split(text)[1:]]


_SO = re.compile(r"(?:^|[,;.]\s+)so:?\s+(?=\S)", re.IGNORECASE)


def given(reply: str) -> list[str]:
    """The answers that a reply of words gives, as they stand there: in the places made for one, else after "the answer
    is", else what follows the last "so" of its last line, or that line. Without quotation marks and the full stop."""
    text = plain(reply).strip()
    last = text.rpartition("\n")[2]
    found = [each for each in marked(text) if each] or stated(text)[-1:] or _SO.split(last)[-1:]
    return [bare for each in found if (bare := each.strip().removesuffix(".").strip("\"'“”‘’ "))]


def _line(text: str) -> str:
    """The first line with anything in it."""
    return text.strip().partition("\n")[0].strip()
