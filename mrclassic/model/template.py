"""Chat templates: small Jinja programs that come with a model and write a conversation as the model reads it.

They are foreign code. The sandbox keeps them from Python's insides, there is nothing they could load, and here they
also get a clock (looked at in every loop and every macro) and bounds on what an operator may make, so that one which
behaves when it is tried cannot hold up a reply later. The functions they find are those that transformers gives them.
"""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mrclassic.errors import MrClassicError

SECONDS = 2.0  # to write a conversation; the templates of real models take a few milliseconds
LONGEST = 2**22  # characters, or digits: ten times the longest context
_UNBOUNDED = ("center", "format", "indent", "random", "urlize", "wordwrap", "xmlattr")  # filters no template needs
_PADDING = ("center", "expandtabs", "ljust", "rjust", "zfill")  # methods of text


def compiled(template: str) -> Callable[..., str]:
    """What renders `template`; it raises MrClassicError where the template refuses, breaks, or takes too long."""
    environment = _Environment()
    try:
        tree = environment.parse(template)
        other = next(tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)), None)
        if other is not None:
            raise MrClassicError(
                f"The model's chat template wants to read another file (line {other.lineno}); it is not used."
            )
        program = environment.from_string(environment.watched(tree))
    except MrClassicError:
        raise
    except Exception as error:  # whatever a foreign template raises
        raise MrClassicError(f"The model's chat template cannot be read ({_words(error)}).") from error

    def render(**names: Any) -> str:
        environment.begin()
        text: list[str] = []
        length = 0
        try:
            for piece in program.generate(**names):
                text.append(piece)
                length += len(piece)
                _bounded(length)
        except Exception as error:
            raise MrClassicError(
                f"The model's chat template cannot write this conversation ({_words(error)})."
            ) from error
        return "".join(text)

    return render


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, TemplateError) else f"{type(error).__name__}: {error}"


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation])
        self._clock = threading.local()  # a mind and its trainers may render at the same time
        self.filters["tojson"] = _to_json
        for name in _UNBOUNDED:
            del self.filters[name]
        del self.globals["lipsum"]
        self.globals |= {
            "raise_exception": _raise_exception,
            "strftime_now": lambda form: datetime.now().strftime(form),
        }

    def begin(self) -> None:
        """Start the clock of this thread."""
        self._clock.end = time.monotonic() + SECONDS

    def tick(self) -> None:
        """Raise when the time is up."""
        if time.monotonic() > getattr(self._clock, "end", math.inf):
            raise TemplateError(f"it took more than {SECONDS:g} seconds")

    def watched(self, tree: nodes.Template) -> nodes.Template:
        """`tree` with a look at the clock at the beginning of all that can repeat, and bounded joining."""
        repeated: nodes.For | nodes.Macro | nodes.CallBlock | nodes.Block
        for repeated in tree.find_all((nodes.For, nodes.Macro, nodes.CallBlock, nodes.Block)):  # type: ignore[assignment]
            repeated.body.insert(0, nodes.ExprStmt(_call("tick", [])).set_lineno(repeated.lineno))
        _replace_joins(tree)
        tree.set_environment(self)
        return tree

    def joined(self, *parts: Any) -> str:
        """What `~` makes."""
        text = [str(part) for part in parts]
        _bounded(sum(map(len, text)))
        return "".join(text)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" or (operator == "%" and isinstance(left, str) and re.search(r"\*|\d{4}", left)):
            raise TemplateError(f"it may not use {operator} like that")
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            _bounded(len(left) + len(right))
        if operator == "*":
            _bounded(_extent(left) * _extent(right))
        return super().call_binop(context, operator, left, right)

    def call_filter(self, *words: Any, **more: Any) -> Any:
        """For each item that `map` takes."""
        self.tick()
        return super().call_filter(*words, **more)

    def call_test(self, *words: Any, **more: Any) -> Any:
        """For each item that `select` and `reject` take."""
        self.tick()
        return super().call_test(*words, **more)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        padding = isinstance(obj, str) and attr in _PADDING
        return not padding and super().is_safe_attribute(obj, attr, value)


class _Generation(Extension):
    """`{% generation %}`: marks for trainers what the model itself says; here it only stands around it."""

    tags = {"generation"}  # noqa: RUF012 - as the library declares it

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _call(name: str, arguments: list[nodes.Expr]) -> nodes.Call:
    """A call of the environment's own method, which no name in a template can stand in for."""
    return nodes.Call(nodes.EnvironmentAttribute(name), arguments, [], None, None)


def _replace_joins(node: nodes.Node) -> None:
    """Put a bounded call in the place of every `a ~ b` below `node`."""
    for child in node.iter_child_nodes():
        _replace_joins(child)
    for name, value in node.iter_fields():
        if isinstance(value, nodes.Concat):
            setattr(node, name, _call("joined", value.nodes).set_lineno(value.lineno))
        elif isinstance(value, list):
            value[:] = [
                _call("joined", each.nodes).set_lineno(each.lineno) if isinstance(each, nodes.Concat) else each
                for each in value
            ]


def _extent(value: Any) -> int:
    if isinstance(value, str | list | tuple):
        return len(value)
    return abs(int(value)) if isinstance(value, int | float) else 1


def _bounded(length: int) -> None:
    if length > LONGEST:
        raise TemplateError("it makes something far longer than a conversation")


def _to_json(
    value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None, sort_keys: bool = False
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)
