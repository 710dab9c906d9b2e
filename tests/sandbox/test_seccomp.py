"""The filter, interpreted: on both architectures it lets through its list and nothing else."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrclassic.sandbox.inside import seccomp

ALLOW, KILL = 0x7FFF0000, 0x80000000
REFUSE = 0x00050000 | errno.EPERM
OPENED = ("open", "openat", "socket", "clone", "clone3", "fork", "execve", "kill", "ptrace", "mount", "ioctl", "fcntl")


def judge(program: bytes, architecture: int, number: int) -> int:
    """What the kernel's interpreter would return."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, *[0] * 6)
    steps = list(struct.iter_unpack("<HBBI", program))
    at = loaded = 0
    while True:
        code, yes, no, value = steps[at]
        at += 1
        if code == 0x20:
            loaded = struct.unpack_from("<I", data, value)[0]
        elif code == 0x15:
            at += yes if loaded == value else no
        else:
            assert code == 0x06
            return value


@pytest.mark.parametrize("machine", seccomp.MACHINES)
def test_what_is_listed_is_let_through(machine: str) -> None:
    place = list(seccomp.MACHINES).index(machine)
    program = seccomp.program(machine)
    assert len(program) % 8 == 0
    for call in seccomp.CALLS.values():
        if call[place] is not None:
            assert judge(program, seccomp.MACHINES[machine], call[place]) == ALLOW


@given(st.sampled_from(list(seccomp.MACHINES)), st.integers(0, 2**32 - 1) | st.integers(0, 500))
def test_nothing_else_is(machine: str, number: int) -> None:
    place = list(seccomp.MACHINES).index(machine)
    listed = {call[place] for call in seccomp.CALLS.values()}
    program = seccomp.program(machine)
    assert judge(program, seccomp.MACHINES[machine], number) == (ALLOW if number in listed else REFUSE)


@given(st.integers(0, 2**32 - 1), st.integers(0, 500))
def test_another_architecture_is_ended(architecture: int, number: int) -> None:
    for machine, own in seccomp.MACHINES.items():
        if architecture != own:
            assert judge(seccomp.program(machine), architecture, number) == KILL


def test_what_opens_anything_is_not_listed() -> None:
    assert not set(OPENED) & set(seccomp.CALLS)
    for place in (0, 1):
        numbers = [call[place] for call in seccomp.CALLS.values() if call[place] is not None]
        assert len(numbers) == len(set(numbers))
