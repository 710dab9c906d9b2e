"""Scoring is the log-softmax of what was drawn from, with its gradient, over the tokens that could be drawn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import micro
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.model.sampling import Knobs, transform
from mrclassic.training import scoring
from mrclassic.training.rows import Row, collate
from mrclassic.training.scoring import _packed, _unpacked, score
from mrclassic.training.trainee import Trainee

POLICY = micro.policy(loud=6.0)


def batch_of(count: int, seed: int = 0, length: int = 30):  # type: ignore[no-untyped-def]
    generator = torch.Generator().manual_seed(seed)
    rows = [
        Row(tuple(torch.randint(5, POLICY.live, (length - at % 7,), generator=generator).tolist()), 3 + at % 5)
        for at in range(count)
    ]
    return collate(rows, POLICY.tokenizer.pad_id, torch.device("cpu"))


def plainly(policy, batch, temperature: float, top_p: float, top_k: int):  # type: ignore[no-untyped-def]
    """(log-probabilities of all tokens, of the picked ones)."""
    hidden = policy.decoder(batch.ids).flatten(0, 1)[batch.at[: len(batch.next)]]
    scores = policy.decoder.logits(hidden, policy.live).float()
    size = len(scores)
    knobs = Knobs(torch.full((size,), temperature), torch.full((size,), top_p), torch.full((size,), top_k))
    kept = ~transform(scores.detach(), knobs).isneginf()
    kept.scatter_(1, batch.next[:, None], True)
    logp = (scores / temperature).masked_fill(~kept, float("-inf")).log_softmax(-1)
    return logp, logp.gather(1, batch.next[:, None])[:, 0], kept


@pytest.mark.parametrize(
    ("temperature", "top_p", "top_k"), [(1.0, 1.0, 0), (0.7, 1.0, 0), (1.0, 0.8, 0), (1.3, 0.9, 12), (1.0, 1.0, 1)]
)
@pytest.mark.parametrize("parts", [False, True], ids=["whole", "in parts"])
def test_scores_and_gradients_are_those_of_a_log_softmax(
    temperature: float, top_p: float, top_k: int, parts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if parts:  # of 32 tokens by 128 targets, which divide neither
        monkeypatch.setattr(scoring, "LARGE", 0)
        monkeypatch.setattr(scoring, "PART", 32 * 128)
        monkeypatch.setattr(scoring, "_PART_ROWS", 100)
    policy, batch = Trainee(POLICY, torch.float32).policy, batch_of(12)
    weight = torch.randn(len(batch.next), generator=torch.Generator().manual_seed(1))
    found = score(policy, batch, temperature, top_p, top_k)
    (found.logp * weight).sum().backward()
    ours = [parameter.grad.clone() for parameter in policy.decoder.parameters()]
    policy.decoder.zero_grad()
    logp, picked, kept = plainly(policy, batch, temperature, top_p, top_k)
    (picked * weight).sum().backward()
    assert torch.allclose(found.logp, picked, atol=1e-4)
    entropy = -(logp.exp() * logp.masked_fill(~kept, 0.0)).sum(-1)
    assert torch.allclose(found.entropy, entropy, atol=1e-4)
    for one, parameter in zip(ours, policy.decoder.parameters(), strict=True):
        assert torch.allclose(one, parameter.grad, atol=1e-4 * float(parameter.grad.abs().max()) + 1e-6)
    assert (found.kept is None) == (top_p == 1.0 and top_k == 0)
    if found.kept is not None:
        assert torch.equal(_unpacked(found.kept[: len(kept)], policy.live), kept)


def test_what_was_kept_once_stays_kept() -> None:
    """After an update other tokens would be kept; the ratio is only right over those of the draw."""
    first, batch = score(POLICY, batch_of(5), 1.0, 0.6), batch_of(5)
    other = micro.policy(seed=5, loud=6.0)
    again = score(other, batch, 1.0, 0.6, 0, first.kept)
    assert first.kept is not None
    assert again.kept is first.kept
    hidden = other.decoder(batch.ids).flatten(0, 1)[batch.at[: len(batch.next)]]
    scores = other.decoder.logits(hidden, other.live)
    scores = scores.masked_fill(~_unpacked(first.kept[: len(scores)], other.live), float("-inf"))
    picked = scores.log_softmax(-1).gather(1, batch.next[:, None])[:, 0]
    assert torch.allclose(again.logp, picked, atol=1e-4)
    assert again.logp.isfinite().all()


@pytest.mark.parametrize("large", [0, scoring.LARGE], ids=["in parts", "whole"])
def test_near_certainty_the_gradient_does_not_round_to_nothing(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bfloat16 the numbers below 1 are 0.004 apart: 1 - p taken there would be 0 for most of what is known well."""
    monkeypatch.setattr(scoring, "LARGE", large)
    trainee = Trainee(POLICY, torch.bfloat16)
    decoder = trainee.policy.decoder
    with torch.no_grad():
        best = int(decoder.logits(decoder(torch.full((1, 15), 40)), POLICY.live)[0, 14].argmax())
    batch = collate([Row((*[40] * 15, best), 15)], 0, torch.device("cpu"))
    while 1 - float((found := score(trainee.policy, batch)).logp.detach().exp()) > 0.0015:
        with torch.no_grad():
            decoder.norm.mul_(1.2)
    assert float(found.logp.detach()) < 0
    found.logp.sum().backward()
    assert trainee.policy.decoder.norm.grad.abs().max() > 0


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(1, 40),
    vocabulary=st.integers(2, 70),
    part=st.integers(1, 300),
    rows=st.integers(1, 50),
    temperature=st.sampled_from((1.0, 0.6)),
    cut=st.booleans(),
    learned=st.booleans(),
    seed=st.integers(0, 999),
)
def test_by_whatever_parts_it_is_the_same(
    size: int, vocabulary: int, part: int, rows: int, temperature: float, cut: bool, learned: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(size, 6, generator=generator)
    weight = torch.randn(vocabulary, 6, generator=generator) * 3
    following = torch.randint(0, vocabulary, (size,), generator=generator)
    falling = torch.randn(size, generator=generator)
    kept = None
    if cut:
        flags = torch.rand(size, vocabulary, generator=generator) < 0.3
        kept = _packed(flags.scatter_(1, following[:, None], True))
    found = []
    before = scoring.PART, scoring._PART_ROWS
    scoring.PART, scoring._PART_ROWS = part, rows
    try:
        for way in (scoring._Picked, scoring._PickedInParts):
            h, w = hidden.clone().requires_grad_(), weight.clone().requires_grad_(learned)
            logp, entropy = way.apply(h, w, following, temperature, kept)  # type: ignore[no-untyped-call]
            (logp * falling).sum().backward()
            found.append((logp.detach(), entropy, h.grad, w.grad))
    finally:
        scoring.PART, scoring._PART_ROWS = before
    for one, other in zip(*found, strict=True):
        assert (one is None and other is None) or torch.allclose(one, other, atol=1e-4)


_PEAK = """
import re, sys, torch
from pathlib import Path
from mrclassic.training import scoring
torch.set_num_threads(1)
hidden = torch.randn(1024, 16, dtype=torch.bfloat16, requires_grad=True)
weight = torch.randn(152_064, 16, dtype=torch.bfloat16)
way = getattr(scoring, sys.argv[1])
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
before = peak()
way.apply(hidden, weight, torch.zeros(1024, dtype=torch.long), 1.0, None)[0].sum().backward()
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_a_large_vocabulary_never_makes_a_whole_table() -> None:
    """1,024 targets over 152,064 tokens: the table is 297 MiB in bfloat16, and is there twice in the backward pass."""
    assert not scoring.whole(1024, 152_064, "cuda")
    whole, parts = (
        float(subprocess.run([sys.executable, "-c", _PEAK, way], capture_output=True, text=True, check=True).stdout)
        for way in ("_Picked", "_PickedInParts")
    )
    assert whole > 290
    assert parts < 150  # a handful of parts of 32 MiB in float32


@settings(max_examples=100, deadline=None)
@given(rows=st.integers(1, 5), width=st.integers(1, 40), seed=st.integers(0, 1000))
def test_packed_flags_come_back(rows: int, width: int, seed: int) -> None:
    flags = torch.rand(rows, width, generator=torch.Generator().manual_seed(seed)) < 0.5
    assert torch.equal(_unpacked(_packed(flags), width), flags)
