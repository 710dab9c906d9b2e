"""The manifest of a checkpoint: what it is, where it came from, and the sha256 of every file. Free of torch.

A checkpoint is an immutable Hugging Face directory with our `mrclassic.json` beside the weights:

    config.json  model.safetensors  tokenizer.json  tokenizer_config.json  chat_template.jinja
    generation_config.json  mrclassic.json  [training/state.safetensors  training/state.json]
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mrclassic import failpoints
from mrclassic.errors import MrClassicError, Unwritable
from mrclassic.files import DRAFT, abandoned, fsync, make_folder

NAME = "mrclassic.json"
WEIGHTS = "model.safetensors"
_FORMAT = 1


class CorruptCheckpoint(MrClassicError):  # noqa: N818 - reads as what it is
    """A checkpoint is missing, incomplete or altered."""


@dataclass(frozen=True)
class Manifest:
    """Facts about a checkpoint. `files` maps every other file to its size and sha256; `book`: the entries it knows."""

    id: str
    created: str
    parameters: int
    model_sha256: str
    parent: str | None = None
    run: int | None = None
    method: str = ""
    step: int = 0
    book: tuple[str, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)


def manifest(path: Path) -> Manifest:
    """Read the manifest of the checkpoint at `path`."""
    try:
        raw = json.loads((path / NAME).read_text(encoding="utf-8"))
        if raw.pop("format") != _FORMAT:
            raise CorruptCheckpoint(f"{path / NAME}: written by a newer Mr. Classic; update the program to open it.")
        raw["book"] = tuple(raw["book"])
        raw["files"] = {name: (int(size), str(digest)) for name, (size, digest) in raw["files"].items()}
        return Manifest(**raw)
    except FileNotFoundError as error:
        raise CorruptCheckpoint(
            f"{path}: there is no checkpoint here; `mrclassic model list` shows those there are."
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise CorruptCheckpoint(f"{path / NAME}: the manifest cannot be read ({error}).") from error


def verify(path: Path) -> Manifest:
    """Read the manifest and hold every file against it; raises `CorruptCheckpoint` naming the first that differs."""
    found = manifest(path)
    for name, (size, digest) in found.files.items():
        file = path / name
        if not file.is_file():
            raise CorruptCheckpoint(f"{path}: {name} is missing; use another checkpoint (`mrclassic model list`).")
        if file.stat().st_size != size or sha256(file) != digest:
            raise CorruptCheckpoint(
                f"{path}: {name} is not as it was written; use another checkpoint (`mrclassic model list`)."
            )
    return found


def sha256(path: Path) -> str:
    """The hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def publish(path: Path, fill: Callable[[Path], None], facts: Callable[[Path], Manifest]) -> Manifest:
    """Write a directory that is either whole or absent.

    `fill` writes into a temporary sibling; every file is fsynced; the manifest with all hashes follows, fsynced; then
    the directory; then it gets its name; then its parent is fsynced. An existing checkpoint is never overwritten.
    """
    if path.exists():
        raise MrClassicError(f"{path}: a checkpoint of this name exists; checkpoints are never overwritten.")
    try:
        with _draft(path) as work:
            failpoints.reached("checkpoint.begun")
            fill(work)
            failpoints.reached("checkpoint.filled")
            files: dict[str, tuple[int, str]] = {}
            for file in sorted(work.rglob("*")):
                if file.is_file():
                    fsync(file)
                    files[file.relative_to(work).as_posix()] = (file.stat().st_size, sha256(file))
            complete = Manifest(**{**asdict(facts(work)), "files": files})
            text = json.dumps({"format": _FORMAT, **asdict(complete)}, indent=2, ensure_ascii=False)
            (work / NAME).write_text(text + "\n", encoding="utf-8")
            failpoints.reached("checkpoint.described")
            fsync(work / NAME)
            for folder in sorted({work, *(found for found in work.rglob("*") if found.is_dir())}):
                fsync(folder)
            failpoints.reached("checkpoint.synced")
            try:
                work.rename(path)
            except OSError as error:
                if path.exists():  # another process was quicker
                    raise MrClassicError(f"{path}: a checkpoint of this name exists; it is not overwritten.") from error
                raise
            failpoints.reached("checkpoint.named")
            fsync(path.parent)
            failpoints.reached("checkpoint.published")
    except OSError as error:
        raise _unwritable(path, error) from error
    return complete


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """A folder beside `path` to fill and rename; it goes where that fails, and by the next one's maker, who finds it
    unlocked, where this process is killed."""
    make_folder(path.parent)
    for old in abandoned(path.parent):
        with suppress(OSError), _held(old):
            shutil.rmtree(old, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f".{path.name}{DRAFT}", dir=path.parent))
    try:
        with _held(work):
            yield work
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """A lock on `folder` that dies with this process; raises BlockingIOError where another has it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> Unwritable:
    why = error.strerror or str(error)
    full = os.strerror(errno.ENOSPC) in why
    why, remedy = ("the disk is full", "make room") if full else (why, "mend that")
    name = Path(error.filename).name if error.filename and DRAFT not in Path(error.filename).name else path.name
    return Unwritable(f"{name} cannot be written below {path.parent} ({why}); {remedy} and try again.")
