"""Other ways to write an answer, which stay right, and changes to it, which make it wrong."""

from __future__ import annotations

import random
import re
from fractions import Fraction

_FRACTION = re.compile(r"\\frac\{(\d+)\}\{(\d+)\}")
_LIST = re.compile(r"[^()\[\]{}\\a-z]+(?:,[^()\[\]{}\\a-z]+)+")
_TERMS = re.compile(r"(\d*[a-z](?:\^\d)?)\s*\+\s*(\d+[a-z]?)")


def rewritten(gold: str, rng: random.Random) -> str:
    """`gold` said in another way: two or three of the rewritings that apply."""
    text = gold
    for change in rng.sample(_REWRITINGS, k=rng.choice([3, 4, 5])):
        text = change(text, rng)
    return rng.choice(_SLOTS).replace("@", text)


def mutated(gold: str, rng: random.Random) -> str | None:
    """`gold` with one change that makes it wrong; None where there is nothing to change."""
    changes = [change for change in _MUTATIONS if change(gold, random.Random(0)) not in (None, gold)]
    if not changes:
        return None
    text = rng.choice(changes)(gold, rng)
    return None if text is None or text == gold else rng.choice(_SLOTS).replace("@", text)


_SLOTS = (
    "@",
    "\\boxed{@}",
    "We see that the answer is $@$.",
    "Some work with 3 and 4.\nANSWER: @",
    "First $x^2$, then more.\n\n\\[\\boxed{@}\\]\n",
    "So we get $7$, and in the end $@$",
    "It follows that \\boxed{@}, as was asked.",
    "#### @",
)


def _display(text: str, rng: random.Random) -> str:
    return text.replace("\\frac", rng.choice(["\\dfrac", "\\tfrac"]))


def _sized(text: str, rng: random.Random) -> str:
    if "\\left" in text or "\\begin" in text or re.search(r"\\text|\]|\[|\\\(", text):
        return text
    return text.replace("(", "\\left(").replace(")", "\\right)")


def _spaced(text: str, rng: random.Random) -> str:
    return re.sub(r"(?<=[a-z0-9}])([+=])(?=[\\a-z0-9])", r" \1 ", text) if "\\text" not in text else text


def _as_decimal(text: str, rng: random.Random) -> str:
    found = _FRACTION.fullmatch(text)
    if found is None or Fraction(int(found[1]), int(found[2])).limit_denominator(10**4) * 10**4 % 1:
        return text
    return str(int(found[1]) / int(found[2]))


def _expanded(text: str, rng: random.Random) -> str:
    factor = rng.randint(2, 9)
    return _FRACTION.sub(lambda found: f"\\frac{{{int(found[1]) * factor}}}{{{int(found[2]) * factor}}}", text)


def _slashed(text: str, rng: random.Random) -> str:
    found = _FRACTION.fullmatch(text)
    return f"{found[1]}/{found[2]}" if found else text


def _thousands(text: str, rng: random.Random) -> str:
    return f"{int(text):,}" if re.fullmatch(r"\d{4,9}", text) else text


def _zeros(text: str, rng: random.Random) -> str:
    return f"{text}.00" if re.fullmatch(r"-?\d+", text) else f"{text}0" if re.fullmatch(r"-?\d+\.\d+", text) else text


def _unit(text: str, rng: random.Random) -> str:
    return (
        rng.choice([f"{text}\\text{{ units}}", f"{text} \\text{{ apples}}"]) if re.fullmatch(r"-?\d+", text) else text
    )


def _named(text: str, rng: random.Random) -> str:
    return f"x = {text}" if re.fullmatch(r"-?\d+(\.\d+)?|-?\\frac\{\d+\}\{\d+\}", text) else text


def _reordered(text: str, rng: random.Random) -> str:
    if not _LIST.fullmatch(text) or re.fullmatch(r"[\d,.]+", text):
        return text
    parts = [part.strip() for part in text.split(",")]
    rng.shuffle(parts)
    return ", ".join(parts)


def _swapped(text: str, rng: random.Random) -> str:
    found = _TERMS.fullmatch(text)
    return f"{found[2]}+{found[1]}" if found else text


def _root(text: str, rng: random.Random) -> str:
    return re.sub(
        r"(?<![\d}\]])(\d+)\\sqrt\{(\d+)\}", lambda found: f"\\sqrt{{{int(found[1]) ** 2 * int(found[2])}}}", text
    )


def _unicode(text: str, rng: random.Random) -> str:
    return text.replace("-", "−").replace("\\pi", "π ").replace("\\infty", "∞").replace("^\\circ", "°")


_REWRITINGS = (_display, _sized, _spaced, _as_decimal, _expanded, _slashed, _thousands, _zeros, _unit, _named,
               _reordered, _swapped, _root, _unicode)  # fmt: skip


def _digit(text: str, rng: random.Random) -> str | None:
    """Another first digit, not of an exponent or an index, where 1 and 0 may change nothing."""
    places = [found.start() for found in re.finditer(r"(?<![\^_\d.{])[2-9]", text) if "units^" not in text]
    if not places:
        return None
    place = rng.choice(places)
    return text[:place] + str((int(text[place]) - 1 + rng.randint(1, 7)) % 9 + 1) + text[place + 1 :]


def _sign(text: str, rng: random.Random) -> str | None:
    if not re.fullmatch(r"-?(?:[1-9]\d*(?:\.\d+)?|\\frac\{\d+\}\{\d+\}|\d*\\sqrt\{\d+\}|\d*\\pi)", text):
        return None
    return text[1:] if text.startswith("-") else f"-{text}"


def _more(text: str, rng: random.Random) -> str | None:
    more = rng.choice(["+1", "-1", "+\\frac{1}{7}"])
    return text + more if re.fullmatch(r"-?[\d.]+|\\frac\{\d+\}\{\d+\}", text) else None


def _turned(text: str, rng: random.Random) -> str | None:
    found = re.fullmatch(r"\(([^(),]+),([^(),]+)\)", text)
    return f"({found[2]},{found[1]})" if found and found[1].strip() != found[2].strip() else None


def _closed(text: str, rng: random.Random) -> str | None:
    found = re.fullmatch(r"\[([^][(),]+),([^][(),]+)\)", text)
    return f"[{found[1]},{found[2]}]" if found and "infty" not in text else None


def _shortened(text: str, rng: random.Random) -> str | None:
    return text.rpartition(",")[0] if _LIST.fullmatch(text) and not re.search(r",\d{3}(?!\d)", text) else None


def _renamed(text: str, rng: random.Random) -> str | None:
    return text.replace("x", "w") if re.fullmatch(r"[\dx^+\- {}()]*x[\dx^+\- {}()]*", text) else None


_MUTATIONS = (_digit, _sign, _more, _turned, _closed, _shortened, _renamed)
