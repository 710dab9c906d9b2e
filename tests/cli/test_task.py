"""task list, sample, add and check, as a shell sees them."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from homes import command
from published import DATA, needs

from mrclassic import tasks
from mrclassic.tasks import arithmetic
from mrclassic.tasks.base import Refusal

OWN = '{"prompt": "What is %d?", "answer": "%d"}'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MRCLASSIC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return command("task", *words, given=given, MRCLASSIC_HOME=os.environ["MRCLASSIC_HOME"])


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
    found = json.loads(run("list", "--json").stdout)
    assert [task["name"] for task in found if task["name"] != tasks.GYM] == tasks.names()
    for task in found:
        if task["name"] == tasks.GYM:
            continue  # there only where its library is installed
        assert task["about"]
        assert task["source"]
        assert (task["faults"], task["broken"]) == (0, None)
        assert all(level["held_out"] and level["example"] for level in task["levels"])
    assert [level["level"] for level in found[0]["levels"]] == list(arithmetic.levels)
    assert all(level["held_out"] >= 2_000 for level in found[0]["levels"][1:])
    lines = run("list").stdout.splitlines()
    assert len(lines) == sum(1 + len(task["levels"]) for task in found)
    assert lines[1].split()[:1] == ["arithmetic:1"]


@pytest.mark.alone
def test_list_is_quick_once_it_knows(home: Path) -> None:
    (home / "tasks").mkdir(parents=True)
    first = run("list", "--json").stdout
    start = time.monotonic()
    assert run("list", "--json").stdout == first
    assert time.monotonic() - start < 2, "about a third of a second on a quiet machine"
    (home / "tasks" / ".list.json").write_text('{"arithmetic": 7')
    assert run("list", "--json").stdout == first
    (home / "tasks" / "riddles.jsonl").write_text("{}\n")
    assert "no row that can be used: riddles.jsonl line 1" in run("list").stdout
    (home / "tasks" / "riddles.jsonl").write_text(OWN % (1, 1) + "\n{}\n")
    last = json.loads(run("list", "--json").stdout)[-1]
    assert (last["name"], last["faults"], last["broken"]) == ("riddles", 1, None)


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
        (("sample", "poetry"), f"There is no task 'poetry'; known: {', '.join(tasks.names())}."),
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
    assert rows[1]["detail"] == f"-1, not {held_out.answer}"


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
    assert done.stdout == "    1  wrong    6, not \u241b[2J4\ufffd 5\n"
    done = run("check", "arithmetic", "--file", str(file), "--json")
    assert done.stdout.isprintable() or all(sign.isprintable() or sign == "\n" for sign in done.stdout)
    assert json.loads(done.stdout)[0]["detail"] == "6, not \x1b[2J4\x9b\n5"


@pytest.mark.parametrize("broken", ["{oops", "[1, 2]", "7", '{"completion": "\ud800"', "[" * 100_000])
def test_a_broken_line_is_named(broken: str, tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    good = b'{"answer": "4", "completion": "4"}\n'
    file.write_bytes(good + b"\n" + broken.encode("utf-8", "surrogatepass") + b"\n" + good)
    done = run("check", "arithmetic", "--file", str(file), "--json")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert done.stderr.startswith(f"mrclassic: {file} line 3: ")


def test_add_a_task_of_ones_own(home: Path, tmp_path: Path) -> None:
    rows = [OWN % (n, n) for n in range(40)]
    (tmp_path / "train.jsonl").write_text("\n".join(rows))
    (tmp_path / "test.json.gz").write_bytes(gzip.compress(f"[{OWN % (50, 50)}, {OWN % (51, 51)}]".encode()))
    done = run("add", "riddles", str(tmp_path / "train.jsonl"), str(tmp_path / "test.json.gz"))
    assert (done.returncode, done.stdout) == (0, "riddles: 42 rows in 1 level, 2 of them held out.\n")
    items = json.loads(run("sample", "riddles", "-n", "9", "--held-out", "--json").stdout)
    assert {item["answer"] for item in items} == {"50", "51"}
    last = json.loads(run("list", "--json").stdout)[-1]
    assert (last["name"], last["levels"][0]["train"], last["levels"][0]["held_out"]) == ("riddles", 40, 2)
    assert last["source"].startswith(str(tmp_path / "train.jsonl"))
    again = run("add", "riddles", str(tmp_path / "test.json.gz"))
    assert again.returncode == 3
    assert "--yes" in again.stderr
    done = run("add", "riddles", str(tmp_path / "test.json.gz"), "--yes", "--json")
    assert json.loads(done.stdout)["rows"] == 2
    assert sorted(path.name for path in (home / "tasks").iterdir()) == [".list.json", "riddles"]
    assert sorted(path.name for path in (home / "tasks" / "riddles").iterdir()) == ["source.txt", "test.json.gz"]


def test_add_names_the_rows_that_cannot_be_used(home: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(
        f'{OWN % (1, 1)}\n{{"prompt": "no answer"}}\n{OWN % (2, 2)}\n{{"prompt": "cut o'
    )
    done = run("add", "riddles", str(tmp_path / "rows.jsonl"))
    assert (done.returncode, done.stdout) == (3, "")
    told = done.stderr.splitlines()
    assert told[0] == 'rows.jsonl line 2: it has no "answer".'
    assert told[1].startswith("rows.jsonl line 4: this is not JSON")
    assert told[2].startswith("mrclassic: Rows that cannot be used: 2")
    assert list((home / "tasks").iterdir()) == []
    done = run("add", "riddles", str(tmp_path / "rows.jsonl"), "--yes", "--json")
    assert (json.loads(done.stdout)["rows"], len(json.loads(done.stdout)["faults"])) == (2, 2)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("riddles",), 2, "--fetch"),
        (("riddles", "rows.jsonl", "--fetch"), 2, "one of the two"),
        (("riddles", "none.jsonl"), 2, "There is no file none.jsonl"),
        (("riddles", "rows.csv"), 2, ".jsonl"),
        (("Riddles!", "rows.jsonl"), 2, "cannot be called 'Riddles!'"),
        (("arithmetic", "rows.jsonl"), 2, "another name"),
        (("gsm8k", "rows.jsonl"), 2, "does not end in"),
        (("riddles", "bad.jsonl"), 2, "bad.jsonl line 1"),
        (("riddles", "rows.jsonl", "rows.jsonl"), 2, "rename one"),
        (("riddles", "--fetch"), 2, "No published dataset is known for 'riddles'"),
        (("../riddles", "rows.jsonl"), 2, "cannot be called"),
    ],
)
def test_add_refuses_in_one_sentence(
    words: tuple[str, ...], code: int, sentence: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"prompt": "Q?", "question": "Q?", "answer": "blue"}\n')
    (tmp_path / "bad.jsonl").write_text('{"prompt": "Q?"}\n')
    (tmp_path / "rows.csv").write_text("prompt,answer\n")
    done = run("add", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert sentence in done.stderr.splitlines()[-1]
    assert not (home / "tasks").exists() or list((home / "tasks").iterdir()) == []


@needs("gsm8k")
def test_the_published_rows_of_a_dataset_are_added_and_judged(tmp_path: Path) -> None:
    files = [str(DATA / "gsm8k" / name) for name in ("train.jsonl.gz", "test.jsonl")]
    done = run("add", "gsm8k", *files)
    assert (done.returncode, done.stdout) == (0, "gsm8k: 8,492 rows in 7 levels, 1,019 of them held out.\n")
    rows = [json.loads(line) for line in (DATA / "gsm8k" / "test.jsonl").read_text().splitlines()]
    rows = [{**row, "completion": row["answer"]} for row in rows]
    start = time.monotonic()
    done = run("check", "gsm8k", "--file", "-", "--json", given="\n".join(map(json.dumps, rows)))
    assert time.monotonic() - start < 5
    assert {row["verdict"] for row in json.loads(done.stdout)} == {"right"}
    assert done.stderr == "1019 right, 0 wrong, 0 error, 0 skipped.\n"
