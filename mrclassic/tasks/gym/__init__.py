"""The procedural tasks of reasoning-gym (https://github.com/open-thought/reasoning-gym, the extra `gym`), as
`gym:NAME[:LEVEL]`.

Levels are the steps of the library's own curricula, all attributes at once, from 1. An item is a function of a number
and of nothing else: the library runs in a worker, where hashes and every source of chance are fixed. A quarter of all
questions, chosen by a hash of their words, is held out, at every level: other seeds alone would not do, because where
there are few questions two seeds draw the same one.

Its verifiers have the last word after ours: what is the gold answer letter by letter is right, and where the gold
answer is a yes or no, or nothing but numbers, it must be met exactly (see `exact`).
"""

from __future__ import annotations

import atexit
import os
import random
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from hashlib import blake2b
from importlib import metadata
from importlib.util import find_spec
from itertools import islice
from typing import Any

from mrclassic.errors import MrClassicError, UsageError
from mrclassic.sandbox.worker import Pool, WorkerFault
from mrclassic.tasks import slots
from mrclassic.tasks.base import RIGHT, BadRow, Item, Judgement, ask, keyed, no_answer
from mrclassic.tasks.dataset import text_of
from mrclassic.tasks.gym import exact

LIBRARY = "reasoning_gym"
HOW = "pip install 'mrclassic[gym]'"
_TARGET = "mrclassic.tasks.gym.library:answerer"
_MEMORY = 4 * 2**30  # of address space; the largest datasets and computer algebra take a quarter of it
_START, _DRAWING, _JUDGING = (
    120.0,
    60.0,
    10.0,
)  # seconds; importing takes two, the largest data three
_HELD_OUT_ITEMS = 500  # of each level that has so many
_HELD_OUT_SHARE = 64  # of 256
_TRIES = 100  # draws in a row that bring nothing new
_SHOWN = 40
_SEVERAL = frozenset({"kakurasu"})  # grids of numbers of which more than one may be right
_TAGGED = re.compile(r"<answer>\s*(.*?)\s*</answer>", re.DOTALL)
_MARK = re.compile(r"\bANSWER\s*:[ \t]*")

_pool: Pool | None = None
_lock = threading.Lock()


def installed() -> bool:
    """Whether the library is there; it is not imported."""
    return find_spec(LIBRARY) is not None


def version() -> str:
    """The library with its version, such as `reasoning-gym 0.1.25`."""
    name = LIBRARY.replace("_", "-")
    return f"{name} {metadata.version(name)}"


def every() -> Mapping[str, Mapping[str, Any]]:
    """All tasks of the library by name: `about` and how many `levels`. Raises UsageError where it is not installed."""
    if not installed():
        raise UsageError(f"The tasks gym:NAME are those of reasoning-gym, which is not installed: {HOW}")
    found: Mapping[str, Mapping[str, Any]] | WorkerFault = _asked({"call": "list"}, _DRAWING)
    if isinstance(found, WorkerFault):
        raise _nothing(version(), found)
    return found


def task(name: str) -> Gym:
    """The task `gym:name`; raises UsageError where there is none."""
    known = _known()
    if name not in known:
        import difflib

        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean gym:{near[0]}?" if near else "`mrclassic task list` names them all."
        raise UsageError(f"There is no task 'gym:{name}'; {hint}")
    return Gym(name)


@lru_cache(maxsize=1)
def _known() -> Mapping[str, Mapping[str, Any]]:
    return every()


class Gym:
    """One of the library's tasks."""

    def __init__(self, name: str) -> None:
        self.dataset, self.name = name, f"gym:{name}"

    @property
    def about(self) -> str:
        """The library's own words."""
        return str(_known()[self.dataset]["about"])

    @cached_property
    def levels(self) -> tuple[str, ...]:
        """The library's steps, from 1."""
        return tuple(map(str, _known()[self.dataset]["levels"]))

    def sample(self, rng: random.Random, level: str) -> Item:
        """A training item of `level`."""
        fault: WorkerFault | None = None
        for _ in range(_TRIES):
            drawn = self._draw(rng.getrandbits(31), level)
            if isinstance(drawn, WorkerFault):
                fault = drawn
            elif not is_held_out(drawn.question):
                return drawn
        if fault is not None:
            raise _nothing(f"{self.name}:{level}", fault)
        raise UsageError(f"All questions of {self.name}:{level} are held out: there is nothing to practise on.")

    def held_out(self, level: str, limit: int | None = None) -> Sequence[Item]:
        """The held-out items of `level` in a fixed order; the first `limit` of them are all that is made."""
        made, more = _stream(self.dataset, level)
        wanted = _HELD_OUT_ITEMS if limit is None else min(limit, _HELD_OUT_ITEMS)
        made.extend(islice(more, max(0, wanted - len(made))))
        return made[:wanted]

    def check(self, item: Item, completion: str) -> Judgement:
        """Right if the reply gives the answer; see the module's docstring."""
        return self.check_all([item], [completion])[0]

    def check_all(self, items: Sequence[Item], completions: Sequence[str]) -> list[Judgement]:
        """As `check`, row by row, several at a time."""
        given = [answer(completion, item.answer) for item, completion in zip(items, completions, strict=True)]
        exactly = self.dataset not in _SEVERAL
        judged = [_before(item.answer, text, exactly) for item, text in zip(items, given, strict=True)]
        open_ = [place for place, judgement in enumerate(judged) if judgement is None]
        asked = [{"call": "score", **self._entry(items[place]), "answer": given[place]} for place in open_]
        for place, reply in zip(open_, pool().map(asked, _JUDGING) if asked else (), strict=True):
            judged[place] = _after(items[place].answer, given[place], reply)
        return [judgement for judgement in judged if judgement is not None]

    def row(self, data: Mapping[str, Any]) -> Item:
        """A row of the library's: `question`, `answer` and `metadata`, which many of its verifiers need."""
        question, gold = text_of(data, "question", "prompt", default=""), text_of(data, "answer")
        more = data.get("metadata", {})
        if not isinstance(more, dict):
            raise BadRow('its "metadata" is no object')
        entry = {"question": question, "answer": gold, "metadata": more}
        return ask(question, gold, _trace(gold), entry=entry)

    def _draw(self, seed: int, level: str) -> Item | WorkerFault:
        """The item of a number; the fault where the library finds none for it. Raises MrClassicError where it hangs."""
        drawn = _asked({"call": "draw", "name": self.dataset, "level": int(level), "seed": seed}, _DRAWING)
        if isinstance(drawn, WorkerFault):
            if drawn.kind == "raised":
                return drawn
            raise _nothing(f"{self.name}:{level}", drawn)
        return ask(drawn["question"], drawn["answer"], _trace(drawn["answer"]), seed=seed, level=level)

    def _entry(self, item: Item) -> dict[str, Any]:
        """What the worker needs to have the item before it: the numbers it was made of, or all of it."""
        entry = item.meta.get("entry")
        level = int(item.meta.get("level", self.levels[0])) if entry is None else int(self.levels[0])
        return {"name": self.dataset, "level": level, "seed": item.meta.get("seed", 0), "entry": entry}


def is_held_out(question: str) -> bool:
    """Whether a question belongs to the held-out split."""
    key = " ".join(question.split()).encode("utf-8", "surrogatepass")
    return blake2b(key, digest_size=1).digest()[0] < _HELD_OUT_SHARE


def answer(completion: str, gold: str) -> str:
    """The answer that a reply gives: in <answer> tags, after "ANSWER:", in a box, after "the answer is", or at its end.

    Of as many lines as `gold` has: one, or all that follow.
    """
    text = completion[-max(slots.LONGEST, 2 * len(gold)) :].strip()
    several = "\n" in gold.strip()
    if tagged := _TAGGED.findall(text):
        return str(tagged[-1])
    if marks := list(_MARK.finditer(text)):
        rest = text[marks[-1].end() :].strip()
        return rest if several else rest.partition("\n")[0].strip()
    if several:
        return text
    plain = slots.plain(text)
    places = slots.marked(plain) or [stated.rstrip(".") for stated in slots.stated(plain)]
    return places[-1] if places else text.rpartition("\n")[2].strip()


def pool() -> Pool:
    """The workers of this process, two at most, started when first needed."""
    global _pool
    with _lock:
        if _pool is None:
            _pool = Pool(_TARGET, min(2, os.cpu_count() or 1), memory=_MEMORY, start_seconds=_START, same_hashes=True)
            atexit.register(_pool.close)
        return _pool


def _trace(gold: str) -> str:
    return f"ANSWER:\n{gold}" if "\n" in gold.strip() else f"ANSWER: {gold}"


def _before(gold: str, given: str, exactly: bool) -> Judgement | None:
    """The judgement where it takes no verifier; `exactly`: the gold answer is the only right one."""
    if not given:
        return no_answer("it says nothing")
    if given == gold.strip():
        return RIGHT
    judged = exact.judge(gold, given) if exactly else None
    return None if judged is None or judged.right else judged


def _after(gold: str, given: str, reply: object) -> Judgement:
    """What the verifier's score means: all or nothing."""
    if isinstance(reply, WorkerFault):
        return Judgement("error", str(reply))
    if reply == "skipped":
        return Judgement("skipped", "skipped: its verifier computes answers, and no sandbox here can hold it")
    if reply == "code":
        return Judgement("wrong", "it calls a function, which is no answer")
    if reply == "unreadable":
        return Judgement("wrong", f"{_short(given)} cannot be read; the answer is {_short(gold)}")
    if not isinstance(reply, int | float):
        return Judgement("error", f"the verifier failed: {reply}")
    return RIGHT if reply >= 1 else Judgement("wrong", f"{_short(given)}; the answer is {_short(gold)}")


def _asked(request: Mapping[str, Any], seconds: float) -> Any:
    """The answer of a worker, or its fault."""
    return pool().map([request], seconds)[0]


def _nothing(what: str, fault: WorkerFault) -> MrClassicError:
    return MrClassicError(f"{what} makes no items here: {str(fault).rstrip('.')}; practise something else.")


@lru_cache(maxsize=64)
def _stream(name: str, level: str) -> tuple[list[Item], Iterator[Item]]:
    """What was made so far of the held-out items of a level, and the rest."""

    def more() -> Iterator[Item]:
        rng, seen, idle = keyed("gym held-out", name, level), set[str](), 0
        while idle < _TRIES:
            drawn = Gym(name)._draw(rng.getrandbits(31), level)
            idle += 1
            if isinstance(drawn, Item) and is_held_out(drawn.question) and drawn.question not in seen:
                seen.add(drawn.question)
                idle = 0
                yield drawn

    return [], more()


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
