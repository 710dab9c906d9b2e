"""Named places between two steps that must both be survived, where tests let a process die.

In ordinary use they do nothing: no setting, flag or variable switches them on, only code in the same process does.
"""

from __future__ import annotations

from collections.abc import Callable

_hook: Callable[[str], None] | None = None


def reached(name: str) -> None:
    """The process has come to the place called `name`."""
    if _hook is not None:
        _hook(name)


def watch(hook: Callable[[str], None] | None) -> None:
    """Have `hook` called with the name of every place that is reached from now on; None ends that."""
    global _hook
    _hook = hook
