"""A machine for programs of a few lines: it reads a tiny part of Python by `ast` and carries it out by itself.

    assignments, `+=` and its like, `if` and `else`, `for NAME in range(...)`, `print`; whole numbers and short texts;
    + - * // %, comparisons (in an `if`), `len`, `min`, `max`.

What it accepts means what it means in Python; nothing else is accepted, and nothing is ever handed to Python itself,
so that there is nothing to escape from, no clock and no chance. Lines, steps, depth and the size of values are limited.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

LONGEST = 300  # characters of a program
STEPS = 100  # statements carried out
_DEPTH = 5  # of blocks and expressions
_LARGEST, _WIDEST = 10**6, 40  # of a number either way; characters of a text
_PRINTS, _SAID = 6, 60  # lines that are printed; characters in all
_LETTERS = re.compile(r'[a-z0-9_ \n+\-*/%<>=!():,"]*')  # no backslash, no dot, no bracket
_NAME = re.compile(r"[a-z][a-z0-9]{0,5}")

Value = int | str
_BINARY: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARED: Mapping[type[ast.cmpop], Callable[[object, object], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,  # type: ignore[dict-item]
    ast.LtE: operator.le,  # type: ignore[dict-item]
    ast.Gt: operator.gt,  # type: ignore[dict-item]
    ast.GtE: operator.ge,  # type: ignore[dict-item]
}
_TAKEN = ("print", "range", "len", "min", "max")


class Unreadable(ValueError):  # noqa: N818 - it reads as what it is
    """It is no program, or uses what this machine has not got."""


class Unusable(ValueError):  # noqa: N818 - as above
    """It is a program, but fails, prints nothing, or goes beyond a limit."""


@dataclass(frozen=True)
class Ran:
    """What a program printed, line by line; its `log`, a clause for each assignment, question and print, which is how a
    reply is worked out; and the program with its names numbered, which is the same for all ways to name them."""

    printed: tuple[str, ...]
    log: tuple[str, ...]
    shape: str


def run(source: str) -> Ran:
    """Carry `source` out; raises Unreadable and Unusable."""
    if len(source) > LONGEST or _LETTERS.fullmatch(source) is None:
        raise Unreadable("it is too long, or has signs that these programs do without")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unreadable("it is no Python") from error
    machine = _Machine()
    machine.check(tree, 0)
    machine.block(tree.body)
    if not machine.printed:
        raise Unusable("it prints nothing")
    return Ran(tuple(machine.printed), tuple(machine.log), _shape(tree))


@dataclass
class _Machine:
    names: dict[str, Value] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    steps: int = 0

    def check(self, node: ast.AST, depth: int) -> None:
        """Everything in the program is known, also what is never reached."""
        if depth > 2 * _DEPTH:
            raise Unreadable("it is nested too deeply")
        match node:
            case ast.Module(body=body):
                self._all(body, depth)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._named(name)
                self.check(value, depth + 1)
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value) if type(op) in _BINARY:
                self._named(name)
                self.check(value, depth + 1)
            case ast.If(test=ast.Compare(left=left, ops=[op], comparators=[right]), body=body, orelse=orelse) if (
                type(op) in _COMPARED
            ):
                self._all((left, right, *body, *orelse), depth)
            case ast.For(
                target=ast.Name(id=name),
                iter=ast.Call(func=ast.Name(id="range"), args=[_] | [_, _] as bounds, keywords=[]),
                body=body,
                orelse=[],
            ):
                self._named(name)
                self._all((*bounds, *body), depth)
            case ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=[_, *_] as values, keywords=[])):
                self._all(values, depth)
            case ast.Constant(value=value) if type(value) in (int, str):
                pass
            case ast.Name(id=name):
                self._named(name)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                self.check(inner, depth + 1)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                self._all((left, right), depth)
            case ast.Call(func=ast.Name(id="len"), args=[value], keywords=[]):
                self.check(value, depth + 1)
            case ast.Call(func=ast.Name(id="min" | "max"), args=[_, _, *_] as values, keywords=[]):
                self._all(values, depth)
            case _:
                raise Unreadable(f"these programs have no {type(node).__name__} of that kind")

    def _all(self, nodes: Sequence[ast.AST], depth: int) -> None:
        for node in nodes:
            self.check(node, depth + 1)

    def _named(self, name: str) -> None:
        if name in _TAKEN or _NAME.fullmatch(name) is None:
            raise Unreadable(f"{name} is no name for a value here")

    def block(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            self._step(statement)

    def _step(self, statement: ast.stmt) -> None:
        self._tick()
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._set(name, self.value(value))
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
                self._set(name, _combined(op, self._get(name), self.value(value)))
            case ast.If(test=ast.Compare(left=left, ops=[op], comparators=[right]), body=body, orelse=orelse):
                holds = _compared(op, self.value(left), self.value(right))
                self.log.append("yes" if holds else "no")
                self.block(body if holds else orelse)
            case ast.For(target=ast.Name(id=name), iter=ast.Call(args=bounds), body=body):
                for place in range(*(_number(self.value(each)) for each in bounds)):
                    self._tick()
                    self._set(name, place)
                    self.block(body)
            case ast.Expr(value=ast.Call(args=values)):
                self._print(" ".join(str(self.value(each)) for each in values))

    def _tick(self) -> None:
        self.steps += 1
        if self.steps > STEPS:
            raise Unusable("it takes too many steps")

    def _set(self, name: str, value: Value) -> None:
        self.names[name] = value
        self.log.append(f"{name}={value}")

    def _get(self, name: str) -> Value:
        if name not in self.names:
            raise Unusable(f"{name} has no value")
        return self.names[name]

    def _print(self, line: str) -> None:
        self.printed.append(line)
        self.log.append(line)
        if len(self.printed) > _PRINTS or sum(map(len, self.printed)) > _SAID:
            raise Unusable("it prints too much")

    def value(self, node: ast.expr) -> Value:
        """What an expression comes to."""
        match node:
            case ast.Constant(value=int() | str() as constant):
                return _within(constant)
            case ast.Name(id=name):
                return self._get(name)
            case ast.UnaryOp(operand=inner):
                return -_number(self.value(inner))
            case ast.BinOp(left=left, op=op, right=right):
                return _combined(op, self.value(left), self.value(right))
            case ast.Call(func=ast.Name(id="len"), args=[only]):
                text = self.value(only)
                if not isinstance(text, str):
                    raise Unusable("a number has no length")
                return len(text)
            case ast.Call(func=ast.Name(id=name), args=values):
                return (min if name == "min" else max)(_number(self.value(each)) for each in values)
        raise Unreadable("it cannot be computed")


def _combined(op: ast.operator, left: Value, right: Value) -> Value:
    if isinstance(left, int) and isinstance(right, int):
        if isinstance(op, ast.FloorDiv | ast.Mod) and right == 0:
            raise Unusable("it divides by zero")
        return _within(_BINARY[type(op)](left, right))
    match op, left, right:
        case ast.Add(), str(), str():
            return _within(left + right)
        case ast.Mult(), str(), int() if right * len(left) <= _WIDEST:
            return left * right
        case ast.Mult(), int(), str() if left * len(right) <= _WIDEST:
            return left * right
    raise Unusable("a text cannot be reckoned with like that")


def _compared(op: ast.cmpop, left: Value, right: Value) -> bool:
    if type(left) is not type(right):
        raise Unusable("a number is compared with a text")
    return _COMPARED[type(op)](left, right)


def _number(value: Value) -> int:
    if isinstance(value, str):
        raise Unusable("a text stands where a number is needed")
    return value


def _within(value: Value) -> Value:
    if (abs(value) > _LARGEST) if isinstance(value, int) else (len(value) > _WIDEST):
        raise Unusable("a value grows too large")
    return value


def _shape(tree: ast.Module) -> str:
    """The program with its names numbered in the order in which they come."""
    numbers: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in _TAKEN:
            node.id = numbers.setdefault(node.id, f"v{len(numbers)}")
    return ast.unparse(tree)
