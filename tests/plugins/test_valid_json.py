"""`valid_json`: strict JSON, and a schema where the dataset has one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from examples import load
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.rewards.contract import Weighted, score

plugin = load("valid_json")
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def of(text: str, schema: Any = None) -> float:
    return plugin.valid_json(completions=[[{"role": "assistant", "content": text}]], schema=[schema])[0]


@pytest.mark.parametrize(
    "text", ['{"a": 1}', "[]", ' [1, 2.5e3, "x"]\n', '```json\n{"a": [true, null]}\n```', "```\n{}\n```"]
)
def test_valid(text: str) -> None:
    assert of(text) == 1.0


@pytest.mark.parametrize(
    "text",
    ["", "5", '"text"', "null", "{'a': 1}", '{"a": 1,}', '{"a": NaN}', "[Infinity]", '{"a": 1, "a": 2}',
     'Sure! {"a": 1}', '{"a": 1} Done.', "[1] // one", "[" * 100_000, "[" * 100_000 + "]" * 100_000, f"[{'9' * 5000}]",
     '{"a": 1'],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_not_valid(text: str) -> None:
    assert of(text) == 0.0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"name": "Ada", "age": 36}', 1.0),
        ('{"name": "Ada"}', 1.0),
        ('{"name": "Ada", "age": 36.0}', 1.0),
        ('{"name": ""}', 0.3),
        ('{"age": 36}', 0.3),
        ('{"name": "Ada", "age": -1}', 0.3),
        ('{"name": "Ada", "age": true}', 0.3),
        ('{"name": "Ada", "age": "36"}', 0.3),
        ('{"name": "Ada", "title": "Countess"}', 0.3),
        ('["Ada"]', 0.3),
        ("Ada", 0.0),
    ],
)
def test_a_schema(text: str, value: float) -> None:
    assert of(text, PERSON) == of(text, json.dumps(PERSON)) == value


@pytest.mark.parametrize(
    ("schema", "fits", "others"),
    [
        ({"type": ["string", "null"]}, ["x", None], [1, True, []]),
        ({"type": "number"}, [1, 1.5], [True, "1"]),
        ({"enum": [1, "a"]}, [1, 1.0, "a"], [True, "b"]),
        ({"const": {"a": [False]}}, [{"a": [False]}], [{"a": [0]}, {"a": []}]),
        ({"items": {"type": "integer"}, "minItems": 1, "maxItems": 2}, [[1], [1, 2], "x"], [[], [1, 2, 3], ["x"]]),
        ({"maxLength": 2, "maximum": 5}, ["ab", 5, [1, 2, 3]], ["abc", 6]),
        (True, [1, None], []),
        (False, [], [1, None]),
        ({"description": "anything"}, [1, None], []),
    ],
)
def test_the_words_of_a_schema(schema: Any, fits: list[Any], others: list[Any]) -> None:
    assert all(plugin.fits(value, schema) for value in fits)
    assert not any(plugin.fits(value, schema) for value in others)


@settings(max_examples=100, deadline=None)
@given(value=VALUES)
def test_everything_that_json_writes_is_valid(value: Any) -> None:
    assert of(json.dumps([value])) == 1.0
    assert of(json.dumps([value]), {"const": [value]}) == 1.0


@pytest.mark.parametrize("schema", [{"pattern": "a+"}, {"additionalProperties": {"type": "string"}}, "{no json", 7])
def test_a_schema_that_it_does_not_know_is_a_fault_and_not_a_score(schema: Any) -> None:
    found = score([Weighted("j", plugin.valid_json)], [[{"role": "user", "content": ""}]], ["{}"], {"schema": [schema]})
    assert found.total == (None,)
    assert len(found.faults) == 1
