"""What a process can do to itself so that it can do no more: identity, capabilities, Landlock, limits, seccomp."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
from functools import cache

from mrclassic.sandbox.inside import seccomp

NOBODY = 65534
MEMORY = 512 * 2**20  # bytes of address space

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CAPABILITIES_V3 = 0x20080522
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446  # the same on every architecture

libc = ctypes.CDLL(None, use_errno=True)


@cache
def _filter() -> bytes:
    return seccomp.program(platform.machine())


def _must(result: int, what: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def server(landlock: bool) -> None:
    """Confine the fork server, and with it all that it forks: nobody's identity, no capability, no file."""
    _filter()
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    header, nothing = struct.pack("<Ii", _CAPABILITIES_V3, 0), bytes(24)
    _must(libc.capset(header, nothing), "capset")
    _must(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    # Nothing of the same user may trace us or read our memory.
    _must(libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable")
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE):
        resource.setrlimit(limit, (0, 0))
    if landlock:
        _landlock()


def landlock_version() -> int:
    """Of the running kernel; 0 where it has none."""
    return max(0, int(libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(1))))


def _landlock() -> None:
    """Forbid every file operation, TCP, abstract sockets and signals to others, as far as the kernel knows them."""
    version = landlock_version()
    if version < 1:
        raise OSError("this kernel has no Landlock")
    files = (1 << 13) - 1  # execute, read, write, list, remove and make
    files |= 1 << 13 if version >= 2 else 0  # link and rename across folders
    files |= 1 << 14 if version >= 3 else 0  # truncate
    files |= 1 << 15 if version >= 5 else 0  # ioctl on devices
    network = 3 if version >= 4 else 0  # TCP bind and connect
    scopes = 3 if version >= 6 else 0  # abstract sockets, signals
    attributes = struct.pack("<QQQ", files, network, scopes)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(size), ctypes.c_uint(0))
    _must(rules, "landlock_create_ruleset")
    _must(libc.syscall(_LANDLOCK_RESTRICT, rules, ctypes.c_uint(0)), "landlock_restrict_self")
    os.close(rules)


def child(parent: int, cpu_seconds: int, filtered: bool) -> None:
    """Confine a process that `parent` forked: limits, then the filter, which only the self-test leaves out."""
    _must(libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "parent-death signal")
    if os.getppid() != parent:
        os._exit(1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    # Equal limits kill at once: between a lower one and the higher the program could catch SIGXCPU and go on.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    if filtered:
        seccomp.install(libc, _filter())
