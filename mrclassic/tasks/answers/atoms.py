"""The smallest things that mathematics is made of: numbers, fractions, roots, functions, brackets, matrices."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

from mrclassic.tasks.answers.lexer import Token
from mrclassic.tasks.answers.tree import Node, Num, Op, Sym, TooCostly, Unreadable

DEEPEST = 32
_CLOSERS = {"(": (")", "]"), "[": ("]", ")"), "]": ("[",)}
_DELIMITED = {"lfloor": ("rfloor", "floor"), "lceil": ("rceil", "ceil")}
_SETS = {"R": "reals", "Z": "integers", "Q": "rationals", "N": "naturals", "C": "complex"}
_MATRICES = frozenset(
    [
        "matrix",
        "pmatrix",
        "bmatrix",
        "Bmatrix",
        "vmatrix",
        "smallmatrix",
        "array",
        "cases",
        "aligned",
        "align",
        "gathered",
    ]
)
_APPLIED = frozenset("fghFGH")
_MANY = frozenset({"gcd", "lcm", "max", "min"})


class Atoms(ABC):
    """A row of tokens, a place in it, and the rules for atoms."""

    def __init__(self, row: list[Token]) -> None:
        self.row, self.place, self.depth = row, 0, 0
        self.ratios, self.reversed = True, False
        self.bars = 0  # how many | are open: the next one closes

    @abstractmethod
    def listing(self) -> Node:
        """Items with separators between."""

    @abstractmethod
    def item(self) -> Node:
        """An expression, a set or a relation."""

    @abstractmethod
    def sum(self) -> Node:
        """An expression."""

    @abstractmethod
    def power(self) -> Node:
        """A factor."""

    @property
    def kind(self) -> str:
        return self.row[self.place].kind

    @property
    def text(self) -> str:
        return self.row[self.place].text

    @property
    def before(self) -> str:
        """The token before: its kind, or for signs itself."""
        token = self.row[self.place - 1] if self.place else self.row[-1]
        return token.text if token.kind == "op" else token.kind

    def peek(self, ahead: int) -> Token:
        return self.row[min(self.place + ahead, len(self.row) - 1)]

    def take(self) -> Token:
        token = self.row[self.place]
        if token.kind == "stop":
            raise Unreadable("it breaks off")
        self.place += 1
        return token

    def expect(self, what: str) -> None:
        if self.text != what and self.kind != what:
            raise Unreadable(f"{self.text or 'the end'!r} where {what!r} should be")
        if self.kind != "stop":
            self.place += 1

    @contextmanager
    def deeper(self) -> Iterator[None]:
        self.depth += 1
        if self.depth > DEEPEST:
            raise TooCostly("nested too deep")
        yield
        self.depth -= 1

    def starts_atom(self, after_word: bool = False) -> bool:
        """Whether a factor begins here, so that what stands before it is multiplied."""
        if self.kind in ("num", "sym", "fn", "begin", "set"):
            return True
        if self.kind == "word":
            return after_word
        if self.kind == "cmd":
            return self.text in ("frac", "binom", "sum", "prod", "overline", "emptyset", "langle", *_DELIMITED)
        if self.text == "|":
            return not self.bars
        return (self.kind == "op" and self.text in ("(", "{", "\\{")) or (self.text == "[" and not self.reversed)

    def atom(self) -> Node:
        """A number, symbol, function value, fraction, bracket or matrix."""
        token = self.take()
        with self.deeper():
            match token.kind:
                case "num":
                    assert token.node is not None
                    return token.node
                case "sym":
                    return self.symbol(token.text)
                case "word":
                    return self.subscripted(Sym(token.text))
                case "set":
                    if token.text not in _SETS:
                        raise Unreadable("a set without a name")
                    return Op(_SETS[token.text])
                case "fn":
                    return self.function(token.text)
                case "begin":
                    return self.environment(token.text)
                case "cmd":
                    return self.command(token.text)
                case "op":
                    return self.bracket(token.text)
        raise Unreadable(f"{token.text!r} cannot stand here")

    def symbol(self, name: str) -> Node:
        if name in ("C", "P", "A") and self.text == "_" and (self.peek(1).kind == "num" or self.peek(1).text == "{"):
            chosen = self.combinations(name)
            if chosen is not None:
                return chosen
        tree = self.subscripted(Sym(name))
        if isinstance(tree, Sym) and name in _APPLIED and self.text == "(":
            inner = self.atom()
            return Op("applied", inner.args if isinstance(inner, Op) and inner.head == "bracket" else (inner,), name)
        return tree

    def combinations(self, name: str) -> Node | None:
        """C_5^2 is a binomial; None where there is no upper index."""
        start = self.place
        self.take()
        lower = self.index()
        if self.text != "^":
            self.place = start
            return None
        self.take()
        return Op("binom" if name == "C" else "permutations", (lower, self.index()))

    def subscripted(self, tree: Sym) -> Sym:
        """A name with its index: x_1, a_{n+1}."""
        if self.kind != "op" or self.text != "_":
            return tree
        self.take()
        start = self.place
        self.index()
        return Sym(f"{tree.name}_{''.join(token.text for token in self.row[start : self.place]).strip('{}')}")

    def index(self) -> Node:
        """What stands under or over a sign: one token, or braces."""
        if self.kind in ("num", "sym", "word", "fn"):
            token = self.take()
            return token.node or Sym(token.text)
        if self.text == "-":
            self.take()
            return Op("neg", (self.index(),))
        self.expect("{")
        tree = self.item()
        self.expect("}")
        return tree

    def argument(self) -> Node:
        """What a LaTeX command takes: braces, or one sign (of \\frac12 the 1)."""
        if self.text == "{":
            self.take()
            tree = self.listing()
            self.expect("}")
            return tree
        token = self.row[self.place]
        if token.kind == "num" and token.text.isdecimal() and len(token.text) > 1:
            digit, rest = token.text[0], token.text[1:]
            self.row[self.place] = Token("num", rest, Num(Fraction(int(rest))))
            return Num(Fraction(int(digit)))
        return self.atom()

    def command(self, name: str) -> Node:
        if name == "frac":
            over = self.argument()
            return fraction(over, self.argument())
        if name == "binom":
            upper = self.argument()
            return Op("binom", (upper, self.argument()))
        if name in ("emptyset",):
            return Op("set")
        if name in _DELIMITED:
            closer, head = _DELIMITED[name]
            tree = self.sum()
            self.expect(closer)
            return Op(head, (tree,))
        if name == "langle":
            tree = self.listing()
            self.expect("rangle")
            return Op("bracket", tree.args, "()") if isinstance(tree, Op) and tree.head == "list" else tree
        if name in ("sum", "prod"):
            return self.series("sum" if name == "sum" else "product")
        if name == "overline":  # a segment, or a conjugate
            tree = self.argument()
            letters = tree.args if isinstance(tree, Op) and tree.head == "mul" else (tree,)
            if all(isinstance(part, Sym) and part.name.isupper() for part in letters):
                return Sym("overline " + "".join(part.name for part in letters if isinstance(part, Sym)))
            return Op("conjugate", (tree,))
        if name in ("triangle", "angle"):
            return Sym(name)
        raise Unreadable(f"\\{name} is not known here")

    def series(self, head: str) -> Node:
        """A finite sum or product: index, limits and what is added."""
        self.expect("_")
        self.expect("{")
        variable = self.take()
        self.expect("=")
        low = self.sum()
        self.expect("}")
        self.expect("^")
        high = self.index()
        if variable.kind != "sym":
            raise Unreadable("a sum without an index")
        factors = [self.power()]
        while self.starts_atom():
            factors.append(self.power())
        return Op(head, (low, high, factors[0] if len(factors) == 1 else Op("mul", tuple(factors))), variable.text)

    def function(self, name: str) -> Node:
        if name in ("sqrt", "cbrt"):
            return self.root(name)
        base: Node | None = None
        exponent: Node | None = None
        while self.kind == "op" and self.text in ("_", "^"):
            if self.take().text == "_":
                base = self.index()
            else:
                exponent = self.index()
        inner = self.applied_to()
        if isinstance(inner, Op) and inner.head in ("bracket", "list", "set"):
            if name not in _MANY:
                raise Unreadable("a function of several values")
            return Op(name, inner.args)
        if exponent == Num(Fraction(-1)) or exponent == Op("neg", (Num(Fraction(1)),)):
            name, exponent = "arc" + name, None
        tree = Op(name, (inner,) if base is None else (inner, base))
        return tree if exponent is None else Op("pow", (tree, exponent))

    def root(self, name: str) -> Node:
        degree: Node = Num(Fraction(2 if name == "sqrt" else 3))
        if self.text == "[":
            self.take()
            degree = self.sum()
            self.expect("]")
        # \sqrt13 is the root of 13 in everyone's mind, whatever LaTeX prints.
        return Op("root", (self.atom(), degree))

    def applied_to(self) -> Node:
        """A function's argument: a bracket, or the factors that follow up to a sign or another function."""
        signs = 0
        while self.kind == "op" and self.text == "-" and signs < 2:
            self.take()
            signs += 1
        bracketed = self.text in ("(", "{", "[", "|", "\\{")
        factors = [self.power_without_exponent() if bracketed else self.power()]
        while not bracketed and self.kind in ("num", "sym", "cmd", "op") and self.starts_atom():
            if self.text == "|" or (self.text in ("(", "[", "{", "\\{") and self.before != "num"):
                break
            factors.append(self.power())
        tree = factors[0] if len(factors) == 1 else Op("mul", tuple(factors))
        return Op("neg", (tree,)) if signs == 1 else tree

    def power_without_exponent(self) -> Node:
        """The bracket of sin(x)^2, whose exponent belongs to the value."""
        return self.atom()

    def bracket(self, sign: str) -> Node:
        if sign == "|":
            self.bars += 1
            tree = self.sum()
            self.bars -= 1
            self.expect("|")
            return Op("abs", (tree,))
        outer, self.bars = self.bars, 0
        try:
            return self.enclosed(sign)
        finally:
            self.bars = outer

    def enclosed(self, sign: str) -> Node:
        if sign == "{":
            if self.text == "}":
                self.take()
                return Op("set")
            tree = self.listing()
            if self.kind == "cmd" and self.text in ("choose", "over"):
                head = "binom" if self.take().text == "choose" else "div"
                tree = Op(head, (tree, self.listing()))
            self.expect("}")
            return Op("set", tree.args) if isinstance(tree, Op) and tree.head == "list" else tree
        if sign == "\\{":
            return self.set()
        if sign not in _CLOSERS:
            raise Unreadable(f"{sign!r} cannot stand here")
        self.reversed = sign == "]"
        tree = self.listing()
        self.reversed = False
        closer = self.take().text
        if closer not in _CLOSERS[sign]:
            raise Unreadable("brackets do not match")
        if isinstance(tree, Op) and tree.head == "list" and tree.tag == ",":
            # ]1, 2[ is how some write the open interval.
            tag = "()" if sign == "]" else sign + closer
            return Op("bracket", tree.args, tag)
        if closer != {"(": ")", "[": "]"}.get(sign):
            raise Unreadable("an interval with one end")
        return Op("square", (tree,)) if sign == "[" and isinstance(tree, Op) and tree.head == "bracket" else tree

    def set(self) -> Node:
        """Elements, or a condition: {x | x > 1} is its condition."""
        if self.text == "\\}":
            self.take()
            return Op("set")
        self.bars, self.ratios = 1, False  # a bar or colon here parts, it opens no absolute value and divides nothing
        tree = self.listing()
        self.ratios = True
        if self.text in ("|", ":"):
            self.take()
            self.bars = 0
            tree = self.listing()
        self.expect("\\}")
        if isinstance(tree, Op) and tree.head == "relation":
            return tree
        return Op("set", tree.args if isinstance(tree, Op) and tree.head == "list" else (tree,))

    def environment(self, name: str) -> Node:
        if name not in _MATRICES:
            raise Unreadable("an environment that is no matrix")
        if name == "array" and self.text == "{":
            while self.take().text != "}":
                pass
        rows: list[Node] = []
        cells: list[Node] = []
        while self.kind != "end":
            cells.append(self.item())
            if self.text == "&":
                self.take()
            elif self.kind in ("row", "sep"):
                self.take()
                rows.append(Op("row", tuple(cells)))
                cells = []
        if cells:
            rows.append(Op("row", tuple(cells)))
        self.expect("end")
        if name in ("cases", "aligned", "align", "gathered"):
            return Op("list", tuple(row for part in rows if isinstance(part, Op) for row in part.args), "and")
        return Op("det" if name == "vmatrix" else "matrix", tuple(rows))


def fraction(over: Node, under: Node) -> Node:
    """A quotient; dy/dx is a name, and d/dx is not for us."""
    letters = [
        [
            part.name
            for part in (node.args if isinstance(node, Op) and node.head == "mul" else (node,))
            if isinstance(part, Sym)
        ]
        for node in (over, under)
    ]
    if letters[0][:1] == ["d"] == letters[1][:1] and len(letters[1]) == 2:
        if len(letters[0]) == 1:
            raise Unreadable("a derivative")
        return Sym(f"d{letters[0][1]}/d{letters[1][1]}")
    return Op("div", (over, under))
