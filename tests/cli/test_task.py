"""task list, sample and check, as a shell sees them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mrclassic.tasks import arithmetic
from mrclassic.tasks.base import Refusal

COMMAND = [sys.executable, "-c", "from mrclassic.cli import main; main()", "task"]


def run(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], input=given, capture_output=True, text=True, timeout=60)


def judge(*rows: object) -> list[dict[str, object]]:
    """The verdicts on `rows`."""
    done = run("check", "arithmetic", "--file", "-", "--json", given="\n".join(map(json.dumps, rows)))
    assert done.returncode == 0, done.stderr
    judged: list[dict[str, object]] = json.loads(done.stdout)
    assert all(set(row) == {"row", "verdict", "detail"} for row in judged)
    assert [row["row"] for row in judged] == list(range(1, len(rows) + 1))
    return judged


def verdicts(*rows: object) -> list[object]:
    return [row["verdict"] for row in judge(*rows)]


def test_list() -> None:
    (task,) = json.loads(run("list", "--json").stdout)
    assert task["name"] == "arithmetic"
    assert [level["level"] for level in task["levels"]] == list(arithmetic.levels)
    assert all(level["held_out"] >= 2_000 for level in task["levels"][1:])
    lines = run("list").stdout.splitlines()
    assert len(lines) == len(arithmetic.levels)
    assert lines[0].startswith("arithmetic:1 ")


def test_sample_is_repeatable_and_never_held_out() -> None:
    once = run("sample", "arithmetic:2", "-n", "40", "--seed", "3", "--json").stdout
    assert once == run("sample", "arithmetic:2", "-n", "40", "--seed", "3", "--json").stdout
    assert once != run("sample", "arithmetic:2", "-n", "40", "--seed", "4", "--json").stdout
    items = json.loads(once)
    assert len(items) == 40
    assert {item["level"] for item in items} == {"2"}
    for item in items:
        assert not isinstance(arithmetic.parse(item["question"]), Refusal)
        assert item["trace"].endswith(f"{item['answer']}.")


def test_sample_of_the_held_out_split() -> None:
    items = json.loads(run("sample", "arithmetic:1", "-n", "1000", "--held-out", "--json").stdout)
    assert len(items) == len(arithmetic.held_out("1")), "no more than there are, and none twice"
    assert len({item["question"] for item in items}) == len(items)
    for item in items:
        refusal = arithmetic.parse(item["question"])
        assert isinstance(refusal, Refusal)
        assert refusal.kind == "held-out"


def test_sample_without_a_level_takes_all_in_turn() -> None:
    lines = run("sample", "arithmetic", "-n", "7").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [f"arithmetic:{level}" for level in "1234512"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("sample", "arithmetik"), "There is no task 'arithmetik'; did you mean arithmetic?"),
        (("sample", "poetry"), "There is no task 'poetry'; known: arithmetic."),
        (("sample", "arithmetic:9"), "The task arithmetic has no level '9'; known: 1, 2, 3, 4, 5."),
        (("sample", "arithmetic:"), "The task arithmetic has no level ''; known: 1, 2, 3, 4, 5."),
        (("check", "aritmetic", "--file", "-"), "There is no task 'aritmetic'; did you mean arithmetic?"),
        (
            ("check", "arithmetic", "--file", "/no/such.jsonl"),
            "There is no file /no/such.jsonl; --file - reads standard input.",
        ),
    ],
)
def test_wrong_words_get_one_sentence(words: tuple[str, ...], sentence: str) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"mrclassic: {sentence}\n")


def test_check_with_the_answer_in_the_row() -> None:
    question = "How much is three and four?"
    assert verdicts(
        {"question": question, "answer": "7", "completion": "so 7."},
        {"question": question, "answer": 7, "completion": "7"},
        {"question": question, "answer": "7", "completion": "so 8."},
        {"question": question, "answer": "7", "completion": "I would rather not say."},
        {"question": question, "answer": "7", "completion": ""},
        {"answer": "7", "completion": "so 7."},
        {"answer": "-3", "completion": "so -3."},
    ) == ["right", "right", "wrong", "wrong", "wrong", "right", "right"]


def test_check_computes_the_answer_itself() -> None:
    held_out = arithmetic.held_out("2")[0]
    prompt = [{"role": "user", "content": "What is 1 + 3?"}]
    rows = judge(
        {"question": held_out.question, "completion": held_out.trace},
        {"prompt": held_out.question, "completion": "so -1."},
        {"prompt": prompt, "completion": [{"role": "assistant", "content": "4"}]},
    )
    assert [row["verdict"] for row in rows] == ["right", "wrong", "right"]
    assert rows[1]["detail"] == f"the answer is {held_out.answer}"


def test_check_passes_over_what_cannot_be_judged() -> None:
    rows = judge(
        {"question": "What is 1 + 3?"},
        {"question": "Why?", "completion": "4"},
        {"completion": "4"},
        {"question": "What is 1 + 3?", "completion": 4},
        {"answer": ["4"], "completion": "4"},
    )
    assert {row["verdict"] for row in rows} == {"skipped"}
    assert all(row["detail"] for row in rows)


def test_check_reads_a_file_and_speaks_to_people(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    # A line separator inside a text does not end the line; empty lines keep the numbers of the others.
    cases = ({"answer": "4", "completion": "It is\u2028 4"}, {"answer": "4", "completion": "5"})
    file.write_text("\n\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n", encoding="utf-8")
    done = run("check", "arithmetic", "--file", str(file))
    assert done.returncode == 0
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["1", "right"], ["3", "wrong"]]
    assert done.stderr == "1 right, 1 wrong, 0 error, 0 skipped.\n"


def test_what_a_row_holds_does_not_reach_the_terminal_as_a_command(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_text(json.dumps({"answer": "\x1b[2J4\x9b\n5", "completion": "6"}) + "\n")
    done = run("check", "arithmetic", "--file", str(file))
    assert done.stdout == "    1  wrong    the answer is \u241b[2J4\ufffd 5\n"
    done = run("check", "arithmetic", "--file", str(file), "--json")
    assert done.stdout.isprintable() or all(sign.isprintable() or sign == "\n" for sign in done.stdout)
    assert json.loads(done.stdout)[0]["detail"] == "the answer is \x1b[2J4\x9b\n5"


@pytest.mark.parametrize("broken", ["{oops", "[1, 2]", "7", '{"completion": "\ud800"', "[" * 100_000])
def test_a_broken_line_is_named(broken: str, tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    good = b'{"answer": "4", "completion": "4"}\n'
    file.write_bytes(good + b"\n" + broken.encode("utf-8", "surrogatepass") + b"\n" + good)
    done = run("check", "arithmetic", "--file", str(file), "--json")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert done.stderr.startswith(f"mrclassic: {file} line 3: ")
