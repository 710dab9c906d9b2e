"""Lets the power go at every moment of a session that was recorded, and opens what may then be on the disk.

    python -m tests.campaigns power --states 2000

Two sessions are recorded with the shim, every writing call with its data: a home's first minutes, and a model that is
trained and promoted while its owner picks. A crash is placed right before each call that makes something sure, then at
random; see `disk` for what may be lost. Each state is opened by the program: the database is whole, what was
acknowledged is there, the checkpoint in use verifies, and now and then the session goes on to the same weights.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from campaigns import nest, shim
from campaigns.disk import Disk, Loss, follow, lay_out
from campaigns.forks import Fork
from campaigns.nest import Session
from campaigns.shim import Call

from mrclassic import book
from mrclassic.home import Home
from mrclassic.settings import load, write_template
from mrclassic.store import Store, curation

GOING_ON = 40  # of so many states one is taken to the session's end
LOSSES: tuple[Loss, ...] = get_args(Loss)
_SURE = ("fsync", "fdatasync", "rename", "unlink", "truncate")


def born(home: Home, acknowledge: Callable[[str], None]) -> None:
    """A home's first minutes."""
    home.ensure()
    write_template(home)
    book.ensure_book(home)
    with Store.open(home) as store:
        for question, reply in nest.PICKS[:2]:
            asked = store.conversations.add(store.conversations.create(question).id, None, "user", question)
            acknowledge(f"message {asked.id} {question}")
            pick = curation.take(store, home, asked.id, reply, "typed")
            acknowledge(f"pick {pick.id} {reply}")
            acknowledge(f"entry {pick.entry_hash}")


@dataclass(frozen=True)
class Recording:
    """The disk before a session, and what the session wrote to it."""

    disk: Disk
    calls: tuple[Call, ...]


def record(library: Any, place: Path, work: Callable[[Home, Callable[[str], None]], None]) -> Recording:
    """Record `work` in the home at `place`."""
    disk, log = Disk(place), place.with_suffix(".log")

    def live(acknowledge: Callable[[str], None]) -> None:
        with log.open("wb", buffering=0) as file:
            shim.record(library, place, file.fileno())
            work(Home(place), lambda line: library.shim_acknowledge(os.fsencode(line)))

    life = Fork(live).end()
    if life.code:
        raise RuntimeError(life.printed)
    return Recording(disk, tuple(shim.calls(log.read_bytes())))


@dataclass
class Tally:
    """What a campaign did and found."""

    states: int = 0
    different: set[int] = field(default_factory=set)
    gone_on: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Campaign:
    """Crashes in the two sessions."""

    def __init__(self, folder: Path, library: Any, seed: int = 0) -> None:
        self.folder, self.library, self.rng = folder, library, random.Random(seed)
        self.session, self.tally = Session(), Tally()
        whole = nest.build(folder / "template")
        nest.copy(whole, folder / "trained")
        # In this process, so that what is imported late is there for every fork.
        self.session.go_on(whole, lambda line: None)
        self.expected = nest.outcome(whole)
        (folder / "born").mkdir()

    def run(self, states: int) -> None:
        """A fifth of the crashes in a home's first minutes, the others while it trains."""
        self._crash("born", born, states // 5)
        self._crash("trained", self.session.go_on, states - states // 5)

    def _crash(self, name: str, work: Callable[[Home, Callable[[str], None]], None], states: int) -> None:
        recording = record(self.library, self.folder / name, work)
        calls = recording.calls
        self.tally.calls.update(call.kind for call in calls)
        eves = [at for at, call in enumerate(calls) if call.kind in _SURE]
        points = Counter(self.rng.sample(eves, min(len(eves), states // 2)))
        points.update(self.rng.randrange(len(calls) + 1) for _ in range(states - points.total()))
        acknowledged: list[str] = []
        at = 0
        for point in sorted(points):
            acknowledged += follow(recording.disk, calls[at:point])
            at = point
            where = f"{name}, before call {point} of {len(calls)}"
            for _ in range(points[point]):
                self._look(recording.disk, where, acknowledged, trained=name == "trained")

    def _look(self, disk: Disk, where: str, acknowledged: list[str], *, trained: bool) -> None:
        """Open one state."""
        tally, loss = self.tally, self.rng.choice(LOSSES)
        state, home = disk.left(loss, self.rng), Home(self.folder / "state")
        shutil.rmtree(home.root, ignore_errors=True)
        lay_out(state, home.root)
        tally.states += 1
        tally.different.add(hash(tuple(sorted(state.items(), key=lambda pair: pair[0]))))
        try:
            load(home)
            home.ensure()
            faults = nest.lost(home, acknowledged, model=trained)
            if trained and not faults and tally.states % GOING_ON == 0:
                faults += self._gone_on(home)
        except Exception as error:  # noqa: BLE001 - whatever stops an owner from opening the home is a finding
            faults = [f"cannot be opened: {error!r}"]
        tally.faults += [f"{where}, {loss} lost: {fault}" for fault in faults]

    def _gone_on(self, home: Home) -> list[str]:
        """Take the session to its end."""
        self.tally.gone_on += 1
        life = Fork(lambda say: self.session.go_on(home, say)).end()
        if life.code:
            return [f"does not go on: {life.printed[-1500:]}"]
        found = nest.outcome(home)
        return [] if found.weights == self.expected.weights else [f"goes on to other weights: {found.weights}"]


def run(states: int, folder: Path, library: Any, seed: int = 0) -> Tally:
    """`states` crashes."""
    with nest.hasty():
        campaign = Campaign(folder, library, seed)
        campaign.run(states)
    return campaign.tally


def main(words: list[str]) -> int:
    """The long form."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns power")
    parser.add_argument("--states", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(words)
    library = shim.preloaded(["power", *words])
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(given.states, Path(folder), library, given.seed)
    sys.stdout.write(
        f"{tally.states} states ({len(tally.different)} different) of {tally.calls.total()} calls, {tally.gone_on} gone"
        f" on with, {len(tally.faults)} faults, {time.monotonic() - begun:.0f} s\n"
    )
    for fault in tally.faults[:40]:
        sys.stdout.write(f"  {fault}\n")
    return int(bool(tally.faults))
