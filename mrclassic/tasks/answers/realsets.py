"""Sets of real numbers as sorted disjoint pieces: what (-2, 7], x > 5, x != 3 and unions of such have in common."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from mrclassic.tasks.answers import probing
from mrclassic.tasks.answers.exact import M, Value, add, close, div, is_real, mul, number
from mrclassic.tasks.answers.tree import INFINITY, Node, Op, Sym, Unreadable, variables

_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "!=": "!="}
_WORDS = {"all real numbers", "all reals", "real numbers", "reals"}


@dataclass(frozen=True)
class Piece:
    """From `low` to `high`, which may be infinite; whether each end belongs to it."""

    low: Value
    low_in: bool
    high: Value
    high_in: bool


Pieces = tuple[Piece, ...]
_ALL = Piece(M.ninf, False, M.inf, False)


def read(node: Node) -> tuple[Pieces, str]:
    """The pieces and the variable they are said of ("" for none); raises Unreadable where it is no such set."""
    pieces, names = _read(node)
    if len(names) > 1:
        raise Unreadable("several variables")
    return united(pieces), next(iter(names), "")


def same(gold: Pieces, answer: Pieces) -> bool:
    """Whether they are the same set."""
    return len(gold) == len(answer) and all(
        a.low_in == b.low_in and a.high_in == b.high_in and _meet(a.low, b.low) and _meet(a.high, b.high)
        for a, b in zip(gold, answer, strict=True)
    )


def united(pieces: Pieces) -> Pieces:
    """Disjoint pieces, from the left."""
    merged: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: (number(piece.low), not piece.low_in)):
        last = merged[-1] if merged else None
        if last is not None and (
            (_meet(piece.low, last.high) and (piece.low_in or last.high_in)) or _less(piece.low, last.high)
        ):
            top = max((last, piece), key=lambda end: (number(end.high), end.high_in))
            merged[-1] = Piece(last.low, last.low_in, top.high, top.high_in)
        else:
            merged.append(piece)
    return tuple(merged)


def without(pieces: Pieces) -> Pieces:
    """All real numbers but these."""
    edges: list[tuple[Value, bool]] = [(M.ninf, True)]
    for piece in united(pieces):
        edges += [(piece.low, piece.low_in), (piece.high, piece.high_in)]
    edges.append((M.inf, True))
    gaps = [(a, b) for place, (a, b) in enumerate(pairwise(edges)) if place % 2 == 0]
    return tuple(
        Piece(low, not low_in, high, not high_in)
        for (low, low_in), (high, high_in) in gaps
        if _less(low, high) or (_meet(low, high) and not low_in and not high_in and abs(number(low)) != M.inf)
    )


def common(a: Pieces, b: Pieces) -> Pieces:
    """The numbers in both."""
    return without((*without(a), *without(b)))


def _read(node: Node) -> tuple[Pieces, frozenset[str]]:
    none: frozenset[str] = frozenset()
    if not isinstance(node, Op):
        raise Unreadable("no set")
    if node.head == "reals" or (node.head == "unit" and node.tag in _WORDS):
        return (_ALL,), none
    if node.head == "set":
        return tuple(Piece(at, True, at, True) for at in map(_real, node.args)), none
    if node.head == "bracket" and len(node.args) == 2:
        low, high = map(_end, node.args)
        if not _less(low, high) and not (_meet(low, high) and node.tag == "[]"):
            raise Unreadable("an interval from right to left")
        return (Piece(low, node.tag[0] == "[" and low != M.ninf, high, node.tag[1] == "]" and high != M.inf),), none
    if node.head in ("cup", "cap", "setminus"):
        (a, names), (b, others) = map(_read, node.args)
        joined = {"cup": lambda: (*a, *b), "cap": lambda: common(a, b), "setminus": lambda: common(a, without(b))}
        return joined[node.head](), names | others
    if node.head == "list":
        parts = [_read(item) for item in node.args]
        if not all(isinstance(item, Op) and item.head in ("relation", "bracket", "cup") for item in node.args):
            raise Unreadable("no set")
        pieces: Pieces = parts[0][0]
        every = node.tag == "and" or all(isinstance(item, Op) and item.tag == "!=" for item in node.args)
        for more, _ in parts[1:]:
            pieces = common(pieces, more) if every else (*pieces, *more)
        return pieces, none.union(*(names for _, names in parts))
    if node.head == "relation":
        return _relation(node)
    raise Unreadable("no set")


def _relation(node: Op) -> tuple[Pieces, frozenset[str]]:
    signs = node.tag.split()
    if signs == ["in"] and isinstance(node.args[0], Sym):
        return _read(node.args[1])[0], variables(node.args[0])
    pieces: Pieces = (_ALL,)
    for sign, (left, right) in zip(signs, pairwise(node.args), strict=True):
        pieces = common(pieces, _solved(left, sign, right))
    names = variables(node)
    if len(names) != 1:
        raise Unreadable("not about one variable")
    return pieces, names


def _solved(left: Node, sign: str, right: Node) -> Pieces:
    """Where a linear inequality of one variable holds."""
    if sign == "=" or sign not in _FLIPPED:
        raise Unreadable("no inequality")
    if INFINITY in (left, right) or Op("neg", (INFINITY,)) in (left, right):
        return (_ALL,)  # x < infinity
    difference = Op("add", (left, Op("neg", (right,))))
    names = variables(difference)
    if len(names) != 1:
        raise Unreadable("not about one variable")
    (name,) = names
    values = [probing.at(difference, {name: Fraction(at)}) for at in (0, 1, 7, -5)]
    slope = add(values[1], mul(Fraction(-1), values[0]))
    straight = all(close(value, add(values[0], mul(slope, Fraction(at)))) for value, at in zip(values, (0, 1, 7, -5), strict=True))  # noqa: E501 # fmt: skip
    if not straight or close(slope, Fraction(0)) or not is_real(slope):
        raise Unreadable("not linear")
    edge = div(mul(Fraction(-1), values[0]), slope)
    if slope < 0:
        sign = _FLIPPED[sign]
    if sign == "!=":
        return without((Piece(edge, True, edge, True),))
    closed = sign.endswith("=")
    return (Piece(M.ninf, False, edge, closed),) if sign[0] == "<" else (Piece(edge, closed, M.inf, False),)


def _end(node: Node) -> Value:
    """An end of an interval."""
    if node == INFINITY:
        return M.inf
    if isinstance(node, Op) and node.head in ("neg", "add") and node.args[0] == INFINITY:
        return M.ninf
    return _real(node)


def _real(node: Node) -> Value:
    value = probing.value(node)
    if not is_real(value):
        raise Unreadable("no real number")
    return value


def _meet(a: Value, b: Value) -> bool:
    x, y = number(a), number(b)
    return bool(x == y) if M.inf in (abs(x), abs(y)) else close(a, b)


def _less(a: Any, b: Any) -> bool:
    return bool(number(a) < number(b)) and not _meet(a, b)
