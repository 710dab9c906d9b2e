"""Whether two trees say the same: lists, sets, tuples, intervals, matrices, equations, inequalities, expressions.

The rules lean to the gold answer's side: what it leaves open (names, units, the brackets of a list) the answer may add
or leave out; what both say must agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from mrclassic.tasks.answers import probing, realsets
from mrclassic.tasks.answers.tree import INFINITY, Node, Num, Op, Sym, Unreadable, children, heads, variables
from mrclassic.tasks.answers.units import conflict, same_measure

_MOST_ITEMS = 64
_SETS = frozenset({"cup", "cap", "setminus", "reals"})
_SEVERAL = ("list", "set")
_FUNCTIONS = frozenset({"sin", "cos", "tan", "cot", "sec", "csc"})
_INEQUALITIES = frozenset(["<", ">", "<=", ">=", "!=", "in"])
_FLIPPED = {">": "<", ">=": "<="}


def equal(gold: Node, answer: Node) -> bool:
    """Whether `answer` says what `gold` says; raises Unreadable and TooCostly where that cannot be told."""
    gold, answer = _plain(gold), _plain(answer)
    if gold == answer:
        return True
    if _is_infinite(gold) or _is_infinite(answer):
        return False
    if _head(gold) == "unit" or _head(answer) == "unit":
        return _with_units(gold, answer)
    if _head(gold) == "modulo" or _head(answer) == "modulo":
        return _with_modulus(gold, answer)
    if _is_set(gold) or _is_set(answer):
        verdict = _same_sets(gold, answer)
        if verdict is not None:
            return verdict
    if _head(gold) == "relation" or _head(answer) == "relation":
        return _with_relations(gold, answer)
    if _head(gold) in _SEVERAL or _head(answer) in _SEVERAL:
        return _several(gold, answer)
    if _is_row(gold) or _is_row(answer):
        return _rows(gold, answer)
    if "ratio" in (_head(gold), _head(answer)):
        a, b = _ratio(gold), _ratio(answer)
        if max(len(a), len(b)) > 2:
            return len(a) == len(b) and all(
                probing.same(Op("mul", (x, b[0])), Op("mul", (y, a[0]))) for x, y in zip(a, b, strict=True)
            )
    if _head(gold) == "based" or _head(answer) == "based":
        return _numerals(gold, answer)
    return probing.same(gold, answer)


def _is_infinite(node: Node) -> bool:
    return node == INFINITY or (isinstance(node, Op) and node.head == "neg" and node.args[0] == INFINITY)


def _head(node: Node) -> str:
    return node.head if isinstance(node, Op) else ""


def _plain(node: Node) -> Node:
    """Without what only wraps; a plus-or-minus written out as the two that it stands for."""
    while isinstance(node, Op) and (node.head == "square" or (node.head in _SEVERAL and len(node.args) == 1)):
        node = node.args[0]
    if isinstance(node, Op) and node.head not in ("list", "set") and heads(node) & {"pm", "mp"}:
        if node.head == "relation" and _name(node.args[0]) is not None:
            return _plain(node.args[-1])
        return Op("list", (_signed(node, False), _signed(node, True)), ",")
    if isinstance(node, Op) and node.head == "relation" and node.tag == "=" and len(node.args) == 2:
        left, right = node.args
        if isinstance(right, Sym) and _name(left) is None and not variables(left):
            return Op("relation", (right, left), "=")  # 5 = x
    if isinstance(node, Op) and node.head in _SEVERAL:
        return Op(node.head, tuple(part for item in node.args for part in _flat(item)), node.tag)
    return node


def _flat(node: Node) -> tuple[Node, ...]:
    plain = _plain(node)
    return plain.args if isinstance(plain, Op) and plain.head == "list" else (plain,)


def _signed(node: Node, minus: bool) -> Node:
    if not isinstance(node, Op):
        return node
    args = tuple(_signed(part, minus) for part in node.args)
    if node.head in ("pm", "mp"):
        return Op("neg", args) if (node.head == "pm") == minus else args[0]
    return Op(node.head, args, node.tag)


def _with_units(gold: Node, answer: Node) -> bool:
    """5 cm is 5, but not 5 m."""
    units = [node.tag if isinstance(node, Op) and node.head == "unit" else "" for node in (gold, answer)]
    if all(units) and conflict(*units):
        return False
    if not all(units):
        gold, answer = _lettered(gold, units[1]), _lettered(answer, units[0])
    return equal(*(node.args[0] if isinstance(node, Op) and node.head == "unit" else node for node in (gold, answer)))


def _lettered(node: Node, unit: str) -> Node:
    """The 3 of "3 h", where the other side names its unit in full."""
    if isinstance(node, Op) and node.head == "mul" and isinstance(node.args[-1], Sym):
        name = node.args[-1].name
        if same_measure(name, unit):
            return node.args[0] if len(node.args) == 2 else Op("mul", node.args[:-1])
    return node


def _with_modulus(gold: Node, answer: Node) -> bool:
    moduli = [node.args[1] for node in (gold, answer) if isinstance(node, Op) and node.head == "modulo"]
    if len(moduli) == 2 and not probing.same(*moduli):
        return False
    return equal(*(node.args[0] if isinstance(node, Op) and node.head == "modulo" else node for node in (gold, answer)))


def _is_set(node: Node) -> bool:
    """Whether it can only be a set of real numbers."""
    if not isinstance(node, Op):
        return False
    if node.head == "relation":
        return not _INEQUALITIES.isdisjoint(node.tag.split())
    if node.head == "list":
        return all(map(_is_set, node.args))
    return node.head in _SETS or (node.head == "bracket" and node.tag in ("(]", "[)"))


def _same_sets(gold: Node, answer: Node) -> bool | None:
    """Compare as sets of real numbers; None where one of them is none."""
    try:
        (a, name), (b, other) = realsets.read(gold), realsets.read(answer)
    except Unreadable:
        if _head(gold) == "relation" == _head(answer) or "bracket" in (_head(gold), _head(answer)):
            return None
        if _head(gold) == _head(answer) and _head(gold) in ("cup", "list"):
            return _matched(_members(gold), _members(answer))
        return None
    return realsets.same(a, b) and (name == other or not (name and other))


def _members(node: Node) -> list[Node]:
    if isinstance(node, Op) and node.head == "cup":
        return [*_members(node.args[0]), *_members(node.args[1])]
    return list(node.args) if isinstance(node, Op) and node.head == "list" else [node]


def _with_relations(gold: Node, answer: Node) -> bool:
    if not (_head(gold) == "relation" == _head(answer)):
        if _head(gold) == "relation":
            values = _values(gold, strict=True)
            return any(equal(value, answer) for value in values)
        if _head(gold) in _SEVERAL:
            values = [value for value in _values(answer, strict=True) if _head(value) in (*_SEVERAL, "bracket")]
            return any(equal(gold, value) for value in values)
        return any(equal(gold, value) for value in _values(answer, strict=False))
    assert isinstance(gold, Op)
    assert isinstance(answer, Op)
    name, other = _name(gold.args[0]), _name(answer.args[0])
    if name is not None and _same_name(name, other) and gold.tag == answer.tag and len(gold.args) == 2:
        try:
            if equal(gold.args[1], answer.args[1]):
                return True
        except Unreadable:
            pass
    return _matched_relations(_single(gold), _single(answer))


def _same_name(name: Node, other: Node | None) -> bool:
    """Whether they are one name: x_1 is called x where there is but one."""
    if isinstance(name, Sym) and isinstance(other, Sym):
        a, b = name.name.partition("_"), other.name.partition("_")
        return a[0] == b[0] and (a == b or not a[2] or not b[2])
    return name == other


def _values(node: Node, strict: bool) -> list[Node]:
    """What x = 5 and x in S give x; `strict`: only where the left side is but a name."""
    if not isinstance(node, Op):
        return []
    signs = node.tag.split()
    if not set(signs) <= {"=", "~", "in"} or (strict and _name(node.args[0]) is None and variables(node.args[0])):
        return []
    if _to_solve(node.args[0]):
        return []
    if strict and not variables(node):
        return list(node.args)  # 1/3 = 0.333... says one thing in two ways
    exact = node.args[: signs.index("~") + 1] if "~" in signs else node.args
    return [exact[-1]] if exact[-1] == node.args[-1] else [exact[-1], node.args[-1]]


def _to_solve(left: Node) -> bool:
    """Whether the left side makes it an equation of something, as x^2 + 1 = 4 and (x - 2)^2 + y^2 = 4 are; a + b = 5
    says what was asked for."""
    known = variables(left)
    return _name(left) is None and bool(known) and (len(known) == 1 or any(map(variables, _bases(left))))


def _bases(node: Node) -> list[Node]:
    """What stands under powers."""
    if not isinstance(node, Op):
        return []
    inner = [base for part in node.args for base in _bases(part)]
    return [node.args[0], *inner] if node.head == "pow" else inner


def _name(node: Node) -> Node | None:
    """The left side where it only names the right one: x, f(x), AB, (x, y), angle ABC."""
    if isinstance(node, Sym):
        return node
    if isinstance(node, Op) and (
        node.head in ("applied", "prime")
        or (node.head == "bracket" and all(isinstance(part, Sym) for part in node.args))
        or (
            node.head == "mul"
            and all(isinstance(part, Sym) and (part.name.isupper() or len(part.name) > 1) for part in node.args)
        )
        or (node.head == "mul" and _is_function(node.args[0]))
        or node.head in _FUNCTIONS
        or (node.head in ("abs", "unit", "degrees") and _name(node.args[0]) is not None)
    ):
        return node
    return None


def _is_function(node: Node) -> bool:
    """The f' of f'(x), the inverse of f."""
    if isinstance(node, Op) and node.head == "pow":
        return isinstance(node.args[0], Sym) and node.args[1] in (Num(Fraction(-1)), Op("neg", (Num(Fraction(1)),)))
    return isinstance(node, Sym) and node.name.endswith("'")


def _single(node: Op) -> list[tuple[str, Node]]:
    """A chain as single relations "difference sign 0", with < and <= only."""
    found: list[tuple[str, Node]] = []
    for sign, (left, right) in zip(node.tag.split(), pairwise(node.args), strict=True):
        if sign in _FLIPPED:
            sign, left, right = _FLIPPED[sign], right, left
        found.append((sign, Op("add", (left, Op("neg", (right,))))))
    return found


def _matched_relations(gold: Sequence[tuple[str, Node]], answer: Sequence[tuple[str, Node]]) -> bool:
    left = list(answer)
    for sign, difference in gold:
        if sign in ("in", "to", "notin"):
            raise Unreadable("a relation that cannot be computed")
        found = next(
            (
                place
                for place, (other, candidate) in enumerate(left)
                if other == sign and _same_relation(sign, difference, candidate)
            ),
            None,
        )
        if found is None:
            return False
        del left[found]
    return not left


def _same_relation(sign: str, gold: Node, answer: Node) -> bool:
    if not variables(gold) | variables(answer):
        return probing.same(gold, answer)  # all numbers are proportional
    return probing.proportional(gold, answer, positive=sign in ("<", "<="))


def _several(gold: Node, answer: Node) -> bool:
    """Lists and sets: in any order, but for values of different variables and for tuples."""
    if _is_row(gold) or _is_row(answer):
        if "matrix" in (_head(gold), _head(answer)):
            return False
        tags = {node.tag for node in (gold, answer) if isinstance(node, Op) and node.head == "bracket"}
        if tags == {"[]"} or tags == {""}:
            return _matched(children(gold), children(answer))
        return _in_order(children(gold), children(answer))
    a = list(gold.args) if isinstance(gold, Op) and gold.head in _SEVERAL else [gold]
    b = list(answer.args) if isinstance(answer, Op) and answer.head in _SEVERAL else [answer]
    named = [_names(items) for items in (a, b)]
    if (len(named[0]) > 1 and not named[1]) or (len(named[1]) > 1 and not named[0]):
        return _in_order(a, b)
    if "set" in (_head(gold), _head(answer)) or 1 in (len(a), len(b)):  # saying the same twice is saying it once
        a, b = _distinct(a), _distinct(b)
    return _matched(a, b)


def _names(items: Sequence[Node]) -> set[str]:
    """The variables that the items give values to, without their indices: x_1 and x_2 are both x."""
    names: set[str] = set()
    for item in items:
        if isinstance(item, Op) and item.head == "relation" and isinstance(item.args[0], Sym):
            names.add(item.args[0].name.partition("_")[0])
    return names


def _distinct(items: Sequence[Node]) -> list[Node]:
    kept: list[Node] = []
    for item in items:
        if not any(equal(item, other) for other in kept):
            kept.append(item)
    return kept


def _matched(gold: Sequence[Node], answer: Sequence[Node]) -> bool:
    """Whether each of one has its own equal in the other."""
    if len(gold) != len(answer) or len(gold) > _MOST_ITEMS:
        return False
    left = list(answer)
    for item in gold:
        found = next((place for place, other in enumerate(left) if equal(item, other)), None)
        if found is None:
            return False
        del left[found]
    return True


def _in_order(gold: Sequence[Node], answer: Sequence[Node]) -> bool:
    return len(gold) == len(answer) <= _MOST_ITEMS and all(map(equal, gold, answer))


def _is_row(node: Node) -> bool:
    return _head(node) in ("bracket", "matrix") or (_head(node) == "mul" and _point(node) is not node)


def _point(node: Node) -> Node:
    """The coordinates of P(1, 2)."""
    if isinstance(node, Op) and node.head == "mul" and len(node.args) == 2 and isinstance(node.args[0], Sym):
        inner = node.args[1]
        return inner if isinstance(inner, Op) and inner.head == "bracket" else node
    return node


def _rows(gold: Node, answer: Node) -> bool:
    """Tuples, intervals, vectors and matrices: place by place."""
    gold, answer = _point(gold), _point(answer)
    if not (isinstance(gold, Op) and isinstance(answer, Op)) or not (_is_row(gold) and _is_row(answer)):
        if "matrix" in heads(answer if _is_row(gold) else gold):
            raise Unreadable("arithmetic of matrices")
        return False
    if gold.head == "bracket" == answer.head:
        kinds = {gold.tag, answer.tag}
        if len(kinds) > 1 and (len(gold.args) == 2 or not kinds <= {"()", "[]"}):
            return False  # an end belongs to the interval, or it does not
        return _in_order(gold.args, answer.args)
    table, other = _table(gold), _table(answer)
    if gold.head != answer.head and len(table) != len(other):
        # A column is a vector, and so is (1, 2).
        table, other = (
            [[cell for row in rows for cell in row]] if len(rows) == 1 or len(rows[0]) == 1 else rows
            for rows in (table, other)
        )
    return len(table) == len(other) and all(map(_in_order, table, other))


def _table(node: Op) -> list[list[Node]]:
    if node.head == "matrix":
        return [list(children(row)) for row in node.args]
    if all(isinstance(part, Op) and part.head == "bracket" for part in node.args):
        return [list(children(row)) for row in node.args]
    return [list(node.args)]


def _ratio(node: Node) -> list[Node]:
    if isinstance(node, Op) and node.head == "ratio":
        return [*_ratio(node.args[0]), node.args[1]]
    return [node]


def _numerals(gold: Node, answer: Node) -> bool:
    """1011_2 is 1011_{2}, and 1011 where the question names the base; it is neither 11 nor 1011_3."""
    sides = [_signed_numeral(node) for node in (gold, answer)]
    (a, a_minus), (b, b_minus) = sides
    if a_minus != b_minus:
        return False
    if isinstance(a, Op) and isinstance(b, Op) and a.head == "based" == b.head:
        return a.args == b.args
    numeral, other = (a, b) if _head(a) == "based" else (b, a)
    assert isinstance(numeral, Op)
    if isinstance(other, Num):
        return other.places is None and numeral.tag == str(other.value)
    return False


def _signed_numeral(node: Node) -> tuple[Node, bool]:
    if isinstance(node, Op) and node.head == "neg":
        return node.args[0], True
    if isinstance(node, Num) and node.value < 0:
        return Num(-node.value, node.places), True
    return node, False
