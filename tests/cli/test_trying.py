"""task try, as a shell sees it: one question, one reply, every part of the score."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from drop_ins import approve, write

from mrclassic.cli import main
from mrclassic.home import Home

Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def attempt(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: a fresh one takes half a second each time."""

    def run(*words: str, given: object = None) -> tuple[int, Any, str]:
        monkeypatch.setattr(sys, "argv", ["mrclassic", "--home", str(home.root), "task", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO(given if isinstance(given, str) else json.dumps(given)))
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        told = capsys.readouterr()
        return int(str(end.value.code)), json.loads(told.out) if "--json" in words and told.out else told.out, told.err

    return run


def test_a_question_of_ones_own(attempt: Run) -> None:
    code, out, _ = attempt(
        "try", "arithmetic:3", "--question", "What is 7 + 5?", "--reply", "so 12", "--reward", "format"
    )
    assert code == 0
    assert out.splitlines() == [
        "arithmetic:3  What is 7 + 5?",
        "reply: so 12",
        "right: it says 12",
        "  format           1 x 0.1 = 0.1",
        "total: 0.1",
    ]
    _, facts, _ = attempt("try", "arithmetic", "--question", "What is 7 + 5?", "--reply", "so many", "--json")
    assert (facts["verdict"], facts["found"], facts["total"], facts["answer"]) == ("wrong", False, 0.0, "12")
    assert facts["detail"] == "it does not end in a number"


def test_the_drawn_question_is_the_one_that_sample_shows(attempt: Run) -> None:
    _, (shown,), _ = attempt("sample", "arithmetic:4", "-n", "1", "--seed", "7", "--json")
    case = {"seed": 7, "reply": shown["trace"]}
    code, facts, _ = attempt("try", "arithmetic:4", "--case", "-", "--json", given=case)
    assert code == 0
    assert (facts["question"], facts["verdict"], facts["total"]) == (shown["question"], "right", 1.0)
    assert facts["parts"] == [
        {"reward": "correct", "weight": 1.0, "value": 1.0, "counted": 1.0, "decides": True, "fault": ""}
    ]


def test_a_plugin_scores_only_once_it_is_trusted(home: Home, attempt: Run) -> None:
    write(home.plugins, "flat", "def flat(completions, **columns):\n    return [0.5] * len(completions)\n")
    words = ("try", "arithmetic", "--reply", "12", "--reward", "correct", "--reward", "flat=0.5", "--json")
    code, _, said = attempt(*words)
    assert (code, "There is no reward 'flat'" in said) == (2, True)
    approve(home, "flat")
    code, facts, _ = attempt(*words)
    assert code == 0
    assert [(part["reward"], part["value"], part["counted"]) for part in facts["parts"]][1] == ("flat", 0.5, 0.25)


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        (("gsm8k", "--question", "Who?", "--reply", "x"), None, "give that, too"),
        (("arithmetic", "--question", "Why?", "--reply", "x"), None, "Ask as it does: 'What is"),
        (("arithmetic", "--case", "-"), [1], "is no JSON object of question, answer, reply, seed"),
        (("arithmetic", "--case", "-"), {"reply": 7}, "reply is 7, which it cannot be"),
        (("arithmetic", "--case", "-"), "{", "cannot be read"),
        (("arithmetic:9", "--reply", "x"), None, "has no level '9'"),
    ],
)
def test_refusals(attempt: Run, words: tuple[str, ...], given: object, said: str) -> None:
    code, out, told = attempt("try", *words, given=given)
    assert (code, out, len(told.splitlines())) == (2, "", 1), told
    assert said in told
