"""The role of the process that runs a model's program: load it, then do what the judge asks and answer with values.

Nothing here is a defence. The program shares this process and may do with it what it likes; all it can bring about is
which values, or what noise, the judge gets to see.
"""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any

from mrclassic.sandbox.inside import values

_MODULE = "solution"
_WORDS = 300  # of an error's message


class _Gone(BaseException):
    """The judge has nothing more to ask."""


def run(work: dict[str, Any], descriptor: int) -> None:
    """Serve one check: `work` holds the `program` (the first of several that compiles) and the check's `nonce`."""
    candidate = _Candidate(descriptor, work["nonce"])
    try:
        candidate.load(work["program"])
        while True:
            candidate.answer(*candidate.receive())
    except (_Gone, EOFError, OSError):
        return


class _Candidate:
    def __init__(self, descriptor: int, nonce: str) -> None:
        self.descriptor = descriptor
        self.nonce = nonce
        self.module = ModuleType(_MODULE)
        self.kept: list[object] = []  # what stays here, by the number that crosses in its place

    def load(self, programs: list[str]) -> None:
        sys.modules[_MODULE] = self.module
        code, words = None, "there is no program"
        for program in programs:
            try:
                code = compile(program, f"<{_MODULE}>", "exec", dont_inherit=True)
                break
            except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
                words = words if words.startswith("Syn") else _words(error)
        if code is None:
            self.send(0, "unreadable", words)
            raise _Gone
        try:
            exec(code, self.module.__dict__)  # noqa: S102 - this is what the sandbox is for
        except BaseException as error:  # whatever a program raises is an answer
            self.send(0, "failed", _words(error))
            raise _Gone from error
        self.send(0, "ready", None)

    def receive(self) -> tuple[int, str, list[Any]]:
        nonce, number, action, data = values.receive(self.descriptor)
        if nonce != self.nonce:
            raise _Gone
        return number, action, data

    def send(self, number: int, kind: str, data: Any) -> None:
        values.send(self.descriptor, [self.nonce, number, kind, data])

    def answer(self, number: int, action: str, data: list[Any]) -> None:
        try:
            result = getattr(self, f"do_{action}")(*data)
        except BaseException as error:  # noqa: BLE001 - whatever a program raises is an answer
            self.send(number, "raised", [type(error).__name__, _words(error)])
            return
        try:
            self.send(number, "value", values.encode(result, self.refer))
        except Exception as error:  # noqa: BLE001 - a program's own iterators may raise what they like
            self.send(number, "unfit", f"it returned {error}" if isinstance(error, values.Unfit) else _words(error))

    def refer(self, value: object) -> list[Any]:
        self.kept.append(value)
        # "Did it match?" is how checks use what `re` returns. No class of the program's is asked whether it is true.
        return ["m" if type(value) is re.Match else "r", len(self.kept) - 1]

    def resolve(self, tag: str, data: Any) -> object:
        """What a reference of the judge's means: something kept here, something of the program's, or its function."""
        if tag in ("r", "m"):
            return self.kept[data]
        if tag == "n":
            if data not in self.module.__dict__:
                raise NameError(f"the program defines no {data}")
            return self.module.__dict__[data]
        return lambda *arguments, **keywords: self.call_back(data, arguments, keywords)

    def decode(self, data: Any) -> Any:
        return values.decode(data, self.resolve)

    def call_back(self, function: int, arguments: Any, keywords: Any) -> Any:
        self.send(function, "call", values.encode([arguments, keywords], self.refer))
        _, action, data = self.receive()
        if action == "raise":
            raise RuntimeError(data[0])
        return self.decode(data[0])

    def do_call(self, function: Any, arguments: Any, keywords: Any) -> object:
        return self.decode(function)(*self.decode(arguments), **self.decode(keywords))

    def do_call_in_place(self, function: Any, arguments: Any) -> object:
        given = self.decode(arguments)
        self.decode(function)(*given)
        return given

    def do_get(self, owner: Any, name: str) -> object:
        return getattr(self.decode(owner), name)

    def do_set(self, owner: Any, name: str, value: Any) -> None:
        setattr(self.decode(owner), name, self.decode(value))

    def do_list(self, owner: Any) -> list[Any]:
        taken: list[Any] = []
        for value in self.decode(owner):
            taken.append(value)
            if len(taken) > values.MOST:
                raise values.Unfit("an endless sequence")
        return taken


def _words(error: BaseException) -> str:
    try:
        words = str(error)
    except BaseException:  # noqa: BLE001 - a program's own exception
        words = ""
    return f"{type(error).__name__}: {words}"[:_WORDS]
