"""Programs: our machine prints what Python prints, accepts little, and comes to an end whatever it is given."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrclassic.tasks import programs
from mrclassic.tasks.base import Item, Refusal, keyed
from mrclassic.tasks.programs.machine import Unreadable, Unusable, run

HEAD = "What does this print?\n"

_names = st.sampled_from("abc")
_values = st.recursive(
    _names | st.integers(0, 30).map(str) | st.sampled_from(['"ab"', '""', '"x y"']),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "//", "%"]), inner).map(lambda each: f"({' '.join(each)})"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda each: f"{each[0]}({each[1]}, {each[2]})"),
        inner.map("len({})".format),
        inner.map("-{}".format),
    ),
    max_leaves=3,
)
_simple = st.one_of(
    st.tuples(_names, st.sampled_from(["=", "+=", "-=", "*="]), _values).map(" ".join),
    st.lists(_values, min_size=1, max_size=2).map(lambda each: f"print({', '.join(each)})"),
)


def _block(head: str, body: list[str]) -> str:
    return "\n".join([f"{head}:", *(f"    {line}" for line in body)])


_statements = st.one_of(
    _simple,
    st.tuples(st.tuples(_values, st.sampled_from(["<", "==", ">=", "!="]), _values), st.lists(_simple, min_size=1)).map(
        lambda each: _block(f"if {' '.join(each[0])}", each[1])
    ),
    st.tuples(_names, _values, st.lists(_simple, min_size=1)).map(
        lambda each: _block(f"for {each[0]} in range({each[1]})", each[2])
    ),
)


@given(st.lists(_statements, min_size=1, max_size=5).map("\n".join))
def test_it_prints_what_python_prints(source: str) -> None:
    source = f"a = 3\nb = 7\n{source}\nprint(a)"
    try:
        printed = run(source).printed
    except (Unreadable, Unusable):
        return
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(source, {"__builtins__": {each.__name__: each for each in (print, range, len, min, max)}})
    assert "".join(f"{line}\n" for line in printed) == said.getvalue()


@given(st.text(alphabet='ab12 \n+-*/%<>=!():,"ifforinrangeprintelse', max_size=200) | st.text())
def test_any_text_is_carried_out_or_refused(source: str) -> None:
    assert isinstance(programs.parse(HEAD + source), Item | Refusal)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("print(open)", "invalid"),
        ("import os\nprint(1)", "unparsable"),
        ("print(open(1))", "unparsable"),
        ("print((1).real)", "unparsable"),
        ("print(1 if 1 == 1 else 2)", "unparsable"),
        ("while 1 == 1:\n    print(1)", "unparsable"),
        ("len = 3\nprint(len)", "unparsable"),
        ("print(" * 40 + "1" + ")" * 40, "unparsable"),
        ("print(" + "-" * 200 + "1)", "unparsable"),
        ("if 1 == 2:\n    open(1)\nprint(1)", "unparsable"),  # what is never reached is read too
        ("a = 3", "invalid"),
        ("print(b)", "invalid"),
        ("print(1 // 0)", "invalid"),
        ('print("a" + 1)', "invalid"),
        ('print("a" % 1)', "invalid"),
        ('print("ab" * 1000000)', "invalid"),
        ("a = 99\nfor i in range(9):\n    a = a * a\nprint(a)", "invalid"),
        ("for i in range(1000000):\n    a = i\nprint(a)", "invalid"),
        ("for i in range(90):\n    for j in range(90):\n        a = j\nprint(a)", "invalid"),
        ("for i in range(9):\n    print(i)", "invalid"),
    ],
)
def test_what_cannot_be_asked(source: str, kind: str) -> None:
    found = programs.parse(HEAD + source)
    assert isinstance(found, Refusal)
    assert found.kind == kind


def test_what_is_printed_may_be_given_in_one_line_or_as_it_stands() -> None:
    ran = run("for i in range(3):\n    print(i)")
    item = programs.item("", ran)
    assert item.answer == "0 1 2"
    for reply in ("0 1 2", "0\n1\n2", item.trace, "It prints ever more, so 0 1 2."):
        assert programs.check(item, reply).right, reply
    assert programs.check(item, "2").verdict == "wrong"


def test_other_names_make_no_other_program() -> None:
    sources = ("a = 3\nb = a + 4\nprint(b)", "n = 3\nm = n + 4\nprint(m)", "a = 3\nb = b + 4\nprint(b)")
    shapes = [run(source).shape for source in sources[:2]]
    assert shapes[0] == shapes[1]
    assert run(sources[0].replace("4", "5")).shape != shapes[0]
    assert programs.skeleton(HEAD + sources[0]) == programs.skeleton(HEAD + sources[1])


@pytest.mark.parametrize("level", programs.levels)
def test_what_is_drawn_can_be_read_back(level: str) -> None:
    for at in range(40):
        item = programs.sample(keyed("read", at), level)
        found = programs.parse(item.question)
        assert isinstance(found, Item)
        assert (found.answer, found.trace) == (item.answer, item.trace)
