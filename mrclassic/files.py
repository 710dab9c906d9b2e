"""Replacing a file's content so that a reader, or a crash, sees the old or the new, never a half."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace(path: Path, data: bytes) -> None:
    """Write `data` beside `path`, to the disk, and put it in its place; raises OSError, and leaves `path` as it was."""
    # Behind a link, the file it names is replaced: an owner may keep it in a repository of theirs.
    target = path.resolve()
    draft: Path | None = None
    try:
        with tempfile.NamedTemporaryFile("wb", dir=target.parent, prefix=f".{target.stem}-", delete=False) as file:
            draft = Path(file.name)
            if target.exists():
                draft.chmod(target.stat().st_mode & 0o777)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
        _sync_folder(target.parent)
    except OSError:
        if draft is not None:
            draft.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
