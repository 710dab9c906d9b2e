"""The worker answers, or says in one sentence why not; it never hangs, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import gc
import math
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mrclassic.sandbox.worker import Pool, Worker, WorkerFault


@pytest.fixture(autouse=True)
def findable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker("antics:make") as it:
        yield it


def fault(worker: Worker, name: str, value: Any = None, seconds: float = 10) -> WorkerFault:
    with pytest.raises(WorkerFault) as caught:
        worker.ask([name, value], seconds)
    assert "\n" not in str(caught.value)
    return caught.value


def gone(pid: int, seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":  # whoever is the first process here may not collect orphans
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("value", [None, 1, -0.5, "é\ud800\n\u2028", [1, [2]], {"a": {"b": None}}, "x" * 3_000_000])
def test_it_answers(worker: Worker, value: Any) -> None:
    assert worker.ask(["echo", value], 10) == value


def test_it_stays_between_requests_and_keeps_not_a_number(worker: Worker) -> None:
    assert [worker.ask(["count", None], 10) for _ in range(3)] == [1, 2, 3]
    assert math.isnan(worker.ask(["echo", math.nan], 10))


def test_arguments() -> None:
    with Worker("antics:make", arguments=["a", 2]) as worker:
        assert worker.ask(["arguments", None], 10) == ["a", 2]


@pytest.mark.parametrize(("name", "value"), [("sleep", 60), ("hold_the_lock", None)])
def test_one_that_hangs_is_replaced(worker: Worker, name: str, value: Any) -> None:
    first = worker.ask(["pid", None], 10)
    begun = time.monotonic()
    caught = fault(worker, name, value, seconds=0.3)
    assert time.monotonic() - begun < 2
    assert (caught.kind, str(caught)) == ("timeout", "It gave no answer within 0.3 seconds.")
    assert gone(first)
    assert worker.ask(["pid", None], 10) != first


def test_what_it_prints_is_bounded(worker: Worker) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert worker.ask(["say", 1024], 60) == "said"
    assert worker.printed_bytes >= 2**30
    assert worker.printed.endswith("the last words")
    assert len(worker.printed) <= 2**16
    if sys.platform == "linux":
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024  # KiB


def test_one_that_prints_for_ever_still_answers(worker: Worker) -> None:
    worker.ask(["chatter", None], 10)
    time.sleep(0.2)
    assert [worker.ask(["echo", place], 10) for place in range(20)] == list(range(20))


def test_memory_is_limited() -> None:
    with Worker("antics:make", memory=256 * 2**20) as worker:
        first = worker.ask(["pid", None], 10)
        caught = fault(worker, "allocate")
        assert (caught.kind, str(caught)) == ("memory", "It wanted more than its 256 MiB of memory.")
        assert gone(first)
        assert worker.ask(["echo", 1], 10) == 1


@pytest.mark.parametrize(
    ("name", "value", "kind", "words"),
    [
        ("leave", 7, "died", "It ended without an answer (exit code 7: goodbye)."),
        ("crash", None, "died", "It ended without an answer (SIGSEGV"),
        ("raise_exit", None, "raised", "It raised SystemExit: 3 (antics.py line"),
        ("raise_mute", None, "raised", "It raised Mute: (its message raised RuntimeError) (antics.py line"),
        ("strange", None, "raised", "It raised TypeError: Object of type object is not JSON serializable"),
        ("long", 65, "raised", "It raised OverflowError: the answer is longer than 64 MiB."),
        ("deep", None, "raised", "It raised RecursionError"),
    ],
)
def test_what_goes_wrong_is_said(worker: Worker, name: str, value: Any, kind: str, words: str) -> None:
    first = worker.ask(["pid", None], 10)
    caught = fault(worker, name, value)
    assert caught.kind == kind
    assert str(caught).startswith(words)
    assert (worker.ask(["pid", None], 10) == first) == (kind == "raised"), "what only raised goes on"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("antics:exits", "It could not start: SystemExit: no licence found"),
        ("antics:nothing", "It could not start: AttributeError: module 'antics' has no attribute 'nothing'"),
        ("no_such_module:make", "It could not start: ModuleNotFoundError: No module named 'no_such_module'"),
        ("antics:never", "It did not start within 0.5 seconds."),
    ],
)
def test_one_that_cannot_start(target: str, words: str) -> None:
    with Worker(target, start_seconds=0.5 if "never" in target else 20) as worker, pytest.raises(WorkerFault) as caught:
        worker.ask(1, 10)
    assert caught.value.kind == "start"
    assert str(caught.value).startswith(words)


def test_only_one_of_two_answers(worker: Worker) -> None:
    assert worker.ask(["fork_and_return", None], 10) == "parent"
    assert worker.ask(["echo", "next"], 10) == "next"


def test_children_of_every_kind_go_with_it(worker: Worker) -> None:
    pids = worker.ask(["fork_and_leave", 60], 10)
    assert not any(gone(pid, 0.05) for pid in pids)
    worker.close()
    assert all(gone(pid) for pid in pids)


def test_a_child_does_not_keep_a_dead_parent_waiting(worker: Worker) -> None:
    begun = time.monotonic()
    assert fault(worker, "fork_and_die", 60, seconds=20).kind == "died"
    assert time.monotonic() - begun < 5


def test_an_interrupt_leaves_no_answer_behind(worker: Worker) -> None:
    worker.ask(["pid", None], 10)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        worker.ask(["sleep", 1.0], 10)
    assert worker.ask(["echo", "fresh"], 10) == "fresh"


def test_a_forgotten_one_ends() -> None:
    worker = Worker("antics:make")
    pid = worker.ask(["pid", None], 10)
    del worker
    gc.collect()
    assert gone(pid)


def test_it_outlives_the_thread_that_asked_first(worker: Worker) -> None:
    pids: list[int] = []
    thread = threading.Thread(target=lambda: pids.append(worker.ask(["pid", None], 10)))
    thread.start()
    thread.join()
    time.sleep(0.1)
    assert worker.ask(["pid", None], 10) == pids[0]


@pytest.mark.parametrize("ending", ["os.kill(os.getpid(), 9)", "sys.exit()"])
@pytest.mark.parametrize("busy", [False, True])
def test_it_dies_with_its_parent(ending: str, busy: bool) -> None:
    ask = (
        "threading.Thread(target=worker.ask, args=(['hold_the_lock', None], 100), daemon=True).start(); time.sleep(0.3)"
    )
    program = f"""
import os, sys, threading, time
from mrclassic.sandbox.worker import Worker
worker = Worker("antics:make")
print(worker.ask(["pid", None], 10), flush=True)
{ask if busy else ""}
{ending}
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert gone(int(done.stdout)), done.stderr


def test_descriptors_are_given_back() -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0

    with Worker("antics:make") as worker:
        worker.ask(["echo", 1], 10)
    before = count()
    for _ in range(3):
        with Worker("antics:make") as worker, contextlib.suppress(WorkerFault):
            worker.ask(["leave", 1], 10)
    assert count() == before


def test_a_fork_of_ours_does_not_end_it(worker: Worker) -> None:
    first = worker.ask(["pid", None], 10)
    pid = os.fork()
    if not pid:
        try:
            worker.close()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert worker.ask(["pid", None], 10) == first


def test_there_may_be_no_limit(worker: Worker) -> None:
    assert worker.ask(["echo", 1], math.inf) == 1


def test_pool() -> None:
    with Pool("antics:make", 2) as pool:
        assert pool.map([], 10) == []
        assert pool.map([["echo", place] for place in range(500)], 10) == list(range(500))
        begun = time.monotonic()
        answers = pool.map([["echo", 1], ["sleep", 30], ["leave", 2], ["echo", 2]], 0.5)
        assert time.monotonic() - begun < 5
        assert [getattr(answer, "kind", answer) for answer in answers] == [1, "timeout", "died", 2]
        results: list[list[Any]] = []
        threads = [
            threading.Thread(target=lambda base=base: results.append(pool.map([["echo", base]] * 50, 10)))
            for base in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == [[base] * 50 for base in range(4)]
