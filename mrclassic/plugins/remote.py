"""A plugin in a process of its own: what hangs, crashes or allocates there costs one answer, and is started anew.

This file holds what the three kinds share, on both sides; each kind has a file with the side that asks and the side
that answers (`serve`, which runs in the worker).
"""

from __future__ import annotations

import importlib
import resource
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import reduce
from hashlib import sha256
from pathlib import Path, PurePath
from types import ModuleType
from typing import Any

from mrclassic.errors import MrClassicError
from mrclassic.plugins.find import Plugin
from mrclassic.sandbox.worker import Worker, WorkerFault

START_SECONDS = 120.0
"""A plugin may import torch from a cold disk, and more."""
START_MEMORY = 16 * 2**30
"""Address space while it starts; CUDA alone reserves many GiB that it never uses."""
SECONDS = 60.0
"""For an answer of a task or a curriculum; a reward says its own in `@reward(seconds=)`."""
MEMORY = 512 * 2**20
"""What a task or a curriculum may use on top of what its imports took; a reward says `@reward(memory=)`."""


class PluginFault(MrClassicError):  # noqa: N818 - what becomes of a WorkerFault
    """A plugin gave no answer."""


class Remote:
    """The asking side. The process starts at the first question and ends with this object or the interpreter."""

    def __init__(self, plugin: Plugin, served_by: str, *arguments: Any) -> None:
        self.plugin = plugin
        self.worker = Worker(
            f"{served_by}:serve",
            memory=START_MEMORY,
            start_seconds=START_SECONDS,
            arguments=[plugin.source, *arguments],
        )
        self.memory = MEMORY

    def ask(self, request: Any, seconds: float = SECONDS) -> Any:
        """The plugin's answer; raises PluginFault."""
        try:
            return self.worker.ask(request, seconds)
        except WorkerFault as fault:
            words = str(fault)
            if fault.kind == "memory":
                words = f"It wanted more than its {self.memory >> 20} MiB of memory."
            raise PluginFault(f"The plugin {self.plugin.name} failed: {words[0].lower()}{words[1:]}") from fault

    def close(self) -> None:
        """End the process; another question starts it again."""
        self.worker.close()


def load(source: Mapping[str, str]) -> Any:
    """In the worker: the plugin's function, class or object, from exactly the content that was approved."""
    if "path" not in source:
        module, _, attribute = source["attribute"].partition(":")
        return reduce(getattr, attribute.split(".") if attribute else (), importlib.import_module(module))
    path = Path(source["path"])
    data = path.read_bytes()
    if sha256(data).hexdigest() != source["sha256"]:
        raise PluginFault(f"{path.name} has changed since it was approved")
    plugin = ModuleType(path.stem)
    plugin.__file__ = str(path)
    # Dataclasses and pickles look their module up; the name must not be one that others import.
    plugin.__name__ = f"mrclassic_plugin_{path.stem}"
    sys.modules[plugin.__name__] = plugin
    exec(compile(data, str(path), "exec"), plugin.__dict__)  # noqa: S102 - running it is what a plugin is for
    return getattr(plugin, source["attribute"])


def limit(memory: int) -> None:
    """In the worker: allow `memory` bytes on top of what is in use now (Linux; elsewhere nothing tells what is)."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        wanted = pages * resource.getpagesize() + memory
        with suppress(ValueError, OSError):
            resource.setrlimit(
                resource.RLIMIT_AS, (min(wanted, most) if most != resource.RLIM_INFINITY else wanted, most)
            )


def plain(value: Any) -> Any:
    """`value` as JSON can carry it, dataclasses as objects; raises TypeError for anything else."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [plain(each) for each in value]
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "tolist"):  # an array, a tensor, or one number of them
        return plain(value.tolist())
    raise TypeError(f"a {type(value).__name__} cannot leave the process")
