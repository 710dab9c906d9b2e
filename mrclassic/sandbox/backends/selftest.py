"""The self-test: a program that tries to get out, judged like any other. What it manages is why a backend is refused.

It is run twice: as programs are, and once more with its system calls left free, where namespaces or Landlock have to
hold by themselves what they are there for.
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from mrclassic.sandbox.check import Check, Pair
from mrclassic.sandbox.confined import Launch, SandboxFault

_SECONDS = 10.0
_WRITTEN = "written"

_PROGRAM = '''
import os, socket, threading

def attempt(name, *arguments):
    """Whether it worked."""
    try:
        return ATTEMPTS[name](*arguments) is not False
    except (OSError, RuntimeError, MemoryError):
        return False

def write(path):
    with open(path, "w") as file:
        file.write("!")

def fork():
    if os.fork() == 0:
        os._exit(0)

def thread():
    threading.Thread(target=int).start()

ATTEMPTS = {
    "list a folder": os.listdir,
    "read a file": lambda path: open(path).read(),
    "write a file": write,
    "reach the network": lambda port: socket.create_connection(("127.0.0.1", port), 2),
    "open a datagram socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "start a process": fork,
    "start a thread": thread,
    "start a program": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "signal its parent": lambda: os.kill(os.getppid(), 0),
    "take 4 GiB of memory": lambda: bytearray(2**32),
    "be root": lambda: os.getuid() == 0,
}
'''


def attack(launch: Callable[[], Launch], with_network: bool) -> list[str]:
    """What got through, in words; `with_network` where the backend holds the network by more than the filter.

    Raises SandboxFault where the sandbox cannot be started.
    """
    pair = Pair(launch)
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        bait, written, port = Path(folder, "bait"), Path(folder, _WRITTEN), listener.getsockname()[1]
        bait.write_text("!")
        # A folder that anybody may write to: what keeps the program out is not its owner.
        Path(folder).chmod(0o777)
        files: dict[str, list[object]] = {
            "list a folder": [folder],
            "read a file": [str(bait)],
            "write a file": [str(written)],
            "be root": [],
        }
        network: dict[str, list[object]] = {"reach the network": [port]}
        others: dict[str, list[object]] = {
            "open a datagram socket": [],
            "start a process": [],
            "start a thread": [],
            "start a program": [],
            "signal its parent": [],
            "take 4 GiB of memory": [],
        }
        try:
            leaks = _run(pair, {**files, **network, **others}, filtered=True)
            leaks += _run(pair, {**files, **(network if with_network else {})}, filtered=False)
        finally:
            pair.close()
        if written.exists():
            leaks.append("write a file")
    return list(dict.fromkeys(leaks))


def _run(pair: Pair, attempts: dict[str, list[object]], filtered: bool) -> list[str]:
    leaks = []
    for name, arguments in attempts.items():
        words = ", ".join(map(repr, (name, *arguments)))
        check = Check(_PROGRAM, f"assert attempt({words}) is False", "attempt", "asserts", _SECONDS)
        outcome = pair.judge(check, filtered)
        if outcome.verdict == "error":
            raise SandboxFault(outcome.detail)
        if outcome.verdict != "right":
            leaks.append(name)
    return leaks
