"""A model from the Hugging Face hub: the files that are read here and no others, at one commit, each held to its hash.

What is interrupted goes on where it ended. Nothing is sent but the names of the files, and the token in `HF_TOKEN`
where the owner has set one (gated models want it).
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from mrclassic.errors import MrClassicError, Refused
from mrclassic.model.importing.weights import INDEX, files, shape_of, shards

_WORDS = ("tokenizer.json", "tokenizer_config.json")
_OPTIONAL = ("generation_config.json", "chat_template.jinja")
_NAME = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<revision>[\w./-]+))?")
_PATIENCE = 10.0  # seconds


@dataclass(frozen=True)
class Repository:
    """A model on the hub as its owner and name; `revision` is a branch, a tag or a commit."""

    name: str
    revision: str = "main"

    @classmethod
    def named(cls, words: str) -> Repository | None:
        """What `owner/name` or `owner/name@revision` names; None for anything else."""
        found = _NAME.fullmatch(words)
        return found and cls(found["name"], found["revision"] or "main")


@dataclass(frozen=True)
class Listed:
    """A file as the hub describes it; `digest` is its sha256, or git's sha1 where the hub keeps only that."""

    size: int
    digest: str


@dataclass(frozen=True)
class Listing:
    """The files of a repository at the commit that its revision stood for when it was asked."""

    repository: Repository
    commit: str
    files: dict[str, Listed]


def look(repository: Repository, folder: Path) -> Listing:
    """Ask the hub what `repository` holds; `folder` takes what the library wants to remember."""
    # Read when the library is imported: it writes only there, and tells nobody.
    os.environ.update(HF_HOME=str(folder), HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_TELEMETRY="1")
    from huggingface_hub import HfApi

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # that it tries again is its own affair
    with _Sentences(repository):
        told = HfApi(_endpoint()).model_info(
            repository.name, revision=repository.revision, files_metadata=True, timeout=_PATIENCE, token=_token()
        )
    found = {
        each.rfilename: Listed(each.size or 0, each.lfs.sha256 if each.lfs else each.blob_id or "")
        for each in told.siblings or ()
    }
    return Listing(repository, str(told.sha), found)


def fetch(listing: Listing, folder: Path, planned: Callable[[int], None], watch: Callable[[int], None]) -> Path:
    """Download the model into `folder`, small files first, so that one which cannot be used is refused before its
    weights are fetched. `planned` is told the bytes of the weights, `watch` of every piece of them."""
    folder.mkdir(parents=True, exist_ok=True)
    here = {name for name in listing.files if "/" not in name}
    weights = files(here)
    missing = next((name for name in ("config.json", *_WORDS) if name not in here), None)
    if missing is not None:
        raise Refused(f"{_words(listing)} holds no {missing}; without it the model cannot be opened here.")
    for name in ("config.json", *_WORDS, *(name for name in _OPTIONAL if name in here)):
        _download(listing, name, folder, lambda size: None)
    shape_of(folder)
    if weights == (INDEX,):
        _download(listing, INDEX, folder, lambda size: None)
        weights = shards(folder / INDEX)
    lost = next((name for name in weights if name not in here), None)
    if lost is not None:
        raise Refused(f"{_words(listing)} names {lost} among its weights, but does not hold it.")
    planned(sum(listing.files[name].size for name in weights))
    for name in weights:
        _download(listing, name, folder, watch)
    return folder


def _download(listing: Listing, name: str, folder: Path, watch: Callable[[int], None]) -> None:
    """Fetch one file, or the rest of it; what does not have the hub's hash is thrown away."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get

    wanted, path, part = listing.files[name], folder / name, folder / f"{name}.part"
    if path.exists() and _digest(path, wanted.digest) == wanted.digest:
        watch(wanted.size)
        return
    if part.exists() and part.stat().st_size > wanted.size:
        part.unlink()
    token = _token()
    # The library's own downloads begin anew in each process, so it is told here from where to go on.
    url = hf_hub_url(listing.repository.name, name, revision=listing.commit, endpoint=_endpoint())
    with _Sentences(listing.repository), part.open("ab") as file:
        http_get(
            url,
            file,
            resume_size=file.tell(),
            headers={"Authorization": f"Bearer {token}"} if token else {},
            expected_size=wanted.size,
            tqdm_class=_watched(watch),
        )
    if _digest(part, wanted.digest) != wanted.digest:
        part.unlink()
        raise MrClassicError(
            f"{name} of {_words(listing)} does not have the hash that the hub names; it was thrown away. Try again."
        )
    part.replace(path)


def _digest(path: Path, like: str) -> str:
    """The digest of a file: sha256, or git's sha1 of a blob where `like` is one."""
    with path.open("rb") as file:
        if len(like) == 64:
            return hashlib.file_digest(file, "sha256").hexdigest()
        start = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
        return hashlib.file_digest(file, start.copy).hexdigest()


def _token() -> str | bool:
    return os.environ.get("HF_TOKEN") or False


def _endpoint() -> str | None:
    """The owner's own hub or mirror, if there is one."""
    return os.environ.get("HF_ENDPOINT") or None


def _watched(watch: Callable[[int], None]) -> Any:
    """A progress bar for the library that draws nothing and tells `watch`; what was there already counts."""

    class Watched:
        def __init__(self, *_: object, initial: int = 0, **__: object) -> None:
            watch(initial)

        def update(self, size: int) -> None:
            watch(size)

        def close(self) -> None:
            """Nothing was drawn."""

        def __enter__(self) -> Watched:
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

    return Watched


class _Sentences:
    """Turns what the library raises into a sentence about `repository`."""

    def __init__(self, repository: Repository) -> None:
        self._what = f"{repository.name}@{repository.revision}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        from huggingface_hub import errors

        if isinstance(error, errors.OfflineModeIsEnabled):
            why = "HF_HUB_OFFLINE is set, so nothing is asked of the network; unset it, or name a folder"
        elif isinstance(error, errors.GatedRepoError):
            why = "its makers want their terms accepted; do that on its page, and set HF_TOKEN to a token of yours"
        elif isinstance(error, errors.RepositoryNotFoundError):
            why = "there is no such model on the hub, or it is not open to all (then set HF_TOKEN)"
        elif isinstance(error, errors.RevisionNotFoundError):
            why = "the model has no such revision"
        elif isinstance(error, (OSError, cast(type[Exception], errors.HfHubHTTPError.__bases__[0]))):
            status = _status(error)
            why = f"the hub answered {status}" if status else "the hub could not be reached, or went silent"
            why += "; the same command goes on from what is here"
        else:
            return
        raise MrClassicError(f"Cannot fetch {self._what}: {why}.") from error


def _status(error: BaseException | None) -> int | None:
    """What the server answered, if it did: the library wraps such errors in others."""
    while error is not None:
        if status := getattr(getattr(error, "response", None), "status_code", None):
            return int(status)
        error = error.__cause__ or error.__context__
    return None


def _words(listing: Listing) -> str:
    return f"{listing.repository.name}@{listing.commit[:12]}"
