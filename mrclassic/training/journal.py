"""What a run met that cannot be computed again, written down before the update that rests on it.

Sampling, updates and questions are functions of (seed, step), so a run that was killed computes them again. A reward
that asks a server, a time limit that struck, or memory that ran out is not: each is a JSON line here, and where a
resumed run comes to the same place it takes the line instead of asking again. So it goes on bit for bit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

from mrclassic import failpoints
from mrclassic.errors import Unwritable

JOURNAL = "journal.jsonl"  # in a run's folder


class Journal:
    """Lines of (step, kind, key, value) in `path`; without a path nothing is kept and everything asked afresh.

    A line counts only at the same step and with the same key (a digest of what was judged): after a roll-back, when
    the same step says something else, it is asked again.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._begin = "\n"  # a crash may have left half a line: the first of ours begins a new one
        self._known = {(step, kind, key): value for step, kind, key, value in _lines(path)} if path else {}

    def once(self, step: int, kind: str, key: str, make: Callable[[], Any]) -> Any:
        """What was written down, else what `make` gives, written down first. Plain JSON either way."""
        known = self.recall(step, kind, key)
        return self.note(step, kind, key, make()) if known is None else known

    def recall(self, step: int, kind: str, key: str = "") -> Any:
        """What was written down, or None."""
        return self._known.get((step, kind, key))

    def note(self, step: int, kind: str, key: str, value: Any) -> Any:
        """Write `value` down; returns it as it will be read back."""
        line = json.dumps([step, kind, key, value], default=str)
        kept = json.loads(line)[-1]
        if self._path is not None:
            with _explained(self._path):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(f"{self._begin}{line}\n")
            failpoints.reached("journal.noted")
            self._begin = ""
            self._known[step, kind, key] = kept
        return kept

    def forget(self, before: int) -> None:
        """Drop the lines of steps before `before`, which no saved state will come back to."""
        if self._path is None or not any(step < before for step, _, _ in self._known):
            return
        self._known = {place: value for place, value in self._known.items() if place[0] >= before}
        fresh = self._path.with_suffix(".new")
        with _explained(self._path):
            with fresh.open("w", encoding="utf-8") as file:
                file.writelines(json.dumps([*place, value]) + "\n" for place, value in self._known.items())
            failpoints.reached("journal.drafted")
            fresh.replace(self._path)
        failpoints.reached("journal.replaced")


def digest(*parts: object) -> str:
    """A short name for what was judged."""
    return blake2b(json.dumps(parts, default=str).encode(), digest_size=12).hexdigest()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        raise Unwritable(f"The journal {path} cannot be written ({why}); mend that and go on with the run.") from error


def _lines(path: Path) -> Iterator[tuple[int, str, str, Any]]:
    """The whole lines of `path`; what a crash left half written is the last one, and passed over."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            step, kind, key, value = json.loads(line)
            place = int(step), str(kind), str(key)
        except (ValueError, TypeError):
            continue
        yield *place, value
