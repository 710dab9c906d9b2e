"""Rows and batches: the loss falls on replies and their end token, and every row is trained exactly once."""

from __future__ import annotations

import itertools
import math

import micro
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.training.rows import Row, buckets, collate, row
from mrclassic.training.trainee import Schedule, Trainee

POLICY = micro.policy()
TOKENIZER = POLICY.tokenizer
CPU = torch.device("cpu")
ROWS = st.lists(
    st.integers(2, 60).flatmap(
        lambda size: st.builds(
            Row, st.lists(st.integers(5, 250), min_size=size, max_size=size).map(tuple), st.integers(1, size - 1)
        )
    ),
    min_size=1,
    max_size=12,
)


def talk(*texts: str) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[place % 2], "content": text} for place, text in enumerate(texts)]


def test_a_row_learns_its_final_reply_and_the_end_of_it() -> None:
    made = row(TOKENIZER, talk("Hello.", "Hi.", "And?", "Good day."), 96)
    assert TOKENIZER.decode(made.ids[made.start :]) == "Good day."
    assert made.ids[-1] == TOKENIZER.end_id
    assert made.targets == len(TOKENIZER.encode("Good day.")) + 1
    assert list(made.ids[: made.start]) == TOKENIZER.encode_chat(talk("Hello.", "Hi.", "And?"))


def test_what_a_reply_forges_is_letters() -> None:
    made = row(TOKENIZER, talk("Hello.", "a<|end|>b"), 96)
    assert made.ids[made.start :].count(TOKENIZER.end_id) == 1


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(st.text(max_size=40), min_size=1, max_size=3), context=st.integers(4, 80))
def test_a_row_fits_the_context_and_keeps_what_is_near(texts: list[str], context: int) -> None:
    messages = talk(*texts, *([""] * (len(texts) % 2)), "the reply")
    made = row(TOKENIZER, messages, context)
    whole = row(TOKENIZER, messages, 10_000)
    assert 2 <= len(made.ids) <= context
    assert 1 <= made.start < len(made.ids)
    reply, prompt = whole.ids[whole.start :], whole.ids[: whole.start]
    assert made.ids[made.start :] == reply[: made.targets]
    assert made.targets == min(len(reply), context - 1)
    assert made.ids[: made.start] == prompt[len(prompt) - made.start :]


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, budget=st.integers(1, 400))
def test_buckets_cover_every_row_once_within_the_budget(rows: list[Row], budget: int) -> None:
    groups = buckets(rows, budget)
    assert sorted(place for group in groups for place in group) == list(range(len(rows)))
    for group in groups:
        ids = collate([rows[place] for place in group], 0, CPU).ids
        assert len(group) == 1 or ids.numel() <= budget  # padding rows count


@given(sizes=st.lists(st.integers(2, 130), min_size=1, max_size=9), budget=st.sampled_from([16, 300, 2048, 8192]))
def test_no_other_cut_costs_less(sizes: list[int], budget: int) -> None:
    def cost(groups: list[list[int]]) -> float:
        """Padded tokens, and what the passes cost; infinite where a rectangle is too large or padded to no purpose."""
        shapes = [(1 << (len(each) - 1).bit_length(), -(-(each[0] - 1) // 16) * 16, len(each)) for each in groups]
        fits = all(high * wide <= budget or high == 1 for high, wide, _ in shapes)
        padded = any(high != count for high, _, count in shapes[:-1])
        return sum(high * wide + budget // 32 for high, wide, _ in shapes) if fits and not padded else math.inf

    ordered = sorted(sizes, reverse=True)
    cuts = itertools.chain.from_iterable(itertools.combinations(range(1, len(sizes)), n) for n in range(len(sizes)))
    ways = ([ordered[a:b] for a, b in itertools.pairwise((0, *cut, len(sizes)))] for cut in cuts)
    found = [[sizes[place] for place in group] for group in buckets([Row((5,) * size, 1) for size in sizes], budget)]
    assert sorted(itertools.chain.from_iterable(found), reverse=True) == ordered
    assert cost(found) == min(map(cost, ways))


@settings(max_examples=200, deadline=None)
@given(rows=ROWS)
def test_a_batch_holds_every_target_with_what_stands_before_it(rows: list[Row]) -> None:
    batch = collate(rows, TOKENIZER.pad_id, CPU)
    width = batch.ids.shape[1]
    found = [[] for _ in rows]
    learnt = batch.at[: len(batch.next)].tolist()  # what follows only fills up the shape
    for at, token, owner in zip(learnt, batch.next.tolist(), batch.row.tolist(), strict=True):
        assert at // width == owner
        found[owner].append((batch.ids[owner, : at % width + 1].tolist(), token))
    for each, pairs in zip(rows, found, strict=True):
        assert pairs == [(list(each.ids[:at]), each.ids[at]) for at in range(each.start, len(each.ids))]


@settings(max_examples=25, deadline=None)
@given(rows=ROWS, weight=st.sampled_from([1.0, 0.3]), budget=st.sampled_from([40, 10_000]))
def test_the_loss_is_the_mean_over_reply_tokens_however_it_is_batched(
    rows: list[Row], weight: float, budget: int
) -> None:
    trainee = Trainee(POLICY, torch.float32)
    trainee.token_budget = budget
    loss = trainee.cross_entropy(rows, weight)
    decoder = trainee.policy.decoder
    gradient = decoder.embedding.grad.clone()
    decoder.zero_grad()
    surprise: list[torch.Tensor] = []
    for each in rows:
        hidden = decoder(torch.tensor([each.ids]))
        logp = decoder.logits(hidden, POLICY.live).log_softmax(-1)[0]
        surprise += [-logp[at - 1, each.ids[at]] for at in range(each.start, len(each.ids))]
    mean = torch.stack(surprise).mean()
    (weight * mean).backward()
    assert loss == pytest.approx(float(mean.detach()), abs=1e-5)
    assert torch.allclose(gradient, decoder.embedding.grad, atol=1e-6)


@pytest.mark.parametrize("context", [90, 96, 97])
def test_a_row_as_long_as_the_context_can_be_trained(context: int) -> None:
    trainee = Trainee(micro.policy(context=context), torch.float32)
    made = row(TOKENIZER, talk("word " * 100, "Good day."), context)
    assert len(made.ids) == context
    assert trainee.cross_entropy([made]) > 0


def test_the_rate_warms_up_and_decays() -> None:
    schedule = Schedule(peak=1.0, steps=100, warmup=10, floor=0.1)
    rates = [schedule.rate(step) for step in range(120)]
    assert rates[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert max(rates) == rates[10] == 1.0
    assert all(one >= two for one, two in itertools.pairwise(rates[10:]))
    assert rates[100] == pytest.approx(0.1) == rates[119]
    assert all(math.isfinite(Schedule(1.0, steps, warmup).rate(0)) for steps in (0, 1) for warmup in (0, 1))
