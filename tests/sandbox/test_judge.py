"""The judge: what it does for honest programs and honest tests, and what it says where something is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox import processes
from sandbox.machine import BACKENDS

from mrclassic.sandbox import backends
from mrclassic.sandbox.backends import selftest
from mrclassic.sandbox.check import Pair
from mrclassic.sandbox.confined import Confined, Launch, SandboxFault
from mrclassic.sandbox.judge import Check, Judge, Outcome, shared

ADD = "def add(a, b):\n    return a + b\n"


@pytest.fixture(scope="module", params=BACKENDS)
def judge(request: pytest.FixtureRequest) -> Iterator[Judge]:
    with Judge(workers=2, backend=request.param) as it:
        yield it


def one(judge: Judge, program: str | tuple[str, ...], test: str, entry: str = "f", kind: Any = "asserts") -> Outcome:
    return judge.judge([Check(program, test, entry, kind, 2.0)])[0]


RIGHT = {
    "a check": (ADD, "def check(candidate):\n    assert candidate(1, 2) == 3", "add", "check"),
    "keywords": (ADD, "assert add(1, b=2) == 3", "add", "asserts"),
    "floats": ("def f(x): return x / 3", "assert abs(f(1.0) - 1 / 3) < 1e-12", "f", "asserts"),
    "a module that the test does not import": (
        "def f(x): return x / 2",
        "assert math.isclose(f(3), 1.5)",
        "f",
        "asserts",
    ),
    "a function of the test's": ("def f(g, x): return g(g(x))", "assert f(lambda x: x * x, 3) == 81", "f", "asserts"),
    "a built-in function": (
        "def f(g, x): return [g(y) for y in x]",
        "assert f(len, ['ab', '']) == [2, 0]",
        "f",
        "asserts",
    ),
    "a type": (
        "def f(x, kind): return [y for y in x if type(y) is kind]",
        "assert f([1, 'a'], int) == [1]",
        "f",
        "asserts",
    ),
    "a function for a result": ("def f(x): return lambda y: x + y", "assert f(1)(2) == 3", "f", "asserts"),
    "a generator": ("def f(n):\n    for x in range(n): yield x", "assert list(f(3)) == [0, 1, 2]", "f", "asserts"),
    "objects of the program's": (
        "class Node:\n    def __init__(self, x): self.x, self.left = x, None\ndef f(node): return node.x + node.left.x",
        "root = Node(1)\nroot.left = Node(2)\nassert f(root) == 3 and root.left.x == 2",
        "f",
        "asserts",
    ),
    "arguments changed in place": (
        "def f(x, y): x.sort(); y.clear(); y.add(7)",
        "x, y = [3, 1], {1}\nf(x, y)\nassert x == [1, 3] and y == {7}",
        "f",
        "asserts",
    ),
    "helpers of the test's": (
        "def f(x): return x",
        "def same(a, b):\n    assert a == b\nsame(f(2), 2)",
        "f",
        "asserts",
    ),
    "a match": ("import re\ndef f(x): return re.match('a', x)", "assert f('ab')\nassert not f('b')", "f", "asserts"),
    "an exception that is meant": (
        "def f(x): raise ValueError(x)",
        "try:\n    f(1)\n    assert False\nexcept ValueError as error:\n    assert str(error) == '1'",
        "f",
        "asserts",
    ),
    "sets and bytes": (
        "def f(x): return {x: {b'a', (1, None)}}",
        "assert f(1j) == {1j: {(1, None), b'a'}}",
        "f",
        "asserts",
    ),
    "a built-in's name": ("def sum(x): return 7", "assert sum([1]) == 7", "sum", "asserts"),
    "dataclasses": (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n"
        "def f(x): return P(x).x",
        "assert f(2) == 2",
        "f",
        "asserts",
    ),
    "the second reading": (("def f(x) return x", "def f(x): return x"), "assert f(2) == 2", "f", "asserts"),
    "much that is printed": ("def f(x):\n    print('x' * 10**6)\n    return x", "assert f(2) == 2", "f", "asserts"),
    "recursion": ("def f(n): return n and 1 + f(n - 1)", "assert f(800) == 800", "f", "asserts"),
    "a large number": ("def f(n): return 2**n", "assert f(40000) == 1 << 40000", "f", "asserts"),
}
WRONG = {
    "not what is asked": (ADD, "assert add(1, 2) == 4", "add", "asserts", "failed: assert add(1, 2) == 4"),
    "no such function": (ADD, "assert plus(1, 2) == 3", "plus", "asserts", "defines no plus"),
    "nothing returned": ("def f(x): pass", "assert abs(f(1) - 1) < 1", "f", "asserts", "TypeError"),
    "an exception": ("def f(x): return 1 / 0", "assert f(1) == 1", "f", "asserts", "ZeroDivisionError"),
    "an exception that every check forgives": (
        "import os\ndef f(x): os._exit(0)",
        "try:\n    f(1)\nexcept:\n    pass",
        "f",
        "asserts",
        "the program ended",
    ),
    "broken when loaded": ("f = 1 / 0", "assert f(1)", "f", "asserts", "the program raised ZeroDivisionError"),
    "not a program": ("I do not know.", "assert f(1)", "f", "asserts", "no program that compiles"),
    "too slow": ("def f(x):\n    while True: pass", "assert f(1)", "f", "asserts", "out of time"),
    "a module that is not there": ("import numpy\ndef f(x): return x", "assert f(1)", "f", "asserts", "No module"),
    "a terminal's language": (
        "def f(x): raise ValueError('\\x1b[2J\\nhello')",
        "assert f(1)",
        "f",
        "asserts",
        "[2J hello",
    ),
}


@pytest.mark.parametrize("case", RIGHT)
def test_an_honest_program_is_right(judge: Judge, case: str) -> None:
    assert one(judge, *RIGHT[case]) == Outcome("right")


@pytest.mark.parametrize("case", WRONG)
def test_another_is_wrong_and_the_reason_is_told(judge: Judge, case: str) -> None:
    *words, reason = WRONG[case]
    outcome = one(judge, *words)
    assert outcome.verdict == "wrong"
    assert reason in outcome.detail
    assert outcome.detail.isprintable()
    assert outcome.found == (case != "not a program")


@pytest.mark.parametrize(
    ("test", "kind", "reason"),
    [
        ("assert (", "asserts", "does not compile"),
        ("x = 1", "check", "defines no check"),
        ("assert f(object()) == 1", "asserts", "hands over a object"),
        ("import os\nos.write(4, b'\\1\\0\\0\\0{')\nos._exit(0)", "asserts", "judging process"),
    ],
)
def test_a_broken_test_is_an_error(judge: Judge, test: str, kind: str, reason: str) -> None:
    outcome = one(judge, "def f(x): return 1", test, "f", kind)
    assert outcome.verdict == "error"
    assert reason in outcome.detail


def test_the_same_program_has_the_same_verdict(judge: Judge) -> None:
    program = "import random\ndef f(): return random.random(), list({'a', 'b', 'c', 'd'})"
    seen = {each.detail for each in judge.judge([Check(program, "assert f() is None, f()", "f", "asserts")] * 8)}
    assert len(seen) == 1


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(), st.integers(), st.booleans()), max_size=8))
def test_outcomes_stand_in_the_order_of_the_checks(rows: list[tuple[int, int, bool]]) -> None:
    checks = [Check(ADD, f"assert add({a}, {b}) == {a + b + (not right)}", "add", "asserts") for a, b, right in rows]
    assert [each.verdict == "right" for each in shared().judge(checks)] == [right for *_, right in rows]


def test_what_goes_wrong_on_our_side_is_an_error(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*words: object) -> None:
        raise OSError("Too many open files")

    monkeypatch.setattr(Pair, "judge", fail)
    assert one(judge, ADD, "assert add(1, 2) == 3") == Outcome("error", "OSError: Too many open files")


def test_threads_share_a_judge(judge: Judge) -> None:
    found: dict[int, list[Outcome]] = {}

    def ask(number: int) -> None:
        found[number] = judge.judge([Check(ADD, f"assert add({number}, 1) == {number + 1}", "add", "asserts")] * 5)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [Outcome("right")] * 5 for number in range(5)}


def test_a_closed_judge_starts_again_and_leaves_nothing() -> None:
    processes.adopt_orphans()
    before = set(processes.descendants())
    judge = Judge(workers=1)
    for _ in range(2):
        assert judge.judge([Check(ADD, "assert add(1, 1) == 2", "add", "asserts")]) == [Outcome("right")]
        assert set(processes.descendants()) > before
        judge.close()
        assert processes.left_since(before) == {}
    assert judge.judge([]) == []


def test_an_interrupt_ends_what_is_under_way() -> None:
    """As Control-C does to a command that waits for its verdicts."""
    slow = Check("import time\ndef f(): time.sleep(60)", "assert f()", "f", "asserts", 20.0)
    script = (
        "import signal, sys, time\nfrom mrclassic.sandbox.judge import Check, shared\n"
        "shared().judge([])\nsignal.setitimer(signal.ITIMER_REAL, 3)\n"
        "signal.signal(signal.SIGALRM, signal.default_int_handler)\n"
        f"try: shared().judge([{slow!r}] * 5)\nexcept KeyboardInterrupt: sys.exit(130)"
    )
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 130, done.stderr
    assert time.monotonic() - begun < 15


def test_without_a_sandbox_nothing_is_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(backends, "fault", lambda name: "There is none.")
    outcome = Judge().judge([Check(f"open({str(tmp_path / 'ran')!r}, 'w')", "assert True", "f", "asserts")])[0]
    assert outcome.verdict == "skipped"
    assert outcome.detail.startswith("skipped: no sandbox (")
    assert not (tmp_path / "ran").exists()


def unconfined() -> Launch:
    """The fork server without bubblewrap around it, and without Landlock."""
    launch = backends.BACKENDS["landlock"]()
    return Launch([*launch.command[:-1], "bubblewrap"], launch.environment)


def test_the_self_test_finds_what_does_not_hold() -> None:
    leaks = selftest.attack(unconfined, with_network=True)
    assert {"read a file", "write a file", "reach the network"} <= set(leaks)


def test_a_sandbox_that_does_not_start_says_why() -> None:
    for launch, why in (
        (Launch(["/nowhere"], {}), "Cannot start /nowhere"),
        (Launch(["sh", "-c", "echo No permission. >&2; exit 1"], {"PATH": os.defpath}), "No permission"),
    ):
        with pytest.raises(SandboxFault, match=why):
            Pair(lambda launch=launch: launch).judge(Check(ADD, "", "add"))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_sandbox_has_no_rights(backend: str) -> None:
    """As the kernel sees it: nobody's or the owner's identity, no capability, no new privileges, no core files."""
    side = Confined(backends.BACKENDS[backend])
    try:
        side._start()
        assert side._process is not None
        below = [*processes.descendants(side._process.pid), side._process.pid]
        server = next(
            pid for pid in below if f"main() {backend} " in _line(pid) and "bwrap" not in _line(pid).split()[0]
        )
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{server}/status").read_text().splitlines())
        assert {status[f"Cap{kind}"].strip("0 ") for kind in ("Inh", "Prm", "Eff", "Amb")} == {""}
        assert status["NoNewPrivs"] == "1"
        assert set(status["Uid"].split()) == {str(os.getuid() or 65534)}
        assert os.getsid(server) != os.getsid(0)
    finally:
        side.kill()


def _line(pid: int) -> str:
    return processes.descendants(os.getpid()).get(pid, "")
