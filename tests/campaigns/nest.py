"""A home whose model trains in a blink, and a session in it that goes on from wherever it was cut off.

The session is the product's own: conversations and picks (`curation`), `train book` with its gate and promotion,
`train grpo` and a promotion by the owner. What it has brought home it acknowledges, and nothing acknowledged may ever
be lost.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import micro
import torch

from mrclassic import book
from mrclassic.book import Entry, Turn
from mrclassic.home import Home
from mrclassic.model import checkpoint
from mrclassic.model.decoder import from_named, to_named
from mrclassic.model.manifest import verify
from mrclassic.model.policy import Policy
from mrclassic.night import drill, planning, practice, study, unfinished
from mrclassic.night import run as night
from mrclassic.night.means import Means
from mrclassic.night.plan import Plan, PlannedStage
from mrclassic.night.run import Night, Wishes
from mrclassic.night.workplace import Workplace
from mrclassic.plugins import find
from mrclassic.settings import load, write_template
from mrclassic.store import Checkpoint, Run, Store, curation
from mrclassic.training import book as lessons
from mrclassic.training import loop, memories
from mrclassic.training.suites import measure, recall

BOOK = "> Hello.\nGood day.\n\n> Who are you?\nMr. Classic.\n"
REPLY = "A"
PICKS = (("Do you like rain?", REPLY), ("What is new?", REPLY), ("Good night.", REPLY))
BOOK_STEPS, GRPO_STEPS = 3, 3
NIGHT = (("book", 12), ("grpo", 2), ("selfplay", 1))  # stages and their updates
GRPO_RUN = len(NIGHT) + 2  # the number it gets
SETTINGS = """\
device = "cpu"
dtype = "fp32"
threads = 1
[book]
batch = 16
learning_rate = 0.02
[practice]
tasks = "arithmetic:1"
prompts = 3
group = 4
replay = 4
[gate]
margin = 1.0
confidence = 0.51
"""

Acknowledge = Callable[[str], None]


def mute(end: float = 0.5) -> Policy:
    """A micro policy that ends its replies soon, so that measuring it takes no time."""
    policy = micro.policy()
    embedding = policy.decoder.embedding
    way = torch.sign(torch.randn(embedding.shape[1], generator=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        embedding += 0.3 * way
        embedding[policy.tokenizer.end_id] = end * way
    return policy


def nearly() -> Policy:
    """The same after half a lesson: it does not know the picks yet, and a few updates more teach them."""
    picks = [Entry((Turn(question, reply),)) for question, reply in PICKS]
    entries, new = [*book.parse(BOOK), *picks], frozenset(entry.hash for entry in picks)
    settings = lessons.Settings(batch=16, learning_rate=0.02)
    state = lessons.start(mute(), settings, torch.float32)
    while not all(_known(state.trainee.policy, picks)):
        lessons.step(state, lessons.draw(state, entries, new, (), settings), settings, 200)
    before, taught = to_named(mute().decoder), to_named(state.trainee.full_policy().decoder)
    for tenths in range(9, -1, -1):
        found = mute()
        from_named(found.decoder, {name: each.lerp(taught[name], tenths / 10) for name, each in before.items()})
        if not all(_known(found, picks)):
            break
    return found


def _known(policy: Policy, entries: list[Entry]) -> list[bool]:
    (found,) = measure(policy, [recall(entries)]).values()
    return [score == 1.0 for score in found.scores]


def build(root: Path) -> Home:
    """A home with such a model in use, which counts as knowing the book."""
    home = Home(root).ensure()
    home.book.write_text(BOOK, encoding="utf-8")
    home.settings_file.write_text(SETTINGS, encoding="utf-8")
    known = tuple(entry.hash for entry in book.load(home.book))
    facts = checkpoint.save(nearly(), home.checkpoints / "first", book=known)
    with Store.open(home) as store:
        store.checkpoints.add(Checkpoint("first", "first", status="promoted", model_sha256=facts.model_sha256))
        store.checkpoints.use("first")
        store.checkpoints.set_golden("first")
    return home


def copy(home: Home, root: Path) -> Home:
    """The same home elsewhere."""
    return Home(Path(shutil.copytree(home.root, root, ignore=shutil.ignore_patterns("*.lock", "*.sock"))))


@dataclass(frozen=True)
class Session:
    """What is done in a home, in this order; `rewards` score the practice of `task`."""

    task: str = "arithmetic:1"
    rewards: tuple[str, ...] = ("correct", "length")

    def go_on(self, home: Home, acknowledge: Acknowledge) -> None:
        """Do what is not done yet."""
        write_template(home)
        with Store.open(home) as store:
            self._talk(home, store, acknowledge)
            self._night(home, store, acknowledge)
            self._study(home, store, acknowledge)
            self._practise(home, store, acknowledge)

    def _night(self, home: Home, store: Store, acknowledge: Acknowledge) -> None:
        last = store.nights.last()
        if last is not None and last.status == "done":
            return
        former, why = unfinished.find(home, store)
        if last is not None and former is None:  # the power went when it had only just been entered
            assert not store.runs.of_night(last.id), why
        settings = load(home) if former is None else unfinished.settings_then(load(home), former.plan)
        result = Night(Workplace(home, settings, store, _quiet), Wishes(minutes=60, seed=1), former).run()
        assert result.report.promoted, result.report.gate
        acknowledge(f"use {result.candidate}")

    def _study(self, home: Home, store: Store, acknowledge: Acknowledge) -> None:
        run = last_run(store, "book")
        if run is not None and run.checkpoint is not None:
            return
        work = Workplace(home, load(home), store, _quiet)
        studied = study.study_book(work, steps=BOOK_STEPS, everything=True, resume=run.id if run else None)
        assert studied is not None
        if studied.promoted:
            acknowledge(f"use {studied.checkpoint}")

    def _talk(self, home: Home, store: Store, acknowledge: Acknowledge) -> None:
        taken = sum(pick.kind == "typed" for pick in store.picks.history(10_000))
        for question, reply in PICKS[taken:]:
            conversation = store.conversations.create(question)
            asked = store.conversations.add(conversation.id, None, "user", question)
            acknowledge(f"message {asked.id} {question}")
            pick = curation.take(store, home, asked.id, reply, "typed")
            acknowledge(f"pick {pick.id} {reply}")
            acknowledge(f"entry {pick.entry_hash}")

    def _practise(self, home: Home, store: Store, acknowledge: Acknowledge) -> None:
        run = last_run(store, "grpo")
        if run is None or run.checkpoint is None:
            work = Workplace(home, load(home), store, _quiet)
            order = drill.Order(
                "grpo", (self.task,), self.rewards, GRPO_STEPS, resume=run.id if run else None, options={"max_new": 3}
            )
            drilled = drill.drill(work, order)
            checkpoint = drilled.checkpoint
        else:
            work, checkpoint = Workplace(home, load(home), store, _quiet), run.checkpoint
        present = store.checkpoints.in_use()
        if checkpoint is not None and present is not None and present.id != checkpoint:
            work.use(store.checkpoints.get(checkpoint))
            acknowledge(f"use {checkpoint}")


def chatter(home: Home, acknowledge: Acknowledge) -> None:
    """An owner who goes on talking while the model trains; nothing of it reaches the book."""
    with Store.open(home) as store:
        conversation = store.conversations.create("chatter")
        while True:
            asked = store.conversations.add(conversation.id, None, "user", "Are you there?")
            acknowledge(f"message {asked.id} Are you there?")
            acknowledge(f"pick {curation.skip(store, asked.id).id} ")


@dataclass(frozen=True)
class Outcome:
    """What a finished session came to: the weights that were made, and the numbers of all updates."""

    weights: tuple[str, ...]
    rows: tuple[object, ...]


def outcome(home: Home) -> Outcome:
    """Read it from the store."""
    with Store.open(home) as store:
        runs = sorted(store.runs.list(), key=lambda run: run.id)
        made = [found.checkpoint for found in (*store.nights.list(), *runs) if found.checkpoint is not None]
        weights = tuple(store.checkpoints.get(each).model_sha256 for each in made)
        return Outcome(weights, tuple(_numbers(store, run) for run in runs))


def _numbers(store: Store, run: Run) -> tuple[object, ...]:
    """Every update's metrics but those of the clock."""
    rows = store.runs.steps(run.id)
    return tuple((step, {key: repr(metrics[key]) for key in metrics if "seconds" not in key}) for step, metrics in rows)


def lost(home: Home, acknowledged: Iterable[str], *, model: bool = True, goes_on: bool = True) -> list[str]:
    """What is wrong with a home after a crash, in words: it was acknowledged and is gone, or cannot be used. A home
    with a `model` has one in use; a night that was cut short there `goes_on`."""
    faults: list[str] = []
    with Store.open(home) as store:
        faults += store.damage()
        present = store.checkpoints.in_use()
        if present is None and model:
            faults.append("no checkpoint is in use")
        if present is not None:
            verify(home.checkpoints / present.path)
        last = store.nights.last()
        if goes_on and last is not None and last.status != "done" and store.runs.of_night(last.id):
            former, why = unfinished.find(home, store)
            faults += [] if former else [why]
        Workplace(home, load(home), store, _quiet)  # carries into the book what a crash kept out of it
        entries = {entry.hash for entry in book.load(home.book)}
        used = {row.id for row in store.checkpoints.uses(1000)}
        for line in acknowledged:
            kind, name, *words = line.split(" ", 2)
            if kind == "message":
                there = store.conversations.message(int(name)).content == words[0]
            elif kind == "pick":
                there = store.picks.get(int(name)).text == words[0]
            elif kind == "entry":
                there = name in entries
            else:
                there = name in used and verify(home.checkpoints / name).id == name
            if not there:
                faults.append(f"lost: {line}")
    return faults


def last_run(store: Store, kind: str) -> Run | None:
    """The latest of that kind that belongs to no night."""
    return next((run for run in store.runs.list(kind) if run.night is None), None)


def _planned(means: Means, minutes: float, tables: tuple[str, ...]) -> Plan:
    """A plan that does not depend on the clock."""
    stages = tuple(PlannedStage(name, steps, 12, "", 0.01) for name, steps in NIGHT)
    return Plan(minutes, means.parent.row.id, len(means.bench.new), means.bench.mastered, stages, 1.0, tables)


def _quiet(words: str) -> None:
    pass


@contextmanager
def hasty() -> Iterator[None]:
    """Few items to measure by, and half of the training time for saving: that is what is tested."""
    few = {(drill, "ITEMS"): 4, (study, "ITEMS"): 4, (night, "GATE_ITEMS"): 6, (memories, "ITEMS"): 4}
    few |= {(practice, "ASIDE"): 4, (practice, "_GLANCE"): 4}
    changes: dict[tuple[Any, str], object] = {**few, (planning, "make"): _planned, (loop, "SAVING"): 0.5}
    changes[find, "entry_points"] = cache(find.entry_points)  # a tenth of a second each time
    changes[planning, "memory"] = lambda work, opinions: ((), opinions)
    before = {place: getattr(*place) for place in changes}
    for place, value in changes.items():
        setattr(*place, value)
    cadence = loop.run.__kwdefaults__["save_seconds"]
    loop.run.__kwdefaults__["save_seconds"] = 0.001
    try:
        yield
    finally:
        loop.run.__kwdefaults__["save_seconds"] = cadence
        for place, value in before.items():
            setattr(*place, value)
