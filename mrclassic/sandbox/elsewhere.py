"""A judge in another process, which may run where this one may not: checks go out over a socket, outcomes come back.

One connection a call. Both ways a message is a line of JSON: all the checks in one, then a line an outcome, with the
place of its check, as soon as it is there. Whoever hangs up wants no more.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict
from io import BufferedRWPair

from mrclassic.sandbox.check import Check, Outcome

Reach = Callable[[], socket.socket]
"""Connects to a judge; raises OSError where there is none."""

Judging = Callable[[Sequence[Check]], Generator[tuple[int, Outcome]]]
"""`Judge.as_they_come`; closed, it ends what is under way."""

_LONGEST = 64 * 2**20  # bytes of a message
# An outcome takes three times the seconds of its check by the clock, twice at worst; others may be before us.
_PATIENCE, _PATIENCE_SECONDS = 12, 60


class Elsewhere:
    """Judges over what `reach` connects to; whatever is not answered there is judged by `here`."""

    def __init__(self, reach: Reach, here: Callable[[Sequence[Check]], list[Outcome]]) -> None:
        self._reach, self._here = reach, here

    def judge(self, checks: Sequence[Check]) -> list[Outcome]:
        """One outcome a check, in their order."""
        if not checks:
            return []
        found: dict[int, Outcome] = {}
        # It is not there, has ended, hangs, or speaks another version of this: all the same, and no matter.
        with contextlib.suppress(OSError, ValueError, TypeError, IndexError), self._reach() as connection:
            connection.settimeout(_PATIENCE_SECONDS + _PATIENCE * max(check.seconds for check in checks))
            with connection.makefile("rwb") as stream:
                _say(stream, [asdict(check) for check in checks])
                while len(found) < len(checks):
                    place, *outcome = _heard(stream)
                    found[range(len(checks))[place]] = Outcome(*outcome)
        left = [place for place in range(len(checks)) if place not in found]
        found |= zip(left, self._here([checks[place] for place in left]), strict=True)
        return [found[place] for place in range(len(checks))]


def answer(connection: socket.socket, judge: Judging) -> None:
    """Serve one call on `connection`; raises OSError where the other side has hung up, ValueError where it babbles."""
    with connection, connection.makefile("rwb") as stream:
        try:
            checks = [Check(**each) for each in _heard(stream)]  # several readings are a list here; so they may be
        except TypeError as error:
            raise ValueError(f"that is no list of checks: {error}") from error
        with contextlib.closing(judge(checks)) as outcomes:
            for place, outcome in outcomes:
                _say(stream, [place, outcome.verdict, outcome.detail, outcome.found])


def _say(stream: BufferedRWPair, message: object) -> None:
    stream.write(json.dumps(message).encode() + b"\n")
    stream.flush()


def _heard(stream: BufferedRWPair) -> list:  # type: ignore[type-arg]  # any plain list; whoever asked knows of what
    line = stream.readline(_LONGEST)
    if not line.endswith(b"\n"):
        raise ValueError("the other side has hung up")
    message = json.loads(line)
    if not isinstance(message, list):
        raise ValueError("that is no list")
    return message
