"""Reading rows: lines, arrays, gzip; what is broken is named by file and line."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.errors import UsageError
from mrclassic.tasks import rows
from mrclassic.tasks.base import BadRow

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUE = st.recursive(TEXT | st.integers() | st.none() | st.booleans(), lambda inner: st.lists(inner, max_size=3))
ROWS = st.lists(st.dictionaries(TEXT, VALUE, max_size=4), max_size=8)


@settings(max_examples=50, deadline=None)
@given(
    data=ROWS, escaped=st.booleans(), ends=st.sampled_from(["\n", "\r\n", "\n\n"]), indent=st.none() | st.integers(0, 2)
)
def test_every_form_gives_the_same_rows(
    data: list[dict[str, object]],
    escaped: bool,
    ends: str,
    indent: int | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    lines = ends.join(json.dumps(row, ensure_ascii=escaped) for row in data).encode()
    array = json.dumps(data, ensure_ascii=escaped, indent=indent).encode()
    for name, content in {
        "a.jsonl": lines,
        "bom.jsonl": b"\xef\xbb\xbf" + lines,
        "a.jsonl.gz": gzip.compress(lines),
        "a.json": array,
        "a.json.gz": gzip.compress(array),
        "lines.json": lines or b"[]",
    }.items():
        (folder / name).write_bytes(content)
        assert [row for _, row in rows.read(folder / name)] == data, name


def test_lines_are_counted_from_one_and_empty_ones_count() -> None:
    stream = io.BytesIO(b'{"a": 1}\n\n  \n{"a": "one\xe2\x80\xa8line"}\n')
    assert [line for line, _ in rows.parse(stream, "it")] == [1, 4]


def test_objects_of_an_array_know_their_lines(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[\n{"a":\n 1},\n\n {"a": 2}, {"a": 3}\n]\n')
    assert list(rows.read(tmp_path / "a.json")) == [(2, {"a": 1}), (5, {"a": 2}), (5, {"a": 3})]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a": 2', 2),
        ("a.jsonl", b'{"a": 1}\n[1]\n', 2),
        ("a.jsonl", b'{"a": 1}\n\n{"a": "\xff"}\n', 3),
        ("a.jsonl", b"[" * 100_000, 1),
        ("a.jsonl", b'{"a": ' + b"9" * 5_000 + b"}", 1),
        ("a.json", b'[{"a": 1},\n{"a": 2}', 2),
        ("a.json", b'[{"a": 1}\n {"a": 2}]', 2),
        ("a.json", b'[{"a": 1},\n{"a" 2}]', 2),
        ("a.json", b'[{"a": 1},\n7]', 2),
        ("a.json", b'[{"a": "\n\xff"}]', 2),
        ("a.json", b"[", 1),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 9, mtime=0)[:-12], r"\d+"),
        ("a.json.gz", gzip.compress(b"[]", mtime=0)[:-12], 1),
    ],
)
def test_what_is_broken_is_named(name: str, content: bytes, line: int | str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=rf"{name} line {line}: ") as caught:
        list(rows.read(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_a_broken_row_does_not_hide_the_rows_after_it(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{oops\n{"a": 2}\n')
    found = list(rows.scan(tmp_path / "a.jsonl"))
    assert [line for line, _ in found] == [1, 2, 3]
    assert [isinstance(row, BadRow) for _, row in found] == [False, True, False]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "no.jsonl.gz").write_text("not compressed")
    (tmp_path / "folder.jsonl").mkdir()
    for name in ("missing.jsonl", "no.jsonl.gz", "folder.jsonl"):
        with pytest.raises(UsageError, match=name):
            list(rows.read(tmp_path / name))


@settings(max_examples=150, deadline=None)
@given(
    content=st.binary(max_size=60) | st.text('[]{},:"1 \n', max_size=30).map(str.encode),
    name=st.sampled_from(rows.ENDINGS),
)
def test_no_bytes_break_the_reader(content: bytes, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / f"a{name}"
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    for line, row in rows.scan(path):
        assert line >= 1
        assert isinstance(row, dict | BadRow)
