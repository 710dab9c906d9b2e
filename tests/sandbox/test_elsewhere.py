"""The judge in a process of its own, over its socket: the same verdicts, and nothing lost when it ends or hangs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mrclassic.home import Home
from mrclassic.mind import sockets
from mrclassic.sandbox import backends, judge
from mrclassic.sandbox.elsewhere import Elsewhere
from mrclassic.sandbox.judge import Check, Outcome

pytestmark = pytest.mark.skipif(
    all(backends.fault(name) for name in backends.BACKENDS), reason="there is no sandbox on this machine"
)

ADD = "def add(a, b):\n    return a + b\n"
CHECKS = [
    Check(ADD, "assert add(1, 2) == 3", "add", "asserts"),
    Check(ADD, "assert add(1, 2) == 4", "add", "asserts"),
    Check("def add(a, b): return", "def check(candidate):\n    assert candidate(1, 2) == 3", "add"),
    Check(("this is no program", ADD), "assert add(1, 2) == 3", "add", "asserts"),
    Check("neither (is", "assert add(1, 2) == 3", "add", "asserts"),
]
SLOW = Check("import time\ndef f(): time.sleep(60)", "assert f()", "f", "asserts", 5.0)


@pytest.fixture
def served(home: Home) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "mrclassic", "--home", str(home.root), "judge"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until(lambda: process.poll() is not None or sockets.listening(home.judge_socket))
    yield process
    process.kill()
    process.communicate()


def until(predicate, seconds: float = 20.0) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not predicate():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def nobody(checks: Sequence[Check]) -> list[Outcome]:
    """For whom nothing may be left."""
    assert not checks
    return []


def note(checks: Sequence[Check]) -> list[Outcome]:
    return [Outcome("skipped", "here")] * len(checks)


def test_the_same_verdicts_as_here(served: subprocess.Popen[str], home: Home) -> None:
    elsewhere = Elsewhere(lambda: sockets.connect(home.judge_socket), nobody)
    found = elsewhere.judge(CHECKS)
    assert [outcome.verdict for outcome in found] == ["right", "wrong", "wrong", "right", "wrong"]
    with judge.Judge() as here:
        assert found == here.judge(CHECKS)
    assert elsewhere.judge([]) == []


def test_several_at_once_and_what_babbles_harms_nobody(served: subprocess.Popen[str], home: Home) -> None:
    for noise in (b"", b"hello\n", b"[1, 2]\n", b'[{"program": 1}]\n', b"\xff" * 100):
        with sockets.connect(home.judge_socket) as connection:
            connection.sendall(noise)
    found: dict[int, list[Outcome]] = {}

    def ask(number: int) -> None:
        found[number] = Elsewhere(lambda: sockets.connect(home.judge_socket), nobody).judge(CHECKS[number:])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(found[number]) for number in range(4)] == [5, 4, 3, 2]
    assert found[0][1:] == found[1]
    assert found[0][2:] == found[2]


def test_what_a_judge_that_is_killed_owes_is_judged_here(served: subprocess.Popen[str], home: Home) -> None:
    elsewhere = Elsewhere(lambda: sockets.connect(home.judge_socket), note)
    assert elsewhere.judge(CHECKS[:1])[0].verdict == "right"
    threading.Timer(1.0, served.kill).start()
    found = elsewhere.judge([CHECKS[0], *[SLOW] * 4])
    assert found[0] == Outcome("right")
    assert found[1:] == [Outcome("skipped", "here")] * 4
    # Its socket is still there, but nobody behind it.
    assert elsewhere.judge(CHECKS[:1]) == [Outcome("skipped", "here")]


def test_whoever_hangs_up_is_not_waited_for(served: subprocess.Popen[str], home: Home) -> None:
    begun = time.monotonic()
    with sockets.connect(home.judge_socket) as connection:
        elsewhere = Elsewhere(lambda: connection, note)
        thread = threading.Thread(target=elsewhere.judge, args=([CHECKS[0], *[SLOW] * 20],))
        thread.start()
        time.sleep(1.0)
        connection.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    assert Elsewhere(lambda: sockets.connect(home.judge_socket), nobody).judge(CHECKS[:1]) == [Outcome("right")]
    assert time.monotonic() - begun < 60  # twenty of them would take more than two minutes on two cores


def test_sigterm_ends_it_and_what_it_runs(served: subprocess.Popen[str], home: Home) -> None:
    with sockets.connect(home.judge_socket) as connection:
        threading.Thread(target=Elsewhere(lambda: connection, note).judge, args=([SLOW] * 2,), daemon=True).start()
        until(lambda: len(children(served.pid)) >= 2)
        held = children(served.pid)
        begun = time.monotonic()
        served.send_signal(signal.SIGTERM)
        assert served.wait(10) == 0
        assert time.monotonic() - begun < 5
    assert not home.judge_socket.exists()
    until(lambda: not any(map(is_alive, held)))


def children(pid: int) -> list[int]:
    """The processes that it has started and that live."""
    stats = {int(path.parent.name): path for path in Path("/proc").glob("[0-9]*/stat")}
    return [number for number, path in stats.items() if fields(path)[1:2] == [str(pid)] and is_alive(number)]


def is_alive(pid: int) -> bool:
    return fields(Path(f"/proc/{pid}/stat"))[:1] not in ([], ["Z"])


def fields(path: Path) -> list[str]:
    """State and parent of a process, and what follows; nothing where it is gone."""
    try:
        return path.read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def test_a_second_one_is_refused(served: subprocess.Popen[str], home: Home) -> None:
    command = [sys.executable, "-m", "mrclassic", "--home", str(home.root), "judge"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert done.stderr == f"mrclassic: A judge is listening at {home.judge_socket} already.\n"
    assert home.judge_socket.stat().st_mode & 0o077 == 0


def test_a_judge_that_is_not_there_is_done_without(home: Home) -> None:
    judge.prefer(lambda: sockets.connect(home.judge_socket))
    try:
        assert isinstance(judge.shared(), Elsewhere)
        assert [outcome.verdict for outcome in judge.shared().judge(CHECKS[:2])] == ["right", "wrong"]
    finally:
        judge.prefer(None)
    assert isinstance(judge.shared(), judge.Judge)


def test_the_command_does_without_torch(home: Home) -> None:
    """It waits all day beside the service."""
    code = (
        "import sys\nfrom mrclassic.cli import main\nsys.argv = ['mrclassic', '--home', sys.argv[1], 'judge']\n"
        "try: main()\nexcept SystemExit: pass\nsys.exit(42 if 'torch' in sys.modules else 0)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(home.root)], stderr=subprocess.PIPE)
    until(lambda: sockets.listening(home.judge_socket))
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 0
