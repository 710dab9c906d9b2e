"""The note that an experiment leaves: a page of Markdown and the same as JSON, in the home's folder `lab`."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from mrclassic.lab.experiment import Arm, Finding, Options, Result, points, score_words
from mrclassic.lab.ground import Ground
from mrclassic.night.report import plain
from mrclassic.night.workplace import dtype_name
from mrclassic.sparkline import sparkline
from mrclassic.stats import wilson

_CURVES = (
    *("reward", "loss", "completions/mean_length", "answers/not_found", "frac_reward_zero_std", "entropy", "kl"),
    *("recall", "taught", "drawn/before", "drawn/after"),
    *("proxy", "gold", "nats a reply", "logged/taste/apart"),
    *("questions/valid", "questions/success", "questions/unique", "questions/skeletons", "questions/largest_skeleton"),
)
_KINDS = ("held_out/", "share/", "success/")  # of curves, one for each level or source


@dataclass(frozen=True)
class Note:
    """What was asked, what came of it, and whether it came to its end."""

    name: str
    about: str
    started: str  # UTC, ISO 8601
    options: Options
    arms: Sequence[Arm]
    results: Sequence[Result]
    findings: Sequence[Finding]
    complete: bool


def circumstances(ground: Ground) -> dict[str, Any]:
    """The model and the machine."""
    return {
        "checkpoint": ground.checkpoint,
        "parameters": ground.policy.shape.parameters,
        "device": str(ground.work.device),
        "number_format": dtype_name(ground.work.dtype),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def to_json(note: Note, ground: Ground) -> dict[str, Any]:
    """The note as JSON values."""
    facts = {
        "experiment": note.name,
        "about": note.about,
        "started": note.started,
        "complete": note.complete,
        "options": asdict(note.options),
        "levels": list(ground.levels),
        "remarks": ground.remarks,
        **circumstances(ground),
        "arms": [{"name": arm.name, "about": arm.about} for arm in note.arms],
        "results": [_result(result) for result in note.results],
        "findings": [asdict(finding) for finding in note.findings],
    }
    readable: dict[str, Any] = plain(facts)
    return readable


def _result(result: Result) -> dict[str, Any]:
    suites = {}
    for name in result.before:
        gain, reach = result.gain(name)
        after = result.after[name]
        low, high = wilson(int(sum(after.scores)), len(after.scores))
        suites[name] = {
            "n": len(after.scores),
            "before": result.before[name].score,
            "after": after.score,
            "low": low,
            "high": high,
            "gain": gain,
            "gain_low": reach.low,
            "gain_high": reach.high,
        }
    return {
        "arm": result.arm,
        "seed": result.seed,
        "ended": result.ended,
        "trained": result.trained,
        "kept": result.kept,
        "seconds": result.seconds,
        "verdict": None if result.verdict is None else asdict(result.verdict),
        "would": None if result.would is None else {"step": result.would[0], **asdict(result.would[1])},
        "suites": suites,
        "curve": [{"step": step, **metrics} for step, metrics in result.curve],
    }


def to_markdown(note: Note, ground: Ground) -> str:
    """The note as a page."""
    where = circumstances(ground)
    lines = [
        f"# {note.name}: {note.about}",
        "",
        f"Begun {note.started} on {where['checkpoint']} ({where['parameters']:,} parameters), {where['device']}, "
        f"{where['number_format']}, {where['threads']} threads, torch {where['torch']}, {where['machine']}."
        + ("" if note.complete else " **It did not come to its end.**"),
        *ground.remarks,
        "",
        "## What it shows",
        "",
    ]
    for finding in note.findings:
        mark = {True: "held", False: "**did not hold**", None: "not told"}[finding.held]
        lines.append(f"- {finding.claim}: {mark}. {finding.words}")
    lines += ["", "## The arms", ""]
    lines += [f"- {arm.name}: {arm.about}" for arm in note.arms]
    lines += ["", "| arm | seed | ended | updates | seconds | suite | before | after | change |"]
    lines += ["|---|--:|---|--:|--:|---|---|---|---|"]
    for result in note.results:
        for name in result.before:
            lines.append(
                f"| {result.arm} | {result.seed} | {result.ended} | {result.trained} | {result.seconds:.0f} | {name} "
                f"| {score_words(result.before[name])} | {score_words(result.after[name])} "
                f"| {points(*result.gain(name))} |"
            )
    for result in note.results:
        lines += ["", f"### {result.arm}, seed {result.seed}", ""]
        if result.verdict is not None:
            lines += [f"The sentinel ({result.verdict.action}): {result.verdict.message}", ""]
        if result.would is not None:
            lines += [f"Not obeyed here, at update {result.would[0]} it would have said: {result.would[1].message}", ""]
        kinds = dict.fromkeys(name for _, metrics in result.curve for name in metrics if name.startswith(_KINDS))
        for metric in (*_CURVES, *sorted(kinds)):
            if values := result.values(metric):
                lines.append(f"    {metric:<24} {sparkline(values)}  {values[0]:.3g} to {values[-1]:.3g}")
    return "\n".join(lines) + "\n"


def write(note: Note, ground: Ground, folder: Path) -> Path:
    """Write `NAME-STAMP.md` and `.json` into `folder` (made if needed), whole or not at all; returns the page."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp = "".join(letter for letter in note.started if letter.isdigit())[:14]
    page = folder / f"{note.name}-{stamp}.md"
    text = json.dumps(to_json(note, ground), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    for path, content in ((page.with_suffix(".json"), text), (page, to_markdown(note, ground))):
        part = path.with_name(path.name + ".part")
        part.write_text(content, encoding="utf-8", errors="backslashreplace")
        part.replace(path)
    return page
