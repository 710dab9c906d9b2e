"""The one place where the answer stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrclassic.tasks.answers import find, judge


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("So \\boxed{5}.", "5"),
        ("\\boxed{1} no, wait: \\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{x=\\{1,2\\}} and more words", "x=\\{1,2\\}"),
        ("either \\boxed{1} or \\boxed{2}", "1, 2"),
        ("\\boxed{1}$ and $\\boxed{2}", "1, 2"),
        ("\\fbox{7}", "7"),
        ("$\\boxed 5$", "5"),
        ("\\boxed{5} ANSWER: 6", "5"),
        ("ANSWER: 5", "5"),
        ("answer: 4\nANSWER: 5\n", "5"),
        ("**Final Answer:** $\\frac12$", "$\\frac12$"),
        ("The answer is 5. I am sure.", "5"),
        ("Thus the final answer is $x+1$.", "$x+1$"),
        ("The answer is: -3.5 apples.", "-3.5 apples"),
        ("the answer is 4:30 p.m.", "4:30 p.m."),
        ("First 3.\n#### 1,234", "1,234"),
        ("We get $3$, then $4$.", "4"),
        ("We get $3$ or $4$.", "3 or 4"),
        ("Hence \\[x^2\\] and so \\(y\\).", "y"),
        ("\\frac{1}{2}", "\\frac{1}{2}"),
        ("5 cm", "5 cm"),
        ("east", "east"),
        ("We add two and two.\nSo in the end x equals 4.", "4"),
        ("ANSWER: \\text{square\nunits}", "\\text{square\nunits}"),
    ],
)
def test_found(completion: str, answer: str) -> None:
    assert find(completion) == answer


@pytest.mark.parametrize(
    "completion",
    [
        "",
        "   \n ",
        "I do not know how this could be done at all, sorry.",
        "\\boxed{",
        "\\boxed{5",
        "\\boxed{}",
        "It is \\boxed{1} but then \\boxed{2",
        "ANSWER:",
        "$ $",
    ],
)
def test_not_found(completion: str) -> None:
    assert find(completion) is None
    judgement = judge("5", completion)
    assert (judgement.verdict, judgement.found) == ("wrong", False)


def test_naming_many_answers_does_not_help() -> None:
    for completion in (
        "5 or 6",
        "\\boxed{5} or \\boxed{6}",
        "$5$ and $6$",
        "ANSWER: 5, 6",
        "5, 6, 7",
        "\\boxed{5 \\text{ or } 6}",
    ):
        assert judge("5", completion).verdict == "wrong"
    assert judge("5", "ANSWER: 6\nANSWER: 5").verdict == "right", "a correction counts"
    assert judge("5", "ANSWER: 5\nANSWER: 6").verdict == "wrong"


@given(st.text(max_size=300))
def test_any_text_has_one_answer_or_none(text: str) -> None:
    found = find(text)
    assert found is None or found.strip()
    assert find(f"{text}\n\\boxed{{41}} then \\boxed{{42}}") == "42"
