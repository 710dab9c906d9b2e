"""A plugin's reward: asked in this process as TRL asks, answered in the plugin's own as its signature wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cached_property
from typing import Any

from mrclassic.plugins.find import Plugin
from mrclassic.plugins.remote import PluginFault, Remote, limit, load, plain
from mrclassic.rewards.calls import Answer, Batch, Log, Shape, Told, TrainerState, ask, ask_async, shape, submit
from mrclassic.rewards.metadata import Metadata, metadata


class RemoteReward(Remote):
    """A reward function by TRL's contract.

    It raises PluginFault where the plugin has no value for any completion and ought to have. Where it failed on some of
    them, the list that it returns says what went wrong.
    """

    elsewhere = True

    def __init__(self, plugin: Plugin) -> None:
        super().__init__(plugin, __name__)
        self._failed = False

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        trainer_state: Any = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        told, takes = self.metadata, self._described["takes"]
        sent = {}
        for name, values in columns.items():
            if takes is None or name in takes:
                with suppress(TypeError):  # what JSON cannot carry stays here
                    sent[name] = plain(values)
        request = {
            "prompts": [_prompt(each) for each in prompts],
            "completions": [each if isinstance(each, str) else each[-1]["content"] for each in completions],
            "columns": sent,
            "step": getattr(trainer_state, "global_step", 0),
        }
        reply = self.ask(request, told.seconds)
        if log_metric is not None:
            for name, numbers in reply["metrics"].items():
                for number in numbers:
                    log_metric(name, number)
        if log_extra is not None:
            for name, values in reply["extra"].items():
                log_extra(name, values)
        values, fault = reply["values"], reply["fault"]
        if fault and all(value is None for value in values):
            raise PluginFault(f"The plugin {self.plugin.name} failed: {fault}.")
        return Told(values, fault)

    @property
    def metadata(self) -> Metadata:
        """What its `@reward` says; starts the plugin to learn it, and raises PluginFault where that fails."""
        told = dict(self._described["metadata"])
        bounds = told.pop("range")
        return Metadata(**told, range=None if bounds is None else tuple(bounds))

    @property
    def __mrclassic_reward__(self) -> Metadata:
        """Where `metadata()` looks. What cannot start suggests nothing; it fails when it is asked for scores."""
        if not self._failed or "_described" in self.__dict__:
            try:
                return self.metadata
            except PluginFault:
                self._failed = True  # a start may take minutes; it is not tried again for this
        return Metadata()

    @cached_property
    def _described(self) -> Mapping[str, Any]:
        told: Mapping[str, Any] = self.ask(None)
        self.memory = told["metadata"]["memory"]
        return told


def serve(source: Mapping[str, str]) -> Callable[[Any], Any]:
    """In the worker: describes the function when asked nothing, scores a batch otherwise."""
    function = load(source)
    if isinstance(function, type):
        function = function()
    told, how = metadata(function), shape(function)
    limit(told.memory)

    def answer(request: Any) -> Any:
        if request is None:
            return {"metadata": asdict(told), "takes": takes(how)}
        scored, log = score(function, how, request)
        return {"values": scored.values, "fault": scored.words, "metrics": log.metrics, "extra": plain(log.extra)}

    return answer


def takes(how: Shape) -> list[str] | None:
    """The columns that it wants; None: all. Rubric functions look into them through `info` and `state`."""
    return None if how.takes is None or how.style != "batch" else sorted(how.takes)


def score(function: Callable[..., Any], how: Shape, request: Mapping[str, Any]) -> tuple[Answer, Log]:
    """In the worker: ask the function about a batch that came as plain JSON; raises MemoryError if it ran out."""
    log = Log(len(request["completions"]))
    state = TrainerState(request["step"])
    batch = Batch(request["prompts"], request["completions"], request["columns"], state, log)
    answer = submit(ask_async(function, how, batch)).result() if how.awaited else ask(function, how, batch)
    if answer.words.startswith("it raised MemoryError"):
        raise MemoryError
    return answer, log


def _prompt(prompt: Any) -> list[dict[str, Any]]:
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    return [dict(message) for message in messages]
