"""What can hold model-written code on this machine: bubblewrap, else Landlock, else nothing, and then none is run.

A backend is believed after its self-test alone; what that found is kept for the life of the process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from mrclassic.sandbox.backends import bubblewrap, landlock, selftest
from mrclassic.sandbox.confined import Launch, SandboxFault

# The better one first.
BACKENDS: Mapping[str, Callable[[], Launch]] = {"bubblewrap": bubblewrap.launch, "landlock": landlock.launch}
_lock = threading.Lock()


class NoSandbox(Exception):  # noqa: N818 - a state of the machine, not a failure
    """Nothing here may run model-written code; says why in one sentence."""


@dataclass(frozen=True)
class Backend:
    """One that stood the self-test."""

    name: str
    launch: Callable[[], Launch]


def choose(name: str = "auto") -> Backend:
    """The backend called `name`, or the best there is; raises NoSandbox."""
    names = tuple(BACKENDS) if name == "auto" else (name,)
    reasons = []
    for each in names:
        why = fault(each)
        if why is None:
            return Backend(each, BACKENDS[each])
        reasons.append(f"{each}: {why}")
    raise NoSandbox(" ".join(reasons))


def fault(name: str) -> str | None:
    """Why the backend cannot be used on this machine, or None; raises KeyError where there is no such backend."""
    launch = BACKENDS[name]
    with _lock:  # two threads that ask at once wait for one test
        return _tested(name, launch)


@lru_cache
def _tested(name: str, launch: Callable[[], Launch]) -> str | None:
    try:
        leaks = selftest.attack(launch, with_network=name == "bubblewrap")
    except SandboxFault as error:
        return str(error)
    return f"The self-test got through: {', '.join(leaks)}." if leaks else None
