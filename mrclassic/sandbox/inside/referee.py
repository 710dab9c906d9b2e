"""The role of the process that judges: runs a dataset's check on a stand-in for the program, which runs elsewhere.

What the check calls becomes a question to the candidate's process, and plain values come back; they are compared here.
What is no plain value (an instance of the program's own class, a generator) comes back as a `Remote`, with which a
check can do little: comparing it, or asking whether it is true, fails. Arguments cross as copies, so that a program
that empties the list it was given cannot change what it is compared with; only a call that stands alone as a
statement, `f(x)`, is taken to be about its arguments, and these come back changed.
"""

from __future__ import annotations

import ast
import builtins
import gc
import re
import sys
import traceback
from collections.abc import Iterator
from itertools import chain
from types import CodeType, ModuleType
from typing import Any, NoReturn

from mrclassic.sandbox.inside import values

_FILE = "<check>"
_WORDS = 300
_STATEMENT = re.compile(
    r"^[ \t]*[A-Za-z_]\w*\(", re.M
)  # a call that stands alone; looked at closely where there is one
_IN_PLACE = "__in_place__"


class Fault(BaseException):
    """The candidate's process is gone, or what it sent is no answer; no `except Exception` of a check's catches it."""


class _Unreadable(Fault):
    """There is no program that compiles."""


def run(work: dict[str, Any], descriptor: int, verdict: int) -> None:
    """Judge one check and write the verdict, its reason, and whether there was a program at all."""
    gc.disable()  # a check is short, and its memory bounded
    found = True
    try:
        word, detail = "right", ""
        link = Link(descriptor, work["nonce"])
        link.wait()
        _check(link, work)
        if link.fault is not None:  # a check's bare `except` has caught it
            raise link.fault
    except AssertionError as error:
        word, detail = "wrong", f"failed: {_line(error, work['test'])}{f' ({error})' if str(error) else ''}"
    except _Broken as error:
        word, detail = "error", str(error)
    except Fault as error:
        word, detail, found = "wrong", str(error), not isinstance(error, _Unreadable)
    except BaseException as error:  # noqa: BLE001 - whatever a check raises on an answer, it is not satisfied
        line = _line(error, work["test"])
        word, detail = "wrong", f"{type(error).__name__}: {error}{f' at: {line}' if line else ''}"
    values.send(verdict, [work["nonce"], word, detail[:_WORDS], found])


class _Broken(BaseException):
    """The check itself cannot be run."""


def _check(link: Link, work: dict[str, Any]) -> None:
    kind, entry, test = work["kind"], work["entry"], work["test"]
    try:
        code = compile(test, _FILE, "exec", dont_inherit=True)
        names = _names(code) - set(dir(builtins)) | {entry}
        if _STATEMENT.search(test):
            tree = _InPlace().visit(ast.parse(test))
            code = compile(tree, _FILE, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _Broken(f"the check does not compile: {error}") from error
    # What the check defines takes the place of what is put here; what it does not define is the program's.
    space: dict[str, Any] = {name: _module(name, test) or Remote(link, ["n", name]) for name in names - {entry}}
    space.update({"__name__": "check", _IN_PLACE: _in_place, entry: Remote(link, ["n", entry])})
    exec(code, space)  # noqa: S102 - a dataset's test, in a process that can do nothing else
    if kind == "check":
        check = space.get("check")
        if not callable(check) or isinstance(check, Remote):
            raise _Broken("the test defines no check(candidate)")
        space[entry] = Remote(link, ["n", entry])
        check(space[entry])


def _names(code: CodeType) -> set[str]:
    """All names that a check uses and that are not local to one of its functions."""
    inner = (_names(each) for each in code.co_consts if isinstance(each, CodeType))
    return {*code.co_names, *chain.from_iterable(inner)}


def _module(name: str, test: str) -> ModuleType | None:
    """A module of the standard library that a check uses, as in `sys.getsizeof`, without importing it."""
    used = name in sys.stdlib_module_names and re.search(rf"(?<![\w.]){name}\.", test)
    return sys.modules.get(name) if used else None


class _InPlace(ast.NodeTransformer):
    """Turns the statement `f(x)` into `__in_place__(f, x)`."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:
        call = node.value
        if isinstance(call, ast.Call) and not call.keywords:
            call.args.insert(0, call.func)
            call.func = ast.copy_location(ast.Name(id=_IN_PLACE, ctx=ast.Load()), call.func)
        return node


def _in_place(function: Any, *arguments: Any) -> None:
    if isinstance(function, Remote):
        function.in_place(*arguments)
    else:
        function(*arguments)


class Link:
    """The judge's end of the socket: one question at a time, each with its number, all with the check's nonce."""

    def __init__(self, descriptor: int, nonce: str) -> None:
        self.descriptor = descriptor
        self.nonce = nonce
        self.number = 0
        self.fault: Fault | None = None
        self.functions: list[Any] = []  # what the check handed over to be called back

    def wait(self) -> None:
        """Until the program is loaded; raises Fault where it is not."""
        kind, data = self._receive()
        if kind == "unreadable":
            raise _Unreadable(f"no program that compiles ({data})")
        if kind != "ready":
            raise Fault(f"the program raised {data}")

    def ask(self, action: str, *data: Any) -> Any:
        """Have the candidate do something; what it returns, or the built-in exception that it raised."""
        self.number += 1
        self._send(self.number, action, list(data))
        while True:
            kind, answer = self._receive()
            if kind != "call":
                break
            self._call_back(answer)
        if kind == "value":
            try:
                return values.decode(answer, self._resolve)
            except values.Unfit as error:
                raise self._faulty(f"the program sent {error}") from error
        if kind == "unfit":
            raise self._faulty(str(answer))
        if kind == "raised" and isinstance(answer, list) and len(answer) == 2:
            _raise(*map(str, answer))
        raise self._faulty()

    def _faulty(self, words: str = "the program sent what is no answer") -> Fault:
        self.fault = Fault(words)
        return self.fault

    def encode(self, value: object) -> Any:
        """`value` as it crosses; raises _Broken where a check hands over what cannot."""
        try:
            return values.encode(value, self._refer)
        except values.Unfit as error:
            raise _Broken(f"the check hands over {error}") from error

    def _refer(self, value: object) -> list[Any]:
        if isinstance(value, Remote):
            return object.__getattribute__(value, "_place")  # type: ignore[no-any-return]
        if not callable(value):
            raise values.Unfit(f"a {type(value).__name__}, which has no plain form")
        self.functions.append(value)
        return ["f", len(self.functions) - 1]

    def _resolve(self, tag: str, data: Any) -> object:
        if tag not in ("r", "m") or type(data) is not int:
            raise self._faulty()
        return (Remote if tag == "r" else _Match)(self, [tag, data])

    def _call_back(self, answer: Any) -> None:
        try:
            function, given = answer
            arguments, keywords = values.decode(given, self._resolve)
            result = self.encode(self.functions[function](*arguments, **keywords))
        except Exception as error:  # noqa: BLE001 - it is the program's business
            self._send(self.number, "raise", [f"{type(error).__name__}: {error}"])
            return
        self._send(self.number, "return", [result])

    def _send(self, number: int, action: str, data: list[Any]) -> None:
        try:
            values.send(self.descriptor, [self.nonce, number, action, data])
        except OSError as error:
            raise self._faulty("the program ended") from error

    def _receive(self) -> tuple[str, Any]:
        try:
            message = values.receive(self.descriptor)
        except (EOFError, OSError) as error:
            raise self._faulty("the program ended") from error
        except values.Unfit as error:
            raise self._faulty(f"the program sent {error}") from error
        if not isinstance(message, list) or len(message) != 4 or message[0] != self.nonce:
            raise self._faulty()
        _, number, kind, data = message
        if kind == "call":
            return "call", (number, data)
        if number != self.number:
            raise self._faulty("the program sent an answer to another question")
        return kind, data


class Remote:
    """Something of the program's, which stays there: to be called, gone through, its attributes read and set."""

    def __init__(self, link: Link, place: list[Any]) -> None:
        object.__setattr__(self, "_link", link)
        object.__setattr__(self, "_place", place)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        link = self._link
        return link.ask("call", self._place, link.encode(arguments), link.encode(keywords))

    def in_place(self, *arguments: Any) -> None:
        """Call it for what it does to its arguments: lists, dicts, sets and objects of the program's."""
        link = self._link
        changed = link.ask("call_in_place", self._place, link.encode(arguments))
        if not isinstance(changed, tuple) or len(changed) != len(arguments):
            raise Fault("the program sent what is no answer")
        for argument, new in zip(arguments, changed, strict=True):
            if isinstance(argument, list) and isinstance(new, list):
                argument[:] = new
            elif isinstance(argument, dict | set) and type(new) is type(argument):
                argument.clear()
                argument.update(new)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copy, pickle and their like ask for these; the program's own do not run here
            raise AttributeError(name)
        return self._link.ask("get", self._place, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._link.ask("set", self._place, name, self._link.encode(value))

    def __iter__(self) -> Iterator[Any]:
        taken = self._link.ask("list", self._place)
        if not isinstance(taken, list):
            raise Fault("the program sent what is no answer")
        return iter(taken)

    def _no(self, *others: object) -> NoReturn:
        raise Fault("it returned an object, which equals nothing")

    def __bool__(self) -> bool:
        self._no()

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _no
    __hash__ = None  # type: ignore[assignment]


class _Match(Remote):
    """A match of a regular expression, which is true."""

    def __bool__(self) -> bool:
        return True


def _raise(name: str, words: str) -> NoReturn:
    """Raise what the program raised, if Python has such an exception; an assertion of its own is not the check's."""
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception) and kind not in (AssertionError, StopIteration):
        try:
            error = kind(words.partition(": ")[2])
        except TypeError:  # UnicodeDecodeError and its like want more
            raise Fault(f"the program raised {words}") from None
        raise error
    raise Fault(f"the program raised {words}")


def _line(error: BaseException, test: str) -> str:
    """The line of the check that failed."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == _FILE]
    text = test.split("\n")
    return text[lines[-1] - 1].strip() if lines and lines[-1] and lines[-1] <= len(text) else ""
