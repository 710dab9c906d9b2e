"""reasoning-gym inside a worker: its datasets by name and level, an item from a number, a score from its verifier.

Some of its verifiers hand the reply to `eval`, or to sympy's parser, which does the same. There a reply that calls
anything is refused unread; what is left is computed in a copy of this process that can open nothing, reach nobody and
ends after two seconds.
"""

from __future__ import annotations

import inspect
import json
import os
import platform
import random
import re
import signal
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

from mrclassic.sandbox.inside import confine, seccomp

_LEFT_OUT = frozenset(
    {
        "composite",  # needs settings of its own
        *("boxnet", "graph_color", "propositional_logic", "rubiks_cube", "rush_hour"),  # have no gold answer
        "puzzle24",  # any four numbers that make 24 pass for the four that were given: one answer is right for ever
        *("knight_swap", "sokoban"),  # search for minutes
    }
)
# The last levels that have items where others follow: there nothing fits any more, or a search comes to no end.
_LAST = {
    "countdown": 4,
    "jugs": 2,
    "letter_jumble": 2,
    "number_sequence": 3,
    "spell_backward": 4,
    "zebra_puzzles": 5,
}
_VIRTUAL = 500  # items that a dataset believes it has: a few work them out beforehand
_SECONDS = 2.0
_COMPUTES = re.compile(r"\b(?:eval|exec|parse_expr|sympify)\(")
_CALL = re.compile(r"""(\w+|[\])}"'])\s*\(""")
_FUNCTIONS = ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "exp", "log", "ln", "sqrt", "Abs")


def answerer() -> Callable[[Any], Any]:
    """In the worker: a function of requests."""
    import_module("reasoning_gym")  # its datasets enter themselves in the register
    calls: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {"list": _list, "draw": _draw, "score": _score}
    return lambda request: calls[request["call"]](request)


def _list(request: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found = {}
    for name, (made, _) in sorted(_factory().DATASETS.items()):
        levels = _levels(name)
        if name not in _LEFT_OUT and levels:
            own = vars(made).get("__doc__") or name.replace("_", " ")  # not what it inherits
            words = inspect.cleandoc(own).partition("\n")[0].rstrip(".")
            found[name] = {"about": words[:1].lower() + words[1:], "levels": levels}
    return found


def _draw(request: Mapping[str, Any]) -> dict[str, str]:
    entry = _entry(request)
    if not isinstance(entry["answer"], str):
        raise TypeError(f"its answer is {entry['answer']!r:.40}, which is no text")
    return {"question": str(entry["question"]), "answer": entry["answer"]}


def _score(request: Mapping[str, Any]) -> float | str:
    dataset = _dataset(request["name"], request["level"])
    entry = request["entry"] or _entry(request)

    def score() -> float | str:
        try:
            return float(dataset.score_answer(request["answer"], entry))
        except Exception:  # noqa: BLE001 - over what a model wrote it may trip; over the gold answer it must not
            dataset.score_answer(entry["answer"], entry)
            return "unreadable"

    if not _computes(type(dataset).__module__):
        return score()
    if any(found not in _FUNCTIONS for found in _CALL.findall(request["answer"])):
        return "code"
    if sys.platform != "linux" or platform.machine() not in seccomp.MACHINES:
        return "skipped"
    _warm(request["name"], request["level"])
    return _apart(score)


def _entry(request: Mapping[str, Any]) -> dict[str, Any]:
    """The item of a number: chance that the library takes from elsewhere than its seed is fixed as well."""
    dataset, seed = _dataset(request["name"], request["level"]), int(request["seed"])
    random.seed(seed)
    import_module("numpy").random.seed(seed)
    dataset.seed = dataset.config.seed = seed
    entry: dict[str, Any] = dataset[seed % _VIRTUAL]
    return entry


@lru_cache(maxsize=16)
def _dataset(name: str, level: int) -> Any:
    return _factory().DATASETS[name][0](_config(name, level))


def _levels(name: str) -> list[int]:
    """The steps of its curriculum that its own settings allow; one where it has none."""
    if name not in _factory().CURRICULA:
        return [1]
    attributes = _factory().create_curriculum(name).attributes.values()
    steps = range(1, max((len(each.levels) for each in attributes), default=1) + 1)
    return [step for step in steps if step <= _LAST.get(name, step) and _allowed(name, step)]


def _allowed(name: str, level: int) -> bool:
    try:
        config = _config(name, level)
        if hasattr(config, "validate"):
            config.validate()
    except (AssertionError, ValueError):
        return False
    return True


def _config(name: str, level: int) -> Any:
    given = {"seed": 0, "size": _VIRTUAL}
    if name not in _factory().CURRICULA:
        return _factory().DATASETS[name][1](**given)
    base = import_module("reasoning_gym.coaching.base_curriculum")
    curriculum = _factory().create_curriculum(name)
    curriculum.set_global_level(level - 1)
    # A range at its upper end only: a level does not hold the easier ones as well.
    context = base.DefaultCurriculumContext(mode=base.RangeAttributeMode.UPPER_BOUND)
    return curriculum.generate_configuration(given, context)


def _factory() -> Any:
    return import_module("reasoning_gym.factory")


@lru_cache(maxsize=256)
def _computes(module: str) -> bool:
    """Whether the module of a dataset runs text as code anywhere."""
    return _COMPUTES.search(inspect.getsource(sys.modules[module])) is not None


@lru_cache(maxsize=256)
def _warm(name: str, level: int) -> None:
    """Judge a gold answer, so that what the verifier imports is there when nothing can be opened any more."""
    entry = _entry({"name": name, "level": level, "seed": 1})
    _dataset(name, level).score_answer(entry["answer"], entry)


def _apart(score: Callable[[], float | str]) -> float | str:
    """What `score` finds in a confined copy of this process; words where it comes to no end."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        _child(score, write)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        told = stream.read(4096)
    os.waitpid(child, 0)
    if not told:
        return f"no score within {_SECONDS:g} seconds"
    found: float | str = json.loads(told)
    return found


def _child(score: Callable[[], float | str], write: int) -> None:
    """In the copy: never returns."""
    found: float | str = "it failed"
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, _SECONDS)
        steps = seccomp.program(platform.machine())
        confine.server(landlock=False)
        seccomp.install(confine.libc, steps)
        found = score()
    except Exception as error:  # noqa: BLE001 - whatever a foreign verifier may raise is told
        found = type(error).__name__
    finally:
        try:
            os.write(write, json.dumps(found).encode())
        finally:
            os._exit(0)
