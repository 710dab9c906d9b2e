"""Which weights answer: the checkpoint in use, or, when it is damaged, the nearest ancestor that can be read."""

from __future__ import annotations

from dataclasses import dataclass

from mrclassic.errors import MrClassicError, UsageError
from mrclassic.home import Home
from mrclassic.mind.protocol import NOTHING_HATCHED
from mrclassic.model.checkpoint import load_for_replies
from mrclassic.model.manifest import CorruptCheckpoint
from mrclassic.model.policy import Policy
from mrclassic.settings import Settings
from mrclassic.store import Store


@dataclass(frozen=True)
class Weights:
    """A loaded model and the name it answers by."""

    checkpoint: str
    policy: Policy
    notice: str | None = None
    """What the owner should know about why it is this one."""


def wanted(store: Store) -> str:
    """The id of the checkpoint in use. Raises when there is none."""
    row = store.checkpoints.in_use()
    if row is None:
        raise MrClassicError(NOTHING_HATCHED)
    return row.id


def load(home: Home, store: Store, settings: Settings, name: str) -> Weights:
    """Load checkpoint `name`, or the nearest readable ancestor with a notice. Raises when none can be read."""
    faults: list[str] = []
    for row in store.checkpoints.lineage(name):
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


def named(home: Home, store: Store, settings: Settings, name: str) -> Weights | None:
    """Load the checkpoint of exactly that id; None where there is none, raises where it cannot be read."""
    try:
        row = store.checkpoints.get(name)
    except UsageError:
        return None
    if row.id != name or not (home.checkpoints / row.path).is_dir():
        return None
    try:
        return Weights(row.id, load_for_replies(home.checkpoints / row.path, settings.device, settings.dtype))
    except CorruptCheckpoint as error:
        raise MrClassicError(str(error)) from error
