"""`plugin check`: the mistakes that plugins are known to make, looked for by running one against made-up batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from mrclassic import curricula
from mrclassic.errors import MrClassicError
from mrclassic.plugins import checking_others, trying
from mrclassic.plugins.find import Kind, Plugin, in_file
from mrclassic.plugins.remote import Remote
from mrclassic.rewards import names as rewards
from mrclassic.rewards.calls import number
from mrclassic.tasks.catalogue import TAKEN

Severity = Literal["error", "warning"]

_PRINTED = 64 * 2**10  # bytes a batch
_SLOW = 5.0  # seconds for a batch of _BATCH completions, or to start
_BATCH = 64
_CLOSE = 1e-9

# Completions as a model writes them on good and on bad days, with the names by which a finding calls them.
_CASES = {
    "an ordinary completion": "Three and four are seven, so the answer is 7.\n\nANSWER: 7",
    "a short completion": "7",
    "an empty completion": "",
    "a completion of nothing but spaces": " \n\t ",
    "a completion that repeats itself": "and so on " * 400,
    "a very long completion": " ".join(str(place * 7919 % 10007) for place in range(6000)),
    "a completion with odd characters": 'naïve "quotes" \\ \x00 \u202e 日本語 🙂 {curly} %s <tag> $x^2$',
    "a completion of code": "```python\ndef f(x):\n    return {'a': [x, 1.5]}\n```",
    "a completion in verse": "The owl looked up and saw the moon,\nand hummed a little evening tune.",
    "a completion of JSON": '{"answer": 7, "steps": ["three", "four"]}',
}
_TEXTS = tuple(_CASES.values())
_GIVEN = {"prompts", "completions", "completion_ids", "trainer_state", "log_extra", "log_metric"}
_COLUMNS = {"answer", "item", "task", "level"}
_RUBRIC = {"prompt", "completion", "state", "info", "infos", "parser", "answers", "states", "tasks"}


@dataclass(frozen=True)
class Finding:
    """One mistake: an `error` makes the plugin useless or wrong, a `warning` is for its author to judge."""

    plugin: str
    severity: Severity
    words: str


Found = Iterator[tuple[Severity, str]]


def check(path: Path) -> list[Finding]:
    """What is wrong with the plugins in a file, trusted or not. It runs the file, in a worker; read it first."""
    plugins = in_file(path.absolute(), "package")  # unguarded: it may lie anywhere
    names = Counter(plugin.name for plugin in plugins)
    findings: list[Finding] = []
    for plugin in plugins:
        found = dict.fromkeys([*_read(plugin, names), *_run(plugin)])
        findings += [Finding(plugin.name, severity, words) for severity, words in found]
    return findings


def built_in(kind: Kind) -> Sequence[str]:
    """The names that are taken."""
    return {"reward": rewards(), "task": TAKEN, "curriculum": tuple(curricula.BUILT_IN)}[kind]


def _read(plugin: Plugin, names: Mapping[str, int]) -> Found:
    """What is seen without running it."""
    if plugin.flaw:
        yield "error", plugin.flaw
        return
    if plugin.name in built_in(plugin.kind):
        yield "error", f"The {plugin.kind} {plugin.name} is built in; give yours another name."
    if names[plugin.name] > 1:
        yield "error", f"The file defines {plugin.name} twice; only the last would be used."
    if not plugin.about:
        yield "warning", "It has no docstring, so `mrclassic plugin list` cannot say what it is for."


def _run(plugin: Plugin) -> Found:
    try:
        if plugin.flaw:
            return
        if plugin.kind == "reward":
            with TemporaryDirectory(prefix="mrclassic-") as folder:
                yield from _Trial(plugin, folder).findings()
        elif plugin.kind == "task":
            yield from checking_others.task(plugin)
        else:
            yield from checking_others.curriculum(plugin)
    except MrClassicError as fault:
        yield "error", str(fault)


class _Trial(Remote):
    """A reward before a jury of made-up batches."""

    def __init__(self, plugin: Plugin, folder: str) -> None:
        super().__init__(plugin, trying.__name__, folder)
        self._again = Remote(plugin, trying.__name__, folder)

    def findings(self) -> Found:
        """Each mistake once; a batch that gets no answer at all raises PluginFault."""
        try:
            self.told = self.ask(None)
            self.memory, self.seconds = self.told["metadata"]["memory"], self.told["metadata"]["seconds"]
            yield from self._signature()
            reply = self._ask(_TEXTS)
            yield from self._contract(reply)
            if not reply["fault"].startswith("it returned"):
                yield from self._lengths()
            if not reply["fault"]:
                yield from self._sense(reply["values"])
                yield from self._repeats(reply["values"])
        finally:
            self.close()
            self._again.close()

    def _signature(self) -> Found:
        takes, needs = self.told["takes"], set(self.told["needs"])
        if self.told["positional"]:
            named = ", ".join(self.told["positional"])
            yield "error", f"Its signature cannot be called: everything is given by name, and {named} takes no name."
        if takes is not None and self.told["style"] == "batch":
            yield "warning", "It takes no **columns: TRL, which gives every column of a dataset, could not call it."
        missing = needs - _GIVEN - _COLUMNS - (set() if self.told["style"] == "batch" else _RUBRIC)
        if missing:
            named = ", ".join(sorted(missing))
            yield "warning", f"It asks for {named}, which not every dataset has; give it a default such as None."
        for effect in self.told["effects"]:
            yield "warning", f"It {effect} while it was imported; do such things in the function, when they are needed."
        if self.told["seconds"] > _SLOW:
            yield "warning", f"It takes {self.told['seconds']:.0f} seconds to import."

    def _contract(self, reply: Mapping[str, Any]) -> Found:
        """What a batch shows by itself."""
        fault, odd = reply["fault"], reply["odd"]
        if odd:
            named = ", ".join(f"{count} x {kind}" for kind, count in odd.items())
            yield (
                "error",
                f"It returned values that are not finite numbers ({named}); return a float, or None to abstain.",
            )
        elif fault:
            yield "error", self._culprit(fault)
        if reply["tensors"]:
            yield "warning", "It returned torch tensors; return plain floats (`.item()`, `.tolist()`)."
        if reply["mutated"]:
            yield (
                "error",
                f"It changed its arguments ({', '.join(reply['mutated'])}), which other rewards may see in TRL.",
            )
        if self.worker.printed_bytes > _PRINTED:
            yield "warning", f"It printed {self.worker.printed_bytes >> 10:,} KiB in one batch; that is not kept."
        seconds = reply["seconds"] * _BATCH / len(_TEXTS)
        if seconds > self.seconds / 2:
            yield (
                "warning",
                f"{_BATCH} completions would take it about {seconds:.0f} seconds, and it is ended after "
                f"{self.seconds:g}; be faster, or say @reward(seconds=...).",
            )
        elif seconds > _SLOW:
            yield "warning", f"{_BATCH} completions would take it about {seconds:.0f} seconds; training waits for it."

    def _culprit(self, fault: str) -> str:
        """The fault of a batch, with the completion that is to blame, if one of them alone is."""
        blamed = {}
        for case, text in _CASES.items():
            alone = self._ask([text])["fault"]
            if alone:
                blamed[case] = alone
        if 0 < len(blamed) < len(_CASES):
            case, words = next(iter(blamed.items()))
            return f"{words[0].upper()}{words[1:]}, when it was given {case}."
        return f"{fault[0].upper()}{fault[1:]}."

    def _lengths(self) -> Found:
        """Batches of every size come; a list that always has one length is the oldest mistake."""
        for size in (1, 2):
            fault = self._ask(_TEXTS[:size])["fault"]
            if fault.startswith("it returned"):
                yield "error", f"For a batch of {size}, {fault}."
                return

    def _sense(self, values: Sequence[float | None]) -> Found:
        """Values that keep the contract and teach nothing, or the wrong thing."""
        given = [value for value in values if value is not None]
        if not given:
            yield "warning", "It abstained on every completion, so it teaches nothing."
        elif len(set(given)) == 1:
            yield "warning", f"It gave {given[0]:g} to every completion, so it teaches nothing."
        bounds = self.told["metadata"]["range"]
        if bounds is not None and given and not (bounds[0] <= min(given) and max(given) <= bounds[1]):
            found = f"{min(given):g} to {max(given):g}"
            yield (
                "error",
                f"It gave values from {found}, outside the range {bounds[0]:g} to {bounds[1]:g} that it declares.",
            )

    def _repeats(self, values: Sequence[float | None]) -> Found:
        """Whether the same completion always gets the same value."""
        if not _same(values, self._ask(_TEXTS)["values"]):
            yield "warning", "It is not deterministic: the same batch got other values when it was asked again."
            return
        if not _same(values, self._ask(_TEXTS, of=self._again)["values"]):
            yield "warning", "It is not deterministic: in a new process the same batch got other values."
            return
        for order in (list(reversed(range(len(_TEXTS)))), [*range(4, len(_TEXTS)), *range(4)]):
            other = self._ask(_TEXTS, order=order)["values"]
            if not _same([values[place] for place in order], other):
                yield (
                    "error",
                    "It depends on the order of the batch: the same completions in another order got others' values.",
                )
                return
        if not _same(values, self._ask(_TEXTS, shift=1)["values"]):
            yield "warning", "It depends on the completion ids: the same text with other tokens got another value."

    def _ask(
        self, texts: Sequence[str], order: Sequence[int] | None = None, shift: int = 0, of: Remote | None = None
    ) -> Mapping[str, Any]:
        """A batch of `texts` in that order, with token ids that `shift` changes."""
        places = list(order if order is not None else range(len(texts)))
        questions = [[{"role": "user", "content": f"Made-up question {place}: what is it?"}] for place in places]
        items = [
            {"messages": questions[at], "answer": "7", "trace": "", "meta": {"task": "made-up", "level": "1"}}
            for at in range(len(places))
        ]
        columns: dict[str, Any] = {
            "answer": ["7"] * len(places),
            "item": items,
            "task": ["made-up"] * len(places),
            "level": ["1"] * len(places),
            "completion_ids": [
                [*((ord(sign) + shift) % 256 for sign in texts[place][: 512 + shift]), shift] for place in places
            ],
        }
        columns |= {
            name: ["7"] * len(places) for name in self.told["needs"] if name not in columns.keys() | _GIVEN | _RUBRIC
        }
        request = {
            "prompts": questions,
            "completions": [texts[place] for place in places],
            "columns": columns,
            "step": 1,
        }
        reply: Mapping[str, Any] = (of or self).ask(request, self.seconds)
        return reply


def _same(some: Sequence[float | None], others: Sequence[float | None]) -> bool:
    return len(some) == len(others) and all(
        one == other or (number(one) is not None and number(other) is not None and abs(one - other) <= _CLOSE)  # type: ignore[operator]
        for one, other in zip(some, others, strict=True)
    )
