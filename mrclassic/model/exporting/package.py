"""A folder for other programs, whole or not at all: files are made beside it and take their place at the end."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mrclassic.errors import Refused, UsageError
from mrclassic.files import fsync
from mrclassic.model.exporting import gguf
from mrclassic.model.exporting.card import Card, Format, readme
from mrclassic.model.exporting.folder import Dtype, Folder, write_converted
from mrclassic.model.exporting.ollama import modelfile
from mrclassic.model.exporting.vocabulary import adds_begin
from mrclassic.model.manifest import WEIGHTS
from mrclassic.model.policy import WARMTH

GGUF = "model.gguf"


@dataclass(frozen=True)
class Package:
    """The names of the files, the format of the weights, and a note on what differs in other programs, if anything."""

    files: list[str]
    dtype: Dtype
    note: str


def export(
    source: Folder,
    target: Path,
    card: Card,
    *,
    form: Format = "hf",
    dtype: Dtype | None = None,
    sampling: Mapping[str, float] | None = None,
) -> Package:
    """Write `source` for other programs into the folder `target`, new or empty.

    `dtype` None keeps the format that the weights are stored in. `sampling` is how the owner wants replies drawn; what
    it leaves open is as the folder advises. Raises Refused, and leaves nothing, where the export would not be the same
    model.
    """
    if dtype == "q8_0" and form == "hf":
        raise UsageError("Hugging Face folders hold f32, f16 or bf16; q8_0 goes with --format gguf or ollama.")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Refused(f"{target} is not an empty folder; name one that is new, or empty.")
    fresh = not target.exists()
    target.parent.mkdir(parents=True, exist_ok=True)
    # Where the folder is there already it may be a disk of its own, so that files are made inside.
    work = (target.parent if fresh else target) / f".exporting-{secrets.token_hex(4)}"
    work.mkdir()
    wanted = dtype or source.dtype
    try:
        if form == "hf":
            note = _hugging_face(work, source, wanted)
        else:
            note = _gguf(work, source, card.name, wanted, sampling or {}, ollama=form == "ollama")
        told = readme(card, source.shape, form=form, dtype=wanted, note=note)
        (work / "README.md").write_text(told, encoding="utf-8")
        for file in work.iterdir():
            fsync(file)
        names = sorted(file.name for file in work.iterdir())
        if fresh:
            work.rename(target)
        else:
            _move(work, target, names)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return Package(names, wanted, note)


def _hugging_face(work: Path, source: Folder, dtype: Dtype) -> str:
    same = dtype == source.dtype
    for name in source.names:
        if same or name != WEIGHTS:
            shutil.copyfile(source.path / name, work / name)
    if not same:
        write_converted(source, work, dtype)
        config = {key: value for key, value in source.json("config.json").items() if key != "torch_dtype"}
        config["dtype"] = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}[dtype]
        (work / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return ""


def _gguf(work: Path, source: Folder, name: str, dtype: Dtype, sampling: Mapping[str, float], *, ollama: bool) -> str:
    told = _modelfile(source, sampling) if ollama else ""  # what it refuses is refused before the long part
    note = gguf.write_gguf(source, work / GGUF, name=name, dtype=dtype)
    if not told:
        return note
    (work / "Modelfile").write_text(told, encoding="utf-8")
    dated = "strftime_now" in source.tokenizer.template
    return "; ".join(part for part in (note, _DATED if dated else "") if part)


_DATED = "the date that the chat template writes stays that of the export"


def _modelfile(source: Folder, sampling: Mapping[str, float]) -> str:
    drawn = {"temperature": WARMTH, **source.json("generation_config.json"), **sampling}
    return modelfile(
        source.tokenizer,
        weights=GGUF,
        context=source.shape.context,
        stops=source.stops,
        sampling={name: drawn[name] for name in ("temperature", "top_p", "top_k") if drawn.get(name) is not None},
        adds_begin=adds_begin(source.tokenizer),
    )


# By these, programs take a folder for a model: they come last.
_LAST = ("config.json", GGUF, "Modelfile")


def _move(work: Path, target: Path, names: list[str]) -> None:
    moved: list[Path] = []
    try:
        for name in sorted(names, key=lambda name: name in _LAST):
            (work / name).rename(target / name)
            moved.append(target / name)
        work.rmdir()
    except BaseException:
        for file in moved:
            file.unlink(missing_ok=True)
        raise
