"""Supervised training: a model learns its replies, and where they end."""

from __future__ import annotations

import random
from collections import Counter

import micro
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.model.engine import Engine, Request
from mrclassic.training import supervised
from mrclassic.training.rows import Row, row
from mrclassic.training.state import State
from mrclassic.training.suites import Probe, Suite, measure, recall
from mrclassic.training.trainee import Schedule, Trainee

ROWS = [row(micro.policy().tokenizer, entry.messages, 96) for entry in micro.ENTRIES]
RATE = Schedule(peak=1e-2, steps=1000, warmup=1)


def fresh(dtype: torch.dtype = torch.float32, seed: int = 0) -> State:
    return State(Trainee(micro.policy(), dtype), seed)


def trained(rows: list[Row], updates: int = 80) -> State:
    state = fresh()
    for _ in range(updates):
        supervised.update(state, rows, RATE)
    return state


def test_a_trained_model_says_its_replies_and_stops() -> None:
    """The case of a model that talks on for ever: what is learnt includes the end token."""
    state = trained(ROWS)
    policy = state.trainee.policy
    result = measure(policy, [recall(micro.ENTRIES)])["book_recall"]
    assert result.replies == tuple(entry.reply for entry in micro.ENTRIES)
    assert result.score == 1.0
    for entry in micro.ENTRIES:
        prompt = tuple(policy.tokenizer.encode_chat(entry.prompt))
        (reply,) = Engine(policy, 1).generate([Request(prompt, max_new=40, temperature=0.0)])[0]
        assert reply.finish_reason == "stop"
        assert reply.tokens == (*policy.tokenizer.encode(entry.reply), policy.tokenizer.end_id)


def test_without_the_end_token_a_model_does_not_stop_and_recall_counts_it_wrong() -> None:
    """The control of the test above."""
    state = trained([Row(each.ids[:-1], each.start) for each in ROWS])
    policy = state.trainee.policy
    prompt = tuple(policy.tokenizer.encode_chat(micro.ENTRIES[0].prompt))
    (reply,) = Engine(policy, 1).generate([Request(prompt, max_new=40, temperature=0.0)])[0]
    assert reply.finish_reason == "length"
    assert measure(policy, [recall(micro.ENTRIES)])["book_recall"].score == 0.0


def test_a_reply_followed_by_role_tokens_is_not_recall() -> None:
    """Their letters are left out of the text, which then looks right."""
    tokenizer = micro.policy().tokenizer
    user = tokenizer.backend.token_to_id("<|user|>")
    policy = trained([Row((*each.ids[:-1], *[user] * 6), each.start) for each in ROWS]).trainee.policy
    result = measure(policy, [recall(micro.ENTRIES)])["book_recall"]
    assert result.replies[0] == micro.ENTRIES[0].reply
    assert result.score == 0.0


def test_prompts_are_not_learnt() -> None:
    """After training the replies are known by heart, and the prompts surprise as they did at the beginning."""
    state = trained(ROWS)
    policy = state.trainee.policy
    with torch.no_grad():
        prompt_loss, reply_loss, prompts, replies = 0.0, 0.0, 0, 0
        for each in ROWS:
            logp = policy.decoder.logits(policy.decoder(torch.tensor([each.ids])), policy.live).log_softmax(-1)[0]
            for at in range(2, len(each.ids)):
                surprise = -float(logp[at - 1, each.ids[at]])
                if at >= each.start:
                    reply_loss, replies = reply_loss + surprise, replies + 1
                else:
                    prompt_loss, prompts = prompt_loss + surprise, prompts + 1
    assert reply_loss / replies < 0.05
    assert prompt_loss / prompts > 3.0  # as at the beginning: ln(320) is 5.8


def test_an_update_reports_what_it_did() -> None:
    state = fresh()
    report = supervised.update(state, ROWS, RATE)
    assert (report.step, state.step, report.applied) == (1, 1, True)
    assert report.metrics["loss"] == pytest.approx(5.77, abs=0.3)
    assert report.metrics["grad_norm"] > 0
    assert report.metrics["learning_rate"] == RATE.rate(0)
    assert report.metrics["rows"] == len(ROWS)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_loss_that_is_not_finite_is_discarded(dtype: torch.dtype) -> None:
    state = fresh(dtype)
    supervised.update(state, ROWS, RATE)
    kept = state.snapshot()
    with torch.no_grad():
        state.trainee.policy.decoder.norm.fill_(float("inf"))
    report = supervised.update(state, ROWS, RATE)
    assert not report.applied
    assert state.step == 2
    for name, tensor in state.trainee.tensors().items():
        assert torch.equal(tensor, kept.tensors[name])
    # And no trace of it is left in the gradients: the next update is as if it had not been.
    state.roll_back(kept)
    other = fresh(dtype)
    supervised.update(other, ROWS, RATE)
    for one in (state, other):
        supervised.update(one, ROWS, RATE)
    assert micro.digest(state.trainee.full_policy()) == micro.digest(other.trainee.full_policy())


def test_a_gradient_that_is_not_finite_moves_nothing() -> None:
    state = fresh()
    supervised.update(state, ROWS, RATE)
    before = micro.digest(state.trainee.full_policy())
    state.trainee.cross_entropy(ROWS, weight=float("nan"))
    norm = state.trainee.update(1e-2)
    assert norm != norm
    assert micro.digest(state.trainee.full_policy()) == before
    assert supervised.update(state, ROWS, RATE).applied


def test_bfloat16_learns_on_float32_masters() -> None:
    state = fresh(torch.bfloat16)
    losses = [supervised.update(state, ROWS, RATE).metrics["loss"] for _ in range(60)]
    assert losses[-1] < 0.3 * losses[0]
    assert state.trainee.policy.dtype == torch.bfloat16
    full = state.trainee.full_policy()
    assert full.dtype == torch.float32
    rounded = full.cast(torch.bfloat16)
    assert micro.digest(rounded) == micro.digest(state.trainee.policy)
    assert micro.digest(full) != micro.digest(rounded)  # the masters hold more than the rounded weights


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 99), size=st.integers(1, 40), epochs=st.integers(1, 3))
def test_an_endless_walk_shows_each_item_once_an_epoch(seed: int, size: int, epochs: int) -> None:
    walk = [supervised.shuffled(seed, place, size) for place in range(size * epochs)]
    assert all(count == epochs for count in Counter(walk).values())
    assert len(set(walk)) == size
    for epoch in range(epochs):
        assert sorted(walk[epoch * size : (epoch + 1) * size]) == list(range(size))
    assert walk == [supervised.shuffled(seed, place, size) for place in range(size * epochs)]


@settings(max_examples=200, deadline=None)
@given(text=st.text("aB .?!é你", min_size=1, max_size=20), seed=st.integers())
def test_varying_a_line_keeps_its_words(text: str, seed: int) -> None:
    varied = supervised.vary(text, random.Random(seed))
    assert varied
    assert varied.lower().rstrip(".?!") == text.lower().rstrip(".?!") or varied.lower() == text.lower()


def test_measuring_is_greedy_and_in_order() -> None:
    policy = trained(ROWS).trainee.policy
    probes = tuple(Probe(tuple(entry.prompt), entry.reply) for entry in micro.ENTRIES)
    wrong = Probe(probes[0].prompt, "Something else.")
    long = Probe(({"role": "user", "content": "word " * 300},), "x")  # longer than the context: cut, not refused
    found = measure(policy, [Suite("a", (probes[0], wrong, long)), Suite("b", probes[1:]), Suite("none", ())], slots=2)
    assert found["a"].scores == (1.0, 0.0, 0.0)
    assert found["b"].score == 1.0
    assert found["none"].score == 0.0
    assert measure(policy, [Suite("a", (probes[0], wrong, long))])["a"] == found["a"]
