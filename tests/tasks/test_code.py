"""HumanEval and MBPP: references are right in every form that a completion takes, and what is read out of prose."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published import DATA, needs
from sandbox.machine import BACKENDS

from mrclassic.sandbox import backends
from mrclassic.sandbox.judge import Judge
from mrclassic.tasks import code, rows
from mrclassic.tasks.base import RIGHT, BadRow, Item, Judgement, JudgesAll, check_all

Task = code.HumanEval | code.MBPP
HUMANEVAL = {
    "task_id": "Own/0",
    "prompt": 'from typing import List\n\n\ndef biggest(xs: List[int]) -> int:\n    """The largest of a list."""\n',
    "entry_point": "biggest",
    "canonical_solution": "    best = xs[0]\n    for x in xs:\n        best = max(x, best)\n    return best\n",
    "test": "def check(candidate):\n    assert candidate([1, 3, 2]) == 3\n    assert candidate([-1]) == -1\n",
}
MBPP = {
    "task_id": 1,
    "text": "Write a function to double a number.",
    "code": "def double(x):\r\n    return 2 * x",
    "test_list": ["assert double(2) == 4", "assert double(0) == 0"],
    "test_setup_code": "",
    "challenge_test_list": [],
}

pytestmark = pytest.mark.skipif(not BACKENDS, reason="there is no sandbox here")


def everything(task: Task) -> list[Item]:
    return list(chain(*((*level.train, *level.held_out) for level in task.loaded.levels.values())))


FORMS: dict[str, Callable[[str, str], str]] = {
    "the body": lambda prompt, body: body,
    "the whole": lambda prompt, body: prompt + body,
    "a fence": lambda prompt, body: f"Certainly:\n\n```python\n{prompt}{body}```\n\nIt goes through the list.",
    "a fence that does not end": lambda prompt, body: f"Certainly:\n```python\n{prompt}{body}",
    "a fence with the body": lambda prompt, body: f"```\n{body}```",
    "two fences": lambda prompt, body: f"```python\n{prompt}{body}\n```\nUse:\n```python\nprint(1)\n```",
    "the better of two": lambda prompt, body: f"```\n{prompt}    pass\n```\nNo:\n```py\n{prompt}{body}\n```",
    "the first line flush": lambda prompt, body: body.strip(),
    "all lines flush": lambda prompt, body: textwrap.dedent(body),
    "the body and the next begun": lambda prompt, body: f"{body}\n\ndef other(x):\n    return [",
    "prose after the body": lambda prompt, body: f"{body}\nThis is the largest, isn't it?",
    "prose around the whole": lambda prompt, body: f"Here it is.\n\n{prompt}{body}\n\nIt's simple.",
    "without the imports": lambda prompt, body: prompt[prompt.index("def ") :] + body,
    "Windows' line ends": lambda prompt, body: (prompt + body).replace("\n", "\r\n"),
    "the paper's marks": lambda prompt, body: f"[BEGIN]\n{prompt}{body}[DONE]\nYou are",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_program_is_found_in_every_form(form: str) -> None:
    task = code.humaneval(None)
    completion = FORMS[form](HUMANEVAL["prompt"], HUMANEVAL["canonical_solution"])
    assert task.check(task.row(HUMANEVAL), completion) == RIGHT


@pytest.mark.parametrize("form", [form for form in FORMS if "body" not in form and "line" not in form])
def test_mbpp_takes_whole_programs(form: str) -> None:
    task = code.mbpp(None)
    assert task.check(task.row(MBPP), FORMS[form]("def double(x):\n", "    return 2 * x\n")) == RIGHT


@pytest.mark.parametrize("completion", ["", "  \n", "I am sorry.", "```python\n```", "def biggest(xs) return 3"])
def test_what_is_no_program_counts_as_no_answer(completion: str) -> None:
    task = code.humaneval(None)
    judgement = task.check(task.row(HUMANEVAL), completion)
    assert (judgement.verdict, judgement.found) == ("wrong", False)


@pytest.mark.parametrize(
    "completion", ["    return 3\n", "```python\ndef biggest(xs):\n    return xs[-1]\n```", "pass"]
)
def test_a_program_that_fails_its_tests_is_wrong(completion: str) -> None:
    task = code.humaneval(None)
    judgement = task.check(task.row(HUMANEVAL), completion)
    assert (judgement.verdict, judgement.found) == ("wrong", True)
    assert judgement.detail.startswith("failed: assert candidate")


def test_helpers_of_the_prompt_are_not_the_programs() -> None:
    task = code.humaneval(None)
    prompt = 'def turn(s):\n    return s[::-1]\n\n\ndef unturn(s):\n    """Undo turn."""\n'
    item = task.row(
        {
            "prompt": prompt,
            "entry_point": "unturn",
            "test": "def check(candidate):\n    assert candidate(turn('abc')) == 'abc'\n",
        }
    )
    assert task.check(item, "    return turn(s)") == RIGHT
    assert not task.check(item, "def turn(s): return s\ndef unturn(s): return s").right


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.text(max_size=60) | st.sampled_from(["```", "def biggest(xs):", "    return 3", "[BEGIN]"]), max_size=6)
)
def test_no_completion_upsets_it(parts: list[str]) -> None:
    task = code.humaneval(None)
    assert task.check(task.row(HUMANEVAL), "\n".join(parts)).verdict == "wrong"


@pytest.mark.parametrize("name", ["prompt", "test", "entry_point"])
def test_a_row_of_humaneval_needs_its_fields(name: str) -> None:
    with pytest.raises(BadRow, match=f'it has no "{name}"'):
        code.humaneval(None).row({key: value for key, value in HUMANEVAL.items() if key != name})


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"test_list": []}, "empty"),
        ({"test_list": "assert"}, "not a list"),
        ({"test_list": ["assert 1"], "code": ""}, "calls no function"),
    ],
)
def test_a_row_of_mbpp_needs_tests(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(BadRow, match=why):
        code.mbpp(None).row({**MBPP, **changed})


@pytest.mark.parametrize("make", [code.humaneval, code.mbpp])
def test_the_sample_is_right_and_has_a_held_out_part(make: Callable[[Path | None], Task]) -> None:
    task = make(None)
    items = everything(task)
    assert isinstance(task, JudgesAll)
    assert task.faults == ()
    assert len(items) >= 15
    assert check_all(task, items, [item.trace for item in items]) == [RIGHT] * len(items)
    assert all(task.held_out(level) for level in task.levels)


def test_the_same_program_is_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Counting(Judge):
        def judge(self, checks: Sequence[Any]) -> list[Any]:
            asked.append(len(checks))
            return super().judge(checks)

    task = code.humaneval(None)
    item = task.row(HUMANEVAL)
    with Counting(workers=1) as judge:
        monkeypatch.setattr(code, "shared", lambda: judge)
        judged = task.check_all([item] * 4, [item.answer, item.answer, "    return 3", ""])
    assert [each.verdict for each in judged] == ["right", "right", "wrong", "wrong"]
    assert asked == [2]


def test_without_a_sandbox_it_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "fault", lambda name: "There is none.")
    task = code.humaneval(None)
    with Judge() as judge:
        monkeypatch.setattr(code, "shared", lambda: judge)
        judgement = task.check(task.row(HUMANEVAL), HUMANEVAL["canonical_solution"])
    assert judgement.verdict == "skipped"
    assert judgement.reward is None
    assert judgement.detail.startswith("skipped: no sandbox")


# Of MBPP every item on the better backend, of the other every seventh: a thousand programs take their time.
@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "file",
    [
        pytest.param(file, marks=needs(file))
        for file in ("humaneval/HumanEval.jsonl.gz", "mbpp/mbpp.jsonl", "mbpp/sanitized-mbpp.json")
    ],
)
def test_every_published_reference_is_right(file: str, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task = (code.humaneval if "humaneval" in file else code.mbpp)(DATA / file)
    every = 1 if backend == BACKENDS[0] or "humaneval" in file else 7
    items = [task.row(row) for _, row in rows.read(DATA / file)][::every]
    with Judge(backend=backend) as judge:
        monkeypatch.setattr(code, "shared", lambda: judge)
        judged = task.check_all(items, [item.answer for item in items])
    assert [(item.question, each) for item, each in zip(items, judged, strict=True) if each != RIGHT] == []
    assert judged
    assert isinstance(judged[0], Judgement)
