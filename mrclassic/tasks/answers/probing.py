"""Whether two expressions are the same: exactly or to 42 digits for numbers, at seeded points for those with variables.

Two different polynomials agree at a random point with a chance below 1 in 10,000, and at all points never in practice;
fractions keep the comparison exact wherever powers are whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache

from mrclassic.tasks.answers.exact import Value, close, div, is_real, number
from mrclassic.tasks.answers.tree import Node, Num, Op, Unreadable, children, heads, variables
from mrclassic.tasks.answers.values import Computer

_POINTS = 12
_ENOUGH = 3  # points at which both have a real value
_WHOLE = frozenset(
    {"factorial", "factorial2", "binom", "permutations", "sum", "product", "gcd", "lcm", "mod", "floor", "ceil"}
)
# A decimal of at least this many places stands for any number that it is a rounding of: 0.333333 for 1/3.
_ROUNDED = 6
_Test = Callable[[Value, Value], bool]


def same(gold: Node, answer: Node) -> bool:
    """Whether they are equal wherever both are defined; raises Unreadable and TooCostly where that cannot be told."""
    if gold == answer:
        return True
    names = variables(gold) | variables(answer)
    # log may mean either logarithm, but the same one on both sides; beside ln or lg it is the common one.
    used = heads(gold) | heads(answer)
    readings = (True, False) if "log" in used and used.isdisjoint({"ln", "lg"}) else (True,)
    if names:
        return any(_agree(gold, answer, names, ten, close) for ten in readings)
    return any(_same_number(gold, answer, ten) for ten in readings)


def proportional(gold: Node, answer: Node, positive: bool) -> bool:
    """Whether one is a constant times the other; `positive`: a positive constant."""
    ratios: list[Value] = []

    def test(f: Value, g: Value) -> bool:
        if close(f, Fraction(0)) or close(g, Fraction(0)):
            return close(f, g)
        ratios.append(div(f, g))
        return close(ratios[0], ratios[-1]) and is_real(ratios[-1]) and (not positive or ratios[-1] > 0)

    return _agree(gold, answer, variables(gold) | variables(answer), True, test) and bool(ratios)


def value(node: Node) -> Value:
    """The number that an expression without variables is."""
    return Computer()(node)


def at(node: Node, point: Mapping[str, Value]) -> Value:
    """The value where the variables have these values."""
    return Computer(point)(node)


def _agree(gold: Node, answer: Node, names: frozenset[str], ten: bool, test: _Test) -> bool:
    """Whether `test` holds at the points where both are real, or everywhere if they are real at too few."""
    whole = not _WHOLE.isdisjoint(heads(gold) | heads(answer)) or _alternates(gold) or _alternates(answer)
    others: list[tuple[Value, Value]] = []
    seen = 0
    for point in points(tuple(sorted(names)), whole):
        try:
            left, right = Computer(point, ten), Computer(point, ten)
            a, b = left(gold), right(answer)
        except Unreadable as error:
            if "no value" in str(error):
                raise
            continue  # a pole
        # The square roots of two negative numbers have a real product, but not the root of theirs.
        if is_real(a) and is_real(b) and not left.imaginary and not right.imaginary:
            if not test(a, b):
                return False
            seen += 1
        else:
            others.append((a, b))
    if seen >= _ENOUGH:
        return True
    if seen + len(others) < _ENOUGH:
        raise Unreadable("not defined at enough points")
    return all(test(a, b) for a, b in others)


def _alternates(node: Node) -> bool:
    """Whether a negative number has a variable exponent: (-1)^n is meant for whole n."""
    if isinstance(node, Op) and node.head == "pow" and variables(node.args[1]):
        base = node.args[0]
        if (isinstance(base, Num) and base.value < 0) or (isinstance(base, Op) and base.head == "neg"):
            return True
    return any(map(_alternates, children(node)))


@lru_cache(maxsize=256)
def points(names: tuple[str, ...], whole: bool) -> tuple[dict[str, Fraction], ...]:
    """Values for the variables: positive, small, large and negative ones, the same for the same names."""
    return tuple(_points(names, whole))


def _points(names: tuple[str, ...], whole: bool) -> Iterator[dict[str, Fraction]]:
    from mrclassic.tasks.base import keyed

    for trial in range(_POINTS):
        rng = keyed("probe", trial, *names)
        if whole:
            yield {name: Fraction(rng.randint(3, 12 + trial)) for name in names}
            continue
        size = (3, 1, 1, 9, 100, 5)[trial % 6]
        signs = (1,) if trial < 6 else (1, -1) if trial < 9 else (-1,)
        yield {name: Fraction(rng.randint(1, 9_973) * size * rng.choice(signs), 10_007) for name in names}


def _same_number(gold: Node, answer: Node, ten: bool) -> bool:
    """Numbers: with per cent signs and degrees as units, and decimals as roundings."""
    gold, answer = _bare(gold), _bare(answer)
    gold_percent, answer_percent = _is_percent(gold), _is_percent(answer)
    if gold_percent != answer_percent:
        # 50% is a half, and as good an answer as 50 to "what per cent?"; but 0.5% is not 0.5.
        part, other = (gold, answer) if gold_percent else (answer, gold)
        assert isinstance(part, Op)
        bare = Computer(ten=ten)(part.args[0])
        if (is_real(bare) and abs(number(bare)) >= 1) and _same_number(part.args[0], other, ten):
            return True
    a, b = Computer(ten=ten)(gold), Computer(ten=ten)(answer)
    return close(a, b) or _rounds(gold, a, b) or _rounds(answer, b, a)


def _bare(node: Node) -> Node:
    while isinstance(node, Op) and node.head in ("unit", "degrees", "square"):
        node = node.args[0]
    return node


def _is_percent(node: Node) -> bool:
    return isinstance(node, Op) and node.head == "percent"


def _rounds(decimal: Node, value: Value, other: Value) -> bool:
    """Whether `decimal` is written with so many places that it can only be a rounding of `other`."""
    shift = 0
    while isinstance(decimal, Op) and decimal.head in ("neg", "percent"):
        shift += 2 * (decimal.head == "percent")
        decimal = decimal.args[0]
    if not (isinstance(decimal, Num) and decimal.places is not None and decimal.places >= _ROUNDED):
        return False
    if not is_real(other) or value == 0 or abs(number(value)) < 0.001:
        return False
    half = Fraction(1, 2 * 10 ** (decimal.places + shift))
    return bool(abs(number(value) - number(other)) <= number(half) * (1 + math.ulp(1.0)))
