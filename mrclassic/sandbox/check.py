"""One check, judged by a pair of sandboxes: in the one the program runs, in the other what judges it.

The two processes that a check takes share one socket pair, made for it; the verdict comes over a pipe that only the
judging process has. Whatever a program does, the next check meets none of it: both processes are killed, and after any
end that was not clean their sandboxes with them.
"""

from __future__ import annotations

import math
import os
import secrets
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from mrclassic.sandbox.confined import Confined, End, Launch
from mrclassic.sandbox.inside import values

# By the clock a check may take this many times its processor seconds: a busy machine gives it a part of a core only.
# A program that merely sleeps is waited for as long, which costs nobody anything.
_PATIENCE = 3


@dataclass(frozen=True)
class Check:
    """A program and what it has to stand.

    `program`: the source, or several readings of it, of which the first that compiles counts. `test` defines
    `check(candidate)` (kind "check", HumanEval's; `entry` names the function), or consists of assertions that call the
    program's functions by name (kind "asserts", MBPP's). `seconds` of processor time.
    """

    program: str | tuple[str, ...]
    test: str
    entry: str
    kind: Literal["check", "asserts"] = "check"
    seconds: float = 5.0


@dataclass(frozen=True)
class Outcome:
    """A verdict with its reason; `found` is False where nothing that was given compiles."""

    verdict: Literal["right", "wrong", "error", "skipped"]
    detail: str = ""
    found: bool = True


class Pair:
    """Judges one check after another; for one thread, which has to outlive it (see Confined)."""

    def __init__(self, launch: Callable[[], Launch]) -> None:
        self._sides = {role: Confined(launch) for role in ("candidate", "referee")}

    def close(self) -> None:
        """End both sandboxes; another check starts them again."""
        for side in self._sides.values():
            side.kill()

    def interrupt(self) -> None:
        """End what is under way, from another thread: `judge` then raises SandboxFault."""
        for side in self._sides.values():
            side.interrupt()

    def judge(self, check: Check, filtered: bool = True) -> Outcome:
        """The verdict. `filtered` False leaves the program's system calls free, for the self-test alone.

        Raises SandboxFault where the sandbox failed, not the program.
        """
        try:
            return self._judge(check, filtered)
        except BaseException:  # an interrupt, too: what is under way must not meet the next check
            self.close()
            raise

    def _judge(self, check: Check, filtered: bool) -> Outcome:
        nonce = secrets.token_hex(8)
        cpu = math.ceil(check.seconds)
        programs = [check.program] if isinstance(check.program, str) else list(check.program)
        common = {"nonce": nonce, "cpu": cpu, "seed": check.test}
        jobs: dict[str, dict[str, Any]] = {
            "candidate": {**common, "role": "candidate", "program": programs, "filtered": filtered},
            "referee": {
                **common,
                **{"role": "referee", "test": check.test, "entry": check.entry, "kind": check.kind, "filtered": True},
            },
        }
        asked, answering = socket.socketpair()
        reading, writing = os.pipe()
        with asked, answering:
            try:
                self._sides["candidate"].begin(jobs["candidate"], [answering.fileno()])
                self._sides["referee"].begin(jobs["referee"], [asked.fileno(), writing])
                os.close(writing)
                writing = -1
                asked.close()  # each end is now held by one process only, so that each sees the other's end
                answering.close()
                said = _verdict(reading, nonce, time.monotonic() + _PATIENCE * check.seconds)
            finally:
                os.close(reading)
                if writing >= 0:
                    os.close(writing)
        ends = {role: side.end() for role, side in self._sides.items()}
        for role, end in ends.items():
            if not (end.clean or (isinstance(said, list) and not end.signal)):
                self._sides[role].kill()
        return _outcome(said, ends["candidate"], ends["referee"], cpu)


def _verdict(descriptor: int, nonce: str, deadline: float) -> list[Any] | str:
    """What the judging process says: verdict, detail and found; or why it says nothing: "late" or "ended"."""
    data = b""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return "late"
        part = os.read(descriptor, 2**16)
        data += part
        if not part or len(data) > 2**16:
            return "ended"
        if len(data) >= 4 and len(data) - 4 >= int.from_bytes(data[:4], "little"):
            break
    try:
        message = values.parse(data[4:])
    except values.Unfit:  # a check that writes on descriptors that are not its own
        return "ended"
    if not isinstance(message, list) or len(message) != 4 or message[0] != nonce:
        return "ended"
    return message[1:]


def _outcome(said: list[Any] | str, candidate: End, referee: End, cpu: int) -> Outcome:
    if isinstance(said, list):
        verdict, detail, found = said
        if verdict == "right":
            return Outcome("right")
        if candidate.signal and detail == "the program ended":
            detail = _ending(candidate, cpu)
        return Outcome("error" if verdict == "error" else "wrong", _plain(str(detail)), bool(found))
    if said == "late":
        return Outcome("wrong", "out of time")
    if referee.signal and referee.cpu > cpu - 0.5:
        return Outcome("wrong", "the check ran out of time on what the program returned")
    return Outcome("error", "the judging process ended without a verdict")


def _ending(end: End, cpu: int) -> str:
    if end.signal in (signal.SIGKILL, signal.SIGXCPU):
        return "out of time" if end.cpu > cpu - 0.5 else "the program was killed"
    return f"the program crashed ({signal.Signals(end.signal).name})"


def _plain(words: str) -> str:
    """One line that does nothing to a terminal."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
