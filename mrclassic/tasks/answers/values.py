"""Computes an expression: exactly, as fractions, as long as it can be; else to 70 digits. Nothing here can run away.

Every operation looks at the size of its result before it computes it, so that no expression within the grammar's limits
takes more than some milliseconds. A value is a Fraction, or a real or complex number of mpmath.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from mrclassic.tasks.answers.exact import (
    TINY,
    M,
    Undefined,
    Value,
    add,
    bounded,
    div,
    is_real,
    is_whole,
    mul,
    number,
    power,
    root,
)
from mrclassic.tasks.answers.tree import INFINITY, Node, Num, Op, Sym, TooCostly, Unreadable

MOST_FACTORIAL = 2_500  # competitions like the factorial of their year
MOST_STEPS = 20_000
MOST_TERMS = 1_000


@dataclass
class Computer:
    """One computation: the values of variables, and how ambiguous signs are read."""

    variables: Mapping[str, Value] = field(default_factory=dict)
    ten: bool = True
    """Whether log without a base is the common one."""
    steps: int = 0
    angle: bool = False
    imaginary: bool = False
    """Whether any step had a value that is not real."""

    def __call__(self, node: Node) -> Value:
        """The value of `node`; raises Undefined, TooCostly, Unreadable."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise TooCostly("too long a computation")
        if isinstance(node, Num):
            return node.value
        if isinstance(node, Sym):
            return self.symbol(node)
        if node.head in ("sum", "product"):
            return self.series(node)
        if node.head in _ANGLES:
            outer, self.angle = self.angle, True
            try:
                return bounded(_ANGLES[node.head](number(self(node.args[0]))))
            finally:
                self.angle = outer
        parts = [self(part) for part in node.args]
        if node.head == "log" and len(parts) == 1:
            parts.append(Fraction(10) if self.ten else M.e)
        if node.head == "degrees":
            return bounded(parts[0] * M.pi / 180) if self.angle and _plain(parts) else parts[0]
        if node.head == "applied":
            return _function_value(node.tag, parts)
        rule = _RULES.get(node.head)
        if rule is None:
            raise Unreadable(f"{node.head} has no value")
        try:
            found = bounded(rule(*parts))
            self.imaginary |= not is_real(found)
            return found
        except (ZeroDivisionError, OverflowError, TypeError, ValueError) as error:
            if isinstance(error, Unreadable | TooCostly):
                raise
            raise Undefined(f"{node.head} is not defined there") from None

    def symbol(self, node: Sym) -> Value:
        if node.name in self.variables:
            return self.variables[node.name]
        if node == INFINITY:
            raise Undefined("infinity is no number")
        if node.name in ("pi", "e", "i"):
            return {"pi": +M.pi, "e": +M.e, "i": M.mpc(0, 1)}[node.name]
        raise Unreadable(f"{node.name} has no value")

    def series(self, node: Op) -> Value:
        low, high = self(node.args[0]), self(node.args[1])
        if not (is_whole(low) and is_whole(high)):
            raise Undefined("limits that are no whole numbers")
        if high - low > MOST_TERMS:
            raise TooCostly("too many terms")
        total: Value = Fraction(0 if node.head == "sum" else 1)
        inner = Computer(self.variables, self.ten, self.steps, self.angle)
        for index in range(int(low), int(high) + 1):
            inner.variables = {**self.variables, node.tag: Fraction(index)}
            term = inner(node.args[2])
            total = bounded(add(total, term) if node.head == "sum" else mul(total, term))
        self.steps = inner.steps
        return total


def _plain(parts: list[Value]) -> bool:
    return all(is_real(part) for part in parts)


def _factorial(n: Value) -> Value:
    if not is_whole(n) or n < 0:
        raise Undefined("a factorial of no whole number")
    if n > MOST_FACTORIAL:
        raise TooCostly("too large a factorial")
    return Fraction(math.factorial(int(n)))


def _factorial2(n: Value) -> Value:
    if not is_whole(n) or n < 0:
        raise Undefined("a factorial of no whole number")
    if n > MOST_FACTORIAL:
        raise TooCostly("too large a factorial")
    return Fraction(math.prod(range(int(n), 0, -2)))


def _chosen(count: Callable[[int, int], int]) -> Callable[[Value, Value], Value]:
    def rule(n: Value, k: Value) -> Value:
        if not (is_whole(n) and is_whole(k)) or n < 0 or k < 0:
            raise Undefined("a choice of no whole number")
        if min(k, n - k) > MOST_FACTORIAL or n > 10**6 or (count is math.perm and k > MOST_FACTORIAL):
            raise TooCostly("too large a choice")
        return Fraction(count(int(n), int(k)))

    return rule


def _ln(a: Value) -> Value:
    if a == 0:
        raise Undefined("the logarithm of zero")
    return Fraction(0) if a == 1 else M.ln(number(a))


def _log(a: Value, base: Value) -> Value:
    return div(_ln(a), _ln(base))


def _exp(a: Value) -> Value:
    return power(+M.e, a)


def _abs(a: Value) -> Value:
    return abs(a)


def _rounded(towards: Callable[[Fraction], int], real: Callable[[Value], Value]) -> Callable[[Value], Value]:
    def rule(a: Value) -> Value:
        if not is_real(a):
            raise Undefined("a complex number has no whole part")
        if isinstance(a, Fraction):
            return Fraction(towards(a))
        nearest = M.nint(a)
        return Fraction(int(nearest if abs(a - nearest) < TINY * max(1, abs(a)) else real(a)))

    return rule


def _wholes(rule: Callable[..., int]) -> Callable[..., Value]:
    def checked(*parts: Value) -> Value:
        if not all(is_whole(part) for part in parts):
            raise Undefined("not whole numbers")
        return Fraction(rule(*(int(part) for part in parts)))

    return checked


def _mod(a: Value, b: Value) -> Value:
    if not (isinstance(a, Fraction) and isinstance(b, Fraction)) or b == 0:
        raise Undefined("no remainder")
    return a % b


def _extreme(best: Callable[..., Value]) -> Callable[..., Value]:
    def rule(*parts: Value) -> Value:
        if not _plain(list(parts)):
            raise Undefined("complex numbers have no order")
        return best(parts, key=lambda part: number(part))

    return rule


def _function_value(name: str, parts: list[Value]) -> Value:
    """An unknown function at these points: some value that nothing else has, the same each time."""
    total = M.mpf(sum(map(ord, name))) / 7
    for place, part in enumerate(parts):
        total = bounded(total * (place + 2) + M.cos(_angle(number(part) * (place + 3) + total)) * 5)
    return total


def _angle(a: Value) -> Value:
    if M.mag(a) > 1_000:
        raise TooCostly("too large an angle")
    return a


def _quotient(a: Value, b: Value) -> Value:
    if abs(b) <= TINY:
        raise Undefined("a pole")
    return a / b


_ANGLES: dict[str, Callable[[Value], Value]] = {
    "sin": lambda a: M.sin(_angle(a)),
    "cos": lambda a: M.cos(_angle(a)),
    "tan": lambda a: _quotient(M.sin(_angle(a)), M.cos(a)),
    "cot": lambda a: _quotient(M.cos(_angle(a)), M.sin(a)),
    "sec": lambda a: _quotient(M.one, M.cos(_angle(a))),
    "csc": lambda a: _quotient(M.one, M.sin(_angle(a))),
}


def _half_exponentials(sign: int) -> Callable[[Value], Value]:
    return lambda a: (number(_exp(a)) + sign * number(_exp(-a))) / 2


_sinh, _cosh = _half_exponentials(-1), _half_exponentials(1)

_RULES: dict[str, Callable[..., Value]] = {
    "add": add,
    "mul": mul,
    "neg": lambda a: -a,
    "div": div,
    "ratio": div,
    "pow": power,
    "root": root,
    "percent": lambda a: mul(a, Fraction(1, 100)),
    "factorial": _factorial,
    "factorial2": _factorial2,
    "binom": _chosen(math.comb),
    "permutations": _chosen(math.perm),
    "abs": _abs,
    "floor": _rounded(math.floor, lambda a: M.floor(a)),
    "ceil": _rounded(math.ceil, lambda a: M.ceil(a)),
    "ln": _ln,
    "lg": lambda a: _log(a, Fraction(10)),
    "log": _log,
    "exp": _exp,
    "sinh": _sinh,
    "cosh": _cosh,
    "tanh": lambda a: div(_sinh(a), _cosh(a)),
    "coth": lambda a: div(_cosh(a), _sinh(a)),
    "arcsin": lambda a: M.asin(number(a)),
    "arccos": lambda a: M.acos(number(a)),
    "arctan": lambda a: M.atan(number(a)),
    "arccot": lambda a: M.pi / 2 - M.atan(number(a)),
    "arcsec": lambda a: M.acos(div(Fraction(1), a)),
    "arccsc": lambda a: M.asin(div(Fraction(1), a)),
    "gcd": _wholes(math.gcd),
    "lcm": _wholes(math.lcm),
    "mod": _mod,
    "max": _extreme(max),
    "min": _extreme(min),
    "unit": lambda a: a,
    "square": lambda a: a,
    "arcsinh": lambda a: _ln(add(a, power(add(mul(a, a), Fraction(1)), Fraction(1, 2)))),
    "arccosh": lambda a: _ln(add(a, power(add(mul(a, a), Fraction(-1)), Fraction(1, 2)))),
    "arctanh": lambda a: div(_ln(div(add(Fraction(1), a), add(Fraction(1), -a))), Fraction(2)),
    "conjugate": lambda a: a if is_real(a) else M.conj(a),
    "Re": lambda a: a if is_real(a) else a.real,
    "Im": lambda a: Fraction(0) if is_real(a) else a.imag,
    "sgn": lambda a: Fraction((a > 0) - (a < 0)),
}
