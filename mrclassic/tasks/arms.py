"""The arms of a run: levels of one or more tasks, by names such as `arithmetic:3`, drawn from and judged together."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mrclassic.errors import UsageError
from mrclassic.tasks.base import Asked, Domain, Item, Judgement, Task, check_all, keyed
from mrclassic.tasks.environments.base import Environment, Talks


class Arms:
    """Levels to practise. Judges like a task: each item goes to the task that it was drawn from."""

    name = "arms"

    def __init__(self, chosen: Sequence[tuple[Task, str | None]]) -> None:
        """Tasks with a level each; one without stands for all its levels."""
        self.tasks = {task.name: task for task, _ in chosen}
        self._pairs: dict[str, tuple[Task, str]] = {}
        for task, level in chosen:
            for each in task.levels if level is None else (level,):
                self._pairs[f"{task.name}:{each}"] = (task, each)

    def only(self, names: Collection[str]) -> Arms:
        """Those of these names."""
        return Arms([pair for name, pair in self._pairs.items() if name in names])

    def joined(self, others: Iterable[Arms]) -> Arms:
        """These and `others`, each once."""
        pairs = {name: pair for arms in (self, *others) for name, pair in arms._pairs.items()}
        return Arms(list(pairs.values()))

    @property
    def names(self) -> tuple[str, ...]:
        """All arms, in the order in which they were named."""
        return tuple(self._pairs)

    @property
    def rewards(self) -> tuple[str, ...]:
        """The rewards that items name themselves."""
        named = (name for task in self.tasks.values() for name in getattr(task, "rewards", ()))
        return tuple(dict.fromkeys(named))

    @property
    def domains(self) -> tuple[Domain, ...]:
        """The tasks whose questions a model may write: those that say how it is asked for one."""
        return tuple(task for task in self.tasks.values() if isinstance(task, Asked) and task.asking)

    def of(self, domain: Task) -> tuple[str, ...]:
        """The arms that are levels of `domain`."""
        return tuple(arm for arm, (task, _) in self._pairs.items() if task is domain)

    def talks(self, arm: str) -> bool:
        """Whether it is a dialogue of several turns."""
        return isinstance(self._pairs[arm][0], Talks)

    def environment(self, item: Item) -> Environment:
        """The environment of the dialogue that `item` begins; raises UsageError where its task has none."""
        task = self.tasks[item.meta["task"]]
        if not isinstance(task, Talks):
            raise UsageError(f"The task {task.name} is no dialogue: its questions are answered in one turn.")
        return task.environment(item)

    def sample(self, arm: str, rng: random.Random) -> Item:
        """A training item of `arm`."""
        task, level = self._pairs[arm]
        return _labelled(task.sample(rng, level), task, level)

    def row(self, task: str, data: Mapping[str, Any]) -> Item:
        """The item of a row of that task's dataset; of only one, the name does not matter. Raises BadRow."""
        found = self.tasks[task] if task in self.tasks else next(iter(self.tasks.values()))
        item = found.row(data)
        return _labelled(item, found, str(item.meta.get("level", "")))

    def held_out(self, arm: str, limit: int | None = None, rotation: int = 0) -> list[Item]:
        """Held-out items of `arm`; `rotation` picks another `limit` of them, so that nights differ."""
        task, level = self._pairs[arm]
        if not rotation:
            return [_labelled(item, task, level) for item in task.held_out(level, limit)]
        items = list(task.held_out(level))
        keyed("rotation", rotation, level).shuffle(items)
        return [_labelled(item, task, level) for item in items[:limit]]

    def check(self, item: Item, completion: str) -> Judgement:
        """The judgement of the task that `item` is from."""
        return self.tasks[item.meta["task"]].check(item, completion)

    def check_all(self, items: Sequence[Item], completions: Sequence[str]) -> list[Judgement]:
        """As `check`, all of a task's together."""
        judged: dict[int, Judgement] = {}
        for name, task in self.tasks.items():
            places = [place for place, item in enumerate(items) if item.meta["task"] == name]
            found = check_all(task, [items[place] for place in places], [completions[place] for place in places])
            judged.update(zip(places, found, strict=True))
        return [judged[place] for place in range(len(items))]


def _labelled(item: Item, task: Task, level: str) -> Item:
    """`item` with where it is from: rewards, rows of samples and routing read it."""
    return replace(item, meta={**item.meta, "task": task.name, "level": level})
