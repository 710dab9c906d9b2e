"""Reads mathematics as people and LaTeX write it, by recursive descent, within limits that hold before anything is computed.

    answer   := item (sep item)*                        sep: , ; and or
    item     := sets (relation sets)* [unit]            relation: = < <= > >= != in
    sets     := sum ((union | intersection | without) sum)*
    sum      := [+-] product (+ - +- product)*
    product  := power ((* / or nothing) power)*         "nothing" also reads 1 1/2 and 1\\frac{1}{2} as mixed numbers
    power    := atom postfix* [^ power]                 postfix: ! % degree '

What \\frac, \\sqrt, functions, brackets and environments are made of is in `atoms`.
"""  # noqa: E501

from __future__ import annotations

from mrclassic.tasks.answers.atoms import Atoms
from mrclassic.tasks.answers.lexer import tokens
from mrclassic.tasks.answers.spelling import LONGEST
from mrclassic.tasks.answers.tree import Node, Num, Op, Sym, TooCostly, Unreadable
from mrclassic.tasks.answers.vocabulary import UNITS

_RELATIONS = {
    "=": "=", "<": "<", ">": ">", "le": "<=", "ge": ">=", "ne": "!=", "in": "in", "equiv": "=", "approx": "~",
    "ll": "<", "gg": ">", "sim": "~", "rightarrow": "to", "propto": "propto", "notin": "notin",
}  # fmt: skip
_SETS = {"cup": "cup", "cap": "cap", "setminus": "setminus"}
_MOST_UNIT_WORDS = 4
_MOST_RELATIONS = 12


def read(text: str) -> Node:
    """The tree of a tidy text; raises Unreadable and TooCostly."""
    if len(text) > LONGEST:
        raise TooCostly(f"longer than {LONGEST} characters")
    parser = Parser(tokens(text))
    tree = parser.listing()
    parser.expect("stop")
    return tree


class Parser(Atoms):
    """The rules from the list down to the power; `Atoms` has the rest."""

    def listing(self) -> Node:
        """Items with separators between: one item is itself, more are a list."""
        items, signs = [self.item()], set[str]()
        while self.kind == "sep" or (self.kind == "num" and self.before == "word"):  # 6 hours 30 minutes
            if self.kind == "sep":
                signs.add(self.take().text)
            if self.kind == "stop" or self.text in (")", "]", "}", "\\}"):
                break  # a comma at the end
            items.append(self.item())
        if len(items) == 1:
            return items[0]
        words = signs - {","}
        return Op("list", tuple(items), words.pop() if len(words) == 1 else ",")

    def item(self) -> Node:
        """An expression, a set, or a chain of relations; words after a value are its unit."""
        if self.text in ("=", "approx"):
            self.take()  # "= 5"
        parts, signs = [self.sets()], list[str]()
        while self.text in _RELATIONS and self.kind in ("op", "cmd"):
            signs.append(_RELATIONS[self.take().text])
            if len(signs) > _MOST_RELATIONS:
                raise TooCostly("a long chain of relations")
            if self.kind == "stop" and signs[-1] == "=":
                signs.pop()  # "12 - 5 ="
                break
            parts.append(self.sets())
        tree = parts[0] if not signs else Op("relation", tuple(parts), " ".join(signs))
        if self.text in ("pmod", "bmod", "mod") and self.kind == "cmd":
            self.take()
            tree = Op("modulo", (tree, self.atom()))
        return tree

    def sets(self) -> Node:
        """Unions and the like, from the left."""
        tree = self.quantity()
        while (self.kind == "cmd" and self.text in _SETS) or (self.kind == "op" and self.text == "\\"):
            head = _SETS.get(self.take().text, "setminus")
            tree = Op(head, (tree, self.quantity()))
        return tree

    def quantity(self) -> Node:
        """A sum and its unit: 5 cm, 12 square inches, 4 m/s^2."""
        tree = self.sum()
        words: list[str] = []
        while self.kind == "word" or (words and self.text in ("^", "/", "sq")):
            if self.text == "^":
                self.take()
                words.append("^" + self.exponent_of_unit())
            else:
                over = self.text == "/"
                words.append(self.take().text)
                if over and self.kind == "sym":
                    words.append(self.take().text)
        if not words:
            return tree
        if len(words) > _MOST_UNIT_WORDS and not any(word in UNITS for word in words):
            raise Unreadable("a sentence")
        return Op("unit", (tree,), " ".join(words).replace(" ^", "^"))

    def exponent_of_unit(self) -> str:
        """The 2 of cm^2 and cm^{2}."""
        braced = self.text == "{"
        if braced:
            self.take()
        sign = self.take().text if self.text == "-" else ""
        number = self.take().text
        if braced:
            self.expect("}")
        return sign + number

    def sum(self) -> Node:
        """Terms with + - and plus-or-minus between."""
        terms = [self.signed()]
        while self.kind in ("op", "cmd") and self.text in ("+", "-", "pm", "mp"):
            sign = self.take().text
            term = self.product() if self.text not in ("+", "-") else self.signed()
            if sign in ("pm", "mp"):
                before = terms[0] if len(terms) == 1 else Op("add", tuple(terms))
                terms = [Op("add", (before, Op(sign, (term,))))]
            else:
                terms.append(term if sign == "+" else Op("neg", (term,)))
        return terms[0] if len(terms) == 1 else Op("add", tuple(terms))

    def signed(self) -> Node:
        """A product, with any signs before it."""
        heads: list[str] = []
        while self.kind in ("op", "cmd") and self.text in ("+", "-", "pm", "mp"):
            heads.append(self.take().text)
            if len(heads) > 3:
                raise Unreadable("a row of signs")
        tree = self.product()
        for head in reversed(heads):
            if head == "-" and isinstance(tree, Num):
                tree = Num(-tree.value, tree.places)
            elif head != "+":
                tree = Op("neg" if head == "-" else head, (tree,))
        return tree

    def product(self) -> Node:
        """Factors with *, / or nothing between, from the left."""
        tree = self.power()
        factors = [tree]
        while True:
            if self.kind in ("op", "cmd") and self.text in ("*", "/", "div", ":") and (self.text != ":" or self.ratios):
                sign = self.take().text
                if self.kind in ("word", "stop"):
                    raise Unreadable("nothing to multiply or divide by")
                right = self.unary_power()
                if sign == "*":
                    factors.append(right)
                else:
                    left = factors[0] if len(factors) == 1 else Op("mul", tuple(factors))
                    factors = [Op("ratio" if sign == ":" else "div", (left, right))]
            elif self.kind == "cmd" and self.text in ("bmod", "mod", "choose"):
                head = "binom" if self.take().text == "choose" else "mod"
                left = factors[0] if len(factors) == 1 else Op("mul", tuple(factors))
                factors = [Op(head, (left, self.unary_power()))]
            elif self.starts_atom(after_word=isinstance(factors[-1], Sym) and self.before == "word"):
                mixed = self.mixed(factors[-1])
                if mixed is not None:
                    factors[-1] = mixed
                    continue
                if self.kind == "num" and self.before == "num":
                    raise Unreadable("two numbers side by side")
                factors.append(self.power())
            else:
                return factors[0] if len(factors) == 1 else Op("mul", tuple(factors))

    def mixed(self, whole: Node) -> Node | None:
        """Read the rest of 1\\frac{1}{2} or 1 1/2 after its whole part; None where it is no mixed number."""
        if not (isinstance(whole, Num) and whole.value.denominator == 1 and whole.places is None):
            return None
        if self.before not in ("num", "}"):
            return None
        start = self.place
        part: Node
        if self.kind == "cmd" and self.text == "frac":
            part = self.atom()
        elif self.kind == "num" and self.peek(1).text == "/" and self.peek(2).kind == "num":
            over, _, under = self.take(), self.take(), self.take()
            assert over.node is not None
            assert under.node is not None
            part = Op("div", (over.node, under.node))
        else:
            return None
        if isinstance(part, Op) and part.head == "div" and self.text != "^":
            over_, under_ = part.args
            if isinstance(over_, Num) and isinstance(under_, Num) and under_.value != 0:
                value = over_.value / under_.value
                whole_numbers = over_.value.denominator == under_.value.denominator == 1
                if value >= 0 and whole_numbers and over_.places is under_.places is None:
                    return self.postfixed(Num(whole.value + value))
        self.place = start
        return None

    def unary_power(self) -> Node:
        """A factor after * or /, which may carry a sign."""
        if self.kind == "op" and self.text in ("-", "+"):
            sign = self.take().text
            tree = self.unary_power()
            return Op("neg", (tree,)) if sign == "-" else tree
        return self.power()

    def power(self) -> Node:
        """An atom with its postfixes and its exponent."""
        with self.deeper():
            tree = self.postfixed(self.atom())
            if self.text != "^" or self.kind != "op":
                return tree
            self.take()
            if self.text == "'" or (self.kind == "op" and self.text == "*"):
                raise Unreadable("a prime as an exponent")
            exponent = self.unary_power()
            tree = Op("pow", (tree, exponent))
            return self.postfixed(tree)

    def postfixed(self, tree: Node) -> Node:
        """Factorials, per cent, degrees and primes after an atom."""
        count = 0
        while self.kind == "op" and self.text in ("!", "%", "°", "'"):
            sign = self.take().text
            count += 1
            if count > 3:
                raise TooCostly("a row of factorials")
            if sign == "!" and self.text == "!":
                self.take()
                tree = Op("factorial2", (tree,))
            elif sign == "'":
                tree = Sym(tree.name + "'") if isinstance(tree, Sym) else Op("prime", (tree,))
            else:
                tree = Op({"!": "factorial", "%": "percent", "°": "degrees"}[sign], (tree,))
        return tree
