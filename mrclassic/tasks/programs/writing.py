"""Programs from a random source, by level; what they print is for `machine` to say."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

_NAMES = "abcdkmnpqtxyz"
_TEXTS = ("ab", "no", "ho", "key", "sun", "tip", "ox", "la")


def write(rng: random.Random, level: str) -> str:
    """A program of `level`; one in a hundred fails or goes beyond a limit."""
    one, two = rng.sample(_NAMES, 2)
    return "\n".join(KINDS[level](rng, one, two))


def _sign(rng: random.Random) -> str:
    return rng.choice("+-*")


def _straight(rng: random.Random, one: str, two: str) -> list[str]:
    if rng.random() < 0.25:
        text = rng.choice(_TEXTS)
        last = rng.choice((f"{one} * {rng.randint(2, 4)}", f'{one} + "{rng.choice(_TEXTS)}"', f"len({one}) + {two}"))
        return [f'{one} = "{text}"', f"{two} = {rng.randint(1, 9)}", f"print({last})"]
    lines = [f"{one} = {rng.randint(1, 20)}", f"{two} = {one} {_sign(rng)} {rng.randint(2, 9)}"]
    last = rng.choice((f"{two} {_sign(rng)} {rng.randint(2, 9)}", f"{one} + {two}", f"max({one}, {two})"))
    return [*lines, f"print({last})"]


def _choice(rng: random.Random, one: str, two: str) -> list[str]:
    lines = [f"{one} = {rng.randint(1, 20)}", f"{two} = {rng.randint(1, 20)}"]
    test = rng.choice((f"{one} > {two}", f"{one} + {two} < {rng.randint(10, 30)}", f"{one} % 2 == {rng.randint(0, 1)}"))
    lines += [f"if {test}:", f"    {one} += {rng.randint(1, 9)}", "else:", f"    {one} -= {rng.randint(1, 9)}"]
    return [*lines, f"print({rng.choice((one, f'{one} + {two}'))})"]


def _loop(rng: random.Random, one: str, two: str) -> list[str]:
    lines = [f"{one} = {rng.randint(0, 30)}", f"for {two} in range({rng.randint(2, 5)}):"]
    step = rng.randint(2, 9)
    change = rng.choice((f"{one} += {two}", f"{one} += {step}", f"{one} -= {two} * {step}", f"{one} = {one} * 2"))
    return [*lines, f"    {change}", f"print({rng.choice((one, f'{one} - {two}', f'{one} + {step}'))})"]


def _both(rng: random.Random, one: str, two: str) -> list[str]:
    lines = [f"{one} = {rng.randint(0, 9)}", f"for {two} in range({rng.randint(3, 6)}):"]
    test = rng.choice((f"{two} % 2 == {rng.randint(0, 1)}", f"{one} < {rng.randint(4, 12)}"))
    lines += [f"    if {test}:", f"        {one} += {rng.choice((two, str(rng.randint(1, 5))))}"]
    if rng.random() < 0.5:
        lines += ["    else:", f"        {one} -= {rng.randint(1, 3)}"]
    return [*lines, f"print({one})"]


KINDS: Mapping[str, Callable[[random.Random, str, str], list[str]]] = {
    "1": _straight,
    "2": _choice,
    "3": _loop,
    "4": _both,
}
