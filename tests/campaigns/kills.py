"""Kills a session again and again, and holds what is left, and what it comes to in the end, against a session that
nobody disturbed.

    python -m tests.campaigns kills --kills 2000

First it dies at every failpoint of the program, at the first that it has not died at yet; then by SIGKILL at random
moments, half of them while the owner goes on talking in another process, which dies too. After each death: the
database is whole, a checkpoint is in use and verifies, nothing acknowledged is lost. The next life goes on. When a
session is through, its weights and the numbers of all its updates are those of the undisturbed one, and nothing of the
unfinished lies about.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from campaigns import forks, hardships, nest
from campaigns.forks import Fork, Life
from campaigns.nest import Session

from mrclassic import failpoints
from mrclassic.home import Home
from mrclassic.store import Store

PACKAGE = Path(failpoints.__file__).parent


def places() -> frozenset[str]:
    """Every failpoint in the program's text but a teacher's, whom no session asks: `test_distilling` dies there."""
    texts = (path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    named = (name for text in texts for name in re.findall(r'failpoints\.reached\("([\w.]+)"\)', text))
    return frozenset(name for name in named if not name.startswith("teacher."))


@dataclass
class Tally:
    """What a campaign did and found; `faults` is empty where all is well."""

    kills: int = 0
    sessions: int = 0
    acknowledged: int = 0
    died_at: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


class Campaign:
    """Sessions in copies of one home, each carried through by lives that are cut short."""

    def __init__(self, folder: Path, seed: int = 0, *, hard: bool = False) -> None:
        forks.adopt()
        self.folder, self.hard, self.rng = folder, hard, random.Random(seed)
        self.template = nest.build(folder / "template")
        self.tally = Tally()
        # In this process, so that what is imported late, and it is much, is there for every fork.
        whole = nest.copy(self.template, folder / "whole")
        Session().go_on(whole, lambda line: None)
        self.expected = nest.outcome(whole)
        begun = time.monotonic()
        self.session: Session = hardships.Hard(archive=folder / "timed.archive") if hard else Session()
        life = self._fork(self._copy(folder / "timed"), None).end()
        assert life.code == 0, life.printed
        self.seconds = time.monotonic() - begun
        self._begin()

    def _begin(self) -> None:
        if self.hard:
            self.session = hardships.Hard(archive=self.folder / f"archive-{self.tally.sessions}")
        self.home = self._copy(self.folder / f"home-{self.tally.sessions}")
        self.acknowledged: list[str] = []
        self.lives = 0

    def _copy(self, root: Path) -> Home:
        home = nest.copy(self.template, root)
        return hardships.prepare(home) if self.hard else home  # there: a plugin is trusted at its place

    def at_every_failpoint(self, names: frozenset[str], longest: int = 400) -> None:
        """Die once at each of the failpoints `names`."""
        for _ in range(longest):
            if not (left := names - self.tally.died_at):
                return
            heard, said = os.pipe()

            def die(name: str, left: frozenset[str] = left, said: int = said) -> None:
                if name in left:
                    os.write(said, name.encode())
                    os.kill(os.getpid(), signal.SIGKILL)

            life = self._fork(self.home, die).end()
            os.close(said)
            name = os.read(heard, 100).decode()
            os.close(heard)
            if not name and self.tally.sessions > 1:
                break  # a whole session went by without coming to any of them
            self.tally.died_at |= {name} - {""}
            self._look(life, name or "the end")
        self.tally.faults += [f"never came to {name}" for name in sorted(names - self.tally.died_at)]

    def at_random(self, kills: int) -> None:
        """Die `kills` times at moments that nobody chose."""
        end = self.tally.kills + kills
        while self.tally.kills < end and len(self.tally.faults) < 20:
            # The longer a session takes, the longer it is let live: on a machine that has become slow it would not end.
            longest = 0.8 * self.seconds * (1 + self.lives / 10)
            home, moment = self.home, longest * self.rng.random() ** 2
            self.lives += 1
            owner = Fork(lambda say, home=home: nest.chatter(home, say)) if self.rng.random() < 0.5 else None
            trainer = self._fork(home, None)
            trainer.kill(moment)
            life = trainer.end()
            if owner is not None:
                owner.kill()
                self.acknowledged += owner.end().acknowledged
            self._look(life, f"{moment:.3f} s")

    def finish(self) -> None:
        """Let the last session come to its end."""
        self._look(self._fork(self.home, None).end(), "the end")
        self.tally.faults += [f"still runs: {command}" for command in forks.orphans()]

    def _fork(self, home: Home, hook: Callable[[str], None] | None) -> Fork:
        def live(acknowledge: Callable[[str], None]) -> None:
            failpoints.watch(hook)
            self.session.go_on(home, acknowledge)

        return Fork(live)

    def _look(self, life: Life, where: str) -> None:
        """Hold the home against what was acknowledged; begin another session where this one is through."""
        tally = self.tally
        self.acknowledged += life.acknowledged
        for draft in self.home.root.rglob(".*.unfinished-*"):
            os.utime(draft, (0, 0))  # a day later
        if life.killed:
            tally.kills += 1
        elif life.code:
            tally.faults.append(f"session {tally.sessions} ended with {life.code}: {life.printed[-1500:]}")
        try:
            faults = nest.lost(self.home, self.acknowledged)
        except Exception as error:  # noqa: BLE001 - whatever stops an owner from opening the home is a finding
            faults = [f"cannot be opened: {error!r}"]
        if life.code == 0:
            faults += self._compared()
        tally.faults += [f"session {tally.sessions}, killed at {where}: {fault}" for fault in faults]
        if life.code == 0 or faults or not life.killed:
            tally.acknowledged += len(self.acknowledged)
            tally.sessions += 1
            if not faults:
                shutil.rmtree(self.home.root)
            self._begin()

    def _compared(self) -> list[str]:
        """How a finished session differs from an undisturbed one."""
        found, expected, faults = nest.outcome(self.home), self.expected, []
        if isinstance(self.session, hardships.Hard):
            root = self.folder / f"replay-{self.tally.sessions}"
            expected = hardships.replay(self.template, root, [self.session.archive])
        if found.weights != expected.weights:
            faults.append(f"other weights: {found.weights} for {expected.weights}")
        if found.rows != expected.rows and not self.hard:  # there the log also says what had to be done again
            faults.append("other numbers in the log")
        return faults + [f"left behind: {path}" for path in left_behind(self.home)]


def left_behind(home: Home) -> list[Path]:
    """What unfinished writing left in a home whose last session came to its end."""
    with Store.open(home) as store:
        known = {row.path for row in store.checkpoints.list()}
    drafts = [path for path in home.checkpoints.iterdir() if path.name.startswith(".")]
    return drafts + [path for path in home.runs.iterdir() if path.name not in known]


def run(kills: int, folder: Path, seed: int = 0) -> Iterator[Tally]:
    """Every failpoint, then `kills` at random, one in ten of them in sessions full of hardships."""
    with nest.hasty():
        for hard in (False, True):
            (folder / str(hard)).mkdir()
            campaign = Campaign(folder / str(hard), seed, hard=hard)
            if not hard:
                campaign.at_every_failpoint(places())
            campaign.at_random(kills // 10 if hard else kills - kills // 10)
            campaign.finish()
            yield campaign.tally


def main(words: list[str]) -> int:
    """The long form."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns kills")
    parser.add_argument("--kills", type=int, default=2000, help="at random moments, beside one at each failpoint")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(words)
    begun = time.monotonic()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for name, tally in zip(("plain", "hard"), run(given.kills, Path(folder), given.seed), strict=True):
            sys.stdout.write(
                f"{name}: {tally.kills} kills ({len(tally.died_at)} at failpoints) in {tally.sessions} sessions,"
                f" {tally.acknowledged} acknowledged, {len(tally.faults)} faults, {time.monotonic() - begun:.0f} s\n"
            )
            for fault in tally.faults:
                sys.stdout.write(f"  {fault}\n")
            sys.stdout.flush()
            failed = failed or bool(tally.faults)
    return int(failed)
