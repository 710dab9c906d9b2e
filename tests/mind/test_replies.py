"""Candidates while they grow, fed with an engine's events by hand: here every timing can be played through."""

import itertools
import random

import pytest

from mrclassic.mind.parameters import ChatRequest, Defaults, read_request
from mrclassic.mind.replies import ROUNDS, Draw, Piece
from mrclassic.model.engine import Event
from mrclassic.model.tokenizer import Tokenizer

TEXTS = ["good morning", "good evening", "how are you", "STOP here", "日本 🙂"]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(TEXTS * 3, 320)


def asked(**given: object) -> ChatRequest:
    import json

    body = {"messages": [{"role": "user", "content": "x"}], "distinct": True, "temperature": 0.7, **given}
    return read_request(json.dumps(body).encode(), Defaults())


def speak(draw: Draw, tokenizer: Tokenizer, index: int, round_: int, text: str) -> list[Piece]:
    """Feed a whole reply, token by token, with its end."""
    for token in tokenizer.encode(text):
        draw.feed([(index, round_, Event(0, 0, token, -1.0, None))])
    draw.feed([(index, round_, Event(0, 0, tokenizer.end_id, -0.5, "stop"))])
    return draw.pieces()


def collect(pieces: list[Piece], texts: dict[int, str]) -> None:
    for piece in pieces:
        texts[piece.index] = piece.text if piece.restart else texts.get(piece.index, "") + piece.text


def test_rows_share_one_request_and_the_end_token_counts(tokenizer: Tokenizer) -> None:
    draw = Draw(asked(n=3), [1, 2], tokenizer, seed=9)
    (start,) = draw.starts()
    assert (start.indices, start.request.n, start.request.first_row, start.request.seed) == ((0, 1, 2), 3, 0, 9)
    assert draw.starts() == []
    (piece,) = speak(draw, tokenizer, 1, 0, "good")
    assert (piece.text, piece.finish_reason, piece.tokens) == ("good", "stop", len(tokenizer.encode("good")) + 1)
    assert piece.logprob == pytest.approx(-(piece.tokens - 1) - 0.5)
    assert not draw.done


def test_a_repeated_candidate_is_drawn_again_warmer_and_at_last_marked(tokenizer: Tokenizer) -> None:
    draw = Draw(asked(n=2), [1], tokenizer, seed=0)
    draw.starts()
    speak(draw, tokenizer, 0, 0, "good")
    temperatures, rows = [], []
    for round_ in range(ROUNDS):
        pieces = speak(draw, tokenizer, 1, round_, "good")
        assert [(piece.index, piece.restart, piece.finish_reason) for piece in pieces] == [(1, True, None)]
        (start,) = draw.starts()
        assert (start.indices, start.round) == ((1,), round_ + 1)
        temperatures.append(round(start.request.temperature, 2))
        rows.append(start.request.first_row)
    assert temperatures == [0.95, 1.2, 1.45, 1.7]
    assert len({0, 1, *rows}) == ROUNDS + 2, "each draw has random numbers of its own"
    (piece,) = speak(draw, tokenizer, 1, ROUNDS, "good")
    assert (piece.text, piece.duplicate, piece.finish_reason) == ("good", True, "stop")
    assert draw.done


def test_greedy_candidates_differ_from_the_first(tokenizer: Tokenizer) -> None:
    draw = Draw(asked(n=4, temperature=0), [1], tokenizer, seed=0)
    starts = draw.starts()
    assert [(start.indices, start.request.temperature) for start in starts] == [((0,), 0.0), ((1, 2, 3), 0.7)]
    assert [start.request.first_row for start in starts] == [0, 1]


def test_without_distinct_repetition_is_allowed(tokenizer: Tokenizer) -> None:
    draw = Draw(asked(n=2, temperature=0, distinct=False), [1], tokenizer, seed=0)
    assert len(draw.starts()) == 1
    speak(draw, tokenizer, 0, 0, "good")
    (piece,) = speak(draw, tokenizer, 1, 0, "good")
    assert not piece.duplicate
    assert draw.done


def test_the_outcome_does_not_depend_on_who_finishes_first(tokenizer: Tokenizer) -> None:
    """Each (index, round) always says the same; only the order in which they get ready is shuffled."""
    words = ["a", "b", "c", "d"]
    for trial in range(30):
        rng = random.Random(trial)
        script = {
            (index, round_): rng.choice(words) for index, round_ in itertools.product(range(4), range(ROUNDS + 1))
        }
        outcomes = {_play(script, tokenizer, random.Random(order)) for order in range(12)}
        assert len(outcomes) == 1, script


def _play(script: dict[tuple[int, int], str], tokenizer: Tokenizer, rng: random.Random) -> tuple[object, ...]:
    draw = Draw(asked(n=4), [1], tokenizer, seed=0)
    running = [(index, start.round) for start in draw.starts() for index in start.indices]
    texts: dict[int, str] = {}
    last: dict[int, Piece] = {}
    while not draw.done:
        taken = [running.pop(rng.randrange(len(running))) for _ in range(rng.randint(1, len(running)))]
        events = [(i, r, Event(0, 0, tokenizer.encode(script[i, r])[0], 0.0, "length")) for i, r in taken]
        draw.feed(events)
        pieces = draw.pieces()
        collect(pieces, texts)
        last |= {piece.index: piece for piece in pieces}
        running += [(index, start.round) for start in draw.starts() for index in start.indices]
        running = [(index, round_) for index, round_ in running if draw_round(draw, index) == round_]
    kept = [texts[i] for i in range(4) if not last[i].duplicate]
    assert len(set(kept)) == len(kept), "no two candidates that are not marked say the same"
    return tuple((texts[i], last[i].duplicate) for i in range(4))


def draw_round(draw: Draw, index: int) -> int:
    return draw._rows[index].round


def test_a_stop_string_never_shows(tokenizer: Tokenizer) -> None:
    draw = Draw(asked(stop=["STOP", "ST!"], distinct=False), [1], tokenizer, seed=0)
    draw.starts()
    shown = ""
    for token in tokenizer.encode("good S morning STOP here"):
        draw.feed([(0, 0, Event(0, 0, token, 0.0, None))])
        for piece in draw.pieces():
            shown += piece.text
            assert "ST" not in shown
    assert (shown, draw.done) == ("good S morning ", True)


def test_what_looked_like_a_stop_string_is_shown_in_the_end(tokenizer: Tokenizer) -> None:
    draw = Draw(asked(stop=["STOP"], distinct=False), [1], tokenizer, seed=0)
    pieces = speak(draw, tokenizer, 0, 0, "good STO")
    assert "".join(piece.text for piece in pieces) == "good STO"


def test_characters_of_several_bytes_are_never_split(tokenizer: Tokenizer) -> None:
    draw = Draw(asked(distinct=False), [1], tokenizer, seed=0)
    draw.starts()
    shown = []
    ids = tokenizer.encode("é ü 中 🎩")  # not in the vocabulary as a whole: one token a byte
    assert len(ids) > 8
    for token in ids:
        draw.feed([(0, 0, Event(0, 0, token, 0.0, None))])
        shown += [piece.text for piece in draw.pieces() if piece.text]
    assert "".join(shown) == "é ü 中 🎩"
    assert not any("\ufffd" in text for text in shown)


def test_logprobs_name_each_token_but_the_end(tokenizer: Tokenizer) -> None:
    draw = Draw(asked(logprobs=True, distinct=False), [1], tokenizer, seed=0)
    pieces = speak(draw, tokenizer, 0, 0, "good morning")
    facts = [fact for piece in pieces for fact in piece.facts]
    assert "".join(fact.text for fact in facts) == "good morning"
    assert pieces[-1].tokens == len(facts) + 1
