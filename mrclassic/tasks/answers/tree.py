"""What an answer says, as a tree: numbers, symbols, and operations on them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias


class Unreadable(ValueError):  # noqa: N818 - it says what the text is
    """The text follows no rule of the grammar, or a value does not exist."""


class TooCostly(ValueError):  # noqa: N818
    """Reading or computing it would pass a limit; whether it is right stays unknown."""


@dataclass(frozen=True, slots=True)
class Num:
    """An exact number; `places` is how many decimals were written, None where no point was."""

    value: Fraction
    places: int | None = None


@dataclass(frozen=True, slots=True)
class Sym:
    """A variable, a constant (pi, e, i, infinity) or a word."""

    name: str


@dataclass(frozen=True, slots=True)
class Op:
    """An operation or a structure; `tag` is what sets apart those of one kind (brackets, relation signs, a unit)."""

    head: str
    args: tuple[Node, ...] = ()
    tag: str = ""


Node: TypeAlias = Num | Sym | Op

INFINITY = Sym("infinity")
CONSTANTS = frozenset({"pi", "e", "i", "infinity"})


def children(node: Node) -> tuple[Node, ...]:
    """What an operation is made of; nothing for numbers and symbols."""
    return node.args if isinstance(node, Op) else ()


def heads(node: Node) -> set[str]:
    """The operations within."""
    found = {node.head} if isinstance(node, Op) else set()
    return found.union(*map(heads, children(node)))


def variables(node: Node) -> frozenset[str]:
    """The symbols within that stand for no fixed number."""
    if isinstance(node, Sym):
        return frozenset() if node.name in CONSTANTS else frozenset({node.name})
    bound = frozenset({node.tag}) if isinstance(node, Op) and node.head in ("sum", "product") else frozenset()
    return frozenset().union(*map(variables, children(node))) - bound
