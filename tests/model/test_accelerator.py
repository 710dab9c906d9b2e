"""On a CUDA device: the same function as on the CPU, and runs that can be gone on from. Skipped where none is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import micro
import pytest
import torch

from mrclassic.model import checkpoint
from mrclassic.model.engine import Engine, Request
from mrclassic.model.policy import Policy
from mrclassic.model.sampling import stream_key, uniforms
from mrclassic.rewards.contract import Weighted
from mrclassic.tasks import arithmetic
from mrclassic.tasks.base import keyed
from mrclassic.training import grpo
from mrclassic.training.state import State

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

SETTINGS = grpo.Settings(prompts=4, group=6, max_new=10, learning_rate=5e-3, warmup=1, seed=1)


@pytest.fixture
def both(tmp_path: Path) -> tuple[Policy, Policy]:
    checkpoint.save(micro.policy(loud=8.0), tmp_path / "cp")
    return checkpoint.load(tmp_path / "cp", "cpu"), checkpoint.load(tmp_path / "cp", "cuda")


def test_logits_are_those_of_the_cpu(both: tuple[Policy, Policy]) -> None:
    ids = torch.randint(0, 270, (3, 40), generator=torch.Generator().manual_seed(3))
    one, two = (policy.decoder.logits(policy.decoder(ids.to(policy.device))).detach().cpu() for policy in both)
    assert (one - two).abs().max() < 1e-3


def test_random_numbers_are_those_of_the_cpu() -> None:
    keys = torch.tensor([stream_key(3, row) for row in range(1000)])
    positions = torch.arange(1000)
    assert torch.equal(uniforms(keys, positions), uniforms(keys.cuda(), positions.cuda()).cpu())


def test_the_engine_speaks_alone_as_in_company(both: tuple[Policy, Policy]) -> None:
    _, policy = both
    requests = [Request(tuple(range(20, 30 + 5 * at)), n=2, max_new=5 + 6 * at, seed=at, top_p=0.9) for at in range(6)]
    together = Engine(policy, 5).generate(requests)
    same = [
        one.tokens == two.tokens
        for request, rows in zip(requests, together, strict=True)
        for one, two in zip(rows, Engine(policy, 2).generate([request])[0], strict=True)
    ]
    # Kernels are chosen by the batch's size, and a draw at the very edge of a token may fall either way.
    assert sum(same) >= len(same) - 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_run_is_saved_resumed_and_rolled_back(
    both: tuple[Policy, Policy], dtype: torch.dtype, tmp_path: Path
) -> None:
    _, policy = both

    def vowels(completions: list, **columns: object) -> list[float]:
        texts = [completion[0]["content"] for completion in completions]
        return [sum(one in "aeiou" for one in text) / max(1, len(text)) for text in texts]

    def step(state: State) -> float:
        def draw(count: int) -> list:
            return [arithmetic.sample(keyed(state.step, at), "1") for at in range(count)]

        report = grpo.step(state, draw, [Weighted("vowels", vowels)], replace(SETTINGS, redraws=0), list).report
        assert report.applied
        return report.metrics["mismatch"]

    state = grpo.start(policy, SETTINGS, dtype)
    assert step(state) < (1e-3 if dtype == torch.float32 else 0.1)
    kept = state.snapshot()
    state.save(tmp_path / "states")
    step(state)
    resumed = grpo.start(policy, SETTINGS, dtype)
    assert resumed.resume(tmp_path / "states")
    for name, tensor in resumed.trainee.tensors().items():
        assert torch.equal(tensor.cpu(), kept.tensors[name].cpu())
    step(resumed)
    state.roll_back(kept)
    step(state)
    assert resumed.step == state.step == 2
