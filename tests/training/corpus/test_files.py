"""Reading files of every kind as a stream: what is broken is told with its line, and what follows is still read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import corpora
import published
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.errors import UsageError
from mrclassic.training.corpus import files
from mrclassic.training.corpus.documents import BadDocument


def read(*paths: Path) -> list[tuple[int, str]]:
    """Lines with the last thing that is said there, or with "BAD" and why."""
    found = []
    for source in files.sources(paths):
        for each in files.read(source):
            bad = isinstance(each.what, BadDocument)
            found.append((each.line, f"BAD {each.what}" if bad else each.what.said[-1]))
    return found


ROWS = [{"turns": ["Hello.", "one"]}, {"text": "two"}, {"text": "three"}]


@pytest.mark.parametrize("name", ["talks.jsonl", "talks.jsonl.gz", "talks", "talks.txt"])
def test_json_lines_whatever_the_name(name: str, tmp_path: Path) -> None:
    assert read(corpora.write(tmp_path / name, ROWS)) == [(1, "one"), (2, "two"), (3, "three")]


@pytest.mark.parametrize("broken", ['{"text": "half', '{"text": 1}', "[]", "\x00", "nonsense", '{"text": "\\ud800"}'])
@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_a_broken_line_is_told_and_the_rest_is_read(broken: str, suffix: str, tmp_path: Path) -> None:
    many = [{"text": f"row {at} {'x' * 100}"} for at in range(1000)]
    rows = [*many, broken, "", {"text": "after"}]
    found = read(corpora.write(tmp_path / f"a{suffix}", rows))
    assert len(found) == 1002
    assert found[1000][0] == 1001
    assert found[1000][1].startswith("BAD it")
    assert found[1001] == (1003, "after")


def test_a_first_line_that_is_broken(tmp_path: Path) -> None:
    found = read(corpora.write(tmp_path / "a", ['{"text": "half', *ROWS]))
    assert [line for line, _ in found] == [1, 2, 3, 4]
    assert found[0][1].startswith("BAD it is not JSON")


def test_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "one"}\n{"text": "\xff"}\n{"text": "three"}\n')
    one, two, three = read(path)
    assert (one, three) == ((1, "one"), (3, "three"))
    assert two[1].startswith("BAD it is not JSON")


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LONGEST", 1000)
    found = read(corpora.write(tmp_path / "a", [ROWS[0], {"text": "x" * 5000}, ROWS[1]]))
    assert found == [(1, "one"), (2, "BAD the line is longer than 1,000 bytes"), (3, "two")]


@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_a_compressed_file_that_breaks_off(cut: float, tmp_path: Path) -> None:
    whole = corpora.write(tmp_path / "a.gz", corpora.talks(3000)).read_bytes()
    (tmp_path / "a.gz").write_bytes(whole[: int(len(whole) * cut)])
    found = read(tmp_path / "a.gz")
    assert len(found) > 100
    assert found[-1][1] == "BAD the compressed file breaks off here; copy it again"


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.dictionaries(st.sampled_from(["text", "id"]), st.text(max_size=30), min_size=1), max_size=20),
    indent=st.sampled_from([None, 2]),
    chunk=st.integers(1, 50),
)
def test_an_array_is_read_like_its_lines(
    rows: list, indent: int | None, chunk: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("array")
    (folder / "a.json").write_text(json.dumps([{"text": "first"}, *rows], indent=indent))
    corpora.write(folder / "a.jsonl", [{"text": "first"}, *rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "CHUNK", chunk)
        array = [what for _, what in read(folder / "a.json")]
    assert array == [what for _, what in read(folder / "a.jsonl")]


def test_an_array_that_is_broken_says_where(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[\n{"text": "one"},\n{"text": "two"},\n{"text": oops},\n{"text": "four"}]')
    one, two, bad = read(path)
    assert (one, two) == ((2, "one"), (3, "two"))
    assert bad[0] == 4
    assert bad[1].startswith("BAD it is not JSON")
    path.write_text('[\n{"text": "one"},\n')
    assert [line for line, _ in read(path)] == [2, 3]


def test_text_ends_at_separators_and_at_blank_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PIECE", 20)
    path = tmp_path / "a.txt"
    path.write_text("Short.\n<|endoftext|>\n\nA longer piece of text.\nIt goes on.\n\nNext.\n")
    assert read(path) == [(1, "Short."), (4, "A longer piece of text.\nIt goes on."), (7, "Next.")]
    path.write_text("x" * 15 + "\n" + "no blank line\n" * 30)
    assert len(read(path)) > 3
    path.write_bytes(b"Good passage, long enough.\n\nBad \xff here.\n\nGood again, and long enough.\n\nEnd.\n")
    assert [(line, what.startswith("BAD")) for line, what in read(path)] == [(1, False), (3, True), (7, False)]


def test_a_folder_is_one_source_and_hidden_files_are_none(tmp_path: Path) -> None:
    folder = tmp_path / "letters"
    (folder / "deep").mkdir(parents=True)
    corpora.write(folder / "deep" / "b.jsonl", ROWS[1:])
    corpora.write(folder / "a.jsonl.gz", ROWS[:1])
    corpora.write(folder / ".hidden.jsonl", ROWS)
    (source,) = files.sources([folder])
    assert (source.name, [path.name for path in source.files]) == ("letters", ["a.jsonl.gz", "b.jsonl"])
    assert [what for _, what in read(folder)] == ["one", "two", "three"]


def test_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    parquet.write_table(arrow.table({"text": ["one", None, "three"], "other": [1, 2, 3]}), path)
    found = read(path)
    assert found == [(1, "one"), (2, found[1][1]), (3, "three")]
    assert found[1][1].startswith("BAD it has none of the fields")
    turns = [[{"from": "human", "value": "Hello."}, {"from": "gpt", "value": "Good day."}]]
    parquet.write_table(arrow.table({"conversations": turns}), path)
    assert read(path) == [(1, "Good day.")]
    data = bytearray(path.read_bytes())
    data[4:-200] = bytes(len(data) - 204)
    path.write_bytes(data)
    assert read(path)[-1][1].startswith("BAD the file is damaged")
    parquet.write_table(arrow.table({"other": [1]}), path)
    with pytest.raises(UsageError, match="none of the columns"):
        read(path)


def test_what_is_no_corpus_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no file"):
        files.sources([tmp_path / "nothing"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="There is no file in the folder"):
        files.sources([tmp_path / "empty"])
    (tmp_path / "picture").write_bytes(b"\x89PNG\0\0")
    with pytest.raises(UsageError, match="neither text nor JSON lines nor Parquet"):
        read(tmp_path / "picture")
    one, two = corpora.write(tmp_path / "a.jsonl", ROWS), corpora.write(tmp_path / "a.txt", ROWS)
    with pytest.raises(UsageError, match="Two sources are called 'a'"):
        files.sources([one, two])


@pytest.mark.parametrize("word", ["b=2", "2", "a=", "a=x", "a=0", "a=-1", "a=nan", "a=inf"])
def test_a_weight_that_is_none_is_refused(word: str, tmp_path: Path) -> None:
    path = corpora.write(tmp_path / "a.jsonl", ROWS)
    with pytest.raises(UsageError, match="weight"):
        files.sources([path], [word])


def test_weights_go_by_name(tmp_path: Path) -> None:
    paths = [corpora.write(tmp_path / name, ROWS) for name in ("a.jsonl", "b.v1.jsonl.gz")]
    assert [(each.name, each.weight) for each in files.sources(paths, ["b.v1=0.5"])] == [("a", 1.0), ("b.v1", 0.5)]


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    (before,) = files.sources([corpora.write(tmp_path / "a.jsonl", ROWS)])
    first = files.fingerprint(before)
    corpora.write(tmp_path / "a.jsonl", ROWS)
    assert files.fingerprint(before) == first
    corpora.write(tmp_path / "a.jsonl", ROWS[:2])
    assert files.fingerprint(before) != first


@published.needs("small_talk")
def test_published_talk_is_read_without_trouble() -> None:
    counts = {}
    for source in files.sources(sorted((published.DATA / "small_talk").glob("*.jsonl*"))):
        found = list(files.read(source))
        assert not any(isinstance(each.what, BadDocument) for each in found)
        counts[source.name] = len(found)
    assert counts == {"chatterbot_english": 650, "self_dialogue": 12783, "synthetic_persona_chat": 1952}


def test_gzip_is_told_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(gzip.compress(b'{"text": "one"}\n'))
    assert read(path) == [(1, "one")]
