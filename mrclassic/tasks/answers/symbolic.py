"""The last rung: sympy through math-verify, for integrals, limits and the like, where a hang costs nothing.

`answerer` runs inside a worker. It loads the libraries once and forks for each pair, so that a bomb takes only a copy
with it: the next question finds the libraries still loaded. An alarm that nobody handles ends the copy even in the
middle of one long multiplication, which Python's own handlers would wait for.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mrclassic.sandbox.worker import Pool

SECONDS = 1.0
MEMORY = 512 * 2**20
_GRACE = 0.5  # for the fork and the way back
_TARGET = "mrclassic.tasks.answers.symbolic:answerer"
_pool: Pool | None = None
_lock = threading.Lock()


def ask(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """For each gold and answer, written as math-verify reads them ($x$): right, wrong or error."""
    replies = pool().map([list(pair) for pair in pairs], SECONDS + _GRACE)
    return [reply if isinstance(reply, str) else "error" for reply in replies]


def pool() -> Pool:
    """The workers of this process, two at most, started when first needed."""
    global _pool
    from mrclassic.sandbox.worker import Pool

    with _lock:
        if _pool is None:
            _pool = Pool(_TARGET, min(2, os.cpu_count() or 1), memory=MEMORY)
            atexit.register(_pool.close)
        return _pool


def answerer() -> Callable[[Any], str]:
    """In the worker: a function of [gold, answer]."""
    import math_verify

    logging.disable(logging.CRITICAL)  # what it logs is the text of sympy objects, which may take for ever to make
    _judge(math_verify, "$x$", "$x$")  # the first parse builds the parser's tables

    def answer(pair: Any) -> str:
        gold, given = pair
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            _child(math_verify, gold, given, write)
        os.close(write)
        with os.fdopen(read, "rb") as stream:
            word = stream.read(16).decode()
        os.waitpid(child, 0)
        return word or "error"

    return answer


def _child(library: Any, gold: str, given: str, write: int) -> None:
    """In the copy: judge, say the word, and end without any clean-up."""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        os.write(write, _judge(library, gold, given).encode())
    finally:
        os._exit(0)


def _judge(library: Any, gold: str, given: str) -> str:
    try:
        trees = [library.parse(text, parsing_timeout=None, raise_on_error=True) for text in (gold, given)]
        if not all(trees):
            return "wrong" if trees[0] else "error"
        return "right" if library.verify(*trees, timeout_seconds=None, raise_on_error=True) else "wrong"
    except (Exception, RecursionError) as error:  # noqa: BLE001 - whatever a foreign parser may raise means the same
        return "error" if isinstance(error, MemoryError | RecursionError) else "wrong"
