"""Tasks of the owner's own: rows of prompt and answer, and the split that every task on files keeps."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic import tasks
from mrclassic.errors import UsageError
from mrclassic.tasks.base import BadRow, Task
from mrclassic.tasks.dataset import Dataset
from mrclassic.tasks.own import Own

OWN = Own("mine", None)


def write(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_row_keeps_its_columns() -> None:
    item = OWN.row({"prompt": "Q?", "answer": 7, "reward": "rhyme", "level": 2, "mood": "sad", "split": "train"})
    assert (item.question, item.answer, item.trace) == ("Q?", "7", "7")
    assert dict(item.meta) == {"reward": "rhyme", "level": "2", "mood": "sad"}
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Q?"}]
    assert OWN.row({"prompt": said, "answer": "7", "trace": "so 7"}).messages == tuple(said)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"prompt": "Q?"}, 'no "answer"'),
        ({"prompt": "Q?", "answer": " "}, "empty"),
        ({"prompt": "Q?", "answer": ["7"]}, "neither text nor a number"),
        ({"prompt": "Q?", "answer": "7", "reward": 3}, "reward"),
        ({"prompt": "Q?", "answer": "7", "level": "a:b"}, "level"),
        ({"prompt": [], "answer": "7"}, "user"),
        ({"prompt": [{"role": "user"}], "answer": "7"}, "content"),
        ({"prompt": [{"role": "assistant", "content": "Hi"}], "answer": "7"}, "user"),
        ({"prompt": {"a": 1}, "answer": "7"}, "neither text"),
    ],
)
def test_bad_rows_say_why(row: dict[str, object], why: str) -> None:
    with pytest.raises(BadRow, match=why):
        OWN.row(row)


@pytest.mark.parametrize(
    ("answer", "right", "wrong"),
    [
        ("1/2", ["0.5", "it is .50", "ANSWER: 2/4"], ["0.51", "1 or 2", "half"]),
        (
            "Blue",
            ["blue", "BLUE.", "The answer is blue.", "ANSWER: Blue", "It is blue"],
            ["red", "blue or red", "", "light blue"],
        ),
        ("C++", ["c++", "ANSWER: C++."], ["C", "C#", "C+"]),
        ("2020-01-02", ["2020-01-02", "It was 2020-01-02."], ["2020-01-03", "2020"]),
    ],
)
def test_numbers_are_compared_as_numbers_and_words_as_words(answer: str, right: list[str], wrong: list[str]) -> None:
    item = OWN.row({"prompt": "Q?", "answer": answer})
    assert {OWN.check(item, reply).verdict for reply in right} == {"right"}
    assert {OWN.check(item, reply).verdict for reply in wrong} == {"wrong"}


def test_a_row_for_a_reward_alone_is_not_judged() -> None:
    assert OWN.check(OWN.row({"prompt": "A poem, please.", "reward": "rhyme"}), "Roses").verdict == "skipped"


ROWS = st.lists(
    st.fixed_dictionaries(
        {"prompt": st.integers(0, 40).map(str), "answer": st.just("1"), "level": st.sampled_from("123")},
        optional={"split": st.sampled_from(["train", "test", "validation"])},
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=100, deadline=None)
@given(rows=ROWS, more=ROWS, named=st.booleans())
def test_nothing_held_out_is_ever_drawn(
    rows: list[dict[str, str]], more: list[dict[str, str]], named: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("own")
    write(folder / "train.jsonl", *rows)
    write(folder / ("test.jsonl" if named else "more.jsonl"), *more)
    task = Own("mine", folder)
    held = [item.question for level in task.levels for item in task.held_out(level)]
    assert len(set(held)) == len(held)
    marked = {row["prompt"] for row in rows if row.get("split", "train") != "train"}
    marked |= {row["prompt"] for row in more if row.get("split", "test" if named else "train") != "train"}
    assert marked <= set(held)
    for level in task.levels:
        drawn = [item.question for item in task.loaded.levels[level].train]
        assert not set(drawn) & set(held)
        assert list(task.held_out(level, 2)) == list(task.held_out(level))[:2]
        if drawn:
            assert task.sample(random.Random(0), level).question in drawn
        else:
            with pytest.raises(UsageError, match="held out"):
                task.sample(random.Random(0), level)


def test_an_eighth_is_held_out_and_more_rows_move_none(tmp_path: Path) -> None:
    rows = [{"prompt": f"What is {n}?", "answer": n} for n in range(4_000)]
    few = Own("few", write(tmp_path / "few.jsonl", *rows[:2_000]))
    many = Own("many", write(tmp_path / "many.jsonl", *reversed(rows)))
    held = {item.question for item in many.held_out("1")}
    assert 400 < len(held) < 600
    assert {item.question for item in few.held_out("1")} == held & {row["prompt"] for row in rows[:2_000]}


def test_rows_that_cannot_be_used_are_passed_over_and_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(
        '{"prompt": "a", "answer": "1"}\n{"prompt": "b"}\n{"prompt": "", "answer": "1"}\n{"prompt": "c", "ans'
    )
    task = Own("mine", path)
    assert [fault.split(":")[0] for fault in task.faults] == [f"mine.jsonl line {line}" for line in (2, 3, 4)]
    assert [len(level.train) + len(level.held_out) for level in task.loaded.levels.values()] == [1]


@pytest.mark.parametrize("content", ["", "\n\n", '{"prompt": "b"}\n', "{"])
def test_a_file_without_any_good_row_is_one_sentence(content: str, tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text(content)
    with pytest.raises(UsageError, match=r"no row that can be used: .*mine\.jsonl"):
        _ = tasks.get("mine", tmp_path).levels


def answers(task: Task) -> list[str]:
    assert isinstance(task, Dataset)
    return [item.answer for level in task.loaded.levels.values() for item in (*level.train, *level.held_out)]


def test_the_owners_tasks_are_found_by_name(tmp_path: Path) -> None:
    write(tmp_path / "riddles" / "a.jsonl", {"prompt": "Q?", "answer": "7", "level": "hard"})
    write(tmp_path / "puns.json", {"prompt": "Q?", "answer": "8"})
    write(tmp_path / "riddles.jsonl", {"prompt": "Q?", "answer": "9"})
    write(tmp_path / "gsm8k" / "a.jsonl", {"question": "Q?", "answer": "#### 5"})
    for odd in (".hidden/a.jsonl", "Caps/a.jsonl", "notes.txt", ".list.json"):
        write(tmp_path / odd, {})
    assert tasks.names(tmp_path) == [*tasks.names(), "puns", "riddles"]
    task, level = tasks.select("riddles:hard", tmp_path)
    assert (task.name, level) == ("riddles", "hard")
    assert answers(task) == ["7"]
    assert answers(tasks.get("gsm8k", tmp_path)) == ["5"]
    with pytest.raises(UsageError, match="did you mean riddles"):
        tasks.get("ridles", tmp_path)
    with pytest.raises(UsageError, match="no level 'soft'; known: hard"):
        tasks.select("riddles:soft", tmp_path)
