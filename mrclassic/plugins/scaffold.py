"""`plugin new`: a plugin that works as it is, with a test beside it that passes; both are there to be changed."""

from __future__ import annotations

import keyword
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from mrclassic.errors import UsageError
from mrclassic.home import Home
from mrclassic.plugins.checking import built_in
from mrclassic.plugins.find import Kind

_REWARD = '''\
"""A reward for answers that are short: 1 up to twenty words, 0.5 at forty, and so on.

    mrclassic train grpo --reward correct --reward NAME=0.2

Called as TRL calls its rewards, so it works there unchanged.
"""

from collections.abc import Sequence
from typing import Any

from mrclassic.rewards import reward

WORDS = 20


@reward(weight=0.2, range=(0, 1))
def NAME(completions: Sequence[Any], **columns: Any) -> list[float | None]:
    """One value for each completion, or None to abstain; `columns` hold what the dataset says, such as `answer`."""
    return [_score(each if isinstance(each, str) else each[0]["content"]) for each in completions]


def _score(text: str) -> float:
    return min(1.0, WORDS / max(1, len(text.split())))
'''

_REWARD_TEST = '''\
"""Run it with `pytest`, here in this folder."""

from NAME import WORDS, NAME


def test_short_answers_are_worth_more() -> None:
    texts = ["one", "word " * WORDS, "word " * WORDS * 2]
    completions = [[{"role": "assistant", "content": text}] for text in texts]
    assert NAME(prompts=[""] * 3, completions=completions, answer=[""] * 3) == [1.0, 1.0, 0.5]


def test_it_takes_an_empty_answer() -> None:
    assert NAME(prompts=[""], completions=[""]) == [1.0]
'''

_CURRICULUM = '''\
"""A curriculum that practises what is weakest: an arm is drawn the more often, the more seldom it succeeds.

    mrclassic night --now            with curriculum = "NAME" under [practice] in mrclassic.toml

What it does not define itself, such as drawing by the shares, `Chooser` does.
"""

import math
from collections.abc import Mapping, Sequence

from mrclassic.curricula.contract import Curriculum, Outcome
from mrclassic.curricula.core import Chooser, proportions

MEMORY = 0.7  # of what was known before, at each new result
LEAST = 0.05  # so that nothing is ever left alone


class Weakest(Chooser):
    """Over arms such as `arithmetic:2`; `success` is what is known of each before the first draw.

    Groups that taught nothing are drawn again; to decide that yourself, define `accept(outcome)` to return "keep" or
    "redraw".
    """

    kept = ("_success",)  # the state, JSON values each: a run that is resumed goes on with it

    def __init__(self, arms: Sequence[str], success: Mapping[str, float]) -> None:
        super().__init__(arms)
        self._success = {arm: success.get(arm, 0.0) for arm in self._arms}

    def report(self) -> Mapping[str, float]:
        """The share of each arm: draws follow it."""
        return proportions({arm: LEAST + 1 - self._success[arm] for arm in self._arms})

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        """How the groups of an update went."""
        for outcome in outcomes:
            if not math.isnan(outcome.success):  # nobody could tell
                arm = outcome.draw.arm
                self._success[arm] = MEMORY * self._success[arm] + (1 - MEMORY) * outcome.success


def curriculum(arms: Sequence[str], success: Mapping[str, float]) -> Curriculum:
    """What Mr. Classic calls."""
    return Weakest(arms, success)
'''

_CURRICULUM_TEST = '''\
"""Run it with `pytest`, here in this folder."""

import random

from NAME import curriculum

from mrclassic.curricula.contract import Draw, Outcome


def test_the_weaker_arm_is_practised_more() -> None:
    it = curriculum(["sums:1", "sums:2"], {"sums:1": 0.9})
    drawn = [draw.arm for draw in it.propose(200, random.Random(0))]
    assert drawn.count("sums:2") > drawn.count("sums:1") > 0
    it.observe([Outcome(Draw("sums:2", 0.5), 1.0, step) for step in range(50)])
    assert it.report()["sums:1"] > it.report()["sums:2"]


def test_it_goes_on_from_its_state() -> None:
    it, other = (curriculum(["sums:1", "sums:2"], {}) for _ in range(2))
    it.observe([Outcome(Draw("sums:1", 0.5), 1.0, 1)])
    other.load_state_dict(it.state_dict())
    assert it.propose(20, random.Random(1)) == other.propose(20, random.Random(1))
'''

_TASK = '''\
"""Counting letters: "How many times does the letter a stand in banana?", in words of growing length."""

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mrclassic.tasks.base import RIGHT, BadRow, Item, Judgement, Task, ask, keyed, no_answer

LETTERS = "abcde"
LENGTHS = {"1": 4, "2": 8}
HELD_OUT = 100


class Counting:
    """Words are drawn at random; those that `_is_held_out` names are kept for the examination."""

    name = "NAME"
    about = "counting letters in words"
    levels = tuple(LENGTHS)

    def sample(self, rng: random.Random, level: str) -> Item:
        """A training item, a function of the random source alone."""
        return self._draw(rng, level, held_out=False)

    def held_out(self, level: str, limit: int | None = None) -> Sequence[Item]:
        """Items that training never sees, in a fixed order."""
        rng = keyed("held out", self.name, level)
        items = {item.question: item for item in (self._draw(rng, level, held_out=True) for _ in range(HELD_OUT))}
        return list(items.values())[:limit]

    def check(self, item: Item, completion: str) -> Judgement:
        """The last number in the completion counts."""
        numbers = re.findall(r"[0-9]{1,9}", completion)
        if not numbers:
            return no_answer()
        return RIGHT if int(numbers[-1]) == int(item.answer) else Judgement("wrong", f"the answer is {item.answer}")

    def row(self, data: Mapping[str, Any]) -> Item:
        """A row of a file, for `mrclassic task check`."""
        if "question" not in data or "answer" not in data:
            raise BadRow('it needs "question" and "answer"')
        return ask(str(data["question"]), str(data["answer"]))

    def _draw(self, rng: random.Random, level: str, held_out: bool) -> Item:
        while True:
            word = "".join(rng.choices(LETTERS, k=LENGTHS[level]))
            if _is_held_out(word) == held_out:
                break
        letter = rng.choice(LETTERS)
        count = str(word.count(letter))
        return ask(f"How many times does the letter {letter} stand in {word}?", count, f"It is {count}.", level=level)


def _is_held_out(word: str) -> bool:
    """One word in eight, always the same ones."""
    return keyed("split", word).random() < 1 / 8


def task(folder: Path | None) -> Task:
    """What Mr. Classic calls; `folder` is the home's tasks/NAME, where your own files lie, or None."""
    return Counting()
'''

_TASK_TEST = '''\
"""Run it with `pytest`, here in this folder."""

import random

from NAME import task

IT = task(None)


def test_its_own_answers_are_right() -> None:
    for level in IT.levels:
        for seed in range(50):
            item = IT.sample(random.Random(seed), level)
            assert IT.check(item, item.trace).verdict == "right"
            assert IT.check(item, "I would say 99").verdict == "wrong"
            assert not IT.check(item, "").found


def test_training_never_draws_what_is_held_out() -> None:
    for level in IT.levels:
        held_out = {item.question for item in IT.held_out(level)}
        drawn = {IT.sample(random.Random(seed), level).question for seed in range(200)}
        assert held_out
        assert held_out.isdisjoint(drawn)
'''

_TEXTS: Mapping[Kind, tuple[str, str]] = MappingProxyType(
    {
        "reward": (_REWARD, _REWARD_TEST),
        "curriculum": (_CURRICULUM, _CURRICULUM_TEST),
        "task": (_TASK, _TASK_TEST),
    }
)


def write(home: Home, kind: Kind, name: str) -> tuple[Path, Path]:
    """Write the plugin and its test into the home's `plugins/`; raises UsageError for a name that cannot be used."""
    if not name.isidentifier() or not name.isascii() or name.startswith(("_", "test_")) or keyword.iskeyword(name):
        raise UsageError(f"{name!r} is no name for a {kind}; use letters, digits and _, as in no_shouting.")
    if name in built_in(kind) or name in sys.stdlib_module_names or name in ("mrclassic", "conftest", kind):
        raise UsageError(f"The name {name} is taken, by what is built in or by Python itself; choose another.")
    paths = home.plugins / f"{name}.py", home.plugins / f"test_{name}.py"
    for path in paths:
        if path.exists() or path.is_symlink():
            raise UsageError(f"{path} exists already; choose another name, or change that file.")
    for path, text in zip(paths, _TEXTS[kind], strict=True):
        path.write_text(text.replace("NAME", name), encoding="utf-8")
        path.chmod(0o600)  # whatever the umask: what others may write is never trusted
    return paths
