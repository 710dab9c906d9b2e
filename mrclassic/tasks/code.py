"""HumanEval and MBPP: a program is right if it stands the dataset's tests, run in the sandbox by a judge outside it.

A completion may be a whole program, one in a ```python fence, or, for HumanEval, the body that continues the prompt.
Which of these it is, is found by trying: of several readings the first that compiles counts (and it is compiled in the
sandbox). Where there is no sandbox nothing is run, and the verdict is "skipped".
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mrclassic.sandbox.judge import Check, Outcome, shared
from mrclassic.tasks.base import BadRow, Item, Judgement, ask, no_answer
from mrclassic.tasks.dataset import Dataset, text_of

_FENCE = re.compile(r"```[ \t]*([\w+-]*)[^\n]*\n(.*?)(?:\n[ \t]*```|\Z)", re.S)
_PAPER = re.compile(r"\[BEGIN\][ \t]*\n?(.*?)(?:\[DONE\]|\Z)", re.S)  # how MBPP's own prompts mark a program
_OPENING = re.compile(r"^(?:(?:def|class|import|from|async)\b|@)", re.M)
_PYTHON = ("", "python", "python3", "py")
_INDENT = "    "
# Processor seconds. Of all references one takes three, on a machine of today; most take a thousandth of one.
_HUMANEVAL_SECONDS = 5.0
_MBPP_SECONDS = 10.0


class _Code(Dataset):
    """What both have in common: many programs are judged at once, each different one once."""

    seconds: float
    kind: Literal["check", "asserts"]

    @abstractmethod
    def programs(self, item: Item, completion: str) -> tuple[str, ...]:
        """The readings of a completion, the likeliest first."""

    def job(self, item: Item, completion: str) -> Check:
        """What the judge is asked."""
        programs, meta = self.programs(item, completion), item.meta
        return Check(programs, meta["test"], meta["entry_point"], self.kind, self.seconds)

    def check(self, item: Item, completion: str) -> Judgement:
        """As `check_all`, for one."""
        return self.check_all([item], [completion])[0]

    def check_all(self, items: Sequence[Item], completions: Sequence[str]) -> list[Judgement]:
        """Right if the program stands its tests; what does not compile counts as no answer."""
        jobs = [
            self.job(item, completion) if completion.strip() else None
            for item, completion in zip(items, completions, strict=True)
        ]
        different = list(dict.fromkeys(job for job in jobs if job is not None))
        outcomes = dict(zip(different, shared().judge(different), strict=True))
        return [no_answer("it is empty") if job is None else _judgement(outcomes[job]) for job in jobs]


def _judgement(outcome: Outcome) -> Judgement:
    return Judgement(outcome.verdict, outcome.detail, outcome.found)


class HumanEval(_Code):
    """Rows of `prompt`, `entry_point`, `test` and `canonical_solution`: the body that the prompt asks for."""

    name = "humaneval"
    about = "Python functions from their descriptions"
    seconds = _HUMANEVAL_SECONDS
    kind = "check"

    def row(self, data: Mapping[str, Any]) -> Item:
        """The prompt goes to the judge, too: the helpers that it defines, and tests use, are then not the program's."""
        prompt, test, entry = (text_of(data, name) for name in ("prompt", "test", "entry_point"))
        body = text_of(data, "canonical_solution", default="")
        if not entry.isidentifier():
            raise BadRow('its "entry_point" is not a name')
        if "def check(" not in test:
            raise BadRow('its "test" defines no check(candidate)')
        return ask(prompt, body, body.rstrip("\n"), entry_point=entry, test=f"{prompt}\n\n{test}")

    def programs(self, item: Item, completion: str) -> tuple[str, ...]:
        """Each with the prompt before it, whose imports and helpers it may lean on."""
        prompt, entry = item.question, item.meta["entry_point"]
        return tuple(
            dict.fromkeys(prompt + rest for text in _texts(completion, entry) for rest in _continuations(text, entry))
        )


class MBPP(_Code):
    """Rows of `text` (or `prompt`), `test_list` and `code`, with `test_setup_code` or `test_imports`."""

    name = "mbpp"
    about = "short Python programs that pass the tests shown"
    seconds = _MBPP_SECONDS
    kind = "asserts"

    def row(self, data: Mapping[str, Any]) -> Item:
        """The question shows the tests: without them nobody knows what the function is called."""
        text, code = text_of(data, "text", "prompt"), text_of(data, "code", default="").replace("\r\n", "\n")
        tests = _lines(data, "test_list")
        if not tests:
            raise BadRow('its "test_list" is empty')
        setup = [text_of(data, "test_setup_code", default=""), *_lines(data, "test_imports")]
        test = "\n".join([*setup, *tests]).replace("\r\n", "\n")
        question = "\n".join([f"{text.strip()} Your code should pass these tests:", "", *map(str.strip, tests)])
        return ask(question, code, code.strip("\n"), entry_point=_entry(code, tests), test=test)

    def programs(self, item: Item, completion: str) -> tuple[str, ...]:
        """The completion as it is, then without what surrounds the program."""
        entry = item.meta["entry_point"]
        return tuple(dict.fromkeys(each for text in _texts(completion, entry) for each in _trimmed(text, entry)))


def _lines(data: Mapping[str, Any], name: str) -> list[str]:
    lines = data.get(name) or []
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise BadRow(f'its "{name}" is not a list of lines')
    return lines


def _entry(code: str, tests: Sequence[str]) -> str:
    """The function that the tests call: one that the reference defines, else the first name called."""
    called: list[str] = [name for test in tests for name in re.findall(r"\b([A-Za-z_]\w*)\s*\(", test)]
    defined = set(re.findall(r"^def\s+(\w+)", code, re.M))
    names = [*(name for name in called if name in defined), *called]
    if names:
        return names[0]
    raise BadRow('its "test_list" calls no function')


def _texts(completion: str, entry: str) -> Iterator[str]:
    """Where in a completion the program is: the last fence that defines `entry`, else the first; without any, all."""
    text = completion.replace("\r\n", "\n")
    marked = _PAPER.search(text)
    if marked:
        text = marked[1]
    fences = [body for language, body in _FENCE.findall(text) if language.lower() in _PYTHON]
    defining = [body for body in fences if _defines(body, entry)]
    if fences:
        yield defining[-1] if defining else fences[0]
    else:
        yield text


def _defines(text: str, entry: str) -> re.Match[str] | None:
    return re.search(rf"^(?:async\s+)?(?:def|class)\s+{entry}\b", text, re.M)


def _continuations(text: str, entry: str) -> Iterator[str]:
    """What a completion of HumanEval may mean, to be put behind the prompt."""
    if _defines(text, entry):
        for program in _trimmed(text, entry):
            yield f"\n{program}"
        return
    body = text.lstrip("\n")
    head = body.partition("\n")[0]
    indented = "\n".join(f"{_INDENT}{line}" if line.strip() else line for line in body.split("\n"))
    # A body may have lost the indentation of its first line, or of all; left so it would often compile and do nothing.
    for reading in (body,) if head[:1].isspace() else (indented, f"{_INDENT}{body}", body):
        yield reading
        end = re.search(r"\n(?=\S)", reading)  # a model that goes on with the next function, or with prose
        if end:
            yield reading[: end.start() + 1]


def _trimmed(text: str, entry: str) -> Iterator[str]:
    """The text; from the first line that is code; and that as far as the function's own last line."""
    yield text
    begin = _OPENING.search(text)
    if begin is None:
        return
    yield text[begin.start() :]
    function = _defines(text, entry)
    end = re.compile(r"\n(?=[^\s#)\]}])").search(text, function.end()) if function else None
    if end:
        yield text[begin.start() : end.start() + 1]


def humaneval(folder: Path | None) -> HumanEval:
    """The task on the owner's files in `folder`, or on the sample."""
    return HumanEval(folder)


def mbpp(folder: Path | None) -> MBPP:
    """The task on the owner's files in `folder`, or on the sample."""
    return MBPP(folder)
