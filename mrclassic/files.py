"""Replacing a file's content so that a reader, or a crash, sees the old or the new, never a half."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import IO

from mrclassic import failpoints

DRAFT = ".unfinished-"  # in the name of what is being written
_STALE = 60.0  # seconds; by then whoever writes has done it, or holds a lock on it


def replace(path: Path, data: bytes) -> None:
    """Write `data` beside `path`, to the disk, and put it in its place; raises OSError, and leaves `path` as it was."""
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """As `replace`, for what is too long to be held at once: what is written to the file that this yields takes the
    place of `path` at the end, unless something is raised."""
    # Behind a link, the file it names is replaced: an owner may keep it in a repository of theirs.
    target = path.resolve()
    draft: Path | None = None
    try:
        for old in abandoned(target.parent, target.name):
            with suppress(OSError):
                old.unlink()
        prefix = f".{target.name}{DRAFT}"
        with tempfile.NamedTemporaryFile("wb", dir=target.parent, prefix=prefix, delete=False) as file:
            draft = Path(file.name)
            if target.exists():
                draft.chmod(target.stat().st_mode & 0o777)
            yield file
            file.flush()
            os.fsync(file.fileno())
        failpoints.reached("file.drafted")
        draft.replace(target)
        failpoints.reached("file.replaced")
        fsync(target.parent)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:  # a full disk does not say which file it was full for
            error.filename = str(path)
        if draft is not None:
            draft.unlink(missing_ok=True)
        raise


def abandoned(folder: Path, name: str | None = None) -> Iterator[Path]:
    """What was being written in `folder` (as `name`) a good while ago, most likely by a process that was killed."""
    for draft in folder.glob(f".{'*' if name is None else escape(name)}{DRAFT}*"):
        with suppress(FileNotFoundError):
            if time.time() - draft.stat().st_mtime > _STALE:
                yield draft


def make_folder(path: Path) -> None:
    """Make `path` and what is missing above it, and their names sure: a folder whose name is lost in a power cut takes
    all with it that was so carefully written into it."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for each in missing:
        fsync(each.parent)


def fsync(path: Path) -> None:
    """Force a file or a folder to the disk. A failure is fatal: what is on the disk is then unknown."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
