"""Whether a training fits this machine, said before a model is loaded: the shape is read from its `config.json`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mrclassic.errors import MrClassicError
from mrclassic.model.shapes import Shape
from mrclassic.model.tokenizer import Tokenizer
from mrclassic.night import practice
from mrclassic.night.workplace import Workplace
from mrclassic.tasks.base import keyed
from mrclassic.training import fits
from mrclassic.training.fits import Fit, Load, Place, Table

Update = tuple[str, Load]  # in words, and what it computes

_ROW = 512  # tokens of a book row, with talk before it, at most


@dataclass(frozen=True)
class Unloaded:
    """What is known of a checkpoint before its weights are read."""

    shape: Shape
    tokenizer: Tokenizer


@dataclass(frozen=True)
class Plan:
    """What an update of a training is, in words, and the memory it takes."""

    method: str
    checkpoint: str
    update: str
    table: Table

    @property
    def words(self) -> str:
        """What an update is."""
        return f"{self.method} from {self.checkpoint}: {self.update}."

    def lines(self) -> tuple[str, ...]:
        return (self.words, *self.table.lines())

    def facts(self) -> dict[str, Any]:
        """For scripts."""
        table = self.table
        return {**asdict(self), "peak": table.peak, "fits": table.fits}


def plan(work: Workplace, origin: str | None, method: str, fit: Fit, told: Callable[[Unloaded], Update]) -> Plan | None:
    """The plan of a training from the checkpoint `origin` (None: the one in use), whose update is as `told` says,
    against what is free now. None where the checkpoint cannot be read: to say so, or to take an ancestor instead, is
    for `Workplace.parent`."""
    row = work.origin(origin)
    found = _unloaded(work.home.checkpoints / row.path)
    if found is None:
        return None
    words, load = told(found)
    return Plan(method, row.id, words, table(work, found.shape, fit, load))


def table(work: Workplace, shape: Shape, fit: Fit, load: Load) -> Table:
    """What such a training takes of the device, against what is free there now."""
    place = Place(work.device.type, work.dtype.itemsize)
    return fits.table(shape, fit, load, place, fits.free_memory(work.device), str(work.device))


def check(plan: Plan | None) -> None:
    """Raise MrClassicError where the training does not fit; what cannot be planned is not held up."""
    if plan is not None:
        plan.table.check()


def _unloaded(folder: Path) -> Unloaded | None:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return Unloaded(Shape.from_config(config), Tokenizer.load(folder))
    except (MrClassicError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def practising(on: practice.Subject, recipe: practice.Recipe, method: str, tokenizer: Tokenizer) -> Load:
    """What an update of GRPO or self-play computes at once."""
    together, alone = recipe.grpo, recipe.selfplay
    items = [on.arms.sample(arm, keyed("room", arm, at)) for arm in on.arms.names for at in range(4)]
    prompt = max(len(tokenizer.encode_chat(item.messages)) for item in items)
    completions, new = together.completions, together.max_new
    if method == "selfplay":
        completions = (alone.questions + alone.fixed) * alone.group
        prompt, new = max(prompt, alone.question_max_new), alone.max_new
    shows = method == "selfplay" and alone.warm + alone.shown > 0  # and the reference is what the model is after that
    moving = together.reference_every > 0 or shows
    networks = alone.networks if method == "selfplay" else 1
    return Load(completions, prompt + new, new, completions, together.objective.anchored, moving, networks)


def studying(words: str, batch: int) -> Callable[[Unloaded], Update]:
    """For `plan`: a supervised update of `batch` rows, in these `words`; before it, the model answers questions to keep
    what it can do."""

    def told(found: Unloaded) -> Update:
        width = min(found.shape.context, _ROW)
        return words, Load(batch, width, width // 2, fits.SLOTS)

    return told
