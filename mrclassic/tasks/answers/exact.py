"""Sums, products and powers that stay fractions as long as they can, and look at the size of a result beforehand."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath

from mrclassic.tasks.answers.tree import TooCostly, Unreadable

MOST_DIGITS = 8_000
MOST_EXPONENT = 10_000  # of whole numbers; MOST_DIGITS holds besides
_BITS = int(MOST_DIGITS * math.log2(10))

M = mpmath.MPContext()
M.prec = 256
TINY = M.mpf(2) ** -200
_EQUAL = M.mpf(2) ** -140

Value = Any  # Fraction, M.mpf or M.mpc


class Undefined(Unreadable):
    """There is no such number: a division by zero, an unknown function."""


def number(value: Value) -> Value:
    """As a number of mpmath."""
    return M.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


def bounded(value: Value) -> Value:
    """The value itself, real if it is real but for rounding; raises TooCostly where it has too many digits."""
    if isinstance(value, Fraction):
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > _BITS:
            raise TooCostly("too many digits")
        return value
    if isinstance(value, int):
        return bounded(Fraction(value))
    if not M.isfinite(value):
        raise Undefined("no finite number")
    if isinstance(value, M.mpc) and abs(value.imag) <= TINY * max(1, abs(value.real)):
        value = value.real
    if value != 0 and abs(M.mag(value)) > _BITS:
        raise TooCostly("too large a number")
    return value


def close(a: Value, b: Value) -> bool:
    """Whether two values are the same number: exactly, or to 42 digits where one is not exact."""
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a == b
    x, y = number(a), number(b)
    size = max(abs(x), abs(y))
    return bool(abs(x - y) <= _EQUAL * size or size <= TINY)


def is_real(value: Value) -> bool:
    """Whether it has no imaginary part."""
    return not isinstance(value, M.mpc)


def is_whole(value: Value) -> bool:
    return isinstance(value, Fraction) and value.denominator == 1


def _both(a: Value, b: Value) -> tuple[Value, Value]:
    return (a, b) if isinstance(a, Fraction) and isinstance(b, Fraction) else (number(a), number(b))


def add(*terms: Value) -> Value:
    total: Value = Fraction(0)
    for term in terms:
        x, y = _both(total, term)
        total = bounded(x + y)
    return total


def mul(*factors: Value) -> Value:
    total: Value = Fraction(1)
    for factor in factors:
        x, y = _both(total, factor)
        total = bounded(x * y)
    return total


def div(a: Value, b: Value) -> Value:
    x, y = _both(a, b)
    if y == 0 or (not isinstance(y, Fraction) and abs(y) <= TINY * min(1, abs(x))):
        raise Undefined("a division by zero")
    return x / y


def power(a: Value, b: Value) -> Value:
    """a to the b: real where a real root is meant, as of (-8)^(1/3)."""
    if isinstance(b, Fraction):
        if b.denominator == 1:
            return _whole_power(a, b.numerator)
        if isinstance(a, Fraction):
            exact = _exact_root(a, b.denominator)
            if exact is not None:
                return _whole_power(exact, b.numerator)
        if is_real(a) and a < 0 and b.denominator % 2:
            return _whole_power(Fraction(-1), b.numerator) * power(-a, b)
    x, y = number(a), number(b)
    if x == 0:
        if is_real(y) and y > 0:
            return Fraction(0)
        raise Undefined("zero to no positive power")
    exponent = y * M.ln(x)
    if abs(exponent) > _BITS:
        raise TooCostly("too large a power")
    return M.exp(exponent)


def _whole_power(a: Value, n: int) -> Value:
    if isinstance(a, Fraction):
        if a == 0 and n < 0:
            raise Undefined("a division by zero")
        size = max(a.numerator.bit_length(), a.denominator.bit_length())
        if a not in (0, 1, -1) and (abs(n) > MOST_EXPONENT or (size - 1) * abs(n) > _BITS):
            raise TooCostly("too large a power")
        return a ** (n % 2 if a == -1 else min(n, 1) if a in (0, 1) and n > 0 else n if a not in (0, 1) else 0)
    if a == 0:
        raise Undefined("zero to no positive power")
    if abs(M.mag(a) * n) > 2 * _BITS or abs(n) > MOST_EXPONENT:
        raise TooCostly("too large a power")
    return a**n


def _exact_root(a: Fraction, n: int) -> Fraction | None:
    """The n-th root where it is a fraction."""
    if n > 64 or (a < 0 and n % 2 == 0):
        return None
    roots = [_integer_root(abs(part), n) for part in (a.numerator, a.denominator)]
    if roots[0] is None or roots[1] is None:
        return None
    return Fraction(roots[0], roots[1]) * (-1 if a < 0 else 1)


def _integer_root(a: int, n: int) -> int | None:
    if n == 2:
        guess = math.isqrt(a)
    else:
        low, high = 0, 1 << (a.bit_length() // n + 1)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if middle**n <= a else (low, middle - 1)
        guess = low
    return guess if guess**n == a else None


def root(a: Value, n: Value) -> Value:
    if not isinstance(n, Fraction) or n == 0:
        raise Undefined("no such root")
    return power(a, 1 / n)
