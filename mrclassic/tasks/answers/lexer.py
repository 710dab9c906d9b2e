"""Cuts the text of an answer into tokens: numbers, symbols, functions, commands, words, separators."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mrclassic.tasks.answers import numerals, vocabulary
from mrclassic.tasks.answers.tree import Num, Op, TooCostly, Unreadable

MOST_TOKENS = 512


class Token(NamedTuple):
    """`kind` is num, sym, fn, cmd, word, op, sep, quad, begin, end or stop."""

    kind: str
    text: str
    node: Num | Op | None = None
    spaced: bool = False
    """Whether a space stands before it."""


_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<repeat>[0-9]*\.(?P<lead>[0-9]*)(?:\\(?:overline|bar)\s*\{?\s*(?P<over>[0-9]+)\s*\}?|(?<=[.])\((?P<paren>[0-9]+)\)
        |\\dot\s*\{?(?P<dot1>[0-9])\}?(?:(?P<dotmid>[0-9]*)\\dot\s*\{?(?P<dot2>[0-9])\}?)?))
    |(?P<ellipsis>[0-9]*\.(?P<before>[0-9]{0,12}?)(?P<period>[0-9]{1,6}?)(?P=period){2,12}\s?(?:\.{3}|\\ldots|\\dots|\\cdots))
    |(?P<based>[0-9][0-9A-Z]*(?:\.[0-9A-Z]+)?)\s*_\s*(?:\{\s*(?:\\(?:text|mathrm|textrm)\s*\{)?\s*(?P<base>[0-9]{1,2}|[a-z]{3,6})
        \s*\}{1,2}|(?P<base1>[0-9]{1,2}))
    |(?P<num>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,5}(?![\w{^.]))?)
    |\\(?P<cmd>[A-Za-z]+)\*?
    |\\(?P<escaped>.)
    |(?P<word>[A-Za-z]+)
    |(?P<pow>\*\*)
    |(?P<rel><=|>=|!=|==|<>|:=|=>)
    |(?P<op>.)""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_RELATIONS = {"<=": "le", ">=": "ge", "!=": "ne", "==": "=", "<>": "ne", ":=": "="}


def tokens(text: str) -> list[Token]:
    """All of them, with a stop at the end; raises Unreadable and TooCostly."""
    found = list(_bounded(_scan(text)))
    kept: list[Token] = []
    for place, token in enumerate(found):
        if token.kind == "quad":  # a wide space parts two answers, or only makes room
            after = found[place + 1].kind if place + 1 < len(found) else "stop"
            if not kept or kept[-1].kind in ("sep", "quad", "word") or after in ("sep", "quad", "stop", "word"):
                continue
            token = Token("sep", ",")
        elif token.kind == "sep" and kept and kept[-1].kind == "sep":  # ", and"
            kept[-1] = Token("sep", token.text if kept[-1].text == "," else kept[-1].text)
            continue
        kept.append(token)
    return [*kept, Token("stop", "")]


def _bounded(source: Iterator[Token]) -> Iterator[Token]:
    for count, token in enumerate(source):
        if count > MOST_TOKENS:
            raise TooCostly("too many signs")
        yield token


def _scan(text: str) -> Iterator[Token]:
    place, spaced, previous = 0, False, Token("stop", "")
    while place < len(text):
        found = _TOKEN.match(text, place)
        assert found is not None  # the last alternative takes any sign
        start, place = place, found.end()
        kind = found.lastgroup or ""
        if kind == "space":
            spaced = True
            continue
        made: list[Token]
        if found["cmd"]:
            made, place = _command(text, found["cmd"], place, previous)
        elif found["word"]:
            made = _word(found["word"], previous, spaced)
        elif found["based"]:
            numeral = numerals.based(found)
            made = [Token("num", found["based"], numeral)]
            if numeral is None:  # 2R_1 is twice a variable
                digits = re.match("[0-9]+(?:[.][0-9]+)?", found["based"])
                assert digits is not None
                made, place = [Token("num", digits[0], numerals.plain(digits[0]))], start + digits.end()
        elif found["repeat"] or found["ellipsis"]:
            made = [Token("num", found[0], numerals.repeating(found))]
        elif found["num"]:
            made = [Token("num", found["num"], numerals.plain(found["num"]))]
        elif found["escaped"]:
            made = [_escaped(found["escaped"])]
        elif found["pow"]:
            made = [Token("op", "^")]
        elif found["rel"]:
            if found["rel"] == "=>":
                raise Unreadable("an arrow")
            made = [Token("op", _RELATIONS[found["rel"]])]
        else:
            made = [_sign(text[start:place])]
        for token in made:
            previous = token._replace(spaced=spaced)
            yield previous
            spaced = False


def _sign(sign: str) -> Token:
    if sign in ",;":
        return Token("sep", ",")
    if not sign.isprintable() or not (sign.isascii() or sign in "°"):
        if sign.isalpha():
            return Token("word", sign)
        raise Unreadable("a sign that means nothing here")
    return Token("op", sign)


def _escaped(sign: str) -> Token:
    if sign in "{}":
        return Token("op", "\\" + sign)
    if sign == "|":
        return Token("op", "|")
    if sign == "\\":
        return Token("row", "\\\\")
    if sign in "#&_":
        return Token("word", sign)
    raise Unreadable("an unknown command")


def _command(text: str, name: str, place: int, previous: Token) -> tuple[list[Token], int]:
    name = vocabulary.COMMANDS.get(name, name)
    if name in vocabulary.WRAPPERS or name in ("begin", "end"):
        inner, after = _braced(text, place)
        if name in ("begin", "end"):
            return [Token(name, inner.strip("*"))], after
        if inner or after > place:
            return _wrapped(name, inner, previous), after
        return [], place  # \bf and the like without braces
    if name in ("mathbb",):
        raise Unreadable("a set without a name")
    if name in vocabulary.GREEK:
        return [Token("sym", name)], place
    if name in vocabulary.FUNCTIONS or name in vocabulary.FUNCTION_SPELLINGS:
        return [Token("fn", vocabulary.FUNCTION_SPELLINGS.get(name, name))], place
    if name == "pi":
        return [Token("sym", "pi")], place
    if name == "infty":
        return [Token("sym", "infinity")], place
    if name in vocabulary.SEPARATORS:
        return [Token("sep", name)], place
    if name == "quad":
        return [Token("quad", name)], place
    if len(name) == 1 and not name.isalpha():
        return [Token("op", name)], place
    return [Token("cmd", name)], place


def _wrapped(name: str, inner: str, previous: Token) -> list[Token]:
    """What stands in \\text{...} and its like: a separator, a function, a unit, a word, or mathematics after all."""
    words = inner.strip().rstrip(".:")
    if name == "mathbb":
        return [Token("set", words)]
    wraps_units = name in ("text", "mathrm", "mbox", "textrm", "hbox")
    if wraps_units and (previous.kind == "num" or inner[:1].isspace()) and vocabulary.COMPOUND_UNIT.fullmatch(words):
        return [Token("word", words)]
    if name in ("boxed", "fbox", "ensuremath") or "\\" in inner or re.search("[0-9=^]", inner):
        return [Token("op", "{"), *_scan(inner), Token("op", "}")]
    bare = words.strip(", ").lower()
    if bare in vocabulary.SEPARATORS:
        return [Token("sep", vocabulary.SEPARATORS[bare])]
    if not words:
        return []
    if len(words) == 1:
        # 5\text{ m} is a length; \mathbf{v} and \mathrm{e} are symbols.
        measured = previous.kind == "num" or (previous.text in tuple("})") and inner[:1].isspace())
        if wraps_units and words in vocabulary.LETTER_UNITS and measured:
            return [Token("word", words)]
        return list(_scan(words))
    if words in vocabulary.FUNCTIONS or words in vocabulary.FUNCTION_SPELLINGS:
        return [Token("fn", vocabulary.FUNCTION_SPELLINGS.get(words, words))]
    if re.fullmatch(r"[A-Za-z ,/]*(?: or | and )[A-Za-z ,/]*|.*[,()/].*", words):
        return list(_scan(words))
    if re.fullmatch("[A-Z]{2,4}", words):
        return [Token("sym", letter) for letter in words]
    return [Token("word", word.lower()) for word in words.split()]


def _word(word: str, previous: Token, spaced: bool) -> list[Token]:
    """A run of plain letters: a name that we know, a word, or a product of variables."""
    low = word.lower()
    if low in vocabulary.SEPARATORS:
        return [Token("sep", low)]
    if word in vocabulary.WORDS or low in ("infinity",):
        return [Token("sym", vocabulary.WORDS[low])]
    if (
        len(word) > 1
        and (low in vocabulary.UNITS)
        and (previous.kind in ("num", "word") or previous.text in tuple(")}"))
    ):
        return [Token("word", low)]
    if word == "in" and previous.kind == "sym":
        return [Token("cmd", "in")]
    if word in vocabulary.FUNCTIONS or (word in vocabulary.FUNCTION_SPELLINGS and len(word) > 2):
        return [Token("fn", vocabulary.FUNCTION_SPELLINGS.get(word, word))]
    if word == "U" and spaced and previous.text in (")", "]"):
        return [Token("cmd", "cup")]
    if word in vocabulary.GREEK and word not in ("xi", "nu", "mu"):
        return [Token("sym", word)]
    if len(word) > 1 and previous.kind == "word":
        return [Token("word", low)]
    head = re.match("(?:arc)?(?:sin|cos|tan|cot|sec|csc)|ln|log|sqrt", word)
    if head and len(word) - head.end() <= 1:
        return [Token("fn", head[0]), *(Token("sym", letter) for letter in word[head.end() :])]
    if word in ("choose", "over", "mod"):
        return [Token("cmd", word)]
    if word.isupper() or len(word) <= 2 or (len(word) == 3 and low not in ("yes", "not", "odd", "all", "one", "two")):
        return [Token("sym", letter) for letter in word]
    if "".join(sorted(word)) == word and ord(word[-1]) - ord(word[0]) < len(word):  # abcd, wxyz
        return [Token("sym", letter) for letter in word]
    return [Token("word", low)]


def _braced(text: str, place: int) -> tuple[str, int]:
    """What stands in the braces that open at `place` (after spaces), and where they end; nothing where none do."""
    while place < len(text) and text[place].isspace():
        place += 1
    if place >= len(text) or text[place] != "{":
        return "", place
    depth = 0
    for end in range(place, len(text)):
        if text[end] in "{}" and (end == 0 or text[end - 1] != "\\"):
            depth += 1 if text[end] == "{" else -1
            if depth == 0:
                return text[place + 1 : end], end + 1
    raise Unreadable("braces do not match")
