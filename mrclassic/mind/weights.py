"""Which weights answer: the checkpoint in use, or, when it is damaged, the nearest ancestor that can be read. None is
read where other programs leave it no room: a machine that swaps answers nobody."""

from __future__ import annotations

from dataclasses import dataclass

from mrclassic.errors import MrClassicError, UsageError
from mrclassic.home import Home
from mrclassic.mind.protocol import NOTHING_HATCHED
from mrclassic.model.checkpoint import load_for_replies
from mrclassic.model.device import choose_device, choose_dtype
from mrclassic.model.manifest import CorruptCheckpoint
from mrclassic.model.policy import Policy
from mrclassic.settings import Settings
from mrclassic.store import Checkpoint, Store
from mrclassic.training.fits import free_memory


@dataclass(frozen=True)
class Weights:
    """A loaded model and the name it answers by."""

    checkpoint: str
    policy: Policy
    notice: str | None = None
    """What the owner should know about why it is this one."""


class NoRoomError(MrClassicError):
    """There is too little memory for the weights; `short` is how many bytes are missing."""

    def __init__(self, words: str, short: int) -> None:
        super().__init__(words)
        self.short = short


def wanted(store: Store) -> str:
    """The id of the checkpoint in use. Raises when there is none."""
    row = store.checkpoints.in_use()
    if row is None:
        raise MrClassicError(NOTHING_HATCHED)
    return row.id


def load(home: Home, store: Store, settings: Settings, name: str) -> Weights:
    """Load checkpoint `name`, or the nearest readable ancestor with a notice. Raises when none can be read, and
    `NoRoomError` where it would not fit."""
    faults: list[str] = []
    for row in store.checkpoints.lineage(name):
        _check(row, settings)
        try:
            policy = load_for_replies(home.checkpoints / row.path, settings.device, settings.dtype)
        except CorruptCheckpoint as error:
            faults.append(str(error).rstrip("."))
            continue
        notice = f"{faults[0]}; its ancestor {row.id} answers instead." if faults else None
        return Weights(row.id, policy, notice)
    reason = f" ({faults[0]})" if faults else ""
    raise MrClassicError(
        f"Checkpoint {name} cannot be read{reason}, nor any it came from; choose another with `mrclassic model use`, "
        "or hatch anew with `mrclassic hatch --again`."
    )


def _check(row: Checkpoint, settings: Settings) -> None:
    """Raise `NoRoomError` where not even the weights of `row` fit what is free now."""
    device = choose_device(settings.device)
    need = row.parameters * choose_dtype(device, settings.dtype).itemsize
    free = free_memory(device)
    if free is not None and need > free:
        raise NoRoomError(
            f"The model {row.id} needs {need / 2**30:.1f} GiB and {device} has {free / 2**30:.1f} GiB free; close "
            "other programs, or choose a smaller model with `mrclassic model use`.",
            need - free,
        )


def named(home: Home, store: Store, name: str) -> Checkpoint | None:
    """The checkpoint of exactly that id; None where there is none."""
    try:
        row = store.checkpoints.get(name)
    except UsageError:
        return None
    return row if row.id == name and (home.checkpoints / row.path).is_dir() else None


def only(home: Home, settings: Settings, row: Checkpoint) -> Weights:
    """Load that checkpoint and no other. Raises where it cannot be read, and `NoRoomError` where it would not fit."""
    _check(row, settings)
    try:
        return Weights(row.id, load_for_replies(home.checkpoints / row.path, settings.device, settings.dtype))
    except CorruptCheckpoint as error:
        raise MrClassicError(str(error)) from error
