"""The learned taste of a home, opened: as a reward where its evidence allows that, else to order replies."""

from __future__ import annotations

from mrclassic.errors import Refused
from mrclassic.evidence import Evidence
from mrclassic.home import Home
from mrclassic.model import checkpoint
from mrclassic.model.manifest import CorruptCheckpoint, manifest
from mrclassic.model.policy import Policy
from mrclassic.store import tasting
from mrclassic.training.reward_model import RewardModel
from mrclassic.training.taste import keeping


def opened(home: Home, device: str = "cpu", *, as_reward: bool = True, name: str | None = None) -> RewardModel:
    """The newest taste of `home`, or the one in the folder `name`. Raises Refused where there is none; `as_reward`,
    also where its evidence does not allow it, with the numbers; and where the checkpoint whose features it reads is
    gone, or is another by now."""
    path = tasting.newest(home) if name is None else home.taste / name
    if path is None or not path.is_dir():
        raise Refused("Your taste was not learned yet; `mrclassic train reward-model` learns it from your picks.")
    evidence = keeping.evidence(path)
    if as_reward and not evidence.allowed:
        raise Refused(f"{evidence.words} Pick on, then `mrclassic train reward-model`; or leave out the reward taste.")
    return keeping.load(path, _read(home, evidence, device), device)


def _read(home: Home, evidence: Evidence, device: str) -> Policy | None:
    """The policy that the heads read."""
    if evidence.checkpoint is None:
        return None
    try:
        policy = checkpoint.load(home.checkpoints / evidence.checkpoint, device)
        found = manifest(home.checkpoints / evidence.checkpoint).model_sha256
    except CorruptCheckpoint as error:
        raise Refused(f"Your taste reads the states of {evidence.checkpoint}, and {error}") from error
    if found != evidence.model_sha256:
        raise Refused(
            f"Your taste reads the states of {evidence.checkpoint}, which is another model by now; learn it anew with "
            "`mrclassic train reward-model`."
        )
    policy.decoder.requires_grad_(False)
    return policy
