"""What there is to know of each task for a list: levels, sizes, an example, where its rows come from.

Reading a published dataset whole takes a while, and so the facts are kept beside the datasets, for as long as the files
and the task's own module are the ones they were found in.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mrclassic.errors import MrClassicError
from mrclassic.tasks import catalogue, gym
from mrclassic.tasks.base import Asked, Task, keyed
from mrclassic.tasks.dataset import Dataset, files, shipped_sample
from mrclassic.tasks.environments.base import Talks

SOURCE = "source.txt"  # in a dataset's folder: where it comes from, in a line
_KEPT = ".list.json"
_FORM = 2  # of what is kept; another one is found anew

Facts = dict[str, Any]


def facts(folder: Path | None = None, more: Mapping[str, Task] = catalogue.NOTHING) -> list[Facts]:
    """Every task, those in `more` (of plugins) last: `name`, `about`, `source`, `levels`, `faults` (rows passed over),
    `broken`, why it is unusable, `asks` (whether it can compute the answer to a question of one's own), `talks` (in
    several turns), and the `rewards` that its items name themselves.

    A level has its name, the number of items to `train` on (None where they are made as they are drawn) and `held_out`,
    and an `example`. Where the library of the gym is installed, it is one entry, whose levels are its tasks: drawing an
    example of each would take minutes. `folder` is the home's.
    """
    before = _kept(folder)
    kept: dict[str, Facts] = {}
    names = catalogue.names(folder)
    if gym.installed():
        names.insert(sum(name in catalogue.BUILT_IN for name in names), catalogue.GYM)  # the owner's own come last
    for name in names:
        place = catalogue.place(name, folder)
        key, old = f"{_FORM} {gym.version()}" if name == catalogue.GYM else _key(name, place), before.get(name, {})
        known = old.get("key") == key and old["facts"]["broken"] is None
        kept[name] = {"key": key, "facts": old["facts"] if known else _find(name, place)}
    if folder is not None and kept != before:
        _keep(folder, kept)
    of_plugins = [
        _look(name, "a plugin", partial(catalogue.get, name, folder, more)) for name in more if name not in kept
    ]
    return [*(each["facts"] for each in kept.values()), *of_plugins]


def _find(name: str, place: Path | None) -> Facts:
    if name == catalogue.GYM:
        return _gym()
    return _look(name, _source(place), partial(catalogue.make, name, place))


def _look(name: str, source: str, make: Callable[[], Task]) -> Facts:
    found: Facts = {"name": name, "about": "", "source": source, "levels": [], "faults": 0, "broken": None}
    found |= {"asks": False, "talks": False, "rewards": []}
    try:
        task = make()
        found |= {"asks": isinstance(task, Asked), "talks": isinstance(task, Talks)}
        found["rewards"] = list(getattr(task, "rewards", ()))
        found["about"] = task.about
        found["levels"] = [_level(task, level) for level in task.levels]
        found["faults"] = len(task.faults) if isinstance(task, Dataset) else 0
        if name in catalogue.BUILT_IN and not (isinstance(task, Dataset) and task.files):
            found["source"] = "made as they are drawn"
    except MrClassicError as error:
        found["broken"] = str(error)
    return found


def _gym() -> Facts:
    facts: Facts = {"name": catalogue.GYM, "about": "procedural tasks, each with levels of its own"}
    facts |= {"source": gym.version(), "levels": [], "faults": 0, "broken": None}
    facts |= {"asks": False, "talks": False, "rewards": []}
    try:
        facts["levels"] = [
            {"level": name, "train": None, "held_out": None, "example": f"{each['about']} (levels {_span(each)})"}
            for name, each in gym.every().items()
        ]
    except MrClassicError as error:
        facts["broken"] = str(error)
    return facts


def _span(each: Mapping[str, Any]) -> str:
    first, last = each["levels"][0], each["levels"][-1]
    return f"{first} to {last}" if first != last else f"{first}"


def _level(task: Task, level: str) -> Facts:
    train, held_out = task.size(level) if isinstance(task, Dataset) else (None, len(task.held_out(level)))
    example = task.held_out(level, 1)[0] if train == 0 else task.sample(keyed("example", level), level)
    return {"level": level, "train": train, "held_out": held_out, "example": example.question}


def _source(place: Path | None) -> str:
    if place is None or not files(place):
        return "a sample that comes with the program"
    note = place / SOURCE
    return note.read_text(encoding="utf-8").strip() if note.is_file() else str(place)


def _key(name: str, place: Path | None) -> str:
    """Changes when the task's module or one of its files does."""
    module = catalogue.BUILT_IN.get(name, "mrclassic.tasks.own").partition(":")[0]
    spec = find_spec(module)
    read = files(place) or files(shipped_sample(name))
    paths = [*([Path(spec.origin)] if spec and spec.origin else []), *read]
    return json.dumps([_FORM, *([str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in paths)])


def _kept(folder: Path | None) -> dict[str, Facts]:
    try:
        kept = json.loads((folder / _KEPT).read_text(encoding="utf-8")) if folder is not None else {}
    except (OSError, ValueError):
        return {}  # not there yet, or cut off: it is found again
    return kept if isinstance(kept, dict) else {}


def _keep(folder: Path, kept: dict[str, Facts]) -> None:
    new = folder / f"{_KEPT}.{os.getpid()}"
    with contextlib.suppress(OSError):  # a full disk costs only time
        new.write_text(json.dumps(kept), encoding="utf-8")
        new.replace(folder / _KEPT)
