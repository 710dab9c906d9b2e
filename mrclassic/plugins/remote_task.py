"""A plugin's task: items and judgements cross over as JSON; an item goes back to the plugin as it came. One that has
`asking`, `parse` and `skeleton` too is a domain of self-play."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from mrclassic.errors import UsageError
from mrclassic.plugins.find import Plugin
from mrclassic.plugins.remote import MEMORY, PluginFault, Remote, limit, load, plain
from mrclassic.tasks.base import Asked, BadRow, Item, Judgement, Refusal, Task, Verdict, check_all


class RemoteTask(Remote):
    """A task by the contract of `tasks/base.py`; `folder` holds the owner's data for it, if there is any."""

    def __init__(self, plugin: Plugin, folder: Path | None = None) -> None:
        super().__init__(plugin, __name__, None if folder is None else str(folder))
        self.name = plugin.name

    @property
    def about(self) -> str:
        return str(self._described["about"])

    @property
    def levels(self) -> tuple[str, ...]:
        return tuple(str(level) for level in self._described["levels"])

    def sample(self, rng: random.Random, level: str) -> Item:
        request = {"call": "sample", "level": level, "seed": rng.getrandbits(64)}
        try:
            return self._item(self.ask(request))
        except PluginFault:  # a new process, once: the same seed draws the same item
            return self._item(self.ask(request))

    def held_out(self, level: str, limit: int | None = None) -> Sequence[Item]:
        return [self._item(each) for each in self.ask({"call": "held_out", "level": level, "limit": limit})]

    def check(self, item: Item, completion: str) -> Judgement:
        return self.check_all([item], [completion])[0]

    def check_all(self, items: Sequence[Item], completions: Sequence[str]) -> list[Judgement]:
        """A plugin that fails could not tell, about any of them."""
        try:
            judged = self.ask({"call": "check", "items": plain(items), "completions": list(completions)})
        except PluginFault as fault:
            return [Judgement("error", str(fault))] * len(items)
        known = get_args(Verdict)
        if len(judged) != len(items) or any(each["verdict"] not in known for each in judged):
            return [Judgement("error", f"The plugin {self.name} failed: {judged!r:.200} are no verdicts.")] * len(items)
        return [Judgement(each["verdict"], str(each["detail"]), bool(each["found"])) for each in judged]

    def row(self, data: Mapping[str, Any]) -> Item:
        given = self.ask({"call": "row", "data": plain(data)})
        if "bad" in given:
            raise BadRow(given["bad"])
        return self._item(given)

    @property
    def asking(self) -> str:
        """Empty where the plugin's questions are not for a model to write."""
        return str(self._described["asking"])

    def parse(self, question: str) -> Item | Refusal:
        """What the plugin cannot read without failing is refused like what it will not read."""
        try:
            read = self.ask({"call": "parse", "question": question})
        except PluginFault as fault:
            return Refusal("invalid", str(fault))
        return Refusal(read["kind"], str(read["reason"])) if "kind" in read else self._item(read)

    def skeleton(self, question: str) -> str:
        return str(self.ask({"call": "skeleton", "question": question}))

    @cached_property
    def _described(self) -> Mapping[str, Any]:
        told: Mapping[str, Any] = self.ask({"call": "describe"})
        if not told["levels"]:
            raise UsageError(f"The plugin {self.name} has no levels, so there is nothing to practise.")
        return told

    def _item(self, data: Any) -> Item:
        try:
            return item(data)
        except (TypeError, KeyError) as error:
            raise PluginFault(f"The plugin {self.name} failed: {data!r:.200} is no item ({error}).") from error


def item(data: Mapping[str, Any]) -> Item:
    """An item as `plain` wrote it."""
    return Item(tuple(data["messages"]), data["answer"], data["trace"], data["meta"])


def serve(source: Mapping[str, str], folder: str | None) -> Callable[[Any], Any]:
    """In the worker: builds the task, then makes one call a request."""
    task: Task = load(source)(None if folder is None else Path(folder))
    limit(MEMORY)

    def answer(request: Any) -> Any:
        match request["call"]:
            case "describe":
                asking = task.asking if isinstance(task, Asked) else ""
                return {"about": task.about, "levels": list(task.levels), "asking": asking}
            case "sample":
                return plain(task.sample(random.Random(request["seed"]), request["level"]))
            case "held_out":
                return plain(task.held_out(request["level"], request["limit"]))
            case "check":
                return plain(check_all(task, [item(each) for each in request["items"]], request["completions"]))
            case "parse" if isinstance(task, Asked):
                return plain(task.parse(request["question"]))
            case "skeleton" if isinstance(task, Asked):
                return task.skeleton(request["question"])
            case _:
                try:
                    return plain(task.row(request["data"]))
                except BadRow as bad:
                    return {"bad": str(bad)}

    return answer
