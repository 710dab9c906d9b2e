"""A reward for JSON that a program can use: 1 if the answer is valid and fits its schema, 0.3 if it is only valid.

    mrclassic train grpo --task extract --reward valid_json

The whole answer must be one JSON object or array (a ``` fence around it is taken off); remarks before or after it, NaN,
comments and a key given twice make it 0. A dataset may have a column `schema`, a JSON Schema of these words: type,
enum, const, properties, required, additionalProperties (true or false), items, minItems, maxItems, minLength,
maxLength, minimum, maximum. A word that is not known here is an error, not a schema that everything fits.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mrclassic.rewards import reward

ONLY_VALID = 0.3
FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*)\n[ \t]*```", re.DOTALL | re.IGNORECASE)
SAID_ELSEWHERE = {"$schema", "$id", "$comment", "title", "description", "default", "examples"}


@reward(range=(0, 1))
def valid_json(completions: Sequence[Any], schema: Sequence[Any] | None = None, **columns: Any) -> list[float]:
    """`schema`: one for each completion, as an object or as text; None where anything valid will do."""
    texts = [each if isinstance(each, str) else each[0]["content"] for each in completions]
    return [_score(text, wanted) for text, wanted in zip(texts, schema or [None] * len(texts), strict=True)]


def _score(text: str, schema: Any) -> float:
    text = text.strip()
    fenced = FENCE.fullmatch(text)
    try:
        value = json.loads(fenced[1] if fenced else text, object_pairs_hook=_object, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return 0.0
    if not isinstance(value, dict | list):
        return 0.0
    wanted = json.loads(schema) if isinstance(schema, str) else schema
    return 1.0 if wanted is None or fits(value, wanted) else ONLY_VALID


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key is given twice")
    return dict(pairs)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def fits(value: Any, schema: Any) -> bool:
    """Whether `value` is what `schema` describes."""
    if isinstance(schema, bool):
        return schema
    unknown = schema.keys() - RULES.keys() - SAID_ELSEWHERE
    if unknown:
        raise ValueError(f"the schema has {sorted(unknown)[0]!r}, which valid_json does not know")
    return all(RULES[word](value, wanted, schema) for word, wanted in schema.items() if word in RULES)


TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: TYPES["number"](value) and value == value // 1,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is 1.0, but it is not true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _type(value: Any, wanted: Any, schema: Any) -> bool:
    return any(TYPES[name](value) for name in ([wanted] if isinstance(wanted, str) else wanted))


def _properties(value: Any, wanted: Any, schema: Any) -> bool:
    return not isinstance(value, dict) or all(fits(value[key], wanted[key]) for key in wanted.keys() & value.keys())


def _additional(value: Any, wanted: Any, schema: Any) -> bool:
    if not isinstance(wanted, bool):
        raise ValueError("the schema has an additionalProperties that is neither true nor false")
    return wanted or not isinstance(value, dict) or value.keys() <= schema.get("properties", {}).keys()


def _size(of: type[list[Any]] | type[str], compare: Callable[[int, int], bool]) -> Callable[[Any, Any, Any], bool]:
    return lambda value, wanted, schema: not isinstance(value, of) or compare(len(value), wanted)


RULES: Mapping[str, Callable[[Any, Any, Any], bool]] = {
    "type": _type,
    "enum": lambda value, wanted, schema: any(_same(value, each) for each in wanted),
    "const": lambda value, wanted, schema: _same(value, wanted),
    "properties": _properties,
    "required": lambda value, wanted, schema: not isinstance(value, dict) or value.keys() >= set(wanted),
    "additionalProperties": _additional,
    "items": lambda value, wanted, schema: not isinstance(value, list) or all(fits(each, wanted) for each in value),
    "minItems": _size(list, lambda length, wanted: length >= wanted),
    "maxItems": _size(list, lambda length, wanted: length <= wanted),
    "minLength": _size(str, lambda length, wanted: length >= wanted),
    "maxLength": _size(str, lambda length, wanted: length <= wanted),
    "minimum": lambda value, wanted, schema: not TYPES["number"](value) or value >= wanted,
    "maximum": lambda value, wanted, schema: not TYPES["number"](value) or value <= wanted,
}
