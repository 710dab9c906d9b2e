"""The service, an owner who talks and picks, and short nights, for as long as one likes, with a fault every minute.

python -m tests.campaigns soak --minutes 60

Everything is a process of its own, as on someone's desk: `mrclassic daemon run`, the mind, the nights. What was
acknowledged (messages, picks, book entries) is held against the store at the end; the memory of the service and of the
mind is looked at all the time.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import drop_ins
from campaigns import nest

from mrclassic.daemon import status
from mrclassic.errors import MrClassicError
from mrclassic.mind import process
from mrclassic.mind.client import MindClient
from mrclassic.mind.protocol import Reply
from mrclassic.store import NewCandidate, Store, curation

TALK, QUIET = 20.0, 70.0  # seconds of an owner who talks, and of one who does not
GROUP = 3  # candidates of an answer
WARM = 40  # answers after which a mind is taken to be warm
FEW_SAMPLES = 5

SETTINGS = """
rewards = "correct,hesitant"
[mind]
idle_minutes = 30.0
[night]
enabled = false
idle_minutes = 0.08
silent_minutes = 1.0
"""

# Hangs while a file is there.
HESITANT = """
import time
from pathlib import Path
from mrclassic.rewards import reward

@reward(seconds=2.0)
def hesitant(completions, **columns):
    while Path({flag!r}).exists():
        time.sleep(0.1)
    return [0.01 * len(each[0]["content"]) for each in completions]
"""


@dataclass
class Soak:
    """What came of it. Memory in bytes: `before` is the median of the first samples after warm-up, `after` of the
    last."""

    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    picks: int = 0
    nights: Counter[str] = field(default_factory=Counter)
    minds: int = 0
    daemon_before: float = 0.0
    daemon_after: float = 0.0
    daemon_growth: float = 0.0
    mind_growth: float = 0.0
    mind_life: int = 0
    log_bytes: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def facts(self) -> dict[str, Any]:
        return {name: dict(value) if isinstance(value, Counter) else value for name, value in vars(self).items()}


class Scene:
    """The home, its service, and everything that was acknowledged."""

    def __init__(self, root: Path, seed: int) -> None:
        self.home = nest.build(root / "home")
        settings = self.home.settings_file
        settings.write_text(settings.read_text().replace("[gate]", SETTINGS.strip("\n").split("\n")[0] + "\n[gate]"))
        with settings.open("a") as file:
            file.write("\n".join(SETTINGS.strip("\n").split("\n")[1:]) + "\n")
        self.flag = root / "hang"
        drop_ins.write(self.home.plugins, "hesitant", HESITANT.format(flag=str(self.flag)))
        drop_ins.approve(self.home, "hesitant")
        self.rng = random.Random(seed)
        self.found = Soak()
        self.acknowledged: list[str] = []
        self.damaged: set[str] = set()
        self.daemon_sizes: list[int] = []
        self.lives: dict[int, list[int]] = {}
        self._undo: list[tuple[float, Callable[[], object]]] = []

    @contextmanager
    def service(self) -> Iterator[subprocess.Popen[bytes]]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MRCLASSIC_")}
        command = [sys.executable, "-m", "mrclassic", "--home", str(self.home.root), "daemon", "run"]
        with (self.home.root / "service.out").open("wb") as out:
            service = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
        try:
            yield service
        finally:
            if service.poll() is None:
                service.send_signal(signal.SIGTERM)
            try:
                code = service.wait(60)
            except subprocess.TimeoutExpired:
                service.kill()
                code = service.wait()
            if code != 0:
                words = (self.home.root / "service.out").read_text(errors="replace")[-2000:]
                self.found.wrong.append(f"the service ended with {code}: {words}")
            with suppress(MrClassicError):
                process.stop(self.home)

    # -- the faults

    def night(self) -> int | None:
        running = status.read(self.home).night
        return running.pid if running else None

    def later(self, seconds: float, undo: Callable[[], object]) -> None:
        """Undo a fault after a while; see `mend`."""
        self._undo.append((time.monotonic() + seconds, undo))

    def mend(self, everything: bool = False) -> None:
        now = time.monotonic()
        due = [undo for at, undo in self._undo if everything or at <= now]
        self._undo = [each for each in self._undo if each[1] not in due]
        for undo in due:
            with suppress(ProcessLookupError, FileNotFoundError):
                undo()

    def kill_mind(self) -> bool:
        pid = process.holder(self.home)
        return pid is not None and _kill(pid, signal.SIGKILL)

    def kill_night(self) -> bool:
        pid = self.night()
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        return True

    def stop_night(self) -> bool:
        """It hangs: the service is to notice that it gives no sign of life."""
        pid = self.night()
        return pid is not None and _kill(pid, signal.SIGSTOP)

    def hang_plugin(self) -> bool:
        self.flag.touch()
        self.later(10, lambda: self.flag.unlink(missing_ok=True))
        return True

    def damage_checkpoint(self) -> bool:
        """Of the newest one a bit is flipped, be it a candidate or in use; the first is left, so that one is whole."""
        paths = sorted(path for path in self.home.checkpoints.iterdir() if path.name[0].isdigit())
        paths = [path for path in paths if path.name not in self.damaged]
        if not paths:
            return False
        with suppress(FileNotFoundError), (paths[-1] / "model.safetensors").open("r+b") as file:
            file.seek(-5, os.SEEK_END)
            byte = file.read(1)[0]
            file.seek(-5, os.SEEK_END)
            file.write(bytes([byte ^ 1]))
            self.damaged.add(paths[-1].name)
            return True
        return False

    def damage_settings(self) -> bool:
        self.home.settings_file.write_bytes(bytes(500))
        return True

    def full_disk(self, service: int) -> bool:
        """No file of the service, of its night or of the mind can grow, for a while."""
        pids = [pid for pid in (service, self.night(), process.holder(self.home)) if pid is not None]
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, most))
                self.later(8, lambda pid=pid, most=most: resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most)))
        return True

    # -- the owner

    async def exchange(self, client: MindClient, store: Store, number: int) -> None:
        """A message, its candidates, and a pick or an answer of the owner's own."""
        question = f"Question {number}?"
        conversation = store.conversations.create(question)
        asked = store.conversations.add(conversation.id, None, "user", question)
        self.acknowledged.append(f"message {asked.id} {question}")
        try:
            answer = await asyncio.wait_for(
                client.complete([{"role": "user", "content": question}], n=GROUP, max_tokens=8), 300
            )
        except (MrClassicError, TimeoutError) as error:
            self.found.broken[_short(error)] += 1
            return
        self.found.answers += 1
        drawn = store.candidates.add_draw(asked.id, [_candidate(each, answer.checkpoint) for each in answer.replies])
        if number % 3 == 0:
            reply = f"Reply {number}."
            pick = curation.take(store, self.home, asked.id, reply, "typed")
        else:
            written = next((each for each in drawn if each.text.strip()), None)
            if written is None:
                return
            reply = written.text
            pick = curation.take(store, self.home, asked.id, reply, "candidate", written.id)
        self.found.picks += 1
        self.acknowledged.append(f"pick {pick.id} {pick.text}")
        if pick.entry_hash:
            self.acknowledged.append(f"entry {pick.entry_hash}")

    # -- what is looked at

    def look(self, service: int) -> None:
        with suppress(OSError, IndexError):
            self.daemon_sizes.append(_resident(service))
        pid = process.holder(self.home)
        if pid is not None:
            with suppress(OSError, IndexError):
                self.lives.setdefault(pid, []).append(_resident(pid))

    def settle(self) -> Soak:
        """Hold everything against what there is at the end."""
        found = self.found
        sizes = self.daemon_sizes[len(self.daemon_sizes) // 6 :]
        if len(sizes) >= 2 * FEW_SAMPLES:
            few = max(FEW_SAMPLES, len(sizes) // 10)
            found.daemon_before, found.daemon_after = median(sizes[:few]), median(sizes[-few:])
            found.daemon_growth = found.daemon_after / found.daemon_before - 1
        longest = max(self.lives.values(), key=len, default=[])[WARM:]
        found.minds, found.mind_life = len(self.lives), len(longest)
        if len(longest) >= 2 * FEW_SAMPLES:
            few = max(FEW_SAMPLES, len(longest) // 10)
            found.mind_growth = median(longest[-few:]) / median(longest[:few]) - 1
        found.log_bytes = sum(path.stat().st_size for path in self.home.logs.glob("daemon*"))
        with Store.open(self.home) as store:
            found.nights.update(row.status for row in store.nights.list())
            present = store.checkpoints.in_use()
            ours = present is not None and present.id in self.damaged
            if ours:  # that it was damaged is our doing, and so a night that began from it is given up
                store.checkpoints.use("first")
        found.wrong += nest.lost(self.home, self.acknowledged, goes_on=not ours)
        return found


def run(root: Path, minutes: float, every: float = 60.0, seed: int = 0, say: Callable[[str], None] = print) -> Soak:
    """Soak for `minutes`, with a fault `every` so many seconds."""
    return asyncio.run(_run(Scene(root, seed), minutes * 60, every, say))


async def _run(scene: Scene, seconds: float, every: float, say: Callable[[str], None]) -> Soak:
    begun = time.monotonic()
    with scene.service() as service, Store.open(scene.home) as store:
        faults: dict[str, Callable[[], bool]] = {
            "mind killed": scene.kill_mind,
            "night killed": scene.kill_night,
            "checkpoint damaged": scene.damage_checkpoint,
            "disk full": lambda: scene.full_disk(service.pid),
            "plugin hangs": scene.hang_plugin,
            "night stopped": scene.stop_night,
            "settings damaged": scene.damage_settings,
        }
        waiting = itertools.cycle(faults)
        client, number, due, fault = MindClient(scene.home), 0, begun + every, next(waiting)
        while (now := time.monotonic()) - begun < seconds and service.poll() is None:
            scene.mend()
            scene.look(service.pid)
            if now >= due:
                talking = []
                if "mind" in fault:
                    number += 1  # never the same question again: the later reply would rightly replace the earlier
                    talking = [asyncio.create_task(scene.exchange(client, store, number))]
                await asyncio.sleep(scene.rng.uniform(0, 0.3))
                done = faults[fault]()
                if done:
                    scene.found.faults[fault] += 1
                    say(f"{now - begun:6.0f} s: {fault}")
                if done or now > due + every / 2:  # of what is not there, nothing can be killed
                    due, fault = now + (every if done else 0), next(waiting)
                await asyncio.gather(*talking)
            _want_night(scene, store)
            if (now - begun) % (TALK + QUIET) < TALK:
                number += 1
                await scene.exchange(client, store, number)
            else:
                await asyncio.sleep(1.0)
        scene.mend(everything=True)
        await client.aclose()
    scene.found.seconds = time.monotonic() - begun
    return scene.settle()


def _want_night(scene: Scene, store: Store) -> None:
    """Where no night runs or waits, ask for one."""
    said = status.read(scene.home)
    if said.running and said.night is None and said.unfinished is None and not store.requests.pending():
        store.requests.post("night", {"minutes": 0.6})


def _kill(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _short(error: BaseException) -> str:
    """The kind of a failure: its first words, without names and numbers."""
    return f"{type(error).__name__}: {' '.join(str(error).split()[:8])}"


def _candidate(reply: Reply, checkpoint: str) -> NewCandidate:
    return NewCandidate(
        slot=reply.index,
        shown=reply.index + 1,
        text=reply.text,
        tokens=reply.tokens,
        logprob=reply.logprob,
        finish_reason=reply.finish_reason,
        seed=reply.seed,
        temperature=reply.temperature,
        top_p=reply.top_p,
        checkpoint=checkpoint,
    )


def _resident(pid: int) -> int:
    """The memory that a process holds, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def main(words: list[str]) -> int:
    """The campaign from the command line: facts as JSON on standard output; 1 where anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two faults")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="a new folder to work in, which stays")
    given = parser.parse_args(words)

    def say(text: str) -> None:
        sys.stderr.write(f"{text}\n")

    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        root = given.folder or Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        found = run(root, given.minutes, given.every, given.seed, say)
    sys.stdout.write(json.dumps(found.facts, indent=2) + "\n")
    return 1 if found.wrong else 0
