"""Weights from elsewhere: found, held against what the shape wants, and copied into one file, piece by piece.

The safetensors library reads files with doubled names, with gaps, and with values that are not numbers; so the header
is read here. Its form: 8 bytes (the header's length), JSON (name -> dtype, shape, offsets), then the bare numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch

from mrclassic.errors import MrClassicError, Refused
from mrclassic.model.decoder import expected, fits, surplus
from mrclassic.model.manifest import WEIGHTS
from mrclassic.model.shapes import Shape

INDEX = f"{WEIGHTS}.index.json"
WORDS_LIMIT = 8 * 2**20  # bytes of a header or a JSON file: a network of 100 billion numbers needs a tenth of it
_PIECE = 2**24  # bytes that are in memory at a time

_DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


@dataclass(frozen=True)
class Stored:
    """A tensor in a file: where its numbers begin, and how they are written."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    begin: int
    size: int


def files(names: Iterable[str]) -> tuple[str, ...]:
    """Of the files of a repository those with the weights' names; refuses one that has none as safetensors."""
    present = sorted(names)
    if WEIGHTS in present:
        return (WEIGHTS,)
    if INDEX in present:
        return (INDEX,)
    pickled = next((name for name in present if name.endswith(_PICKLES)), None)
    if pickled is not None:
        raise Refused(
            f"{pickled} is a pickle, which can run any code when it is opened; only safetensors are read. Look for a "
            "copy of this model that has them."
        )
    raise Refused(f"There is no {WEIGHTS} (nor {INDEX}) here, so there are no weights to import.")


def shards(index: Path) -> tuple[str, ...]:
    """The files that an index names; they must be plain names beside it."""
    named = read_json(index).get("weight_map")
    if not isinstance(named, Mapping) or not named:
        raise Refused(f"{index}: it names no files; the weights cannot be found with it.")
    found = sorted(set(map(str, named.values())))
    for name in found:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise Refused(f"{index}: it names {name!r}, which is no safetensors file beside it.")
    return tuple(found)


def shape_of(folder: Path) -> Shape:
    """The shape that `config.json` describes; refuses what cannot be computed here."""
    config = read_json(folder / "config.json")
    try:
        return Shape.from_config(config)
    except MrClassicError as error:
        raise Refused(str(error)) from error


def find(folder: Path, shape: Shape) -> dict[str, Stored]:
    """The weights of `shape` in `folder`, by name; refuses anything missing, doubled, spare or of another size."""
    (name,) = files(path.name for path in folder.iterdir() if path.is_file())
    names = shards(folder / INDEX) if name == INDEX else (name,)
    found: dict[str, Stored] = {}
    for each in names:
        path = folder / each
        if not path.is_file():
            raise Refused(f"{folder}: {each}, which {INDEX} names, is missing; fetch it and try again.")
        for key, stored in _header(path).items():
            if key in found:
                raise Refused(f"{path}: {key} is there twice, also in {found[key].file.name}.")
            found[key] = stored
    try:
        fits(shape, found)
    except MrClassicError as error:
        raise Refused(f"{folder}: {error}") from error
    for key, size in expected(shape).items():
        if found[key].shape != size:
            raise Refused(f"{found[key].file}: {key} is {found[key].shape}, but config.json makes it {size}.")
    return {key: stored for key, stored in found.items() if not surplus(shape, key)}


def dtype_of(found: Mapping[str, Stored]) -> str:
    """What `config.json` calls the format of the weights: that of the embedding, where they differ."""
    return str(_DTYPES[found["model.embed_tokens.weight"].dtype]).removeprefix("torch.")


def copy(found: Mapping[str, Stored], to: Path, watch: Callable[[int], None] = lambda size: None) -> None:
    """Write the weights as one safetensors file, each in the format it came in; refuses values that are not finite.

    `watch` is told of every piece that is written.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    # As the library sorts them: wide formats first, so that every tensor is aligned.
    order = sorted(found, key=lambda name: (-_DTYPES[found[name].dtype].itemsize, name))
    for name in order:
        stored = found[name]
        header[name] = {"dtype": stored.dtype, "shape": stored.shape, "data_offsets": (at, at + stored.size)}
        at += stored.size
    words = json.dumps(header, separators=(",", ":")).encode()
    words += b" " * (-len(words) % 8)
    with to.open("wb") as target:
        target.write(len(words).to_bytes(8, "little") + words)
        for name in order:
            stored = found[name]
            with stored.file.open("rb") as source:
                source.seek(stored.begin)
                _copy_one(source, target, name, stored, watch)


def _copy_one(source: BinaryIO, target: BinaryIO, name: str, stored: Stored, watch: Callable[[int], None]) -> None:
    left = stored.size
    while left:
        piece = bytearray(source.read(min(left, _PIECE)))
        if not piece:
            raise Refused(f"{stored.file}: it became shorter while it was read.")
        if len(piece) % _DTYPES[stored.dtype].itemsize:
            piece += source.read(1)
        if not bool(torch.frombuffer(piece, dtype=_DTYPES[stored.dtype]).isfinite().all()):
            raise Refused(f"{stored.file}: {name} holds values that are not finite; this model is broken.")
        target.write(piece)
        watch(len(piece))
        left -= len(piece)


def _header(path: Path) -> dict[str, Stored]:
    """What a safetensors file says it holds; refuses one that is not exactly covered by that."""
    whole = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if whole < 8 or length > min(WORDS_LIMIT, whole - 8):
            raise Refused(f"{path}: this is no safetensors file, or only a part of one.")
        words = file.read(length)
    try:
        told = json.loads(words, object_pairs_hook=_once)
        told.pop("__metadata__", None)
        found = {name: _stored(path, entry, 8 + length) for name, entry in told.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(f"{path}: its header cannot be used ({error}).") from error
    end = 8 + length
    for name, stored in sorted(found.items(), key=lambda item: item[1].begin):
        if stored.begin != end:
            raise Refused(f"{path}: the numbers of {name} do not begin where those before it end.")
        end += stored.size
    if end != whole:
        raise Refused(f"{path}: it has {whole:,} bytes, but its header describes {end:,}; fetch it again.")
    return found


def _stored(path: Path, entry: dict[str, Any], data: int) -> Stored:
    dtype, shape, (begin, end) = entry.pop("dtype"), entry.pop("shape"), entry.pop("data_offsets")
    if entry:
        raise ValueError(f"{next(iter(entry))!r} is not known")
    if dtype not in _DTYPES:
        raise ValueError(f"numbers as {dtype} are not read, only {', '.join(_DTYPES)}")
    numbers = [*shape, begin, end]
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError("a size or an offset is no whole number")
    if end - begin != math.prod(shape) * _DTYPES[dtype].itemsize:
        raise ValueError(f"{end - begin} bytes do not hold {shape} numbers as {dtype}")
    return Stored(path, dtype, tuple(shape), data + begin, end - begin)


def read_json(path: Path) -> dict[str, Any]:
    """An object from a JSON file of moderate size; a name that is there twice is refused."""
    try:
        if path.stat().st_size > WORDS_LIMIT:
            raise Refused(f"{path}: it is longer than {WORDS_LIMIT >> 20} MiB, far more than such a file needs.")
        value = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except FileNotFoundError as error:
        raise Refused(f"{path.parent}: there is no {path.name} here, so this is no model folder.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise Refused(f"{path}: it cannot be read ({error}).") from error
    if not isinstance(value, dict):
        raise Refused(f"{path}: it holds no JSON object.")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return made
