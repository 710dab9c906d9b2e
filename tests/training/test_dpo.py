"""DPO: the reference stands still, the three losses are those of their papers, and what was preferred is preferred."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import choosers
import micro
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from methods import DPO, PICKS, dpo_start, dpo_step

from mrclassic.errors import MrClassicError, Refused, UsageError
from mrclassic.training import dpo, reading
from mrclassic.training.report import StepReport
from mrclassic.training.sentinel import CONTINUE, History
from mrclassic.training.sentinel.preferences import displaced

DTYPES = [pytest.param(torch.float32, id="fp32"), pytest.param(torch.bfloat16, id="bf16")]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", dpo.BETAS)
def test_the_first_margin_is_exactly_nothing_and_then_it_moves(loss: str, dtype: torch.dtype) -> None:
    """The case of a reference that is computed from the present weights: its margin is 0 for ever."""
    own = replace(DPO, loss=loss)  # type: ignore[arg-type]
    state = dpo_start(dtype, own)
    frozen = [list(pair) for pair in state.facts[dpo.FROZEN]["logps"]]
    assert len(frozen) == len(PICKS) * 4
    first = dpo_step(state, own).metrics
    assert first["rewards/margins"] == first["rewards/chosen"] == first["rewards/rejected"] == 0.0
    assert first["loss"] == pytest.approx(1 / (4 * own.strength**2) if loss == "ipo" else math.log(2))
    found = [dpo_step(state, own).metrics["rewards/margins"] for _ in range(4)]
    assert all(found)
    assert found[-1] > 0
    assert state.facts[dpo.FROZEN]["logps"] == frozen


def test_the_reference_is_the_policy_before_the_first_update() -> None:
    """Held against losses that are computed elsewhere, from a policy that was never trained."""
    policy = micro.policy()
    of = dpo.pairs(policy, PICKS)
    state = dpo_start(torch.float32)
    for _ in range(3):
        dpo_step(state)
    wanted = [
        [-loss * each.targets for loss, each in zip(reading.losses(policy, pair), pair, strict=True)] for pair in of
    ]
    torch.testing.assert_close(
        torch.tensor(state.facts[dpo.FROZEN]["logps"]), torch.tensor(wanted), atol=1e-3, rtol=1e-4
    )


def test_it_is_not_computed_again_by_a_run_that_goes_on(tmp_path: Path) -> None:
    state = dpo_start(torch.float32)
    for _ in range(2):
        dpo_step(state)
    state.save(tmp_path)
    again = dpo.start(micro.policy(), DPO, torch.float32)
    assert again.resume(tmp_path)
    of = dpo.pairs(again.trainee.policy, PICKS)
    dpo.freeze(again, of, DPO)
    assert again.facts[dpo.FROZEN] == state.facts[dpo.FROZEN]
    with pytest.raises(MrClassicError, match="not those that this run began with"):
        dpo.freeze(again, of[1:], DPO)
    del again.facts[dpo.FROZEN]
    with pytest.raises(MrClassicError, match="weights have moved"):
        dpo.freeze(again, of, DPO)


@pytest.mark.parametrize("loss", dpo.BETAS)
def test_what_was_preferred_becomes_likelier_than_what_was_not(loss: str) -> None:
    own = replace(DPO, loss=loss, learning_rate=1e-2)  # type: ignore[arg-type]
    state = dpo_start(torch.float32, own)
    for _ in range(20):
        last = dpo_step(state, own)
        assert last.applied
    assert last.metrics["rewards/accuracies"] > 0.9
    asked = [(each.messages, [each.replies[each.winner], *(other for _, other in each.pairs)]) for each in PICKS]
    before = sum(reading.preferred(micro.policy(), asked))
    assert sum(reading.preferred(state.trainee.policy, asked)) > before + 3


@settings(max_examples=60, deadline=None)
@given(
    away=st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20)), min_size=1, max_size=6),
    beta=st.floats(0.01, 5),
    tokens=st.integers(1, 30),
)
def test_the_losses_are_those_of_their_papers(away: list[tuple[float, float]], beta: float, tokens: int) -> None:
    counts = torch.full((len(away), 2), float(tokens), dtype=torch.float64)
    given_ = torch.tensor(away, dtype=torch.float64)
    for (chosen, rejected), *found in zip(
        away, *(dpo.losses(kind, beta, given_, counts).tolist() for kind in dpo.BETAS), strict=True
    ):
        h = chosen - rejected
        assert found[0] == pytest.approx(_softplus(-beta * h), rel=1e-6, abs=1e-9)
        assert found[1] == pytest.approx((h - 1 / (2 * beta)) ** 2, rel=1e-6, abs=1e-9)
        assert found[2] == pytest.approx(_softplus(-beta * h / tokens), rel=1e-6, abs=1e-9)


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def test_every_pair_comes_once_an_epoch_and_small_batches_are_refused() -> None:
    state = dpo_start(torch.float32)
    size = 3 * DPO.batch
    met = [place for step in range(3) for place in dpo._places(state, step, size, DPO)]
    assert sorted(met) == list(range(size))
    with pytest.raises(UsageError, match="32 pairs an update or more"):
        replace(DPO, batch=31)
    with pytest.raises(Refused, match="your picks make 28"):
        dpo.pairs(micro.policy(), choosers.choices(7))
    assert replace(DPO, loss="ipo").strength == 0.1
    assert replace(DPO, beta=2.0).strength == 2.0
    assert DPO.steps(100) == 10


def test_replay_and_microbatches_change_the_gradient_only_as_they_should() -> None:
    """Several small passes come to the same as one."""
    one, many = dpo_start(torch.float32), dpo_start(torch.float32)
    many.trainee.token_budget = 256
    assert dpo_step(one).metrics["grad_norm"] == pytest.approx(dpo_step(many).metrics["grad_norm"], rel=1e-4)
    assert "replay_loss" in dpo_step(one).metrics
    bare = dpo.step(one, dpo.pairs(one.trainee.policy, PICKS), DPO, 10, list)
    assert "replay_loss" not in bare.metrics


def test_the_sentinel_sees_both_replies_of_a_pair_sink() -> None:
    history = History()
    for step in range(1, 30):
        history.note(StepReport(step, {"chosen/shift": -0.1 * step, "loss": 0.5}), None)
        if displaced(history) is not CONTINUE:
            break
    assert step == 20  # as soon as there is a window to take a mean over
    assert displaced(history).action == "roll back"
    assert "avoid both" in displaced(history).message
