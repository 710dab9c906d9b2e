"""The engine: the same reply alone and in company, and every row its own randomness, room and end."""

from __future__ import annotations

from dataclasses import replace

import micro
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.errors import UsageError
from mrclassic.model.engine import Completion, Engine, Event, Request
from mrclassic.model.policy import Policy
from mrclassic.model.sampling import Knobs, transform
from mrclassic.model.tokenizer import Tokenizer

POLICY = micro.policy(loud=8.0)
CONTEXT = POLICY.shape.context
PROMPT = tuple(POLICY.tokenizer.encode_chat([{"role": "user", "content": "Hello."}]))


def alone(request: Request) -> list[Completion]:
    return Engine(POLICY, request.n).generate([request])[0]


def words(rows: list[Completion]) -> list[tuple[tuple[int, ...], str]]:
    return [(row.tokens, row.finish_reason) for row in rows]


def drain(engine: Engine) -> list[Event]:
    events: list[Event] = []
    while engine.busy:
        events += engine.step()
    return events


REQUESTS = st.builds(
    Request,
    tokens=st.lists(st.integers(5, POLICY.live - 1), min_size=1, max_size=CONTEXT - 1).map(tuple),
    n=st.integers(1, 4),
    max_new=st.integers(1, 40),
    temperature=st.sampled_from([0.0, 0.5, 1.0, 1.5]),
    top_p=st.sampled_from([0.3, 0.9, 1.0]),
    top_k=st.sampled_from([0, 1, 5]),
    seed=st.integers(0, 5),
    first_row=st.integers(0, 3),
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    requests=st.lists(REQUESTS, min_size=1, max_size=6),
    slots=st.integers(1, 9),
    stride=st.sampled_from([1, 1, 3, 8]),  # a longer one is for devices that are slow to look at
)
def test_alone_and_in_company_a_request_gives_the_same_text(requests: list[Request], slots: int, stride: int) -> None:
    """Lengths, room, slots and order differ: rows are evicted, moved and admitted all the time."""
    together = Engine(POLICY, slots, stride).generate(requests)
    for request, rows in zip(requests, together, strict=True):
        single = alone(request)
        assert words(rows) == words(single)
        for one, two in zip(rows, single, strict=True):
            assert one.logprobs == pytest.approx(two.logprobs, abs=1e-4)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(requests=st.lists(REQUESTS, min_size=2, max_size=6), slots=st.integers(1, 5), data=st.data())
def test_cancelling_some_leaves_the_others_as_they_are(
    requests: list[Request], slots: int, data: st.DataObject
) -> None:
    engine = Engine(POLICY, slots)
    tickets = [engine.submit(request) for request in requests]
    events: list[Event] = []
    cancelled: set[tuple[int, int]] = set()
    for _ in range(data.draw(st.integers(0, 12))):
        events += engine.step()
        if data.draw(st.booleans()):
            place = data.draw(st.integers(0, len(requests) - 1))
            row = data.draw(st.none() | st.integers(0, requests[place].n - 1))
            engine.cancel(tickets[place], row)
            cancelled |= {(tickets[place], at) for at in range(requests[place].n) if row in (None, at)}
    events += drain(engine)
    for ticket, request in zip(tickets, requests, strict=True):
        for single in alone(request):
            mine = [event for event in events if (event.ticket, event.row) == (ticket, single.row)]
            reasons = [event.finish_reason for event in mine if event.finish_reason]
            told = tuple(event.token for event in mine if event.token != -1)
            assert len(reasons) == 1
            assert mine[-1].finish_reason == reasons[0]
            if reasons == ["cancelled"]:
                assert (ticket, single.row) in cancelled
                assert told == single.tokens[: len(told)]
            else:
                assert (told, reasons[0]) == (single.tokens, single.finish_reason)


def test_a_cancelled_row_ends_at_once_and_frees_its_slot() -> None:
    engine = Engine(POLICY, 2)
    long, waiting = (engine.submit(Request(PROMPT, n=2, max_new=60, ignore_end=True, seed=seed)) for seed in (1, 2))
    engine.step()
    engine.cancel(long, 0)
    events = engine.step()
    assert Event(long, 0, -1, 0.0, "cancelled") in events
    engine.cancel(long)
    engine.cancel(long)
    engine.cancel(12345)
    events = engine.step()
    assert [event for event in events if event.ticket == long] == [Event(long, 1, -1, 0.0, "cancelled")]
    assert {event.ticket for event in drain(engine)} == {waiting}
    assert not engine.busy


def test_what_a_long_stride_draws_beyond_the_end_is_dropped() -> None:
    engine = Engine(POLICY, 3, stride=8)
    asked = [Request(PROMPT, n=2, max_new=11, ignore_end=True, seed=seed) for seed in (1, 2)]
    tickets = [engine.submit(request) for request in asked]
    events = drain(engine)
    for ticket, request in zip(tickets, asked, strict=True):
        for single in alone(request):
            told = [event for event in events if (event.ticket, event.row) == (ticket, single.row)]
            assert tuple(event.token for event in told) == single.tokens
            assert [event.finish_reason for event in told] == [None] * 10 + ["length"]


@pytest.mark.parametrize(
    ("temperature", "top_p", "top_k"),
    [(1.0, 1.0, 0), (0.7, 1.0, 0), (1.3, 0.8, 0), (1.0, 1.0, 4), (0.9, 0.6, 10), (0.0, 1.0, 0)],
)
def test_logprobs_are_those_of_a_full_forward_pass(temperature: float, top_p: float, top_k: int) -> None:
    request = Request(PROMPT, n=3, max_new=30, temperature=temperature, top_p=top_p, top_k=top_k, seed=3)
    for row in alone(request):
        ids = torch.tensor([[*PROMPT, *row.tokens[:-1]]])
        with torch.no_grad():
            hidden = POLICY.decoder(ids)[0, len(PROMPT) - 1 :]
            logits = POLICY.decoder.logits(hidden, POLICY.live)
        count = len(row.tokens)
        knobs = Knobs(torch.full((count,), temperature), torch.full((count,), top_p), torch.full((count,), top_k))
        told = transform(logits, knobs).log_softmax(-1)[torch.arange(count), torch.tensor(row.tokens)]
        assert row.logprobs == pytest.approx(told.tolist(), abs=1e-4)


def test_candidates_of_one_prompt_differ_and_are_reproducible() -> None:
    request = Request(PROMPT, n=8, max_new=20, seed=11)
    rows = alone(request)
    assert [row.row for row in rows] == list(range(8))
    assert len({row.tokens for row in rows}) == 8
    assert words(rows) == words(alone(request))
    assert words(rows) != words(alone(Request(PROMPT, n=8, max_new=20, seed=12)))
    shifted = alone(Request(PROMPT, n=3, max_new=20, seed=11, first_row=5))
    assert [row.tokens for row in shifted] == [row.tokens for row in rows[5:]]


def test_temperature_zero_ignores_the_seed() -> None:
    rows = [row for seed in range(3) for row in alone(Request(PROMPT, n=2, max_new=20, temperature=0.0, seed=seed))]
    assert len({row.tokens for row in rows}) == 1


@pytest.mark.parametrize("length", [1, 40, CONTEXT - 2, CONTEXT - 1])
def test_a_reply_ends_where_the_context_does(length: int) -> None:
    (row,) = alone(Request(tuple([40] * length), max_new=500, ignore_end=True))
    assert len(row.tokens) == CONTEXT - length
    assert row.finish_reason == "length"


@pytest.mark.parametrize("length", [0, CONTEXT, CONTEXT + 1000])
def test_a_prompt_without_room_is_refused_in_a_sentence(length: int) -> None:
    engine = Engine(POLICY, 2)
    with pytest.raises(UsageError, match=f"{length:,} tokens long; this model reads 1 to {CONTEXT - 1}"):
        engine.submit(Request(tuple([40] * length)))
    assert not engine.busy


@pytest.mark.parametrize(
    "wrong",
    [
        {"n": 0},
        {"max_new": 0},
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_p": -0.1},
        {"top_p": 1.1},
        {"top_k": -1},
        {"stop": ("",)},
    ],
)
def test_a_request_that_means_nothing_cannot_be_made(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Request(PROMPT, **wrong)  # type: ignore[arg-type]


def test_the_end_token_ends_a_row_unless_ignored() -> None:
    policy = micro.policy(loud=8.0)
    end = policy.tokenizer.end_id
    with torch.no_grad():  # the end token's score becomes the largest everywhere
        policy.decoder.embedding[: policy.live] *= 0.01
    rows = Engine(policy, 4).generate([Request(PROMPT, n=200, max_new=80, seed=1)])[0]
    stopped = [row for row in rows if row.finish_reason == "stop"]
    assert stopped  # nearly even choice among 280 tokens: most of 200 rows meet the end within 80
    for row in rows:
        assert (row.tokens[-1] == end) == (row.finish_reason == "stop")
        assert end not in row.tokens[:-1]
    ignored = Engine(policy, 4).generate([Request(PROMPT, n=50, max_new=80, seed=1, ignore_end=True)])[0]
    assert all(len(row.tokens) == 80 and row.finish_reason == "length" for row in ignored)


@pytest.mark.parametrize("stride", [1, 8])
def test_every_end_token_of_the_model_ends_a_row(stride: int) -> None:
    """An imported model may have several: Llama 3 ends a turn with one, a text with another."""
    request = Request(PROMPT, max_new=12, seed=5)
    said = alone(request)[0].tokens
    other = replace(POLICY, tokenizer=Tokenizer(POLICY.tokenizer.backend, ends=[said[3]]))
    (row,) = Engine(other, 2, stride).generate([request])[0]
    assert (row.tokens, row.finish_reason) == (said[: said.index(said[3]) + 1], "stop")


def test_a_stop_string_ends_a_row_when_it_appears_across_tokens() -> None:
    (free,) = alone(Request(PROMPT, max_new=40, seed=4, ignore_end=True))
    pieces = [POLICY.tokenizer.decode(free.tokens[:at]) for at in range(41)]
    at = next(at for at in range(5, 40) if pieces[at].startswith(pieces[at - 1]) and len(pieces[at]) >= 3)
    mark = pieces[at][-3:]
    first = next(place for place in range(41) if mark in pieces[place])
    (cut,) = alone(Request(PROMPT, max_new=40, seed=4, ignore_end=True, stop=("never there", mark)))
    assert cut.tokens == free.tokens[:first]
    assert cut.finish_reason == "stop"
    # Met with the very last token allowed, it still is a stop.
    (last,) = alone(Request(PROMPT, max_new=first, seed=4, ignore_end=True, stop=(mark,)))
    assert last.finish_reason == "stop"


@pytest.mark.parametrize("slots", [1, 3, 8, 64])
def test_rows_of_very_different_lengths_are_moved_without_harm(slots: int) -> None:
    requests = [Request(PROMPT, n=2, max_new=1 + place * 7 % 60, seed=place, ignore_end=True) for place in range(12)]
    requests.append(Request(tuple([41] * 80), max_new=16, seed=1))
    for request, rows in zip(requests, Engine(POLICY, slots).generate(requests), strict=True):
        assert words(rows) == words(alone(request))


def test_requests_may_come_while_others_run() -> None:
    engine = Engine(POLICY, 4)
    requests = [Request(PROMPT, n=2, max_new=25, seed=seed) for seed in range(5)]
    requests.append(Request(tuple([50] * 70), max_new=20, seed=9))  # the cache must grow under the running rows
    events: list[Event] = []
    tickets = []
    for request in requests:
        tickets.append(engine.submit(request))
        for _ in range(3):
            events += engine.step()
    events += drain(engine)
    for ticket, request in zip(tickets, requests, strict=True):
        for single in alone(request):
            told = tuple(event.token for event in events if (event.ticket, event.row) == (ticket, single.row))
            assert told == single.tokens


@pytest.mark.parametrize("context", [50, 64])
def test_a_context_of_any_length_can_be_filled(context: int) -> None:
    policy = micro.policy(context=context, loud=8.0)
    requests = [Request(tuple([40] * length), max_new=99, ignore_end=True) for length in (1, 20, 49)]
    for request, (reply,) in zip(requests, Engine(policy, 2).generate(requests), strict=True):
        assert len(request.tokens) + len(reply.tokens) == context


def test_an_engine_can_be_used_again() -> None:
    engine = Engine(POLICY, 3)
    request = Request(PROMPT, n=5, max_new=15, seed=2)
    assert words(engine.generate([request])[0]) == words(engine.generate([request])[0])
    assert engine.generate([]) == []


def test_only_ids_of_the_tokenizer_are_drawn() -> None:
    # A nearly even choice, and the network's vocabulary is larger than the tokenizer's.
    flat = micro.policy(vocab_size=400)
    assert flat.live < flat.shape.vocab_size
    rows = Engine(flat, 64).generate([Request(PROMPT, n=64, max_new=60, ignore_end=True)])[0]
    drawn = {token for row in rows for token in row.tokens}
    assert max(drawn) < flat.live
    assert len(drawn) > 0.9 * flat.live


def test_a_broken_network_does_not_hang_the_engine() -> None:
    policy: Policy = micro.policy()
    with torch.no_grad():
        policy.decoder.norm.fill_(float("nan"))
    rows = Engine(policy, 4).generate([Request(PROMPT, n=4, max_new=5)])[0]
    assert all(1 <= len(row.tokens) <= 5 for row in rows)
