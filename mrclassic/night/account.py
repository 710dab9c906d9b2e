"""What one run did, for whoever asks afterwards: how it ended, its numbers, the sentinel's words, and samples."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mrclassic.store import Store
from mrclassic.store.runs import Sample
from mrclassic.titles import counted

_SAMPLES = 32  # newest ones shown; those of an update with an alarm are shown beside


def account(store: Store, run: int) -> dict[str, Any]:
    """The facts of a run, as plain JSON; raises UsageError where there is none of that number."""
    row = store.runs.get(run)
    steps = store.runs.steps(run)
    alarms = store.runs.alarms(run)
    alarmed = {alarm.step for alarm in alarms}
    kept = store.runs.samples(run, 10_000)
    shown = [sample for place, sample in enumerate(kept) if place < _SAMPLES or sample.step in alarmed]
    return {
        "run": run,
        "kind": row.kind,
        "status": row.status,
        "started": row.started,
        "finished": row.finished,
        "checkpoint": row.checkpoint,
        "steps": len(steps),
        "first": steps[0][1] if steps else {},
        "last": steps[-1][1] if steps else {},
        "alarms": [asdict(alarm) for alarm in alarms],
        "samples": [asdict(sample) for sample in sorted(shown, key=_order)],
    }


def _order(sample: Sample) -> tuple[int, int]:
    return sample.step, int(sample.detail.get("number", sample.id))


def lines(facts: dict[str, Any]) -> list[str]:
    """The same to read."""
    told = [f"Run {facts['run']} ({facts['kind']}): {facts['status']} after {counted(facts['steps'], 'update')}."]
    for name, value in facts["last"].items():
        if name in facts["first"] and isinstance(value, int | float):
            told.append(f"  {name:<28} {facts['first'][name]:>10.4g} -> {value:<10.4g}")
    told += [f"update {alarm['step']}: {alarm['verdict']}: {alarm['message']}" for alarm in facts["alarms"]]
    for sample in facts["samples"]:
        reward = "none" if sample["reward"] is None else f"{sample['reward']:g}"
        number = sample["detail"].get("number", sample["id"])
        said = " / ".join(sample["completion"].splitlines())
        told.append(f"sample {number} of update {sample['step']}, reward {reward}: {sample['prompt']} -> {said}")
    return told
