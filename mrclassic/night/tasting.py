"""`train reward-model` in a home: the owner's taste is learned from the picks in the store, and kept."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mrclassic.errors import Refused
from mrclassic.evidence import Evidence
from mrclassic.night.workplace import Workplace
from mrclassic.store import tasting
from mrclassic.training import reward_model
from mrclassic.training.reward_model import Form, Settings
from mrclassic.training.taste import keeping

KEPT = 2  # the newest, and the one before it


@dataclass(frozen=True)
class Learned:
    """Facts of a `train reward-model` run; `taste` is the folder's name."""

    run: int
    taste: str
    seconds: float
    evidence: Evidence

    def facts(self) -> dict[str, Any]:
        """For scripts."""
        own = {"run": self.run, "taste": self.taste, "seconds": self.seconds, "why": self.evidence.words}
        return {**own, **self.evidence.facts()}


def learn(
    work: Workplace,
    *,
    form: Form | None = None,
    seed: int = 0,
    origin: str | None = None,
    moved: Callable[[int, int], None] = lambda done, of: None,
) -> Learned:
    """Learn the taste behind picks and votes on the features of the checkpoint in use (or `origin`); the same of them,
    the same seed and checkpoint give the same again. Refused where there are too few."""
    begun = time.monotonic()
    choices = tasting.said(work.store)
    settings = Settings(form, seed)
    if len(choices) < reward_model.FEWEST:
        raise Refused(
            f"Taste is learned from {reward_model.FEWEST} picks or more, and there are {len(choices)}; pick among "
            "replies first."
        )
    parent = work.parent(origin)
    policy = parent.policy
    policy.decoder.requires_grad_(False)
    asked = {"form": settings.chosen(len(choices)), "seed": seed, "choices": len(choices)}
    with work.run("reward-model", None, parent.row.id) as run:
        model, evidence = reward_model.train(
            choices, policy, settings,
            checkpoint=parent.row.id, model_sha256=parent.row.model_sha256, moved=moved,
        )  # fmt: skip
        name = f"{datetime.now(UTC).strftime('%Y%m%d-%H%M%S')}-{evidence.form}-{run}"
        keeping.save(model, evidence, work.home.taste / name)
        work.store.runs.finish(run, "done", None, {**asked, "taste": name, **_brief(evidence)})
    for old in sorted(path for path in work.home.taste.iterdir() if path.is_dir())[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return Learned(run, name, time.monotonic() - begun, evidence)


def _brief(evidence: Evidence) -> dict[str, Any]:
    facts = evidence.facts()
    return {name: facts[name] for name in ("top1", "low", "high", "length", "calibration", "judged", "allowed")}
