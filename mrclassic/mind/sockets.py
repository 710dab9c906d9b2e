"""A Unix socket address for any path: the kernel takes about 100 bytes, a home folder may be longer.

A long path is reached through the folder's own descriptor (`/proc/self/fd/N/mind.sock`), so nothing has to be written
outside the home and no process changes its working directory.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mrclassic.errors import UsageError

_LONGEST = 100
"""Bytes; the field holds 108 on Linux and 104 on macOS, its closing zero included."""


@contextmanager
def address(path: Path) -> Iterator[str]:
    """What to hand to `bind` or `connect` for the socket at `path`, valid within the block."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    if not Path("/proc/self/fd").is_dir():
        raise UsageError(f"The path of the home folder is too long for a socket ({path}); choose a shorter --home.")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listening(path: Path) -> bool:
    """Whether somebody answers at the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(5.0)
        try:
            with address(path) as where:
                probe.connect(where)
        except TimeoutError:
            return True  # its queue is full, so somebody is behind it
        except OSError:
            return False
        return True


def connect(path: Path) -> socket.socket:
    """A connection to whoever listens at `path`; raises OSError where nobody does."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(5.0)
        with address(path) as where:
            connection.connect(where)
    except BaseException:
        connection.close()
        raise
    return connection


def bind(path: Path) -> socket.socket:
    """A listening socket at `path` that only its owner can open, from its first moment on."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # By the mask rather than by a later chmod, which would leave a moment in which others could connect.
    mask = os.umask(0o177)
    try:
        with address(path) as where:
            listener.bind(where)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(mask)
    listener.listen(128)
    listener.setblocking(False)
    return listener
