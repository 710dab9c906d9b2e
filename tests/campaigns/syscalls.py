"""Lets every call that writes fail, one by one: EIO, no space, half written; once and from then on.

    python -m tests.campaigns syscalls

Commands of an owner run in forks on a copy of a home, with the shim armed. Each must end with 0, or with another code
and one sentence; the home must then open whole, with all that was acknowledged; and the same command (or, for
training, going on with the run) must come to what it comes to on a sound disk.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from campaigns import nest, shim
from campaigns.forks import Fork, Life

from mrclassic.cli import main as command_line
from mrclassic.home import Home
from mrclassic.store import NewCandidate, Store

ERRORS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC}
COMMANDS: dict[str, tuple[str, ...]] = {
    "teach": ("teach", "--say", "I do, at times.", "--json"),
    "undo": ("undo",),
    "use": ("model", "use", "second"),
    "book": ("train", "book", "--all", "--steps", "3", "--json"),
    "night": ("night", "--now", "--minutes", "60", "--seed", "1", "--json"),
    "grpo": ("train", "grpo", "--steps", "2", "--reward", "length", "--max-new", "3", "--json"),
}


@dataclass(frozen=True)
class Case:
    """Which call of a command fails, and how."""

    command: str
    kind: str
    nth: int
    how: str  # a name in ERRORS, or "cut"
    ever: bool

    def __str__(self) -> str:
        ever = " and all after it" if self.ever else ""
        return f"{self.command}: {self.kind} {self.nth}{ever}: {self.how}"


@dataclass
class Tally:
    """What a campaign did and found; `told` are the sentences that owners would read."""

    cases: int = 0
    refused: int = 0
    told: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


class Campaign:
    """Copies of one home, a command on each."""

    def __init__(self, folder: Path, library: Any) -> None:
        self.folder, self.shim, self.tally = folder, library, Tally()
        self.template = self._template()
        self.standing = _standing(self.template)
        self.home = Home(folder / "home")
        self.expected: dict[str, object] = {}
        self.calls: dict[str, dict[str, int]] = {}
        for name in COMMANDS:
            self._fresh()
            # Once in this process, so that what is imported late is there for every fork.
            _quietly(lambda name=name: _carry_out(_words(name, self.home)))
            self.expected[name] = _result(self.home, name)
            self._fresh()
            life = self._live(name, None)
            assert life.code == 0, life.printed
            self.calls[name] = json.loads(life.acknowledged[-1])

    def _template(self) -> Home:
        home = nest.build(self.folder / "template")
        second = self.folder / "template" / "checkpoints" / "second"
        facts = nest.checkpoint.save(nest.mute(0.6), second, parent="first")
        with Store.open(home) as store:
            store.checkpoints.add(nest.Checkpoint("second", "second", "first", model_sha256=facts.model_sha256))
            for question, reply in (("Hello.", "Good day."), nest.PICKS[0]):  # the first stands in the book already
                asked = store.conversations.add(store.conversations.create().id, None, "user", question)
                store.candidates.add_draw(asked.id, [_drawn(reply)])
                if question == "Hello.":
                    nest.curation.take(store, home, asked.id, reply, "typed")
        return home

    def cases(self) -> Iterator[Case]:
        """All of them."""
        for command, found in self.calls.items():
            for kind, count in found.items():
                hows = (*ERRORS, "cut") if kind in ("write", "pwrite") else tuple(ERRORS)
                for nth, how, ever in product(range(1, count + 1), hows, (False, True)):
                    yield Case(command, kind, nth, how, ever)

    def some(self, count: int | None, seed: int) -> list[Case]:
        """So many of them (None: all), of each kind of call as many as of any other, in an order of no meaning."""
        every = list(self.cases())
        random.Random(seed).shuffle(every)
        turns: Counter[str] = Counter()
        ranked = []
        for case in every:
            turns[case.kind] += 1
            ranked.append((turns[case.kind], case))
        return [case for _, case in sorted(ranked, key=lambda pair: pair[0])[:count]]

    def try_out(self, case: Case) -> None:
        """One case, and what it leaves."""
        self._fresh()
        self.tally.cases += 1
        life = self._live(case.command, case)
        told = [line for line in life.printed.splitlines() if line.startswith("mrclassic: ")]
        faults = []
        if life.code not in (0, 1, 3) or "Traceback" in life.printed or (life.code and len(told) != 1):
            faults.append(f"ended with {life.code}: {life.printed[-1500:]}")
        self.tally.refused += life.code != 0
        self.tally.told |= {line.replace(str(self.home.root), "HOME") for line in told}
        try:
            faults += nest.lost(self.home, self.standing)
            if life.code == 0 and _result(self.home, case.command) != self.expected[case.command]:
                faults.append(f"said it was done, and was not: {_result(self.home, case.command)}; {life.printed}")
            if life.code and not faults:
                faults += self._again(case.command)
        except Exception as error:  # noqa: BLE001 - whatever stops an owner from going on is a finding
            faults.append(f"then: {error!r}")
        self.tally.faults += [f"{case}: {fault}" for fault in faults]

    def _again(self, name: str) -> list[str]:
        """The command once more on a sound disk; what is wrong with what it came to."""
        if _result(self.home, name) == self.expected[name]:
            return []  # it was done, and only its last words were not
        words = _words(name, self.home)
        life = Fork(lambda say: _carry_out(words)).end()
        if life.code:
            return [f"the second time it ended with {life.code}: {life.printed[-1500:]}"]
        found = _result(self.home, name)
        return [] if found == self.expected[name] else [f"came to {found}, not to {self.expected[name]}"]

    def _live(self, name: str, case: Case | None) -> Life:
        words = _words(name, self.home)

        def live(say: Callable[[str], None]) -> None:
            if case is None:
                shim.arm(self.shim, self.home.root)
            else:
                error, cut = ERRORS.get(case.how, 0), case.how == "cut"
                shim.arm(self.shim, self.home.root, case.kind, case.nth, error, cut=cut, ever=case.ever)
            try:
                _carry_out(words)
            finally:
                say(json.dumps(shim.counts(self.shim)))

        return Fork(live).end()

    def _fresh(self) -> None:
        shutil.rmtree(self.home.root, ignore_errors=True)
        nest.copy(self.template, self.home.root)


def _words(name: str, home: Home) -> tuple[str, ...]:
    """The command; training goes on with a run that was begun, and so does a night."""
    words = COMMANDS[name]
    if name == "night":
        with Store.open(home) as store:
            last = store.nights.last()
        if last is not None and last.status != "done":
            words = (*words, "--resume")  # or begin with the same seed, where nothing was done yet
    if words[0] == "train":
        with Store.open(home) as store:
            begun = nest.last_run(store, name)
        if begun is not None and begun.checkpoint is None:
            words = (*words[:2], "--resume", str(begun.id), "--json")
    return ("mrclassic", "--home", str(home.root), *words)


def _carry_out(words: tuple[str, ...]) -> None:
    sys.argv = [*words]
    try:
        command_line()
    except SystemExit as end:
        if end.code:
            raise


def _result(home: Home, name: str) -> object:
    """What a command came to."""
    with Store.open(home) as store:
        if name == "night":
            last = store.nights.last()
            made = store.checkpoints.get(last.checkpoint).model_sha256 if last is not None and last.checkpoint else None
            return made, [len(store.runs.steps(run.id)) for run in store.runs.list()]
        if name == "use":
            present = store.checkpoints.in_use()
            return present.id if present else None
        if name in ("teach", "undo"):
            return [(pick.kind, pick.text) for pick in store.picks.history()], home.book.read_text(encoding="utf-8")
        run = nest.last_run(store, name)
        made = store.checkpoints.get(run.checkpoint).model_sha256 if run is not None and run.checkpoint else None
        return made, [step for step, _ in store.runs.steps(run.id)] if run else []


def _standing(home: Home) -> list[str]:
    """What the home holds before anything goes wrong, as if it had just been acknowledged."""
    with Store.open(home) as store:
        talks = [store.conversations.leaf(each.id) for each in store.conversations.list()]
        said = [f"message {message.id} {message.content}" for message in talks if message is not None]
        return said + [f"pick {pick.id} {pick.text}" for pick in store.picks.history()]


def _drawn(text: str) -> NewCandidate:
    return NewCandidate(
        slot=0, shown=1, text=text, tokens=3, logprob=-1.0, finish_reason="stop", seed=0, temperature=0.7, top_p=1.0,
        checkpoint="first",
    )  # fmt: skip


def _quietly(work: Callable[[], None]) -> None:
    out, err = sys.stdout, sys.stderr
    with tempfile.TemporaryFile("w") as nowhere:
        sys.stdout = sys.stderr = nowhere
        try:
            work()
        finally:
            sys.stdout, sys.stderr = out, err


def run(folder: Path, library: Any, count: int | None, seed: int, told: Callable[[Tally], None] | None = None) -> Tally:
    """All cases, or `count` of them; ended by hand, what was tried until then."""
    with nest.hasty():
        campaign = Campaign(folder, library)
        with contextlib.suppress(KeyboardInterrupt):
            for case in campaign.some(count, seed):
                campaign.try_out(case)
                if told is not None:
                    told(campaign.tally)
                if len(campaign.tally.faults) >= 20:
                    break
    return campaign.tally


def _tell(tally: Tally) -> None:
    """Now and then how far it is; a campaign takes hours."""
    if tally.cases % 100 == 0:
        sys.stderr.write(f"{tally.cases} cases, {tally.refused} refused, {len(tally.faults)} faults\n")


def main(words: list[str]) -> int:
    """The long form."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns syscalls")
    parser.add_argument("--cases", type=int, help="only so many")
    parser.add_argument("--seed", type=int, default=0, help="which, then")
    given = parser.parse_args(words)
    library = shim.preloaded(["syscalls", *words])
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(Path(folder), library, given.cases, given.seed, _tell)
    sys.stdout.write(
        f"{tally.cases} cases, {tally.refused} refused in {len(tally.told)} different sentences,"
        f" {len(tally.faults)} faults, {time.monotonic() - begun:.0f} s\n"
    )
    for line in (*sorted(tally.told), *tally.faults):
        sys.stdout.write(f"  {line}\n")
    return int(bool(tally.faults))
