"""The worker's side of `plugin check`: runs a reward and notes what else it does than to answer."""

from __future__ import annotations

import copy
import inspect
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from mrclassic.plugins.remote import limit, load
from mrclassic.plugins.remote_reward import score
from mrclassic.rewards.calls import number, shape
from mrclassic.rewards.metadata import metadata

# Audit events of the interpreter, in words. What happens inside libraries of C is not seen.
_EVENTS = {
    "socket.connect": "used the network",
    "socket.getaddrinfo": "used the network",
    "subprocess.Popen": "started a process",
    "os.posix_spawn": "started a process",
    "os.system": "started a process",
    "os.fork": "started a process",
    "os.exec": "started a process",
    "os.remove": "removed a file",
    "os.rename": "renamed a file",
    "os.mkdir": "made a folder",
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_OURS = {"state", "parser", "trainer_state", "log_extra", "log_metric"}  # meant to be written to, or no data


def serve(source: Mapping[str, str], folder: str) -> Callable[[Any], Any]:
    """Loads the plugin in the working folder `folder`; describes it when asked nothing, tries a batch otherwise."""
    os.chdir(folder)
    sys.dont_write_bytecode = True
    effects: list[str] = []
    begun = time.monotonic()
    listening = True

    def note(event: str, details: tuple[Any, ...]) -> None:
        if listening and (words := _effect(event, details)) and words not in effects:
            effects.append(words)

    sys.addaudithook(note)
    function = load(source)
    if isinstance(function, type):
        function = function()
    listening = False
    told, how = metadata(function), shape(function)
    described = {
        "metadata": asdict(told),
        "style": how.style,
        "takes": None if how.takes is None else sorted(how.takes),
        "needs": sorted(how.needs),
        "positional": _positional(function),
        "effects": effects,
        "seconds": time.monotonic() - begun,
    }
    limit(told.memory)

    def answer(request: Any) -> Any:
        if request is None:
            return described
        heard = _Heard(function)
        begun = time.monotonic()
        scored, _ = score(heard.asynchronously if how.awaited else heard, how, request)
        return {
            "values": scored.values,
            "fault": scored.words,
            "seconds": time.monotonic() - begun,
            "mutated": sorted(heard.mutated),
            "odd": dict(heard.odd),
            "tensors": heard.tensors,
        }

    return answer


class _Heard:
    """A reward function that is watched: what it changes of what it is given, and what kinds of things it returns."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.mutated: set[str] = set()
        self.odd: Counter[str] = Counter()
        self.tensors = False

    def __call__(self, **given: Any) -> Any:
        before = _copies(given)
        return self._look(before, given, self.function(**given))

    async def asynchronously(self, **given: Any) -> Any:
        before = _copies(given)
        return self._look(before, given, await self.function(**given))

    def _look(self, before: dict[str, Any], given: dict[str, Any], result: Any) -> Any:
        self.mutated |= {name for name, value in before.items() if value != given[name]}
        values = result if isinstance(result, list | tuple) else [result]
        self.tensors |= any(type(each).__module__.partition(".")[0] == "torch" for each in (result, *values))
        for each in result if isinstance(result, list | tuple) else ():
            if each is not None and number(each) is None:
                self.odd[f"{each:g}" if isinstance(each, float) else type(each).__name__] += 1
        return result


def _copies(given: dict[str, Any]) -> dict[str, Any]:
    return {name: copy.deepcopy(value) for name, value in given.items() if name not in _OURS}


def _effect(event: str, details: tuple[Any, ...]) -> str:
    if event == "open":
        path, _, flags = details
        name = os.fsdecode(path) if isinstance(path, str | bytes) else ""
        if not name or not flags & _WRITING or name.startswith(("/dev/", "/proc/")) or "__pycache__" in name:
            return ""
        return f"wrote the file {name}"
    return _EVENTS.get(event, "")


def _positional(function: Callable[..., Any]) -> list[str]:
    """Parameters that cannot be given by name."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [each.name for each in parameters if each.kind is each.POSITIONAL_ONLY and each.default is each.empty]
