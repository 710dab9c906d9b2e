"""Older turns fall away, oldest first and as whole turns; the system prompt and the last message stay."""

import pytest

from mrclassic.mind.parameters import ApiError
from mrclassic.mind.prompts import fit
from mrclassic.model.tokenizer import Tokenizer

SYSTEM = {"role": "system", "content": "Be kind."}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(["x"], 261)


def turn(number: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"q{number}"}, {"role": "assistant", "content": f"a{number}"}]


def test_what_fits_stays_whole(tokenizer: Tokenizer) -> None:
    messages = [SYSTEM, *turn(1), {"role": "user", "content": "q2"}]
    assert fit(messages, tokenizer, 512, 96) == tokenizer.encode_chat(messages)


@pytest.mark.parametrize("context", range(64, 200, 7))
def test_as_many_turns_as_fit(tokenizer: Tokenizer, context: int) -> None:
    last = {"role": "user", "content": "the question"}
    messages = [SYSTEM, *(message for number in range(30) for message in turn(number)), last]
    ids = fit(messages, tokenizer, context, 16)
    assert len(ids) <= context - 16
    kept = [start for start in range(31) if tokenizer.encode_chat([SYSTEM, *messages[1 + 2 * start :]]) == ids]
    assert len(kept) == 1
    if kept[0] > 0:
        one_more = tokenizer.encode_chat([SYSTEM, *messages[1 + 2 * (kept[0] - 1) :]])
        assert len(one_more) > context - 16


def test_a_long_last_message_takes_room_from_the_reply(tokenizer: Tokenizer) -> None:
    ids = fit([*turn(1), {"role": "user", "content": "x" * 100}], tokenizer, 128, 96)
    assert len(ids) == 103


@pytest.mark.parametrize(
    ("size", "system", "words"),
    [
        (1997, False, r"^The message is 2,000 tokens long; this model reads 128\. Shorten it\.$"),
        (
            120,
            False,
            r"^The message is 123 tokens long; this model reads 128\. No room is left for a reply\. Shorten it\.$",
        ),
        (120, True, r"^The message with its system prompt is 133 tokens long; this model reads 128\. Shorten it\.$"),
    ],
)
def test_what_cannot_fit_is_said_with_both_numbers(tokenizer: Tokenizer, size: int, system: bool, words: str) -> None:
    messages = [SYSTEM] * system + [{"role": "user", "content": "x" * size}]
    with pytest.raises(ApiError, match=words) as caught:
        fit(messages, tokenizer, 128, 96)
    assert caught.value.code == "context_length_exceeded"
