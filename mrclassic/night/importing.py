"""Bringing a model from elsewhere into a home: fetched, examined, copied; then a checkpoint like any other, or nothing.

Its tokenizer and its chat template are tried in a worker that may be killed. Its weights keep the format they came in.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mrclassic.errors import MrClassicError, Refused, UsageError
from mrclassic.home import Home
from mrclassic.model import checkpoint
from mrclassic.model.importing import hub, weights
from mrclassic.model.importing.words import Words, chat_template
from mrclassic.model.manifest import NAME, WEIGHTS, CorruptCheckpoint, Manifest, publish, sha256, verify
from mrclassic.model.shapes import Shape
from mrclassic.night.workplace import alone, fresh_name
from mrclassic.sandbox.worker import Worker, WorkerFault
from mrclassic.store import Checkpoint, Store

METHOD = "import"
_SETTINGS = ("do_sample", "temperature", "top_k", "top_p", "min_p", "repetition_penalty")
_MEMORY = 4 * 2**30  # of address space: a vocabulary of 256,000 tokens takes a tenth of it, its threads the rest
_READING, _WRITING = 120.0, 20.0  # seconds for a tokenizer to be parsed (the largest take two), a template to be tried


@dataclass(frozen=True)
class Progress:
    """How an import tells how far it is: `begin` a part of so many bytes, then every piece."""

    begin: Callable[[str, int], None] = lambda what, size: None
    moved: Callable[[int], None] = lambda size: None


@dataclass(frozen=True)
class Imported:
    """What a script may rely on."""

    checkpoint: str
    source: str
    revision: str | None
    family: str
    parameters: int
    dtype: str
    context: int
    vocabulary: int
    own_template: bool
    in_use: bool
    model_sha256: str
    seconds: float


def import_model(
    home: Home,
    store: Store,
    source: str,
    *,
    use: bool = False,
    say: Callable[[str], None] = lambda words: None,
    progress: Progress = Progress(),
) -> Imported:
    """Make a checkpoint of the model in the folder `source`, or of `owner/name[@revision]` on the hub. It is put in use
    with `use`, or where the home has no model yet."""
    begun = time.monotonic()
    with alone(home, "import", "Another model is being imported into this home; wait for it, or end it with Ctrl-C."):
        folder = Path(source).expanduser()
        if folder.is_dir():
            name, revision = folder.resolve().name, None
            made = _bring(home, folder, {"source": name}, progress)
        else:
            repository = hub.Repository.named(source)
            if repository is None:
                raise UsageError(f"{source} is neither a folder here nor a name such as owner/name[@revision].")
            say(f"Asking the hub for {source}.")
            made = _from_hub(home, repository, progress)
            name, revision = repository.name, str(made.manifest.metrics["revision"])
        row, used = _enter(home, store, made.manifest, use)
    shape = made.shape
    return Imported(
        checkpoint=row.id,
        source=name,
        revision=revision,
        family=shape.family,
        parameters=shape.parameters,
        dtype=made.dtype,
        context=shape.context,
        vocabulary=shape.vocab_size,
        own_template=made.words.own_template,
        in_use=used,
        model_sha256=row.model_sha256,
        seconds=time.monotonic() - begun,
    )


@dataclass(frozen=True)
class _Made:
    manifest: Manifest
    shape: Shape
    words: Words
    dtype: str


def _from_hub(home: Home, repository: hub.Repository, progress: Progress) -> _Made:
    """Fetch into a folder of the home, and import from there. What is only half fetched stays for the next try."""
    base = home.runs / METHOD
    listing = hub.look(repository, base / "hub")
    folder = base / f"{repository.name.replace('/', '--')}-{listing.commit[:12]}"

    def planned(size: int) -> None:
        free = shutil.disk_usage(home.root).free
        if 2 * size > free:  # once as it is fetched, once as it is kept
            raise Refused(
                f"{repository.name} takes {_gib(2 * size)} while it is imported, but only {_gib(free)} are free."
            )
        progress.begin("fetching", size)

    try:
        hub.fetch(listing, folder, planned, progress.moved)
        made = _bring(home, folder, {"source": repository.name, "revision": listing.commit}, progress)
    except Refused:
        shutil.rmtree(folder, ignore_errors=True)  # the next try would be refused as well
        raise
    shutil.rmtree(base, ignore_errors=True)
    return made


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


def _bring(home: Home, folder: Path, origin: Mapping[str, str], progress: Progress) -> _Made:
    """The checkpoint made of `folder`; what is cheap to find out is found out first."""
    if (folder / NAME).exists():  # a checkpoint of another home says itself what its files should be
        try:
            verify(folder)
        except CorruptCheckpoint as error:
            raise Refused(str(error)) from error
    shape = weights.shape_of(folder)
    found = weights.find(folder, shape)
    words = examine(folder, shape)
    tokenizer = words.tokenizer(folder)
    settings = _settings(folder)
    dtype = weights.dtype_of(found)
    path = home.checkpoints / fresh_name(home, METHOD)

    def fill(work: Path) -> None:
        progress.begin("importing", sum(stored.size for stored in found.values()))
        weights.copy(found, work / WEIGHTS, progress.moved)
        shutil.copyfile(folder / "tokenizer.json", work / "tokenizer.json")
        tokenizer.save_settings(work, shape.context)
        checkpoint.write_words(shape, tokenizer, settings, work, dtype)

    def facts(work: Path) -> Manifest:
        return Manifest(
            id=path.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            parameters=shape.parameters,
            model_sha256=sha256(work / WEIGHTS),
            method=METHOD,
            metrics=dict(origin),
        )

    return _Made(publish(path, fill, facts), shape, words, dtype)


def _enter(home: Home, store: Store, made: Manifest, use: bool) -> tuple[Checkpoint, bool]:
    """The checkpoint's row; in use it is also golden: what may be lost is measured against what it could on arrival."""
    row = Checkpoint(
        made.id, made.id, status="candidate", parameters=made.parameters, model_sha256=made.model_sha256,
        metrics=dict(made.metrics),
    )  # fmt: skip
    try:
        with store.transaction():
            store.checkpoints.add(row)
            use = use or store.checkpoints.in_use() is None
            if use:
                store.checkpoints.use(row.id)
                store.checkpoints.set_golden(row.id)
    except BaseException:
        shutil.rmtree(home.checkpoints / made.id, ignore_errors=True)
        raise
    return store.checkpoints.get(row.id), use


def examine(folder: Path, shape: Shape) -> Words:
    """Try the tokenizer and the chat template of `folder` in a worker; refuses what breaks, hangs or is incomplete."""
    config = weights.read_json(folder / "tokenizer_config.json")
    jinja = folder / "chat_template.jinja"
    if jinja.is_file() and jinja.stat().st_size > weights.WORDS_LIMIT:
        raise Refused(f"{jinja}: it is longer than {weights.WORDS_LIMIT >> 20} MiB; no chat template is.")
    try:
        template = chat_template(config, jinja.read_text(encoding="utf-8") if jinja.is_file() else None)
        special = {key: config.get(key) for key in ("eos_token", "bos_token", "pad_token")}
        ids = _ends(folder)
    except (MrClassicError, OSError, UnicodeDecodeError) as error:
        raise Refused(f"{folder}: {error}") from error
    with Worker("mrclassic.model.importing.words:examiner", memory=_MEMORY) as worker:
        first = {"folder": str(folder), "vocabulary": shape.vocab_size}
        _asked(worker, first, _READING, f"{folder / 'tokenizer.json'}: the tokenizer")
        second = {"config": special, "template": template, "ids": ids}
        found = _asked(worker, second, _WRITING, f"{folder}: the chat template")
    return Words(**{**found, "ends": tuple(found["ends"])})


def _asked(worker: Worker, request: dict[str, Any], seconds: float, what: str) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = worker.ask(request, seconds)
    except WorkerFault as fault:
        why = str(fault).rstrip(".")
        raise Refused(f"{what} cannot be used: tried in a process of its own, {why[:1].lower()}{why[1:]}.") from fault
    if "refused" in answer:
        raise Refused(answer["refused"])
    return answer


def _ends(folder: Path) -> list[int]:
    """The ids that the model's own files say end a text: those to generate by, else those of the network's settings."""
    for name in (checkpoint.GENERATION, "config.json"):
        told = weights.read_json(folder / name).get("eos_token_id") if (folder / name).exists() else None
        ids = told if isinstance(told, list) else [] if told is None else [told]
        if not all(type(each) is int and each >= 0 for each in ids):
            raise Refused(f"{folder / name}: eos_token_id is {told!r}, which is no token's number.")
        if ids:
            return list(dict.fromkeys(ids))
    return []


def _settings(folder: Path) -> dict[str, float]:
    """How its makers would draw from it, as far as it is known here."""
    path = folder / checkpoint.GENERATION
    told = weights.read_json(path) if path.exists() else {}
    found = {key: told[key] for key in _SETTINGS if told.get(key) is not None}
    for key, value in found.items():
        if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise Refused(f"{path}: {key} is {value!r}, which is no number to draw by.")
    return found
