"""Who moves which weight, by how much, and what is kept of it."""

from __future__ import annotations

import micro
import pytest
import torch

from mrclassic.training.optimizers import Optimizer
from mrclassic.training.trainee import Trainee


def masters() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = {"embedding": (40, 16), "norm": (16,), "blocks.0.qkv": (32, 16), "blocks.0.down": (16, 48)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def gradients(of: dict[str, torch.Tensor], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for master in of.values():
        master.grad = torch.randn(master.shape, generator=generator)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_steps_of_either_kind_are_of_like_size(kind: str) -> None:
    """So that one rate and one schedule serve both."""
    moved = masters()
    before = {name: master.clone() for name, master in moved.items()}
    optimizer = Optimizer(kind, moved, weight_decay=0.0)  # type: ignore[arg-type]
    for seed in range(5):
        gradients(moved, seed)
        optimizer.step(1e-3)
    sizes = {name: float((moved[name] - before[name]).square().mean().sqrt()) for name in moved}
    assert all(5e-4 < size < 5e-3 for size in sizes.values())


def test_muon_turns_the_matrices_of_the_layers_only() -> None:
    moved = masters()
    optimizer = Optimizer("muon", moved)
    gradients(moved, 0)
    optimizer.step(1e-3)
    kept = {name: set(optimizer.state(name)) for name in moved}
    assert kept["blocks.0.qkv"] == kept["blocks.0.down"] == {"momentum_buffer"}
    assert kept["embedding"] == kept["norm"] == {"step", "exp_avg", "exp_avg_sq"}


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_restored_optimizer_goes_on_alike(kind: str) -> None:
    one, two = masters(), masters()
    first = Optimizer(kind, one)  # type: ignore[arg-type]
    second = Optimizer(kind, two)  # type: ignore[arg-type]
    for seed in range(3):
        gradients(one, seed)
        first.step(1e-3)
    for name, master in two.items():
        master.copy_(one[name])
        assert second.restore(name, dict(reversed(first.state(name).items())))
        assert list(second.state(name)) == list(first.state(name))
    for optimizer, moved in ((first, one), (second, two)):
        gradients(moved, 9)
        optimizer.step(1e-3)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_what_another_optimizer_left_is_not_taken() -> None:
    """The book goes on with AdamW from a base that Muon trained: what both keep is warm, the rest begins anew."""
    source = micro.policy()
    base = Trainee(source, torch.float32, optimizer="muon")
    for weight in base.learned.values():
        weight.grad = torch.ones_like(weight)
    base.update(1e-3)
    book = Trainee(source, torch.float32)
    book.restore(base.tensors(), masters=False)
    assert set(book.optimizer.state("embedding")) == {"step", "exp_avg", "exp_avg_sq"}
    assert not book.optimizer.state("blocks.0.qkv")
    for weight in book.learned.values():
        weight.grad = torch.ones_like(weight)
    assert book.update(1e-3) > 0
