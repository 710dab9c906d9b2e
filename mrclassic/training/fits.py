"""Whether a training fits its device: what takes memory, by arithmetic from the model's shape, before anything loads.

Each entry says when it is there: all the time, or in one of the phases that follow each other (drawing answers, the
passes through the network, the optimizer's step, keeping the result). What is needed is the first kind together and the
largest of the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from mrclassic.errors import MrClassicError, UsageError
from mrclassic.model.adapters import Lora
from mrclassic.model.attention import QUERIES
from mrclassic.model.device import rounded
from mrclassic.model.shapes import Shape
from mrclassic.training.optimizers import Kind
from mrclassic.training.scoring import PART, whole

OptimizerState = Literal["full", "8bit", "factored"]
Phase = Literal["always", "drawing", "passes", "step", "keeping"]
SLOTS = 256  # rows of a rollout at a time
MARGIN = 1.05  # allocators round up and leave gaps
_RUNTIME = {"cpu": 450 * 2**20, "cuda": 600 * 2**20}  # the libraries themselves, measured
_MOST_TOKENS = {"cpu": 8192}  # of a microbatch; elsewhere `_MANY`
_MANY, _FEWEST = 65536, 256
_PASSES_ON_CPU = 4 * 2**30  # bytes that activations may take there


@dataclass(frozen=True)
class Fit:
    """How a training is made to fit: adapters instead of all weights, layers computed again in the backward pass
    instead of kept, and the form of what the optimizer keeps (8 bits a number, or rows and columns of its squares)."""

    lora: Lora | None = None
    recompute: bool = False
    optimizer_state: OptimizerState = "full"

    def __post_init__(self) -> None:
        if self.lora is not None and self.optimizer_state != "full":
            raise UsageError(
                f"Adapters keep little for the optimizer as it is; leave out --optimizer-state {self.optimizer_state}."
            )

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Fit:
        """From what a run was entered with."""
        lora = facts.get("lora")
        known = {name: facts[name] for name in ("recompute", "optimizer_state") if name in facts}
        return cls(**known, lora=Lora(**{**lora, "targets": tuple(lora["targets"])}) if lora else None)

    @property
    def words(self) -> str:
        """The options that ask for it."""
        lora = f"--lora {self.lora.rank}" if self.lora else ""
        state = f"--optimizer-state {self.optimizer_state}" if self.optimizer_state != "full" else ""
        return " ".join(filter(None, (lora, "--checkpoint-activations" if self.recompute else "", state)))


WHOLE = Fit()


@dataclass(frozen=True)
class Load:
    """What one update computes: `rows` sequences of up to `width` tokens, of which `learned` are scored; `drawn` of
    them are generated at a time (0: none are)."""

    rows: int
    width: int
    learned: int
    drawn: int = 0
    reference: bool = False
    moving: bool = False  # the reference
    networks: int = 1  # that learn beside each other


@dataclass(frozen=True)
class Place:
    """Where it is computed: the kind of device, bytes of a number in matrix products, and as the checkpoint is read."""

    device: str = "cpu"
    compute: int = 4
    read: int = 4


@dataclass(frozen=True)
class Need:
    """`bytes` of memory for `what`, during `phase`."""

    what: str
    bytes: int
    phase: Phase


@dataclass(frozen=True)
class Table:
    """What a training needs, against the bytes that are free (None: this system does not say)."""

    needs: tuple[Need, ...]
    free: int | None
    device: str
    advice: str = ""  # where it does not fit: what would

    @property
    def peak(self) -> int:
        """The most that is needed at once."""
        return peak(self.needs)

    @property
    def fits(self) -> bool:
        return self.free is None or self.peak <= self.free

    def check(self) -> None:
        """Raise MrClassicError where it does not fit, with what would make it fit."""
        if not self.fits:
            raise MrClassicError(
                f"This training needs about {_gib(self.peak)} and {self.device} has {_gib(self.free or 0)} free; "
                f"{self.advice}."
            )

    def lines(self) -> tuple[str, ...]:
        """The table in words, largest first within each phase."""
        lines = [f"  {'memory':<28} {'MiB':>9}  during"]
        for phase in _PHASES:
            for need in sorted(self.needs, key=lambda each: -each.bytes):
                if need.phase == phase and need.bytes >= _TOLD:
                    lines.append(f"  {need.what:<28} {need.bytes / 2**20:>9,.1f}  {_TITLES[phase]}")
        lines.append(f"  {'at most at once':<28} {self.peak / 2**20:>9,.0f}  {self._room}")
        return tuple(lines) if self.fits else (*lines, f"  It does not fit; {self.advice}.")

    @property
    def _room(self) -> str:
        free = "unknown" if self.free is None else f"{self.free / 2**20:,.0f} MiB"
        return f"free on {self.device}: {free}"


def beside(tables: Mapping[str, Table]) -> tuple[str, ...]:
    """At least one table, in words as one: a column each, in whole MiB."""

    def line(what: str, sizes: Iterable[int], words: str) -> str:
        cells = (f"{size / 2**20:>9,.0f}" if size >= _TOLD else f"{'-':>9}" for size in sizes)
        return f"  {what:<24}{''.join(cells)}  {words}"

    every = [{(need.what, need.phase): need.bytes for need in table.needs} for table in tables.values()]
    lines = [f"  {'memory, MiB':<24}{''.join(f'{name:>9}' for name in tables)}  during"]
    for phase in _PHASES:
        most = {key: max(each.get(key, 0) for each in every) for needs in every for key in needs if key[1] == phase}
        for key in sorted(most, key=lambda each: -most[each]):
            if most[key] >= _TOLD:
                lines.append(line(key[0], (each.get(key, 0) for each in every), _TITLES[phase]))
    least = min(tables.values(), key=lambda table: math.inf if table.free is None else table.free)
    lines.append(line("at most at once", (table.peak for table in tables.values()), least._room))
    unfit = (f"  {name} does not fit; {table.advice}." for name, table in tables.items() if not table.fits)
    return (*lines, *unfit)


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


_PHASES: tuple[Phase, ...] = ("always", "drawing", "passes", "step", "keeping")
_TITLES: Mapping[Phase, str] = dict(
    zip(_PHASES, ("all the time", "drawing", "the passes", "the step", "keeping it"), strict=True)
)
_TOLD = 2**18  # bytes; less is not worth a line


def peak(needs: tuple[Need, ...]) -> int:
    """What lasts, and the largest of the phases."""
    of = {phase: sum(need.bytes for need in needs if need.phase == phase) for phase in _PHASES}
    return int(MARGIN * (of.pop("always") + max(of.values())))


def needs(shape: Shape, fit: Fit, load: Load, place: Place) -> tuple[Need, ...]:
    """What a training of `shape` takes."""
    all_, size = shape.parameters, place.compute
    learned = fit.lora.parameters(shape) if fit.lora else all_
    moments = learned * 8 if fit.optimizer_state == "full" else _thrifty(shape, fit)
    tokens = min(load.rows * load.width, token_budget(shape, fit, place))
    rows = min(load.rows, max(1, tokens // load.width))
    scored = rows * load.learned
    largest = shape.vocab_size * shape.hidden
    shared = fit.lora is not None and place.read == place.compute
    reference = 0 if not load.reference else (learned * load.moving if fit.lora else all_) * size
    slots = min(SLOTS, rounded(load.drawn)) if load.drawn else 0
    other = all_ * size + learned * size + 2 * (learned * 4 + moments)  # with its gradients, and to go back to
    found = [
        Need("the libraries", _RUNTIME.get(place.device, _RUNTIME["cpu"]), "always"),
        Need("the checkpoint as read", 0 if shared else all_ * place.read, "always"),
        Need("parameters", (all_ + (learned if fit.lora else 0)) * size, "always"),
        Need("float32 masters", learned * 4, "always"),
        Need("optimizer", moments, "always"),
        Need("reference", reference, "always"),
        Need("state to go back to", learned * 4 + moments, "always"),
        Need("the other network", (load.networks - 1) * other, "always"),
        Need("key-value cache", _cache(slots, shape, load.width, size), "drawing"),
        Need("drawing tokens", _drawing(slots, shape, size), "drawing"),
        Need("activations", tokens * _kept(shape, fit, load.width, place), "passes"),
        Need("log-probabilities", _scoring(scored, shape, size, place.device), "passes"),
        Need("gradients", learned * size + (0 if fit.lora else largest * size), "passes"),
        Need("gradients in float32", learned * 4, "step"),
        Need("the optimizer's own work", int(_working(fit, place) * largest * 4), "step"),
        # Merged and in float32, and beside it as it answers questions.
        Need("the result", all_ * 4 + (all_ * size if size != 4 else 0), "keeping"),
        Need("its answers", _cache(SLOTS, shape, load.width, size) + _drawing(SLOTS, shape, size), "keeping"),
    ]
    return tuple(need for need in found if need.bytes)


def _working(fit: Fit, place: Place) -> float:
    """Float32 copies of the largest matrix that a step makes, as measured (with a compiler, on a GPU: a guess)."""
    if fit.optimizer_state == "8bit":
        return 13.5 if place.device == "cpu" else 3.0
    return 1.0 if fit.optimizer_state == "factored" else 0.0


def _cache(slots: int, shape: Shape, width: int, size: int) -> int:
    """Bytes of the keys and values of `slots` rows; while it grows, one layer is there twice."""
    return 2 * slots * width * (shape.layers + 1) * shape.kv_heads * shape.head_dim * size


def _drawing(slots: int, shape: Shape, size: int) -> int:
    """Bytes of the scores of the next token as they come, in float32, and of what drawing makes of them."""
    return slots * shape.vocab_size * (size + 4 * 4)


def _thrifty(shape: Shape, fit: Fit) -> int:
    """Bytes of the optimizer's state in 8 bits (with a scale for each 256), or factored (a row and a column each)."""
    if fit.optimizer_state == "8bit":
        return 2 * shape.parameters + shape.parameters // 32
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    layer = (
        (q + 2 * kv + shape.hidden) + (shape.hidden + q) + (2 * shape.ffn + shape.hidden) + (shape.hidden + shape.ffn)
    )
    return 4 * (shape.vocab_size + shape.hidden + shape.layers * layer)


def _scoring(targets: int, shape: Shape, size: int, device: str) -> int:
    """Bytes of the log-probabilities of `targets` tokens: see `scoring`."""
    if whole(targets, shape.vocab_size, device):
        return targets * shape.vocab_size * size
    return 4 * 4 * PART + targets * shape.hidden * 4


def _kept(shape: Shape, fit: Fit, width: int, place: Place) -> int:
    """Bytes that a token leaves behind for the backward pass: counted from what autograd saves, and held to it by a
    test."""
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    # On a CPU in bfloat16 attention keeps its shares, of long rows only those of the past; elsewhere a number a head.
    past = width if width <= QUERIES else (width + QUERIES) // 2
    shares = shape.heads * (past if (place.device, place.compute) == ("cpu", 2) else 2)
    layer = 4 * shape.hidden + 3 * shape.ffn + 4 * q + 3 * kv + shares + 2
    layer += (q + kv + shape.heads + shape.kv_heads) * shape.qk_norm
    layer += len(fit.lora.targets) * fit.lora.rank if fit.lora else 0
    layers = shape.layers * shape.hidden + layer if fit.recompute else shape.layers * layer
    # The ends of the network, and the gradients on their way through one layer.
    return (layers + 4 * shape.hidden + 3 * shape.ffn + shares) * place.compute


def token_budget(shape: Shape, fit: Fit, place: Place, total: int | None = None) -> int:
    """Tokens of a microbatch: as many as are fast, fewer where their activations would take more than 4 GiB (CPU) or a
    quarter of the device's `total` memory. It depends on nothing that changes: another budget rounds otherwise."""
    budget = _MOST_TOKENS.get(place.device, _MANY)
    room = _PASSES_ON_CPU if place.device == "cpu" or total is None else total // 4
    width = min(shape.context, 512)
    while budget > _FEWEST and budget * _kept(shape, fit, width, place) > room:
        budget //= 2
    return budget


def table(shape: Shape, fit: Fit, load: Load, place: Place, free: int | None, device: str) -> Table:
    """The table of a training; `device` is its name."""
    found = Table(needs(shape, fit, load, place), free, device)
    if found.fits or free is None:
        return found
    adapted = replace(fit, lora=fit.lora or Lora(16), optimizer_state="full")
    for way in (replace(fit, recompute=True), adapted, replace(adapted, recompute=True)):
        need = peak(needs(shape, way, load, place))
        if need <= free:
            return replace(found, advice=f"with {way.words} it needs {_gib(need)}")
    hint = "it does not fit with adapters and recomputed activations either; take fewer or shorter rows"
    return replace(found, advice=hint)


def optimizer(kind: Kind, fit: Fit) -> Kind:
    """The optimizer `kind` with its state in the form that `fit` asks for."""
    if fit.optimizer_state == "full":
        return kind
    if kind != "adamw":
        raise UsageError(f"Leave out --optimizer-state {fit.optimizer_state}: {kind} has no such form.")
    return "adamw8bit" if fit.optimizer_state == "8bit" else "adafactor"


def total_memory(device: torch.device) -> int | None:
    """Bytes that `device` has in all, where it is no CPU and says so."""
    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else None


def free_memory(device: torch.device) -> int | None:
    """Bytes that are free on `device` now, beside what other programs hold; None where the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return max(0, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return None
    found = dict(line.split(":", 1) for line in meminfo.read_text(encoding="ascii").splitlines())
    return min(int(found["MemAvailable"].split()[0]) * 1024, _left_in_group())


def _left_in_group() -> int:
    """What the control group of this process (a container's) leaves of its limit; without one, no limit."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        stat = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
        # Files that were read lie in the cache, and leave it when memory is wanted.
        used = int((folder / "memory.current").read_text(encoding="ascii")) - int(stat["inactive_file"])
    except (OSError, ValueError, KeyError):
        return 2**63
    return 2**63 if limit == "max" else max(0, int(limit) - used)
