"""Reading a plugin's file: once, so that what is shown is what is hashed; and never one that others could change."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mrclassic.errors import Refused, UsageError

_LONGEST = 2**20  # bytes; nobody reads more before trusting it
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True)
class File:
    """A file as it was when it was read."""

    path: Path
    text: str
    sha256: str


def read(path: Path, guarded: bool) -> File:
    """The file at `path`; raises UsageError where it cannot be read as text.

    `guarded`: raises Refused for a symbolic link and for what another user could change, the folder included.
    """
    try:
        # Not through a link, and not waiting for the writer of a pipe; what is opened is what is then looked at.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | (os.O_NOFOLLOW if guarded else 0))
    except OSError as error:
        if guarded and path.is_symlink():
            raise Refused(f"{path} is a symbolic link; put the file itself there.") from None
        raise UsageError(f"Cannot read {path}: {error.strerror or error}.") from error
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise UsageError(f"{path} is not a file.")
        if guarded:
            _guard(path, facts)
            _guard(path.parent, path.parent.stat())
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(_LONGEST + 1)
    finally:
        os.close(descriptor)
    if len(data) > _LONGEST:
        raise UsageError(f"{path} is longer than {_LONGEST >> 20} MiB, which is no plugin.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from None
    return File(path, text, sha256(data).hexdigest())


def _guard(path: Path, facts: os.stat_result) -> None:
    if facts.st_mode & _WRITABLE_BY_OTHERS:
        raise Refused(f"Others may write {path}; take that from them with `chmod go-w {path}`.")
    if facts.st_uid not in (os.getuid(), 0):
        raise Refused(f"{path} belongs to another user; make it yours, or copy what it says into a file of your own.")
