"""A set of 64-bit hashes in eight bytes each: a Python set of them takes eight times as much."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Seen:
    """Sorted arrays, each at least twice as long as the next, and a small set of the newest."""

    def __init__(self, pending: int = 2**16) -> None:
        self._most = pending
        self._pending: set[int] = set()
        self._sorted: list[NDArray[np.uint64]] = []

    def add(self, key: int) -> bool:
        """Take in `key`; whether it is new."""
        if key in self._pending:
            return False
        value = np.uint64(key)
        for keys in self._sorted:
            at = int(keys.searchsorted(value))
            if at < len(keys) and keys[at] == value:
                return False
        self._pending.add(key)
        if len(self._pending) >= self._most:
            self._settle()
        return True

    def _settle(self) -> None:
        fresh = np.sort(np.fromiter(self._pending, np.uint64, len(self._pending)))
        self._pending.clear()
        while self._sorted and len(self._sorted[-1]) < 2 * len(fresh):
            fresh = np.concatenate((self._sorted.pop(), fresh))
            fresh.sort(kind="stable")  # two sorted runs: merged in one pass
        self._sorted.append(fresh)
