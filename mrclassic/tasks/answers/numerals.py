"""Numbers as they are written: decimals, repeating decimals, and numerals with a base."""

from __future__ import annotations

import re
from fractions import Fraction

from mrclassic.tasks.answers.tree import Num, Op, TooCostly

_BASES = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def plain(text: str) -> Num:
    digits, _, power = text.lower().partition("e")
    if abs(int(power or 0)) > 4000:
        raise TooCostly("a number of too many digits")
    whole, point, decimals = digits.partition(".")
    value = Fraction(int((whole + decimals) or "0"), 10 ** len(decimals)) * Fraction(10) ** int(power or 0)
    return Num(value, len(decimals) if point and decimals else None)


def repeating(found: re.Match[str]) -> Num:
    if found["ellipsis"]:
        lead, period = found["before"], found["period"]
    else:
        dots = (found["dot1"] or "") + (found["dotmid"] or "") + (found["dot2"] or "")
        lead, period = found["lead"], found["over"] or found["paren"] or dots
    whole = found[0].partition(".")[0] or "0"
    scale = 10 ** len(lead)
    value = Fraction(int(whole + lead), scale) + Fraction(int(period), scale * (10 ** len(period) - 1))
    return Num(value)


def based(found: re.Match[str]) -> Op | None:
    """The numeral with its base; None where it has no such digits."""
    name = found["base"] or found["base1"]
    base = int(name) if name.isdecimal() else _BASES.index(name) + 2 if name in _BASES else 0
    if not 2 <= base <= 36:
        return None
    whole, _, decimals = found["based"].partition(".")
    try:
        value = Fraction(int(whole + decimals, base), base ** len(decimals))
    except ValueError:
        return None
    return Op("based", (Num(value), Num(Fraction(base))), found["based"].lstrip("0") or "0")
