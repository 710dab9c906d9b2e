"""Where training happens in a home: the model to begin from, the device, the store, and a place for what is made."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mrclassic import book, failpoints, files, heartbeat
from mrclassic.errors import MrClassicError, NoMemory, Refused, Unwritable, UsageError, out_of_memory
from mrclassic.home import Home
from mrclassic.lease import holder, shared
from mrclassic.mind.sockets import connect
from mrclassic.model import checkpoint
from mrclassic.model.adapters import Lora
from mrclassic.model.decoder import to_named
from mrclassic.model.device import choose_device, choose_dtype, set_threads
from mrclassic.model.manifest import CorruptCheckpoint, Manifest, manifest, verify
from mrclassic.model.policy import Policy
from mrclassic.night.practised import Practised, words
from mrclassic.sandbox import judge
from mrclassic.settings import Settings
from mrclassic.store import Checkpoint, Run, Store, StoreError, curation
from mrclassic.training.fits import Fit
from mrclassic.training.state import reopen
from mrclassic.training.suites import Suite, SuiteResult, measure

Say = Callable[[str], None]

_LOOKS, _LOOK = 3, 0.02  # how often, and in what distance (seconds), a lock is tried


@dataclass(frozen=True)
class Parent:
    """The checkpoint that a run begins from, opened."""

    row: Checkpoint
    manifest: Manifest
    policy: Policy
    wanted: Checkpoint
    """The one that was asked for: `row` itself, or the damaged one that it stands in for."""


@contextmanager
def alone(home: Home, what: str, words: str, who: str = "") -> Iterator[None]:
    """One `what` at a time in a home; a second one is refused in these `words`, and told who has the lock."""
    with (home.run / f"{what}.lock").open("a") as lock:
        for attempt in range(_LOOKS):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == _LOOKS - 1:
                    found = holder(home.run / f"{what}.lock")
                    at_it = f" Process {found.pid} is at it ({found.who})." if found else ""
                    raise Refused(f"{words}{at_it}") from None
                time.sleep(_LOOK)  # who only looks (see `lease.begun`) holds it for an instant
        with contextlib.suppress(OSError):  # a full disk: then it does not say who
            os.ftruncate(lock.fileno(), 0)
            os.pwrite(lock.fileno(), json.dumps({"who": who or what, "pid": os.getpid()}).encode(), 0)
        yield


def fresh_name(home: Home, method: str) -> str:
    """The id of a checkpoint that is made now by `method`."""
    return next(name for name in _names(datetime.now(UTC), method) if not (home.checkpoints / name).exists())


def _names(when: datetime, method: str) -> Iterator[str]:
    """What a checkpoint of `method` may be called: the first of these that is free."""
    name = f"{when.astimezone(UTC).strftime('%Y%m%d-%H%M%S')}-{method}"
    yield name
    yield from (f"{name}-{number}" for number in itertools.count(2))


_OVER = ("done", "rolled back", "stopped")  # runs that cannot be gone on with
_ANEW = ("lesson", "reward-model")  # kinds that are begun anew instead


class Workplace(Practised):
    """A home opened for training. `say` narrates."""

    def __init__(self, home: Home, settings: Settings, store: Store, say: Say) -> None:
        set_threads(settings.threads)
        self.device = choose_device(settings.device)
        super().__init__(home, settings, store, str(self.device))
        self.say = say
        self.dtype = choose_dtype(self.device, settings.dtype)
        # A night that systemd has started cannot make a sandbox; where a unit of its own judges, that one is asked.
        judge.prefer(lambda: connect(home.judge_socket))
        book.ensure_book(home)
        curation.settle(store, home)
        self._sweep()

    def origin(self, wanted: str | None = None) -> Checkpoint:
        """The row of the checkpoint `wanted`, or of the one in use."""
        row = self.store.checkpoints.get(wanted) if wanted else self.store.checkpoints.in_use()
        if row is None:
            raise MrClassicError("There is no model here yet; `mrclassic hatch` makes one.")
        return row

    def parent(self, wanted: str | None = None) -> Parent:
        """Open the checkpoint `wanted`, or the one in use; if it is damaged, its nearest whole ancestor, said aloud."""
        row = self.origin(wanted)
        faults: list[str] = []
        for candidate in self.store.checkpoints.lineage(row.id):
            path = self.home.checkpoints / candidate.path
            try:
                policy = checkpoint.load(path, str(self.device))
            except CorruptCheckpoint as error:
                faults.append(str(error).rstrip("."))
                continue
            if faults:
                self.say(f"{faults[0]}; its ancestor {candidate.id} is taken instead.")
            return Parent(candidate, manifest(path), policy, row)
        raise MrClassicError(
            f"Checkpoint {row.id} cannot be read ({faults[0]}), nor any it came from; choose another with "
            "`mrclassic model use`, or hatch anew with `mrclassic hatch --again`."
        )

    def moments(self, row: Checkpoint) -> dict[str, Tensor] | None:
        """The supervised optimizer's moments from the nearest ancestor that has them."""
        for ancestor in self.store.checkpoints.lineage(row.id):
            try:
                verify(self.home.checkpoints / ancestor.path)
                saved = checkpoint.load_state(self.home.checkpoints / ancestor.path)
            except CorruptCheckpoint:
                continue
            if saved is not None:
                return saved[0]
        return None

    def keep(
        self,
        policy: Policy,
        method: str,
        *,
        parent: Checkpoint | None,
        run: int,
        step: int,
        known: Sequence[str],
        metrics: Mapping[str, Any],
        state: Mapping[str, Tensor] | None = None,
    ) -> Checkpoint:
        """Save `policy` (float32) as a candidate and enter it in the store; named by when `run` began. Where a process
        that was killed has done so already, that one is taken."""
        begun = datetime.fromisoformat(self.store.runs.get(run).started)
        for name in _names(begun, method):
            path = self.home.checkpoints / name
            if not path.exists():
                break
            if _holds(path, policy, run):
                row = next((row for row in self.store.checkpoints.list() if row.id == name), None)
                return row or self._enter(manifest(path), name, run)
        saved = checkpoint.save(
            policy,
            path,
            parent=parent.id if parent else None,
            run=run,
            method=method,
            step=step,
            book=tuple(known),
            metrics=metrics,
            state=state,
        )
        failpoints.reached("candidate.saved")
        return self._enter(saved, name, run)

    def _enter(self, saved: Manifest, name: str, run: int) -> Checkpoint:
        return self.store.checkpoints.add(
            Checkpoint(
                id=name,
                path=name,
                parent=saved.parent,
                run=run,
                status="candidate",
                parameters=saved.parameters,
                model_sha256=saved.model_sha256,
                metrics=dict(saved.metrics),
            )
        )

    def use(self, row: Checkpoint, instead_of: Checkpoint | None = None) -> bool:
        """Promote `row`: it is the model in use from the next reply on. False, and nothing changes, where the one in
        use is no longer the one it was judged against: a promotion must not undo another."""
        with self.store.transaction():
            present = self.store.checkpoints.in_use()
            # The same weights are this very promotion, by a run that was killed right after it and went on.
            mine = present is not None and present.model_sha256 == row.model_sha256
            if instead_of is not None and not mine and (present is None or present.id != instead_of.id):
                return False
            self.store.checkpoints.set_status(row.id, "promoted")
            failpoints.reached("promotion.marked")
            self.store.checkpoints.use(row.id)
        failpoints.reached("promotion.done")
        return True

    @property
    def fit(self) -> Fit:
        """How training is made to fit the device, as the settings say."""
        own = self.settings.training
        lora = Lora(own.lora, words(own.lora_targets)) if own.lora else None
        return Fit(lora, own.checkpoint_activations, own.optimizer_state)

    def learnt(self, parent: Parent) -> bool:
        """Whether `parent` knows every entry of the book."""
        known = set(parent.manifest.book)
        return all(entry.hash in known for entry in self.entries)

    def measure(self, policy: Policy, suites: Sequence[Suite]) -> dict[str, SuiteResult]:
        """Scores of `policy` as it will answer its owner (see `Policy.for_replies`)."""
        heartbeat.beat("measuring what the model can do")
        return measure(policy.for_replies(self.settings.dtype), [suite for suite in suites if suite.probes])

    def folder(self, run: int) -> Path:
        """Where a run of its own (not of a night) keeps what it needs to go on."""
        return self.home.runs / f"run-{run}"

    def pin_book(self, folder: Path) -> None:
        """From now on the book is the one that what goes on in `folder` began with; it is kept there when it begins."""
        kept = folder / "book.txt"
        if not kept.exists():
            files.make_folder(folder)
            files.replace(kept, "\n".join(book.render(entry) for entry in self.entries).encode())
        self.entries = book.load(kept)

    def take_book(self) -> None:
        """From now on the book is the one in the home, as it is now."""
        self.entries = book.load(self.home.book)

    def clear(self, run: int, ended: str) -> None:
        """Remove what a run needed to go on; one that the sentinel paused may still, if its owner says so."""
        if ended != "paused":
            shutil.rmtree(self.folder(run), ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what `clear` could not: a process may be killed between the end of its run and that."""
        over = {f"run-{row.id}" for row in self.store.runs.list() if row.status in _OVER}
        over |= {f"night-{row.id}" for row in self.store.nights.list() if row.status == "done"}
        for folder in self.home.runs.iterdir():
            if folder.name in over:
                shutil.rmtree(folder, ignore_errors=True)

    def resumable(self, run: int, kind: str) -> Run:
        """The run to go on with (0: the last of its kind that can), with the book and the threads that it began with;
        refuses one of another kind, of a night, or that is over."""
        row = self.store.runs.get(run) if run else self._unfinished(kind)
        if row.night is not None:
            raise UsageError(f"Run {run} is of night {row.night}; `mrclassic night --now --resume` goes on with that.")
        if row.kind != kind:
            raise UsageError(f"Run {run} is a {row.kind} run; `mrclassic {_verb(row.kind)}` is for that.")
        if not _open(row) or (row.status == "paused" and not self.folder(row.id).exists()):
            raise UsageError(f"Run {row.id} is over ({row.status}); there is nothing to resume.")
        if (self.folder(row.id) / "book.txt").exists():
            self.pin_book(self.folder(row.id))
        self.as_then(row.settings.get("circumstances", {}), f"run {row.id}")
        return row

    def _unfinished(self, kind: str) -> Run:
        found = (row for row in self.store.runs.list(kind) if _open(row) and row.night is None)
        row = next((row for row in found if self.folder(row.id).exists()), None)
        if row is None:
            raise UsageError(f"No {kind} run waits to be gone on with; begin one with `mrclassic {_verb(kind)}`.")
        return row

    def as_then(self, circumstances: Mapping[str, str], what: str) -> None:
        """Compute with as many threads as when `what` began; say what else its exact weights depend on has changed."""
        if (threads := circumstances.get("threads")) is not None:
            set_threads(int(threads))
        changed = [name for name, value in self.circumstances.items() if circumstances.get(name) != value]
        if changed:
            self.say(f"Changed since {what} began: {', '.join(changed)}. It goes on, but not to the same weights.")

    @property
    def circumstances(self) -> dict[str, str]:
        """What the exact weights of a run depend on beside its settings."""
        return {
            "book": self.digest,
            "number format": dtype_name(self.dtype),
            "threads": str(torch.get_num_threads()),
            "device": self.device.type,
        }

    @contextmanager
    def run(
        self,
        kind: str,
        settings: object,
        parent: str | None = None,
        night: int | None = None,
        resume: int | None = None,
    ) -> Iterator[int]:
        """A run in the store, new or set running again; one that does not reach its end is entered as such. One of its
        own (not of a night, which sees to that itself) shares the device meanwhile; Refused while a night has it."""
        facts = asdict(settings) if is_dataclass(settings) and not isinstance(settings, type) else {}
        facts |= {"circumstances": self.circumstances}
        with contextlib.ExitStack() as held:
            if night is None:
                held.enter_context(shared(self.home, str(self.device)))
            run = resume or self.store.runs.start(kind, facts, parent, night)
            held.enter_context(alone(self.home, f"run-{run}", f"Run {run} is going on already."))
            held.callback((self.home.run / f"run-{run}.lock").unlink, missing_ok=True)
            if resume is not None and self.store.runs.get(run).status == "paused":
                reopen(self.folder(run))
            if resume is not None:
                self.store.runs.resume(run)
            try:
                yield run
            except BaseException as raised:
                error = NoMemory() if out_of_memory(raised) else raised
                # With room again, on the disk or in memory, it goes on as if nothing had been; what failed by itself
                # would fail again. A night has other stages, which may need less memory.
                cut = isinstance(error, KeyboardInterrupt | Unwritable | StoreError | OSError)
                cut = cut or (isinstance(error, NoMemory) and night is None)
                status = "interrupted" if cut else "failed"
                self.store.runs.finish(run, status, facts={"error": str(error)})
                if night is None and status == "interrupted" and kind not in _ANEW:
                    again = "The same command" if kind == "hatch" else f"`mrclassic {_verb(kind)} --resume {run}`"
                    self.say(f"{again} goes on from here.")
                if error is not raised:
                    raise error from raised
                raise


def _open(row: Run) -> bool:
    """Whether the run can be gone on with."""
    return row.status == "paused" or (row.checkpoint is None and row.status in ("running", "interrupted", "failed"))


def _holds(path: Path, policy: Policy, run: int) -> bool:
    """Whether the checkpoint at `path` is of `run` and has these very weights."""
    try:
        if manifest(path).run != run:
            return False
        there = to_named(checkpoint.load(path, "cpu").decoder)
    except CorruptCheckpoint:
        return False
    return all(torch.equal(there[name], weight.cpu()) for name, weight in to_named(policy.decoder).items())


def _verb(kind: str) -> str:
    return "hatch" if kind == "hatch" else f"train {kind}"


def dtype_name(dtype: torch.dtype) -> str:
    """`bf16` or `fp32`."""
    return {torch.bfloat16: "bf16", torch.float32: "fp32"}[dtype]
