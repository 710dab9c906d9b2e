"""Units as people write them: which two spellings mean one unit, and which contradict each other."""

from __future__ import annotations

_SAME = {
    "cm": "centimeter centimetre centimeters centimetres", "m": "meter metre meters metres",
    "mm": "millimeter millimetre millimeters millimetres", "km": "kilometer kilometre kilometers kilometres",
    "in": "inch inches", "ft": "foot feet", "yd": "yard yards", "mi": "mile miles", "g": "gram grams gm",
    "kg": "kilogram kilograms", "l": "liter litre liters litres", "ml": "milliliter milliliters millilitre",
    "s": "second seconds sec secs", "min": "minute minutes mins", "hour": "hours hr hrs h", "day": "days",
    "week": "weeks", "month": "months", "year": "years yr yrs", "deg": "degree degrees", "dollar": "dollars usd bucks",
    "cent": "cents", "lb": "lbs pound pounds", "oz": "ounce ounces", "rad": "radian radians",
    "percent": "percentage", "am": "", "pm": "",
}  # fmt: skip
_CANONICAL = {spelling: unit for unit, spellings in _SAME.items() for spelling in (unit, *spellings.split())}
_POWERS = {"square": "2", "sq": "2", "cubic": "3", "cu": "3"}


def conflict(gold: str, answer: str) -> bool:
    """Whether both name a measure and not the same one; words that are no measure (apples, ways) never contradict."""
    a, b = _measures(gold), _measures(answer)
    return bool(a and b) and a != b


def same_measure(a: str, b: str) -> bool:
    """Whether both name one measure."""
    return bool(_measures(a)) and _measures(a) == _measures(b)


def _measures(text: str) -> tuple[str, ...]:
    """The measures in a unit with their powers: square inches and in^2 are both in2."""
    found: list[str] = []
    power = ""
    for word in text.lower().replace("/", " ").replace("mph", "miles hour").split():
        name, _, exponent = word.partition("^")
        if name in _POWERS:
            power = _POWERS[name]
        elif name in _CANONICAL:
            found.append(_CANONICAL[name] + (exponent or power))
            power = ""
    return tuple(found)
