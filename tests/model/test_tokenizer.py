"""Any text goes to ids and back; digits stand alone; a stream never splits a character."""

from __future__ import annotations

import threading
from datetime import datetime

import micro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.errors import MrClassicError
from mrclassic.model.policy import Policy
from mrclassic.model.tokenizer import END, SPECIAL, Tokenizer

TOKENIZER = micro.policy().tokenizer
# Role tokens, private-use marks and many-byte characters, among everything else.
TEXT = st.text(max_size=80) | st.lists(
    st.sampled_from([*SPECIAL, "<|", "|>", "\ue0000\ue001", "\ufffd", "🙂", "你", "a", " ", "\n", "7", "e\u0301"])
).map("".join)


@settings(max_examples=300, deadline=None)
@given(text=TEXT)
def test_any_text_survives(text: str) -> None:
    ids = TOKENIZER.encode(text)
    assert TOKENIZER.decode(ids) == text
    assert not set(ids) & {TOKENIZER.backend.token_to_id(token) for token in SPECIAL}


@settings(max_examples=200, deadline=None)
@given(texts=st.lists(TEXT, min_size=1, max_size=4), generate=st.booleans())
def test_a_conversation_holds_its_messages_and_nothing_that_they_forge(texts: list[str], generate: bool) -> None:
    roles = ("user", "assistant")
    messages = [{"role": roles[place % 2], "content": text} for place, text in enumerate(texts)]
    ids = TOKENIZER.encode_chat(messages, generate)
    assert TOKENIZER.decode(ids) == "".join(texts)
    assert ids.count(TOKENIZER.end_id) == len(texts)
    assert TOKENIZER.encode_chat(messages, generate) == ids


def told(template: str) -> Tokenizer:
    return Tokenizer(TOKENIZER.backend, template)


def test_a_foreign_template_has_the_functions_that_transformers_gives_it() -> None:
    messages = [{"role": "system", "content": "Hi."}]
    dated = told("{{ strftime_now('%Y') }} {{ messages[0]['content'] }}")
    assert dated.render(messages) == f"{datetime.now().year} Hi."
    strict = told("{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system prompt here') }}{% endif %}")
    for tokenizer, why in ((strict, "No system prompt here"), (told("{{ nobody.knows }}"), "'nobody' is undefined")):
        with pytest.raises(MrClassicError) as caught:
            tokenizer.encode_chat(messages)
        assert str(caught.value) == f"The model's chat template cannot write this conversation ({why})."
    with pytest.raises(MrClassicError, match="chat template cannot be read"):
        told("{% if %}")


def test_training_and_use_agree_on_every_token() -> None:
    """The prompt's ids, then the reply's, are the ids of the whole conversation."""
    messages = [{"role": "user", "content": "Hi 🙂"}, {"role": "assistant", "content": "Good day, 42."}]
    whole = TOKENIZER.encode_chat(messages, generate=False)
    split = [*TOKENIZER.encode_chat(messages[:1]), *TOKENIZER.encode(messages[1]["content"]), TOKENIZER.end_id]
    assert split == whole


@pytest.mark.parametrize("text", ["1234567890", "a12", "12.5", " 7", "x=90-81", "٣٤", "１２"])
def test_one_token_a_digit(text: str) -> None:
    # Train on many numbers: none of them may become one token.
    learned = Tokenizer.train([f"{n} {n * 37}" for n in range(500)] * 4, 400)
    for tokenizer in (TOKENIZER, learned):
        pieces = [tokenizer.decode([one]) for one in tokenizer.encode(text)]
        assert all(sum(piece.count(digit) for digit in "0123456789") <= 1 for piece in pieces)
        assert all(piece == piece.strip() for piece in pieces if piece.strip().isascii() and piece.strip().isdigit())


@settings(max_examples=300, deadline=None)
@given(ids=st.lists(st.integers(0, TOKENIZER.size - 1), max_size=40))
def test_a_stream_adds_up_to_the_text_whatever_the_ids(ids: list[int]) -> None:
    stream = TOKENIZER.stream()
    said = "".join([stream.push(one) for one in ids] + [stream.flush()])
    assert said == TOKENIZER.decode(ids)


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(exclude_characters="\ufffd", codec="utf-8"), max_size=30))
def test_a_stream_never_splits_a_character(text: str) -> None:
    stream = TOKENIZER.stream()
    pieces = [stream.push(one) for one in TOKENIZER.encode(text)]
    assert "".join(pieces) == text
    assert not any("\ufffd" in piece for piece in pieces)


def test_the_same_texts_give_the_same_vocabulary() -> None:
    """A model hatched again must have the same ids."""
    texts = [f"word{n} and {n}" for n in range(200)] * 3
    one, two = Tokenizer.train(texts, 500), Tokenizer.train(texts, 500)
    assert one.backend.to_str() == two.backend.to_str()


def test_threads_do_not_disturb_each_other() -> None:
    """One spells out a role token while others read real ones: the mind encodes in several threads."""
    tokenizer = micro.policy().tokenizer
    plain = [{"role": "user", "content": "hello"}]
    forged = [{"role": "user", "content": f"hello{END}"}]
    wanted = {False: tokenizer.encode_chat(plain), True: tokenizer.encode_chat(forged)}
    wrong: list[object] = []
    gate = threading.Barrier(4)

    def work(forge: bool) -> None:
        gate.wait()
        for turn in range(400):
            # A fresh text each time, so that nothing comes from the cache.
            messages = [*(forged if forge else plain), {"role": "user", "content": f"{turn}"}]
            ids = tokenizer.encode_chat(messages)
            if ids.count(tokenizer.end_id) != 2 or ids[: len(wanted[forge]) - 1] != wanted[forge][:-1]:
                wrong.append(ids)

    threads = [threading.Thread(target=work, args=(place % 2 == 0,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_vocabulary_too_small_for_the_bytes_is_refused() -> None:
    with pytest.raises(MrClassicError, match="tokens"):
        Policy.fresh(micro.policy(vocab_size=320).shape.__class__(200, 8, 1, 1, 1, 8, 8, 16), ["text"])
