"""`bench`: how fast this machine rolls out, practises and studies."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from mrclassic.cli import common


def bench(
    ctx: typer.Context,
    mode: Annotated[str, typer.Argument(help="rollout, grpo, book, base, verify, sandbox.")],
    model: Annotated[
        Path | None, typer.Option(help="A Hugging Face checkpoint directory (default: the model in use).")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="Instead: random weights of this size (tiny, small, classic).")
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help='JSONL of {"prompt", "completion"} in chat format (default: the book).')
    ] = None,
    group: Annotated[int, typer.Option(min=1)] = 8,
    prompts_per_step: Annotated[int, typer.Option(min=1)] = 32,
    max_new: Annotated[int, typer.Option(min=1)] = 64,
    batch: Annotated[int, typer.Option(min=1, help="Examples a step (book).")] = 32,
    steps: Annotated[int, typer.Option(min=1)] = 5,
    threads: Annotated[int | None, typer.Option(min=1)] = None,
    no_eos: Annotated[bool, typer.Option("--no-eos", help="Every completion runs to --max-new.")] = False,
    peer: Annotated[bool, typer.Option("--peer", help="Run TRL on the same work too, in the same run.")] = False,
    peer_python: Annotated[
        str | None, typer.Option(help="The Python that has TRL installed (default: this one).")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help='verify: JSONL of {"answer", "completion", "right"} (default: our own pairs). '
            "sandbox: rows of HumanEval (default: the home's, or the sample)."
        ),
    ] = None,
    corpus: Annotated[
        list[Path] | None, typer.Option(help="base: files or folders to learn from; for several, again.")
    ] = None,
    optimizer: Annotated[
        Literal["adamw", "muon"] | None, typer.Option(help="base: default as in `train base`.")
    ] = None,
    hostile: Annotated[int | None, typer.Option(min=1, help="verify: so many hostile answers instead.")] = None,
    json: common.JsonFlag = False,
) -> None:
    """Measure speed: medians a step, completions and tokens a second, and the share of the matrix-product speed.

    Example: mrclassic bench grpo --size classic --no-eos --json
    """
    from tempfile import TemporaryDirectory

    if mode == "verify":
        _verify(file, hostile, json)
        return
    session = common.session(ctx)
    if mode == "sandbox":
        _sandbox(session, file, json)
        return
    if mode == "base":
        _base(session, corpus or [], size or "tiny", steps, optimizer, threads, peer, peer_python, json)
        return
    from mrclassic.bench.speed import Job, measure
    from mrclassic.errors import UsageError

    if mode not in ("rollout", "grpo", "book"):
        raise UsageError(f"There is no bench {mode!r}; there are rollout, grpo, book, base, verify and sandbox.")
    with TemporaryDirectory(dir=session.home.run) as scratch:
        folder, rows = _material(session, Path(scratch), model, size, prompts)
        job = Job(
            mode,
            folder,
            rows,
            group,
            prompts_per_step,
            max_new,
            batch,
            steps,
            threads or session.settings.threads,
            no_eos,
            session.settings.device,
            session.settings.dtype,
        )
        facts: dict[str, Any] = {"ours": measure(job)}
        if peer:
            facts["peer"] = _peer(asdict(job), peer_python, Path(scratch))
            facts["ratio"] = round(facts["ours"].completions_per_s / facts["peer"]["completions_per_s"], 2)
    if json:
        common.emit(facts if peer else facts["ours"])
        return
    ours = facts["ours"]
    unit = "examples" if mode == "book" else "completions"
    common.out(
        f"{mode}: {ours.completions_per_s:,.1f} {unit}/s, {ours.tokens_per_s:,.0f} tokens/s "
        f"({ours.step_s:.3f} s a step, {ours.params:,} parameters, {ours.dtype}, "
        f"{ours.matmul_share:.0%} of matmul speed)"
    )
    if peer:
        common.out(
            f"{facts['peer']['peer']}: {facts['peer']['completions_per_s']:,.1f} {unit}/s; ratio {facts['ratio']}"
        )


def _verify(file: Path | None, hostile: int | None, json: bool) -> None:
    from mrclassic.bench import verify

    if hostile is not None:
        endured = verify.endure(hostile)
        if json:
            common.emit(endured)
            return
        common.out(
            f"verify: {hostile:,} hostile answers, the worst took {endured['worst_s']} s, "
            f"{endured['above_2_s']} above 2 s; memory grew by {endured['grown_mib']} MiB"
        )
        return
    report = verify.measure(verify.pairs(file))
    if json:
        common.emit(report)
        return
    common.out(f"verify: {report.rows_per_s:,.0f} answers/s")
    for name, score in (("ladder", report.ladder), ("math-verify alone", report.math_verify)):
        if score is not None:
            common.out(
                f"{name:<18} accepts {score.accepted_right} of {score.right} right ones, "
                f"{score.accepted_wrong} of {score.wrong} wrong ones, {score.errors} errors"
            )
    for line in report.missed:
        common.say(line)


def _sandbox(session: common.Session, file: Path | None, json: bool) -> None:
    from mrclassic.bench.sandbox import measure
    from mrclassic.tasks import catalogue

    speeds = measure(file or catalogue.place("humaneval", session.home.tasks))
    if json:
        common.emit(speeds)
        return
    for speed in speeds:
        words = f"{speed.problems_per_s:,.0f} problems/s on {speed.cores} cores, {speed.right} of {speed.judged} right"
        common.out(f"{speed.backend:<10} {speed.why or words}")


def _material(
    session: common.Session, scratch: Path, model: Path | None, size: str | None, prompts: Path | None
) -> tuple[Path, Path]:
    """The checkpoint directory and the prompts to measure on; what is not given is made."""
    import json

    from mrclassic import book
    from mrclassic.errors import MrClassicError, UsageError
    from mrclassic.model.checkpoint import read_model, write_model
    from mrclassic.model.policy import Policy
    from mrclassic.model.shapes import SHAPES
    from mrclassic.training.hatch import texts

    book.ensure_book(session.home)
    entries = book.load(session.home.book)
    if size is not None:
        if size not in SHAPES:
            raise UsageError(f"There is no size {size!r}; the sizes are {', '.join(SHAPES)}.")
        model = scratch / "model"
        model.mkdir()
        write_model(Policy.fresh(size, texts(entries)), model)
    elif model is None:
        with session.store() as store:
            row = store.checkpoints.in_use()
        if row is None:
            raise MrClassicError("There is no model here yet; give --size tiny, or hatch one with `mrclassic hatch`.")
        model = session.home.checkpoints / row.path
    if prompts is None:
        tokenizer = read_model(model).tokenizer
        prompts = scratch / "prompts.jsonl"
        with prompts.open("w", encoding="utf-8") as file:
            for entry in entries:
                row_ = {"prompt": tokenizer.render(entry.prompt), "completion": entry.reply}
                file.write(json.dumps(row_, ensure_ascii=False) + "\n")
    return model, prompts


def _base(
    session: common.Session,
    corpora: list[Path],
    size: str,
    steps: int,
    optimizer: Literal["adamw", "muon"] | None,
    threads: int | None,
    peer: bool,
    peer_python: str | None,
    json: bool,
) -> None:
    from tempfile import TemporaryDirectory

    from mrclassic.bench import base
    from mrclassic.errors import UsageError
    from mrclassic.model.shapes import SHAPES

    if not corpora:
        raise UsageError("Name what to learn from: --corpus FILE, or a folder.")
    if size not in SHAPES:
        raise UsageError(f"There is no size {size!r}; the sizes are {', '.join(SHAPES)}.")
    settings = session.settings
    job = base.Job(
        tuple(corpora), size, steps, optimizer, None, threads or settings.threads, settings.device, settings.dtype
    )
    with TemporaryDirectory(dir=session.home.run) as scratch:
        ours, same = base.measure(job, Path(scratch))
        facts: dict[str, Any] = {"ours": ours}
        if peer:
            padded = _peer({**same, "packed": False}, peer_python, Path(scratch))
            same["packed"] = True
            tokens = _peer(same, peer_python, Path(scratch))
            time = _peer(base.in_time(same, ours, tokens), peer_python, Path(scratch))
            facts |= {"peer": {"as it comes": padded, "equal tokens": tokens, "equal time": time}}
            facts["ratio"] = round(ours.tokens_per_s / padded["tokens_per_s"], 2)
            facts["ratio_packed"] = round(ours.tokens_per_s / tokens["tokens_per_s"], 2)
    if json:
        common.emit(facts if peer else ours)
        return
    common.out(
        f"base: {ours.tokens_per_s:,.0f} tokens/s, perplexity {ours.perplexity:,.1f} after {ours.tokens:,} tokens "
        f"({ours.optimizer}, {ours.params:,} parameters, {ours.dtype}, {ours.matmul_share:.0%} of matmul speed)"
    )
    for words, theirs in facts.get("peer", {}).items():
        common.out(
            f"{theirs['peer']}, {words}: {theirs['tokens_per_s']:,.0f} tokens/s, "
            f"perplexity {theirs['perplexity']:,.1f} after {theirs['steps']} of {steps} updates"
        )
    if peer:
        common.out(f"ratio {facts['ratio']}, to the packed one {facts['ratio_packed']}")


def _peer(job: dict[str, Any], python: str | None, scratch: Path) -> dict[str, Any]:
    import json
    import os
    import subprocess
    import sys

    from mrclassic import computing
    from mrclassic.bench import peer
    from mrclassic.errors import MrClassicError

    words = json.dumps({**job, "scratch": scratch / "peer"}, default=str)
    command = [python or sys.executable, str(peer.__file__), words]
    # The peer runs as it does by default; what its libraries keep, they keep in the home too.
    environment = {
        key: value for key, value in os.environ.items() if key not in (computing.SPINS, computing.LARGE_PAGES)
    }
    environment["HF_HOME"] = str(scratch / "huggingface")
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode == peer.MISSING:
        raise MrClassicError(
            "TRL is not installed there; `pip install trl` in an environment and give its --peer-python."
        )
    if done.returncode:
        raise MrClassicError(f"The peer failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result
