"""Reading numbers, and the one answer of a reply."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.tasks import numbers

# Ways to end a reply with a number; the same value whichever is used.
FRAMES = (
    "{}",
    "{}.",
    "$ {}",
    "The answer is {}.",
    "The answer is: {}",
    "So the final answer is {} apples.",
    "3 + 4 = 7, so {} dollars remain.",
    "16 - 3 = 13\n#### {}",
    "First 12.\n\nANSWER: {}",
    "ANSWER: {} kg.",
    "**ANSWER:** **{}**",
    "Step 1. Add.\nStep 2. \\boxed{{{}}}",
    "It takes 5 days. x = {}",
    "Answer: {}\nI hope that helps.",
    "#### Step 1\nAdd.\n#### 2. Take away\nThat leaves {}",
)


def forms(value: Fraction) -> list[str]:
    """Ways to write a number that has a finite decimal form."""
    plain = str(value) if value.denominator == 1 else str(float(value))
    found = [
        plain,
        f"{value.numerator}/{value.denominator}",
        f"{float(value):,.4f}",
        f"${plain}",
        f"{plain}%",
        f"{plain}km",
    ]
    if value.denominator == 1:
        found += [f"{int(value):,}", f"{plain}.00", f"{plain}.0", f"{int(value):,}".replace(",", "{,}")]
        found += [f"{int(value):,}".replace(",", "\\,"), f"{int(value):,}".replace(",", "\u202f")]
    if value.denominator > 1:
        found += [f"\\frac{{{value.numerator}}}{{{value.denominator}}}", f"{plain}00"]
        if abs(value) < 1:
            found.append(plain.replace("0.", ".", 1))
        elif value > 1:
            whole, rest = divmod(value, 1)
            found.append(f"{whole} {rest.numerator}/{rest.denominator}")
    return found


VALUES = (st.integers(-999, 10_000_000) | st.integers(-99, 99)).map(Fraction) | st.builds(
    Fraction, st.integers(-4_000, 4_000), st.sampled_from([2, 4, 5, 8, 10, 16])
)


@settings(max_examples=1500, deadline=None)
@given(value=VALUES, frame=st.sampled_from(FRAMES), data=st.data())
def test_every_way_to_write_it_is_right_and_every_change_wrong(
    value: Fraction, frame: str, data: st.DataObject
) -> None:
    written = data.draw(st.sampled_from(forms(value)))
    assert numbers.judge(frame.format(written), value).verdict == "right", (frame, written)
    other = data.draw(
        st.sampled_from([value + 1, value - 1, -value - 1, value * 10 + 3, value + Fraction(1, 2), value / 3 + 1])
    )
    if other != value:
        assert numbers.judge(frame.format(written), other).verdict == "wrong"


@settings(max_examples=400, deadline=None)
@given(
    value=st.integers(0, 5_000),
    other=st.integers(0, 5_000),
    frame=st.sampled_from(
        [
            "{} or {}",
            "The answer is {} or {}.",
            "It is either {} or maybe {} dollars.",
            "#### {}\n#### {}",
            "ANSWER: {}\nANSWER: {}",
            "ANSWER: {}, {}",
            "ANSWER: {} or {}",
            "ANSWER: {} = {} or 3",
            "#### {}\nANSWER: {}",
            "\\boxed{{{}}} \\boxed{{{}}}",
            "{}, {}",
            "{} to {}",
            "{} {}",
            "somewhere from {} to {} miles",
        ]
    ),
)
def test_two_answers_are_none(value: int, other: int, frame: str) -> None:
    if value != other:
        for gold in (value, other):
            assert numbers.judge(frame.format(value, other), Fraction(gold)).verdict == "wrong"


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("so 16-3=13", 13),
        ("16 - 3 = 13", 13),
        ("it is -3", -3),
        ("it is −3", -3),
        ("a debt of -$5", -5),
        ("a debt of $-5", -5),
        ("ANSWER: seventy-five dollars", 75),
        ("ANSWER: one hundred and five thousand", 105_000),
        ("about 1.5 million", 1_500_000),
        ("an area of 12 cm^2", 12),
        ("an area of 12 m2", 12),
        ("ANSWER: 3 * 4 = 12", 12),
        ("ANSWER:\n\n12\n", 12),
        ("1.2e3", 1200),
        ("I see. The answer is... 12", 12),
        ("costs \\$12", 12),
        ("between us: 12!", 12),
        ("The answer is 12 because 3 eggs at $4 each make 3 * 4 dollars.", 12),
        ("Answer: 3 + 9, which makes 12", 12),
        ("So the answer is 3 times 4. That is 12.", 12),
    ],
)
def test_some_readings(reply: str, answer: int) -> None:
    assert numbers.answer(reply) == [answer]


@pytest.mark.parametrize("reply", ["", "I do not know.", "ANSWER: none", "x2", "v1", "ANSWER:", "####"])
def test_no_answer_is_told_from_a_wrong_one(reply: str) -> None:
    judgement = numbers.judge(reply, Fraction(12))
    assert (judgement.verdict, judgement.found) == ("wrong", False)
    assert numbers.judge("13", Fraction(12)).found


@pytest.mark.parametrize("reply", ["1,23", "12:30", "1/2/2020", "3/0", "9" * 100, "1e999", "1.2.3"])
def test_what_only_looks_like_a_number_is_not_part_of_one(reply: str) -> None:
    assert numbers.answer(reply) == [None]
    assert numbers.read(reply) is None


@settings(max_examples=500, deadline=None)
@given(text=st.text(max_size=80) | st.text("0123456789.,/-$eE %#=ANSWER:\\boxed{} or\n", max_size=80))
def test_any_text_is_read_or_not(text: str) -> None:
    for value in numbers.answer(text):
        assert value is None or isinstance(value, Fraction)
    numbers.read(text)


PIECES = (
    "ANSWER:",
    "answer is ",
    "1,234",
    "\\boxed{",
    "17 or ",
    "1 ",
    "-",
    "1/",
    ",",
    "…",
    " ",
    "one ",
    "#### 1",
    "\n",
    "it ",
)


@pytest.mark.parametrize("piece", PIECES)
def test_long_replies_take_no_time(piece: str) -> None:
    start = time.monotonic()
    numbers.answer(piece * (1_000_000 // len(piece)))
    assert time.monotonic() - start < 1.0
