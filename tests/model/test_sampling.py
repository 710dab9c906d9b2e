"""Drawing: the right distribution, from numbers that are a pure function of their place."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.model.sampling import Knobs, draw, stream_key, transform, uniforms


def knobs(rows: int, temperature: float = 1.0, top_p: float = 1.0, top_k: int = 0) -> Knobs:
    return Knobs(torch.full((rows,), temperature), torch.full((rows,), top_p), torch.full((rows,), top_k))


def reference(logits: list[float], temperature: float, top_p: float, top_k: int) -> torch.Tensor:
    """The plain textbook way, one number at a time."""
    if temperature == 0:
        return torch.tensor(logits, dtype=torch.float64).softmax(-1)
    p = (torch.tensor(logits, dtype=torch.float64) / temperature).softmax(-1)
    order = sorted(range(len(logits)), key=lambda at: -p[at].item())
    if top_k:
        order = order[:top_k]
    mass = sum(p[at].item() for at in order)
    kept, seen = [], 0.0
    for at in order:
        kept.append(at)
        seen += p[at].item() / mass
        if top_p < 1 and seen >= top_p:
            break
    out = torch.zeros(len(logits), dtype=torch.float64)
    out[kept] = p[kept] / p[kept].sum()
    return out


SETTINGS = [
    (1.0, 1.0, 0), (0.7, 1.0, 0), (1.0, 0.9, 0), (1.0, 1.0, 3), (1.3, 0.5, 5), (1.0, 0.01, 0), (2.0, 0.8, 1),
    (1.0, 1.0, 99),
]  # fmt: skip


@pytest.mark.parametrize(("temperature", "top_p", "top_k"), SETTINGS)
def test_draws_have_the_distribution_asked_for(temperature: float, top_p: float, top_k: int) -> None:
    count = 40_000
    logits = torch.randn(12, generator=torch.Generator().manual_seed(5)) * 1.5
    wanted = reference(logits.tolist(), temperature, top_p, top_k)
    keys = torch.tensor([stream_key(1, row) for row in range(count)])
    tokens, logprobs = draw(
        logits.expand(count, -1), knobs(count, temperature, top_p, top_k), uniforms(keys, torch.zeros_like(keys))
    )
    share = torch.bincount(tokens, minlength=12).double() / count
    # Five standard deviations; what is cut away is never drawn at all.
    assert ((share - wanted).abs() <= 5 * (wanted * (1 - wanted) / count).sqrt()).all()
    assert torch.allclose(logprobs.double(), wanted[tokens].log(), atol=1e-4)


@settings(max_examples=200, deadline=None)
@given(
    logits=st.lists(st.integers(-30, 30), min_size=1, max_size=9, unique=True),
    temperature=st.sampled_from([1.0, 0.5, 2.0]),
    top_p=st.sampled_from([0.0, 0.1, 0.5, 0.95, 1.0]),
    top_k=st.integers(0, 11),
)
def test_the_transform_is_the_textbooks(logits: list[int], temperature: float, top_p: float, top_k: int) -> None:
    scores = [value / 4 for value in logits]
    ours = transform(torch.tensor([scores]), knobs(1, temperature, top_p, top_k)).softmax(-1)[0].double()
    theirs = reference(scores, temperature, top_p, top_k)
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert ours.argmax() == theirs.argmax()


@pytest.mark.parametrize("temperature", [0.0, 1e-40, 1e-38, 1e-9])
def test_cold_is_greedy_and_its_numbers_are_plain(temperature: float) -> None:
    logits = torch.randn(50, 20) * 40
    tokens, logprobs = draw(logits, knobs(50, temperature), torch.rand(50, dtype=torch.float64))
    assert torch.equal(tokens, logits.argmax(-1))
    assert torch.allclose(logprobs, logits.log_softmax(-1).max(-1).values, atol=1e-4)


@pytest.mark.parametrize("uniform", [0.0, 0.5, 1 - 2.0**-53])
def test_the_ends_of_the_interval_draw_something_possible(uniform: float) -> None:
    logits = torch.tensor([[-200.0, 1.0, 0.0, -200.0], [-200.0, 1.0, 0.0, -300.0]])
    tokens, logprobs = draw(logits, knobs(2, top_k=2), torch.tensor([uniform] * 2, dtype=torch.float64))
    assert set(tokens.tolist()) <= {1, 2}
    assert logprobs.isfinite().all()


def test_uniforms_are_even_and_unrelated() -> None:
    keys = torch.tensor([stream_key(seed, row) for seed in range(40) for row in range(50)])
    grid = uniforms(keys[:, None], torch.arange(64)[None, :])  # (2000, 64)
    assert grid.dtype == torch.float64
    assert 0 <= grid.min() < grid.max() < 1
    flat = grid.flatten()
    bins = torch.histc(flat.float(), 100, 0, 1)
    chi = float(((bins - len(flat) / 100) ** 2 / (len(flat) / 100)).sum())
    assert chi < 170  # 99 degrees of freedom: mean 99, deviation 14
    for one, two in ((grid[:, :-1], grid[:, 1:]), (grid[:-1], grid[1:])):  # neighbouring positions, and rows
        assert abs(float(torch.corrcoef(torch.stack((one.flatten(), two.flatten())))[0, 1])) < 0.015
    assert len(torch.unique(flat)) == len(flat)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(-(2**70), 2**70),
    row=st.integers(0, 2**40),
    position=st.integers(0, 2**20),
    company=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5),
)
def test_a_uniform_depends_on_its_place_alone(seed: int, row: int, position: int, company: list[int]) -> None:
    key = stream_key(seed, row)
    alone = uniforms(torch.tensor([key]), torch.tensor([position]))
    among = uniforms(torch.tensor([*company, key]), torch.full((len(company) + 1,), position))
    assert alone[0] == among[-1]
    assert stream_key(seed, row) == key != stream_key(seed, row + 1)
