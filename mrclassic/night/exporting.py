"""Exporting from a home: a checkpoint, and what the store knows of it, as a folder for other programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mrclassic.home import Home
from mrclassic.model.exporting import package
from mrclassic.model.exporting.card import Ancestor, Card, Format, Night
from mrclassic.model.exporting.folder import Dtype, Folder
from mrclassic.model.manifest import CorruptCheckpoint, Manifest, manifest
from mrclassic.store import Checkpoint, Store


@dataclass(frozen=True)
class Exported:
    """What a script may rely on."""

    checkpoint: str
    folder: Path
    format: str
    dtype: str
    files: list[str]
    bytes: int
    model_sha256: str
    note: str


def export_checkpoint(
    home: Home,
    store: Store,
    row: Checkpoint,
    found: Manifest,
    target: Path,
    *,
    form: Format = "hf",
    dtype: Dtype | None = None,
    sampling: Mapping[str, float] | None = None,
) -> Exported:
    """Write the checkpoint `row`, whose files have been held against `found`, into the folder `target`."""
    # Subfolders hold training state.
    source = Folder(home.checkpoints / row.path, [name for name in found.files if "/" not in name])
    made = package.export(source, target, card(home, store, row, found), form=form, dtype=dtype, sampling=sampling)
    return Exported(
        checkpoint=row.id,
        folder=target.resolve(),
        format=form,
        dtype=made.dtype,
        files=made.files,
        bytes=sum((target / name).stat().st_size for name in made.files),
        model_sha256=found.model_sha256,
        note=made.note,
    )


_JUDGED = {"promote": "promoted", "keep": "kept as a candidate"}


def card(home: Home, store: Store, row: Checkpoint, found: Manifest) -> Card:
    """The facts of a checkpoint for its model card: its ancestors, the nights that made them, its scores."""
    line = store.checkpoints.lineage(row.id)
    made = {one.id: _manifest(home, one) for one in line}
    nights = [
        Night(night.started, _JUDGED.get((night.gate or {}).get("verdict", ""), "not judged"), night.checkpoint)
        for night in store.nights.list(limit=10_000)
        if night.checkpoint in made
    ]
    return Card(
        id=row.id,
        created=found.created,
        parameters=found.parameters,
        model_sha256=found.model_sha256,
        lineage=[Ancestor(one.id, one.created, _method(made[one.id]), one.status) for one in line],
        nights=nights,
        scores={name: float(score) for name, score in row.metrics.items() if isinstance(score, int | float)},
        book=len(found.book),
        origin=next((origin for one in line if (origin := _origin(made[one.id]))), ""),
    )


def _manifest(home: Home, row: Checkpoint) -> Manifest | None:
    """The manifest of an ancestor; None where its files have been pruned."""
    try:
        return manifest(home.checkpoints / row.path)
    except CorruptCheckpoint:
        return None


def _method(found: Manifest | None) -> str:
    return found.method if found is not None else ""


def _origin(found: Manifest | None) -> str:
    """Where an imported model came from, with its revision."""
    if found is None or found.method != "import":
        return ""
    return "@".join(str(found.metrics[key]) for key in ("source", "revision") if found.metrics.get(key))
