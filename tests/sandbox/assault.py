"""All attacks on one backend, and whatever got through. By itself (`python -m sandbox.assault`) it needs no pytest."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from sandbox import attacks_escape, attacks_resources, attacks_verdict, processes

from mrclassic.sandbox import backends
from mrclassic.sandbox.judge import Check, Judge, Outcome

WORKERS = 6  # more than cores: some attacks only wait
TESTS = {
    "sort": "def check(candidate):\n    assert candidate([3, 1, 2]) == [1, 2, 3]\n    assert candidate([]) == []",
    "near": "def check(candidate):\n    assert abs(candidate([1.5, 2.5]) - 4.0) < 1e-6",
    "true": "def check(candidate):\n    assert candidate([3])\n    assert not candidate([])",
    "same": "def check(candidate):\n    x = [3, 1, 2]\n    assert candidate(x) == sorted(x)",
    "list": "def check(candidate):\n    assert list(candidate([3, 1, 2])) == [1, 2, 3]",
}
ASSERTS = "assert f([3, 1, 2]) == [1, 2, 3]\nassert f([]) == []"
HONEST = {
    True: Check("def f(x): return sorted(x)", TESTS["sort"], "f"),
    False: Check("def f(x): return x", TESTS["sort"], "f"),
}


_WEIGHTS = "weights == [1, 2, 3]"


class Surroundings:
    """What attacks reach for: a home, a stranger's process, ports that listen; and whether they were touched."""

    def __init__(self, folder: Path) -> None:
        self.token = f"mrclassic-attack-{os.getpid()}"
        self.folder = folder
        self.secret = folder / "model.safetensors"
        self.secret.write_text(_WEIGHTS)
        self.secret.chmod(0o666)
        folder.chmod(0o777)
        self.sockets: list[socket.socket] = []
        self._open(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
        self.port = self.sockets[0].getsockname()[1]
        self._open(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", self.port))
        self._open(socket.AF_UNIX, socket.SOCK_STREAM, f"\0{self.token}")
        self._open(socket.AF_UNIX, socket.SOCK_STREAM, str(folder / "socket"))
        self.files = sorted(folder.iterdir())
        # Ends with its input, so that it cannot outlive this process; and it keeps no pipe of ours open.
        self.stranger = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

    def _open(self, family: int, kind: int, address: object) -> None:
        found = socket.socket(family, kind)
        self.sockets.append(found)
        found.bind(address)  # type: ignore[arg-type]
        if kind == socket.SOCK_STREAM:
            found.listen()

    def fill(self, program: str) -> str:
        """A program with its placeholders filled."""
        values = {
            "secret": self.secret,
            "folder": self.folder,
            "token": self.token,
            "port": self.port,
            "pid": self.stranger.pid,
            "data": Path(__file__).parents[2] / "data",
        }
        for name, value in values.items():
            program = program.replace(f"{{{name}}}", str(value))
        return program

    def touched(self) -> list[str]:
        """What was written, met or ended."""
        places = map(Path, ("/", "/tmp", "/dev/shm", "/var/tmp", "/run", "/python", ".", str(Path.home())))
        written = [str(file) for place in places if place.is_dir() for file in place.glob(f"*{self.token}*")]
        ended = ["the stranger was ended"] if self.stranger.poll() is not None else []
        changed = ["the checkpoint was changed"] if self.secret.read_text() != _WEIGHTS else []
        more = [str(file) for file in self.folder.iterdir() if file not in self.files]
        met = [f"{each} was reached" for each in select.select(self.sockets, [], [], 0)[0]]
        return [*met, *written, *ended, *changed, *more]

    def close(self) -> None:
        """Let go of it all."""
        for each in self.sockets:
            each.close()
        self.stranger.kill()
        self.stranger.communicate()


def on_verdicts(fill: Callable[[str], str], thorough: bool = True) -> dict[str, Check]:
    """Every forgery on every kind of test, or on one."""
    checks = {}
    for name, text in attacks_verdict.ATTACKS.items():
        program = fill(text)
        for each, test in TESTS.items() if thorough else [("sort", TESTS["sort"])]:
            checks[f"{name}: {each}"] = Check(program, test, "f", seconds=1.0)
        checks[f"{name}: asserts"] = Check(program, ASSERTS, "f", "asserts", seconds=1.0)
    return checks


def on_resources(fill: Callable[[str], str]) -> dict[str, Check]:
    """Everything that uses up what there is."""
    return {
        name: Check(fill(text), TESTS["sort"], "f", seconds=1.0) for name, text in attacks_resources.ATTACKS.items()
    }


def on_walls(fill: Callable[[str], str]) -> dict[str, Check]:
    """Every escape twice. That it was refused is itself judged right: it was made, and did not merely fail to begin."""
    checks = {}
    for name, body in attacks_escape.ATTACKS.items():
        program = fill(attacks_escape.program(body))
        checks[name] = Check(program, TESTS["sort"], "f", seconds=2.0)
        checks[f"{name}{CONTAINED}"] = Check(program, "assert contained() is True", "contained", "asserts", seconds=2.0)
    return checks


CONTAINED = " (contained)"
FAMILIES: dict[str, Callable[[Callable[[str], str]], dict[str, Check]]] = {
    "verdicts": on_verdicts,
    "resources": on_resources,
    "walls": on_walls,
}


def assault(backend: str, family: str, folder: Path) -> tuple[dict[str, Outcome], list[str]]:
    """Attack `backend`: the outcomes, and whatever got through, in words."""
    processes.adopt_orphans()
    before = set(processes.descendants())
    surroundings = Surroundings(folder)
    try:
        with Judge(WORKERS, backend) as judge:
            checks = FAMILIES[family](surroundings.fill)
            outcomes = dict(zip(checks, judge.judge(list(checks.values())), strict=True))
            found = _misjudged(outcomes)
            found += [f"process {each} is left in the sandbox" for each in processes.forked()]
            verdicts = [each.verdict for each in judge.judge([HONEST[True], HONEST[False]] * WORKERS)]
            if verdicts != ["right", "wrong"] * WORKERS:
                found.append(f"later checks: {verdicts}")
        found += surroundings.touched()
    finally:
        surroundings.close()
    return outcomes, found + [f"process {pid} is left: {words}" for pid, words in processes.left_since(before).items()]


def _misjudged(outcomes: Mapping[str, Outcome]) -> list[str]:
    expected = {name: "right" if name.endswith(CONTAINED) else "wrong" for name in outcomes}
    return [f"{name}: {each}" for name, each in outcomes.items() if each.verdict != expected[name]]


def main() -> None:
    """All of it on each backend that this user has; prints what got through, by backend."""
    FAMILIES["verdicts"] = partial(on_verdicts, thorough=False)  # who asks makes no difference to a verdict
    found: dict[str, list[str]] = {}
    for backend in backends.BACKENDS:
        why = backends.fault(backend)
        found[backend] = [f"absent: {why}"] if why else []
        # What a program may use up is set by the same limits for everybody: on one of them is enough.
        for family in () if why else ("verdicts", "walls", "resources")[: 3 if backend == "landlock" else 2]:
            with tempfile.TemporaryDirectory() as folder:
                found[backend] += assault(backend, family, Path(folder))[1]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
