"""How a tokenizer is told to llama.cpp: the names it knows, and where a coarser cut of text changes nothing."""

from __future__ import annotations

import json

import pytest
import vocabularies
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend

from mrclassic.errors import Refused
from mrclassic.model.exporting.vocabulary import BYTE, CONTROL, NORMAL, UNUSED, USER_DEFINED, vocabulary
from mrclassic.model.tokenizer import SPECIAL, Tokenizer

BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


@pytest.mark.parametrize(
    ("name", "model", "pre", "adds"),
    [
        ("ours", "gpt2", "gpt-2", False),
        ("smollm", "gpt2", "smollm", False),
        ("qwen", "gpt2", "qwen2", False),
        ("llama3", "gpt2", "llama-bpe", True),
        ("tinyllama", "llama", "default", True),
    ],
)
def test_the_name_of_every_way(name: str, model: str, pre: str, adds: bool) -> None:
    tokenizer = vocabularies.ALL[name]()
    told = vocabulary(tokenizer)
    assert (told.model, told.pre, told.adds_begin) == (model, pre, adds)
    assert ("accents" in told.note) == (name == "qwen"), "which composes characters"
    assert len(told.tokens) == len(told.types) == len(set(told.tokens)) == tokenizer.size
    assert [tokenizer.backend.token_to_id(token) for token in told.tokens] == list(range(tokenizer.size))
    assert told.types[tokenizer.end_id] == CONTROL
    assert bool(told.merges) == (model == "gpt2")
    assert bool(told.scores) == (model == "llama")


def test_types() -> None:
    qwen = vocabularies.qwen()
    told = vocabulary(qwen)
    assert told.types[qwen.backend.token_to_id("<think>")] == USER_DEFINED
    assert told.types[qwen.backend.token_to_id("a")] == NORMAL
    llama = vocabularies.tinyllama()
    assert vocabulary(llama).types[llama.backend.token_to_id("<0x0A>")] == BYTE
    names = json.loads(qwen.backend.to_str())["model"]["vocab"]
    last = max(names, key=lambda token: names[token])
    told = vocabulary(vocabularies.changed(qwen, model={"vocab": {**names, last: 450}}, added_tokens=_added(qwen)[:3]))
    assert told.tokens[-1] == last
    assert told.types[-2] == UNUSED, "an id that no token has"


def _added(tokenizer: Tokenizer) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(tokenizer.backend.to_str())["added_tokens"]
    return found


def _without(steps: str) -> Tokenizer:
    return vocabularies.changed(vocabularies.ours(), pre_tokenizer=json.loads(steps))


@pytest.mark.parametrize(
    ("strange", "words"),
    [
        (lambda: _without('{"type": "Whitespace"}'), "no name for"),
        (lambda: _without('{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true}'), "no name for"),
        (lambda: vocabularies.changed(vocabularies.ours(), normalizer={"type": "Lowercase"}), "rewrites text"),
        (lambda: vocabularies.changed(vocabularies.ours(), model={"dropout": 0.1}), "no tokenizer of this kind"),
        (lambda: vocabularies.changed(vocabularies.ours(), model={"ignore_merges": True}), "no name for"),
        (lambda: vocabularies.changed(vocabularies.tinyllama(), normalizer=None), "puts spaces"),
        (
            lambda: vocabularies.changed(
                vocabularies.ours(),
                added_tokens=[{**token, "rstrip": True} for token in _added(vocabularies.ours())],
            ),
            "take spaces",
        ),
    ],
)
def test_what_llama_cpp_would_read_otherwise_is_refused(strange: object, words: str) -> None:
    with pytest.raises(Refused, match=words):
        vocabulary(strange())  # type: ignore[operator]


def test_another_order_of_sentencepiece_merges_is_refused() -> None:
    tokenizer = vocabularies.tinyllama()
    merges = json.loads(tokenizer.backend.to_str())["model"]["merges"]
    with pytest.raises(Refused, match="of other parts"):
        vocabulary(vocabularies.changed(tokenizer, model={"merges": merges[:-1]}))
    several = next(i for i in range(1, len(merges)) if "".join(merges[i]) == "".join(merges[i - 1]))
    apart = [*merges[:several], *merges[several + 1 :], merges[several]]
    with pytest.raises(Refused, match="another order"):
        vocabulary(vocabularies.changed(tokenizer, model={"merges": apart}))


# -- our own cut, read by one of another name


TEXT = st.text(
    st.characters(codec="utf-8") | st.sampled_from([*" \n\t\r'0123456789.,!?()stdmlvre", "½", "²", "③", "٣", "४", "Ⅷ"]),
    max_size=40,
)


def cut_by_gpt2(tokenizer: Tokenizer) -> Backend:
    told = json.loads(tokenizer.backend.to_str())
    return Backend.from_str(json.dumps({**told, "pre_tokenizer": BYTES}))


OURS, TYPOGRAPHIC = vocabularies.ours(), vocabularies.typographic()
OURS_CUT, TYPOGRAPHIC_CUT = cut_by_gpt2(OURS), cut_by_gpt2(TYPOGRAPHIC)


@settings(max_examples=400, deadline=None)
@given(text=TEXT)
def test_a_coarser_cut_gives_the_same_tokens(text: str) -> None:
    if not any(token in text for token in SPECIAL):
        assert OURS_CUT.encode(text).ids == OURS.encode(text)


def test_what_no_cut_reads_alike_is_noted() -> None:
    """A space and the first byte of a quotation mark are one token, and numerals begin with that byte, too."""
    told = vocabulary(TYPOGRAPHIC)
    assert told.pre == "gpt-2"
    assert "numerals other than 0 to 9" in told.note
    assert TYPOGRAPHIC_CUT.encode(" ①").ids != TYPOGRAPHIC.encode(" ①")


@settings(max_examples=300, deadline=None)
@given(text=TEXT)
def test_the_note_says_all(text: str) -> None:
    text = "".join(letter for letter in text if letter.isascii() or not letter.isnumeric())
    if not any(token in text for token in SPECIAL):
        assert TYPOGRAPHIC_CUT.encode(text).ids == TYPOGRAPHIC.encode(text)
