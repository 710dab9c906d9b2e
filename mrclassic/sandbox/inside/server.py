"""A warm fork server, the first process of the sandbox: forks a process for each check, and ends it.

On its control socket (standard input) it gets a job and the descriptors that go with it, forks, and waits for one byte;
then it kills what it forked and tells how that had ended. It runs nothing of a program's itself.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import random
import signal
import socket
import sys

from mrclassic.sandbox.inside import candidate, confine, referee, values

# Programs and checks open no file, so what they may import is imported before. Not more than that: a fork takes the
# longer the more there is (2.1 ms with thirty modules more, 1.6 ms without). The last line is of no use to an honest
# program; it is here so that the tests' attacks end at the kernel's refusal, not at a missing module.
MODULES = (
    "abc array ast base64 binascii bisect calendar cmath codecs collections collections.abc contextlib copy csv "
    "dataclasses datetime decimal difflib enum errno fractions functools graphlib hashlib heapq hmac io itertools json "
    "keyword locale math numbers operator os os.path pprint queue random re secrets statistics string struct sys "
    "textwrap time timeit token tokenize traceback types typing unicodedata uuid warnings weakref zlib _strptime "
    "encodings.ascii encodings.latin_1 encodings.utf_16 encodings.utf_32 encodings.idna "
    "atexit ctypes fcntl gc importlib inspect marshal mmap pickle resource select signal socket termios threading"
)

_ASIDE, _MANY = 64, 256  # descriptors: the server has a handful


def main() -> None:
    """Serve until the control socket closes. The only argument is the kind of sandbox."""
    control = socket.socket(fileno=os.dup(0))
    os.dup2(1, 0)  # standard output is /dev/null, open both ways
    for name in MODULES.split():
        with contextlib.suppress(ImportError):  # a Python built without it
            importlib.import_module(name)
    sys.path.clear()
    sys.path_importer_cache.clear()
    sys.meta_path[:] = [finder for finder in sys.meta_path if getattr(finder, "__name__", "") != "PathFinder"]
    confine.server(landlock=sys.argv[1] == "landlock")
    os.dup2(1, 2)
    gc.collect()
    gc.freeze()  # the garbage collector leaves alone, so unshared by no write, what all the forks share
    control.sendall(b"+")
    while True:
        _serve(control)


def _serve(control: socket.socket) -> None:
    head, descriptors, _, _ = socket.recv_fds(control, 4, 2)
    if not head:
        os._exit(0)
    server = os.getpid()
    work = json.loads(_exactly(control, int.from_bytes(head, "little")))
    child = os.fork()
    if not child:
        _child(server, work, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    stop = control.recv(1)
    pid, status, usage = os.wait4(child, os.WNOHANG)
    if not pid:
        os.kill(child, signal.SIGKILL)
        _, status, usage = os.wait4(child, 0)
    cpu = usage.ru_utime + usage.ru_stime
    # One that was on its way out when we looked ended by itself, too: by another signal than ours, or at its limit.
    by_itself = bool(pid) or status != signal.SIGKILL or cpu >= work["cpu"]
    if not stop:
        os._exit(0)
    control.sendall(values.ENDED.pack(by_itself, status, cpu))


def _child(server: int, work: dict[str, object], descriptors: list[int]) -> None:
    """Never returns."""
    try:
        descriptors = _only(descriptors)
        random.seed(str(work["seed"]))
        confine.child(server, int(str(work["cpu"])), filtered=bool(work["filtered"]))
        if work["role"] == "candidate":
            candidate.run(work, *descriptors)
        else:
            referee.run(work, *descriptors)
    finally:
        os._exit(0)


def _only(descriptors: list[int]) -> list[int]:
    """Close everything but the standard streams and these, which become 3 and up."""
    for place, descriptor in enumerate(descriptors):
        os.dup2(descriptor, _ASIDE + place)
    os.closerange(3, _ASIDE)
    for place in range(len(descriptors)):
        os.dup2(_ASIDE + place, 3 + place)
    os.closerange(_ASIDE, _MANY)
    return list(range(3, 3 + len(descriptors)))


def _exactly(control: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = control.recv(min(size - len(data), 2**20))
        if not part:
            os._exit(0)
        data += part
    return bytes(data)
