"""The manifest of a checkpoint: what it is, where it came from, and the sha256 of every file. Free of torch.

A checkpoint is an immutable Hugging Face directory with our `mrclassic.json` beside the weights:

    config.json  model.safetensors  tokenizer.json  tokenizer_config.json  chat_template.jinja
    generation_config.json  mrclassic.json  [training/state.safetensors  training/state.json]
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mrclassic.errors import MrClassicError

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
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
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
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        raise MrClassicError(f"{path}: a checkpoint of this name exists; checkpoints are never overwritten.")
    work = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        fill(work)
        files: dict[str, tuple[int, str]] = {}
        for file in sorted(work.rglob("*")):
            if file.is_file():
                fsync(file)
                files[file.relative_to(work).as_posix()] = (file.stat().st_size, sha256(file))
        complete = Manifest(**{**asdict(facts(work)), "files": files})
        text = json.dumps({"format": _FORMAT, **asdict(complete)}, indent=2, ensure_ascii=False)
        (work / NAME).write_text(text + "\n", encoding="utf-8")
        fsync(work / NAME)
        for folder in sorted({work, *(found for found in work.rglob("*") if found.is_dir())}):
            fsync(folder)
        try:
            work.rename(path)
        except OSError as error:
            if path.exists():  # another process was quicker
                raise MrClassicError(f"{path}: a checkpoint of this name exists; it is not overwritten.") from error
            raise
        fsync(path.parent)
    except OSError as error:
        shutil.rmtree(work, ignore_errors=True)
        raise _unwritable(path, error) from error
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return complete


def _unwritable(path: Path, error: OSError) -> MrClassicError:
    why = error.strerror or str(error)
    full = os.strerror(errno.ENOSPC) in why
    why, remedy = ("the disk is full", "make room") if full else (why, "mend that")
    name = Path(error.filename).name if error.filename else path.name
    return MrClassicError(f"{name} cannot be written below {path.parent} ({why}); {remedy} and try again.")


def fsync(path: Path) -> None:
    """Force a file or a directory to the disk. A failure here is fatal: what is on the disk is then unknown."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
