"""The grammar and its values, by properties; and the limits."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.tasks.answers import grammar, probing, verify
from mrclassic.tasks.answers.lexer import tokens
from mrclassic.tasks.answers.spelling import tidy
from mrclassic.tasks.answers.tree import TooCostly, Unreadable

numbers = st.fractions(min_value=-1000, max_value=1000, max_denominator=60)
names = st.sampled_from("xyab")


def latex(value: Fraction) -> str:
    sign, size = ("-" if value < 0 else ""), abs(value)
    return f"{sign}{size}" if size.denominator == 1 else f"{sign}\\frac{{{size.numerator}}}{{{size.denominator}}}"


@st.composite
def polynomials(draw: st.DrawFn) -> tuple[list[int], str]:
    coefficients = draw(st.lists(st.integers(-9, 9), min_size=1, max_size=5))
    terms = [f"{c}{{x}}^{{{power}}}" for power, c in enumerate(coefficients)]
    return coefficients, "+".join(terms).replace("+-", "-")


@given(numbers)
def test_a_number_is_itself_in_every_spelling(value: Fraction) -> None:
    text = latex(value)
    n, d = value.numerator, value.denominator
    for other in (
        f"{n}/{d}",
        f"\\dfrac{{{3 * n}}}{{{3 * d}}}",
        f"x = {text}",
        f"({text})",
        f"{text}+0",
        f"\\left({n}\\right)\\div {d}",
    ):
        assert verify(text, other).verdict == "right", other
    for other in (latex(value + 1), latex(-value - Fraction(1, 7)), f"{text}i+i", f"{text}+x"):
        assert verify(text, other).verdict == "wrong", other


@given(numbers, numbers)
def test_values_are_exact(a: Fraction, b: Fraction) -> None:
    read = grammar.read(tidy(f"({latex(a)}) \\cdot ({latex(b)}) - \\left({latex(b)}\\right)^2"))
    assert probing.value(read) == a * b - b * b


@given(polynomials(), polynomials(), st.integers(-5, 5))
def test_polynomials_are_equal_if_their_coefficients_are(
    left: tuple[list[int], str], right: tuple[list[int], str], root: int
) -> None:
    def trimmed(coefficients: list[int]) -> list[int]:
        kept = list(coefficients)
        while kept and kept[-1] == 0:
            kept.pop()
        return kept

    same = trimmed(left[0]) == trimmed(right[0])
    assert (verify(left[1], right[1]).verdict == "right") == same
    product = f"({left[1]})(x-{root})" if root >= 0 else f"({left[1]})(x+{-root})"
    assert verify(product, f"({left[1]})x - ({root})({left[1]})").verdict == "right"


@given(st.lists(numbers, min_size=2, max_size=5, unique=True), st.randoms())
def test_sets_have_no_order_and_tuples_have(values: list[Fraction], random: object) -> None:
    mixed = values[1:] + values[:1]
    given_, other = (", ".join(map(latex, each)) for each in (values, mixed))
    assert verify(given_, other).verdict == "right"
    assert verify(f"\\{{{given_}\\}}", f"\\{{{other}\\}}").verdict == "right"
    assert verify(f"({given_})", f"({other})").verdict == "wrong"
    assert verify(given_, given_.rpartition(",")[0]).verdict == "wrong"


@given(st.integers(-50, 50), st.integers(1, 50), st.booleans(), st.booleans())
def test_intervals_and_inequalities(low: int, width: int, low_in: bool, high_in: bool) -> None:
    high = low + width
    interval = f"{'[' if low_in else '('}{low},{high}{']' if high_in else ')'}"
    signs = ["\\le" if closed else "<" for closed in (low_in, high_in)]
    chain = f"{low} {signs[0]} x {signs[1]} {high}"
    assert verify(interval, chain).verdict == "right"
    assert verify(chain, f"x \\in {interval}").verdict == "right"
    assert verify(interval, f"{'(' if low_in else '['}{interval[1:]}").verdict == "wrong"


@settings(max_examples=300)
@given(st.text(max_size=80), st.text(alphabet="0123456789xyi+-*/^_(){}[]|\\ ,.=<>!%$&frac sqrtpi", max_size=60))
def test_nothing_raises(gold: str, answer: str) -> None:
    for pair in ((gold, answer), (answer, gold), (answer, answer)):
        assert verify(*pair).verdict in ("right", "wrong", "error")
    with contextlib.suppress(Unreadable, TooCostly):
        assert tokens(tidy(answer))[-1].kind == "stop"


@pytest.mark.parametrize(
    "text",
    [
     "9^{9^{9}}", "10^{8001}", "2501!", "2^{2^{2^{2^{2}}}}", "(" * 40 + "1" + ")" * 40, "1" * 600,
     "\\binom{10^9}{10^5}", "3!!!!!!!", "\\sum_{k=1}^{100000} k", "\\sin(10^{400})", "e^{10^{6}}",
     "\\sum_{i=1}^{1000}\\sum_{j=1}^{1000} j"],
)  # fmt: skip
def test_what_costs_too_much_is_an_error_and_not_wrong(text: str) -> None:
    judgement = verify("5", text)
    assert (judgement.verdict, judgement.reward) == ("error", None)


@pytest.mark.parametrize(
    "text", ["1/0", "\\frac{x}{0}", "\\log 0", "0^{-1}", "\\tan 90^\\circ", "(-1)!", "0/0", "\\sqrt[0]{2}"]
)
def test_what_does_not_exist_is_wrong(text: str) -> None:
    assert verify("5", text).verdict == "wrong"


def test_limits_allow_what_answers_need() -> None:
    for gold, answer in (
        ("500!", "500 \\cdot 499!"),
        ("2^{2005}", "8\\cdot 2^{2002}"),
        ("\\frac{1}{2004!}", "1/2004!"),
    ):
        assert verify(gold, answer).verdict == "right"
    assert verify("2^{2005}", "2^{2005}+1").verdict == "wrong"
    assert verify("e^{\\pi\\sqrt{163}}", "262537412640768744").verdict == "wrong", "they part in the 31st digit"
