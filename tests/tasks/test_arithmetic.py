"""Arithmetic: fixed levels, a held-out split that nothing draws, worked replies that are right, a strict verifier."""

from __future__ import annotations

import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.tasks import arithmetic
from mrclassic.tasks.base import Item, Refusal, keyed

LEVELS = st.sampled_from(arithmetic.levels)
NUMBER = st.integers(0, 999)
# Ways in which people and models end a reply with a number.
FRAMES = (
    "{}",
    "{}.",
    "so {}.",
    "It is {}",
    "7+5=12, so {}.",
    "= {}",
    "x={}",
    "The answer is: {}.",
    "so, {}.\n",
    "a\n{}",
)


def items(level: str, seed: int, count: int) -> list[Item]:
    rng = random.Random(seed)
    return [arithmetic.sample(rng, level) for _ in range(count)]


def operands(item: Item) -> tuple[int, int]:
    return tuple(map(int, re.findall(r"\d+", item.question)))  # type: ignore[return-value]


@settings(max_examples=60, deadline=None)
@given(level=LEVELS, seed=st.integers())
def test_training_never_draws_what_is_held_out(level: str, seed: int) -> None:
    held = {frozenset(operands(item)) for other in arithmetic.levels for item in arithmetic.held_out(other)}
    for item in items(level, seed, 40):
        a, b = operands(item)
        assert not arithmetic.is_held_out(a, b)
        assert frozenset((a, b)) not in held


@pytest.mark.parametrize("level", arithmetic.levels)
def test_the_held_out_split_is_large_fixed_and_without_repetition(level: str) -> None:
    held = arithmetic.held_out(level)
    questions = [item.question for item in held]
    assert len(set(questions)) == len(questions)
    assert len(held) >= (2_000 if level != "1" else 30)  # of one digit there are only 100 sums
    assert list(arithmetic.held_out(level, 50)) == list(held[:50])
    assert all(arithmetic.is_held_out(*operands(item)) for item in held)


def test_the_held_out_order_is_the_same_in_every_process() -> None:
    """The gates of different nights compare like with like; a change here makes old scores incomparable."""
    assert [arithmetic.held_out(level)[0].question for level in arithmetic.levels] == FIRST_HELD_OUT


FIRST_HELD_OUT = [
    "What is 4 + 9?",
    "What is 15 + 62?",
    "What is 76 - 12?",
    "What is 795 + 871?",
    "What is 758 - 752?",
]


@settings(max_examples=60, deadline=None)
@given(level=LEVELS, seed=st.integers())
def test_levels_keep_to_their_operation_and_digits(level: str, seed: int) -> None:
    sign, digits = {"1": ("+", 1), "2": ("+", 2), "3": ("-", 2), "4": ("+", 3), "5": ("-", 3)}[level]
    for item in [*items(level, seed, 20), *arithmetic.held_out(level, 20)]:
        a, b = operands(item)
        assert {len(str(a)), len(str(b))} == {digits}
        assert f" {sign} " in item.question
        assert int(item.answer) == (a + b if sign == "+" else a - b) >= 0


def test_an_item_is_a_function_of_its_key() -> None:
    one, two = (arithmetic.sample(keyed("seed", 3, 7), "4") for _ in range(2))
    assert one == two != arithmetic.sample(keyed("seed", 3, 8), "4")


@settings(max_examples=500, deadline=None)
@given(a=NUMBER, b=NUMBER, operation=st.sampled_from("+-"))
def test_the_worked_reply_is_right_in_every_clause(a: int, b: int, operation: str) -> None:
    a, b = (max(a, b), min(a, b)) if operation == "-" else (a, b)
    item = arithmetic.item(a, b, operation)
    assert arithmetic.check(item, item.trace).verdict == "right"
    columns, result = item.trace.removesuffix(".").split(", so ")
    digits = ""
    for clause in columns.split(", "):
        left, right = clause.split("=")
        total = eval(left)  # digits and signs only
        assert total == int(right)
        digits = str(total % 10) + digits
        last = total
    carried = f"{last // 10}{digits[0]}{digits[1:]}" if last >= 10 else digits
    assert int(carried) == int(result) == int(item.answer)


@settings(max_examples=500, deadline=None)
@given(a=NUMBER, b=NUMBER, operation=st.sampled_from("+-"))
def test_a_question_is_read_back_or_refused_for_a_reason(a: int, b: int, operation: str) -> None:
    found = arithmetic.parse(f" What is {a} {operation} {b}?\n")
    if operation == "-" and b > a:
        assert isinstance(found, Refusal)
        assert found.kind == "invalid"
    elif arithmetic.is_held_out(a, b):
        assert isinstance(found, Refusal)
        assert found.kind == "held-out"
    else:
        assert found == arithmetic.item(a, b, operation)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("What is 03 + 4?", "invalid"),
        ("What is 00 + 4?", "invalid"),
        ("What is 3 - 4?", "invalid"),
        ("", "unparsable"),
        ("What is 3 + 4", "unparsable"),
        ("what is 3 + 4?", "unparsable"),
        ("What is 3 + 4? What is 3 + 4?", "unparsable"),
        ("What is 3 * 4?", "unparsable"),
        ("What is -3 + 4?", "unparsable"),
        ("What is 3  + 4?", "unparsable"),
        ("What is 1234 + 4?", "unparsable"),
        ("What is ٣ + 4?", "unparsable"),  # Arabic-Indic
        ("What is ３ + ４?", "unparsable"),  # full width
        ("What is 3² + 4?", "unparsable"),
        ("What is 3 \u2212 1?", "unparsable"),
        ("__import__('os')", "unparsable"),
    ],
)
def test_everything_else_is_refused(question: str, kind: str) -> None:
    found = arithmetic.parse(question)
    assert isinstance(found, Refusal)
    assert found.kind == kind
    assert found.reason


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=60))
def test_reading_any_text_gives_an_item_or_a_refusal(text: str) -> None:
    assert isinstance(arithmetic.parse(text), Item | Refusal)
    assert arithmetic.check(arithmetic.item(47, 85, "+"), text).verdict in ("right", "wrong")


@settings(max_examples=300, deadline=None)
@given(a=NUMBER, b=NUMBER, frame=st.sampled_from(FRAMES), other=st.integers(-2000, 2000))
def test_the_final_number_decides(a: int, b: int, frame: str, other: int) -> None:
    item = arithmetic.item(a, b, "+")
    assert arithmetic.check(item, frame.format(other)).verdict == ("right" if other == a + b else "wrong")


@settings(max_examples=300, deadline=None)
@given(a=NUMBER, b=NUMBER, data=st.data())
def test_a_changed_answer_is_wrong(a: int, b: int, data: st.DataObject) -> None:
    item = arithmetic.item(a, b, "+")
    before, _, _ = item.trace.rpartition(item.answer)
    place = data.draw(st.integers(0, len(item.answer) - 1))
    digit = data.draw(st.sampled_from([one for one in "0123456789" if one != item.answer[place]]))
    for changed in (
        item.answer[:place] + digit + item.answer[place + 1 :],
        item.answer + digit,
        digit + item.answer,
        item.answer[:place] + digit + item.answer[place:] if digit != item.answer[place] else item.answer + "0",
        f"-{item.answer}",
        f"0{item.answer}",
    ):
        assert arithmetic.check(item, f"{before}{changed}.").verdict == "wrong"


@pytest.mark.parametrize(
    "reply",
    [
        "", ".", "132 or so", "132, or 133.", "so 1,132.", "so 1 132.", "so 2.132.", "132.0", "132.5", "so 1/132",
        "so 1e132", "so -132.", "so - 132.", "so \u2212132.", "so \u2013 132.", "١٣٢", "so ١٣٢.", "1３2", "so 1３2.",
        "１３２", "so ١132.", "13 2.", "132..", "132!", "x132", "²132", "so 132%", "132 \u200b",
    ],
)  # fmt: skip
def test_what_only_looks_like_the_answer_is_wrong(reply: str) -> None:
    assert arithmetic.check(arithmetic.item(47, 85, "+"), reply).verdict == "wrong"


HOSTILE = [
    "1" * 200_000,
    "1" * 200_000 + "x",
    " " * 200_000 + "x",
    "1 " * 100_000 + "x",
    "=1" * 100_000 + "x",
    "a " * 100_000,
    "a" + " " * 200_000 + "x",
    "-" * 200_000,
    "٣" * 200_000,
    "." * 200_000,
    "\n" * 200_000,
    "What is " + "9" * 200_000 + " + 1?",
    "What is 1 + 1?" * 20_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_long_and_odd_text_is_judged_at_once(text: str) -> None:
    begun = time.perf_counter()
    assert arithmetic.check(arithmetic.item(47, 85, "+"), text).verdict == "wrong"
    assert isinstance(arithmetic.parse(text), Refusal)
    arithmetic.skeleton(text)
    assert time.perf_counter() - begun < 0.5


def test_a_skeleton_forgets_the_digits() -> None:
    assert arithmetic.skeleton("What is 47 + 8?") == arithmetic.skeleton("What is 10 + 9?") == "What is DD + D?"
