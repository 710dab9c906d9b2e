"""`mrclassic model list|show|use|undo|prune|import|grow|export`: the checkpoints of a home, and which answers."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mrclassic.cli import common

if TYPE_CHECKING:
    from mrclassic.home import Home
    from mrclassic.model.manifest import Manifest
    from mrclassic.store import Checkpoint, Store

app = typer.Typer(
    name="model",
    help="The checkpoints: list them, look at one, put one into use, export one.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class ExportFormat(StrEnum):
    """What a checkpoint can be exported as."""

    HF = "hf"
    GGUF = "gguf"
    OLLAMA = "ollama"


class ExportDtype(StrEnum):
    """The formats that exported weights can have."""

    F32 = "f32"
    F16 = "f16"
    BF16 = "bf16"
    Q8_0 = "q8_0"


class Size(StrEnum):
    """The sizes that a model can grow to."""

    SMALL = "small"
    CLASSIC = "classic"


_NONE_YET = "No model here yet; run `mrclassic hatch`."


@app.command("list")
def list_(ctx: typer.Context, json_: common.JsonFlag = False) -> None:
    """List the checkpoints, newest first; * is in use, "removed" that only what was known of it is left.

    Example: mrclassic model list
    """
    here = common.session(ctx)
    with here.store() as store:
        rows = [{**_facts(store, row), "here": _is_here(here.home, row)} for row in store.checkpoints.list()]
    if json_:
        common.emit(rows)
        return
    if not rows:
        common.say(_NONE_YET)
    for row in rows:
        mark = "*" if row["in_use"] else " "
        parent = f"  from {row['parent']}" if row["parent"] else ""
        status = row["status"] if row["here"] else "removed"
        common.out(f"{mark} {row['id']}  {status:<9}  {row['parameters']:>11,}  {row['created'][:19]}{parent}")


@app.command()
def show(
    ctx: typer.Context,
    checkpoint: Annotated[
        str | None, typer.Argument(help="Its id, or the beginning of one (default: the one in use).")
    ] = None,
    json_: common.JsonFlag = False,
) -> None:
    """Say what a checkpoint is, where it came from, what was measured of it, and whether its files are whole.

    Example: mrclassic model show
    """
    from mrclassic.model.manifest import CorruptCheckpoint, verify

    here = common.session(ctx)
    with here.store() as store:
        row = _wanted(store, checkpoint)
        facts = _facts(store, row)
        facts["lineage"] = [ancestor.id for ancestor in store.checkpoints.lineage(row.id)[1:]]
    facts["folder"] = here.home.checkpoints / row.path
    try:
        found = verify(here.home.checkpoints / row.path)
        facts |= {"whole": True, "trouble": "", "method": found.method, "step": found.step}
        facts |= {"book": len(found.book), "bytes": sum(size for size, _ in found.files.values())}
    except CorruptCheckpoint as error:
        facts |= {"whole": False, "trouble": str(error)}
    if json_:
        common.emit(facts)
        return
    for name, value in facts.items():
        if name == "metrics":
            common.out("metrics")
            for suite, score in row.metrics.items():
                common.out(f"  {suite:<22} {score}")
        else:
            common.out(f"{name:<12} {_words(value)}")


@app.command()
def use(
    ctx: typer.Context,
    checkpoint: Annotated[str, typer.Argument(help="Its id, or the beginning of one.")],
    json_: common.JsonFlag = False,
) -> None:
    """Put a checkpoint into use, after its files were held against their hashes.

    Example: mrclassic model use 20260102-040506-night
    """
    here = common.session(ctx)
    with here.store() as store:
        _put_into_use(here.home, store, store.checkpoints.get(checkpoint), json_)


@app.command()
def undo(ctx: typer.Context, json_: common.JsonFlag = False) -> None:
    """Go back to the checkpoint that was in use before; said again, further back. `model use` goes forward again.

    Example: mrclassic model undo
    """
    from mrclassic.errors import MrClassicError

    here = common.session(ctx)
    with here.store() as store:
        now = _wanted(store, None)
        former = [row for row in store.checkpoints.former() if _is_here(here.home, row)]
        if not former:
            raise MrClassicError(
                f"Nothing that was in use before {now.id} is left here; there is nothing to go back to."
            )
        _put_into_use(here.home, store, former[0], json_, undo=True)
        if not json_:
            again = f" Said again, `undo` goes back to {former[1].id}." if len(former) > 1 else ""
            common.say(f"`mrclassic model use {now.id}` takes this back.{again}")


@app.command()
def prune(
    ctx: typer.Context,
    keep: Annotated[
        int, typer.Option(min=1, help="How many to keep of the newest, and of those that were in use last.")
    ] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    json_: common.JsonFlag = False,
) -> None:
    """Remove the files of old checkpoints, as every night does after it was judged.

    What is in use, golden, imported, or needed by a run that can go on always stays; so does the record of the others.

    Example: mrclassic model prune --dry-run
    """
    from mrclassic.night.pruning import prune as remove

    here = common.session(ctx)
    with here.store() as store:
        done = remove(here.home, store, keep=keep, only_say=dry_run)
    if json_:
        common.emit(done)
        return
    for name in done.removed:
        common.out(name)
    verb = "Would remove" if dry_run else "Removed"
    common.say(f"{verb} {len(done.removed)} checkpoints, {done.freed / 2**20:,.1f} MiB.")


@app.command("import")
def import_(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="FOLDER|OWNER/NAME[@REVISION]", help="A model's folder, or one of the hub.")
    ],
    use_: Annotated[
        bool, typer.Option("--use", help="Let it answer from now on; without a model here it does anyway.")
    ] = False,
    json_: common.JsonFlag = False,
) -> None:
    """Bring a Llama, Qwen2 or Qwen3 model into this home, from a folder or from the Hugging Face hub.

    Only safetensors and a tokenizer.json are read; its chat template runs in a sandbox. Interrupted, a download goes on
    with the same command. HF_TOKEN opens models whose terms you have accepted.

    Example: mrclassic model import Qwen/Qwen2.5-0.5B-Instruct
    """
    here = common.session(ctx)
    with here.store() as store:
        from mrclassic.cli.progress import Bar
        from mrclassic.night.importing import Progress, import_model

        with Bar("importing", of_bytes=True) as bar:
            progress = Progress(bar.stage, bar.moved)
            facts = import_model(here.home, store, source, use=use_, say=common.say, progress=progress)
    if json_:
        common.emit(facts)
        return
    common.say(
        f"Imported {facts.source} as {facts.checkpoint}: {facts.family}, {facts.parameters:,} parameters in "
        f"{facts.dtype}, reads {facts.context:,} tokens."
    )
    if not facts.own_template:
        common.say("It has no chat template, so it gets ours: expect it to chat only after some training.")
    answers = (
        "It answers from the next reply on." if facts.in_use else f"`mrclassic model use {facts.checkpoint}` uses it."
    )
    common.say(answers)


@app.command()
def grow(
    ctx: typer.Context,
    to: Annotated[Size, typer.Option(help="small (about 10M) or classic (about 49M).")],
    origin: Annotated[
        str | None, typer.Option("--from", help="Checkpoint to grow, or its beginning (default: the one in use).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws what is new; it says nothing before it has learned.")] = 0,
    json_: common.JsonFlag = False,
) -> None:
    """Make a larger model that answers exactly as this one does, with room to learn more.

    It keeps tokenizer, book and scores, and is a candidate: train it on, or put it into use as it is.

    Example: mrclassic model grow --to small
    """
    here = common.session(ctx)
    with here.store() as store:
        from mrclassic.errors import Refused
        from mrclassic.model import growing
        from mrclassic.model.checkpoint import save
        from mrclassic.model.shapes import SHAPES
        from mrclassic.night.workplace import Workplace, fresh_name
        from mrclassic.store import Checkpoint

        work = Workplace(here.home, here.settings, store, common.say)
        parent = work.parent(origin)
        grown = growing.grow(parent.policy, SHAPES[to.value], seed)
        difference = growing.difference(parent.policy, grown)
        if not difference <= growing.TOLERANCE:
            raise Refused(f"Grown, {parent.row.id} would answer differently (logits by {difference:.2g}); not kept.")
        moments = growing.grow_moments(work.moments(parent.row) or {}, parent.policy.shape, SHAPES[to.value])
        name = fresh_name(here.home, "grow")
        saved = save(
            grown,
            here.home.checkpoints / name,
            parent=parent.row.id,
            method="grow",
            book=parent.manifest.book,
            metrics=parent.row.metrics,
            state=moments or None,
        )
        row = Checkpoint(
            name, name, parent.row.id, parameters=saved.parameters, model_sha256=saved.model_sha256,
            metrics=dict(parent.row.metrics),
        )  # fmt: skip
        store.checkpoints.add(row)
    facts = {
        "checkpoint": name,
        "parent": parent.row.id,
        "parameters": saved.parameters,
        "model_sha256": saved.model_sha256,
        "shape": grown.shape,
        "difference": difference,
        "moments": bool(moments),
    }
    if json_:
        common.emit(facts)
        return
    shape = grown.shape
    common.say(
        f"{name}: {saved.parameters:,} parameters instead of {parent.row.parameters:,}, {shape.hidden} wide, "
        f"{shape.layers} layers; the same answers (logits differ by {difference:.1g})."
    )
    common.say(f"`mrclassic model use {name}` lets it answer; `--from {name}` trains it on.")


@app.command()
def export(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A folder that is new, or empty.")],
    checkpoint: Annotated[
        str | None, typer.Option(help="Its id, or the beginning of one (default: the one in use).")
    ] = None,
    form: Annotated[
        ExportFormat, typer.Option("--format", help="For transformers and vLLM, for llama.cpp, or for Ollama.")
    ] = ExportFormat.HF,
    dtype: Annotated[
        ExportDtype | None, typer.Option(help="The format of the weights (default: as they are stored).")
    ] = None,
    json_: common.JsonFlag = False,
) -> None:
    """Write a checkpoint, with a model card, as a Hugging Face folder, a GGUF file or a folder for Ollama.

    What only training needs stays behind.

    Example: mrclassic model export ./my-model --format ollama --dtype q8_0
    """
    from mrclassic.night.exporting import export_checkpoint

    here = common.session(ctx)
    with here.store() as store:
        row = _wanted(store, checkpoint)
        facts = export_checkpoint(
            here.home,
            store,
            row,
            _whole(here.home, row),
            folder,
            form=form.value,
            dtype=dtype.value if dtype else None,
            sampling=here.settings.chat.model_dump(include={"temperature", "top_p", "top_k"}, exclude_none=True),
        )
    if json_:
        common.emit(facts)
        return
    common.say(f"Exported {row.id} to {folder}: {len(facts.files)} files, {facts.bytes:,} bytes.")
    if facts.note:
        common.say(f"Note: {facts.note}.")


def _wanted(store: Store, checkpoint: str | None) -> Checkpoint:
    """The checkpoint named, or else the one in use."""
    from mrclassic.errors import MrClassicError

    row = store.checkpoints.in_use() if checkpoint is None else store.checkpoints.get(checkpoint)
    if row is None:
        raise MrClassicError(_NONE_YET)
    return row


def _whole(home: Home, row: Checkpoint) -> Manifest:
    """The manifest of a checkpoint whose files all are what was saved; refuses any other."""
    from mrclassic.errors import Refused
    from mrclassic.model.manifest import CorruptCheckpoint, verify

    if not _is_here(home, row):
        raise Refused(f"The files of {row.id} were removed; `mrclassic model list` shows those that are here.")
    try:
        found = verify(home.checkpoints / row.path)
    except CorruptCheckpoint as error:
        raise Refused(str(error)) from error
    # The manifest could have been replaced along with the weights; the database remembers what was saved.
    if row.model_sha256 and found.model_sha256 != row.model_sha256:
        raise Refused(f"{home.checkpoints / row.path}: these are not the weights that were saved as {row.id}.")
    return found


def _is_here(home: Home, row: Checkpoint) -> bool:
    return (home.checkpoints / row.path).is_dir()


def _put_into_use(home: Home, store: Store, row: Checkpoint, json_: bool, undo: bool = False) -> None:
    former = store.checkpoints.in_use()
    _whole(home, row)
    same = former is not None and former.id == row.id
    if not same:
        store.checkpoints.use(row.id, undo=undo)
    if json_:
        common.emit({"checkpoint": row.id, "before": former.id if former else None})
    elif same:
        common.say(f"{row.id} is in use already.")
    else:
        common.say(f"{row.id} answers from the next reply on.")


def _facts(store: Store, row: Checkpoint) -> dict[str, Any]:
    used, golden = store.checkpoints.in_use(), store.checkpoints.golden()
    return {
        "id": row.id,
        "in_use": used is not None and used.id == row.id,
        "golden": golden is not None and golden.id == row.id,
        "status": row.status,
        "parent": row.parent,
        "run": row.run,
        "created": row.created,
        "parameters": row.parameters,
        "model_sha256": row.model_sha256,
        "metrics": row.metrics,
    }


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value in (None, "") else str(value)
