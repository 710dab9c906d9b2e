"""Hostile answers: strings made to hang, exhaust or confuse whoever judges them. None of them is a right answer."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

_Maker = Callable[[random.Random], str]


def strings(count: int, seed: int = 0) -> Iterator[str]:
    """`count` of them, each kind in turn, bare or in one of the slots that answers stand in."""
    rng = random.Random(f"hostile {seed}")
    for place in range(count):
        text = KINDS[place % len(KINDS)](rng)
        if rng.random() < 0.1:
            text = _spoiled(text, rng)
        yield rng.choice(_SLOTS)(text)


_SLOTS: tuple[Callable[[str], str], ...] = (
    lambda text: text,
    lambda text: f"\\boxed{{{text}}}",
    lambda text: f"So the answer is ${text}$.",
    lambda text: f"ANSWER: {text}",
    lambda text: f"#### {text}",
)


def _digits(rng: random.Random, most: int = 40) -> str:
    return str(rng.randint(2, 9)) + "".join(rng.choices("0123456789", k=rng.randint(0, most)))


def _tower(rng: random.Random) -> str:
    base = _digits(rng, 3)
    return "^{".join([base] * rng.randint(3, 40)) + "}" * rng.randint(2, 39)


def _plain_tower(rng: random.Random) -> str:
    return rng.choice(["**", "^"]).join(_digits(rng, 2) for _ in range(rng.randint(3, 200)))


def _factorials(rng: random.Random) -> str:
    return f"({_digits(rng, 12)}!{'!' * rng.randint(0, 30)})^{{{_digits(rng)}!}}"


def _nested(rng: random.Random) -> str:
    opened, closed = rng.choice(
        [
            ("(", ")"),
            ("{", "}"),
            ("[", "]"),
            ("\\sqrt{", "}"),
            ("\\frac{1}{", "}"),
            ("|", "|"),
            ("\\left(", "\\right)"),
            ("\\sin(", ")"),
            ("\\{", "\\}"),
            ("-(", ")"),
        ]
    )
    depth = rng.choice([10, 30, 33, 100, 1_000, 30_000])
    return opened * depth + "1" + closed * (depth - rng.choice([0, 0, 1, depth // 2]))


def _giant(rng: random.Random) -> str:
    return rng.choice(
        [
            "1" * rng.choice([500, 4_000, 5_000, 100_000]),
            f"1e{_digits(rng)}",
            f"10^{{{'9' * 30}}}",
            f"0.{'3' * 2_000}\\overline{{{'1' * 500}}}",
            f"{'9' * 400}_{{36}}",
        ]
    )


def _unicode(rng: random.Random) -> str:
    signs = "٣५൩²³₁½\u200b\u202e\u2066\ufeff\U0001d7d8Ⅷ①０１−×∞√\u0301\ud800"
    return "".join(rng.choices(signs, k=rng.randint(1, 60)))


def _zalgo(rng: random.Random) -> str:
    return "5" + "\u0301\u0489" * rng.randint(1, 4_000)


def _unbalanced(rng: random.Random) -> str:
    return "".join(rng.choices("{}()[]|$\\^_&%!,.;:'", k=rng.randint(1, 500)))


def _zeros(rng: random.Random) -> str:
    return "5" + "\0" * rng.randint(1, 300) + rng.choice(["", "\r\n", "\x1b[2J", "\x7f\x08"])


def _regex(rng: random.Random) -> str:
    return rng.choice(
        [
            "a" * 5_000 + "!",
            "0." + "12" * 250 + "...",
            "1,000" * 120 + "x",
            " " * 5_000 + "$",
            "((" * 250,
            "\\text{" * 100,
            "$" * 5_001,
            "1 000 " * 90,
            "\\boxed" * 900,
            "\\boxed{" * 3_000,
            "answer is " * 2_000,
            "=" * 3_000,
            "\\quad" * 900,
            "and " * 900,
            "(?:a+)+$" * 30,
        ]
    )


def _tex(rng: random.Random) -> str:
    return rng.choice(
        [
            "\\input{/etc/passwd}",
            "\\def\\a{\\a\\a}\\a",
            "\\csname x\\endcsname",
            "\\write18{id}",
            "\\include{x}",
            "\\begin{pmatrix}" * 50,
            "\\end{pmatrix}",
            "\\newcommand{\\x}{\\x}\\x",
            "\\loop\\iftrue\\repeat",
            "\\begin{array}{" + "c" * 400 + "}1\\end{array}",
            "\\catcode`\\%=0",
            "\\overline{" * 40,
        ]
    )


def _python(rng: random.Random) -> str:
    return rng.choice(
        [
            "__import__('os').system('id')",
            "().__class__.__bases__[0].__subclasses__()",
            "exec('1')",
            "9**9**9**9",
            "lambda: 0",
            "open('/etc/passwd').read()",
            "[0]*10**10",
            "'a'*10**10",
            "f'{9**9**9}'",
            "True",
            "None",
            "nan",
            "inf",
            "-inf",
            "1/0",
            "0/0",
            "0^0",
            "0^{-1}",
            "1e400",
            "1_000_000",
        ]
    )


def _series(rng: random.Random) -> str:
    high = _digits(rng)
    return rng.choice(
        [
            f"\\sum_{{k=1}}^{{{high}}} k^k",
            f"\\prod_{{k=1}}^{{{high}}} k!",
            "\\sum_{k=1}^{1000}" * 5 + " k",
            f"\\int_0^{{{high}}} e^{{x^{{x^x}}}} dx",
            f"\\lim_{{x\\to\\infty}} x^{{{high}}}!",
            "\\int " * 20 + "\\sin(\\cos(\\tan x)) dx",
            f"\\sum_{{k=1}}^{{\\infty}} \\frac{{1}}{{k^{{{high}}}}}",
        ]
    )


def _algebra(rng: random.Random) -> str:
    return rng.choice(
        [
            f"(x+y+z+w)^{{{_digits(rng, 4)}}}",
            "(x+1)" * 100,
            "+".join(f"x_{{{k}}}^{{{k}}}" for k in range(60)),
            f"\\sin({_digits(rng)}^{{{_digits(rng, 6)}}})",
            f"e^{{e^{{e^{{{_digits(rng)}}}}}}}",
            "\\exp" * 60 + "(9)",
            f"\\binom{{{_digits(rng)}}}{{{_digits(rng)}}}",
            f"\\sqrt[{_digits(rng)}]{{{_digits(rng)}}}",
            f"\\log_{{1}} {_digits(rng)}",
            f"\\frac{{1}}{{0}}^{{{_digits(rng)}}}",
            "x=" * 200 + "1",
            "\\pm" * 30 + "1",
            "1\\pm" * 60 + "1",
            f"\\gcd({_digits(rng)}!, {_digits(rng)}!)",
        ]
    )


def _sets(rng: random.Random) -> str:
    many = ",".join(_digits(rng, 1) for _ in range(rng.choice([70, 200, 3_000])))
    return rng.choice(
        [
            f"\\{{{many}\\}}",
            f"({many})",
            many,
            "\\cup".join(["[0,1]"] * 80),
            "(-\\infty,\\infty" * 40,
            "\\mathbb{R}\\setminus" * 40 + "\\{1\\}",
            "x<" * 200 + "1",
            "(" + "1,(" * 200,
            "\\pm 1," * 60 + "2",
        ]
    )


def _noise(rng: random.Random) -> str:
    alphabet = "0123456789xyzie+-*/^_(){}[]|\\ ,.=<>!%$&'abcdfrsqtp"
    return "".join(rng.choices(alphabet, k=rng.randint(1, 300)))


def _commands(rng: random.Random) -> str:
    words = [
        "\\frac",
        "\\sqrt",
        "{",
        "}",
        "1",
        "x",
        "^",
        "_",
        "\\sin",
        "\\log",
        "(",
        ")",
        "\\begin{pmatrix}",
        "\\\\",
        "&",
        "!",
        "\\end{pmatrix}",
        "\\text{",
        "\\pi",
        "\\infty",
        "\\cup",
        ",",
        "=",
        "<",
        "\\int",
        "\\pm",
        "9",
        "\\binom",
        "°",
        "%",
        "|",
    ]
    return "".join(rng.choices(words, k=rng.randint(2, 150)))


def _spoiled(text: str, rng: random.Random) -> str:
    """With a sign taken out, doubled or put in somewhere."""
    place = rng.randrange(len(text) + 1)
    return (
        text[:place]
        + rng.choice(["", "{", "}", "\\", "\0", "$", "^", "!", text[place : place + 5] * 3])
        + text[place + 1 :]
    )


KINDS: tuple[_Maker, ...] = (
    _tower,
    _plain_tower,
    _factorials,
    _nested,
    _giant,
    _unicode,
    _zalgo,
    _unbalanced,
    _zeros,
    _regex,
    _tex,
    _python,
    _series,
    _algebra,
    _sets,
    _noise,
    _commands,
)
