"""A tokenizer as llama.cpp writes it down in GGUF: tokens, types, merges, and the name of how text is cut into words.

llama.cpp does not read the expression by which a tokenizer cuts text; it knows a list of ways by name. Ours is not on
the list: digits alone, and the space before a number alone too. It need not be. Merges only ever happen inside a word,
so a coarser cut gives the same tokens as long as no token of the vocabulary lies across a place where only ours cuts.
That always holds for the digits 0 to 9. Other numerals are several bytes long, and begin with bytes that quotation
marks and dashes begin with, too: a vocabulary that has merged a space with such a byte reads " ①" otherwise in
llama.cpp, and the export says so. What llama.cpp has no name for at all is refused.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from mrclassic.errors import Refused
from mrclassic.model.tokenizer import Tokenizer

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6  # llama.cpp's token types

# The expressions of the tokenizers that llama.cpp knows by name, as their published files spell them.
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_WORDS = r"|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3 = _CONTRACTIONS + _WORDS % r"\p{N}{1,3}"
_QWEN2 = _CONTRACTIONS + _WORDS % r"\p{N}"
_DIGIT = "digits"  # not an expression: a step of its own
_GPT2 = "bytes"  # GPT-2's expression comes with the step that turns text into bytes
_OURS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

# By the steps, and whether a word that is a token is taken whole before any merge.
_NAMES: Mapping[tuple[tuple[str, ...], bool], str] = {
    ((_GPT2,), False): "gpt-2",
    ((_DIGIT, _GPT2), False): "smollm",
    ((_QWEN2,), False): "qwen2",
    ((_LLAMA3,), True): "llama-bpe",
    ((_LLAMA3,), False): "smaug-bpe",
}

_INSTEAD = "export it with --format hf instead."


@dataclass(frozen=True)
class Vocabulary:
    """What GGUF says of a tokenizer. `model` is "gpt2" (byte-level BPE, cut by `pre`) or "llama" (SentencePiece's BPE,
    ranked by `scores`). `note` says what text llama.cpp reads as other tokens, if there is any."""

    model: str
    pre: str
    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    adds_begin: bool = False
    note: str = ""


def vocabulary(tokenizer: Tokenizer) -> Vocabulary:
    """How llama.cpp is told of `tokenizer`; raises Refused where it would read some text as other tokens."""
    told = json.loads(tokenizer.backend.to_str())
    model = told["model"]
    if model.get("type") != "BPE" or any(model.get(key) for key in _STRANGE):
        raise Refused(f"llama.cpp reads no tokenizer of this kind ({model.get('type')}); {_INSTEAD}")
    if any(token[key] for token in told["added_tokens"] for key in ("single_word", "lstrip", "rstrip")):
        raise Refused(f"The tokenizer has added tokens that take spaces with them, which GGUF cannot say; {_INSTEAD}")
    merges = [tuple(pair.split(" ", 1)) if isinstance(pair, str) else tuple(pair) for pair in model["merges"]]
    tokens, types = _tokens(tokenizer, told)
    adds = adds_begin(tokenizer)
    if model.get("byte_fallback"):
        _check_sentencepiece(told)
        return Vocabulary("llama", "default", tokens, types, scores=_scores(tokens, types, merges), adds_begin=adds)
    pre, note = _named(_steps(told), bool(model.get("ignore_merges")), model["vocab"])
    if told["normalizer"]:  # NFC: Qwen's published GGUF files live with that, too
        note = "llama.cpp reads accents that are characters of their own as other tokens than this model was trained on"
    return Vocabulary("gpt2", pre, tokens, types, merges=tuple(map(" ".join, merges)), adds_begin=adds, note=note)


def adds_begin(tokenizer: Tokenizer) -> bool:
    """Whether text, read by itself, is given the begin token."""
    return bool(tokenizer.begin) and tokenizer.backend.encode("a").tokens[:1] == [tokenizer.begin]


_STRANGE = ("dropout", "continuing_subword_prefix", "end_of_word_suffix")


def _tokens(tokenizer: Tokenizer, told: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Every id's token and type; an id that the tokenizer leaves out gets a name that no text can spell."""
    names = {index: token for token, index in told["model"]["vocab"].items()}
    kinds = {token["id"]: CONTROL if token["special"] else USER_DEFINED for token in told["added_tokens"]}
    names |= {token["id"]: token["content"] for token in told["added_tokens"]}
    if told["model"].get("byte_fallback"):
        vocab = told["model"]["vocab"]
        kinds |= {vocab[f"<0x{byte:02X}>"]: BYTE for byte in range(256) if f"<0x{byte:02X}>" in vocab}
        if (unknown := told["model"].get("unk_token")) in vocab:
            kinds[vocab[unknown]] = UNKNOWN
    ids = range(tokenizer.size)
    return (
        tuple(names.get(index, f"[UNUSED{index}]") for index in ids),
        tuple(kinds.get(index, NORMAL if index in names else UNUSED) for index in ids),
    )


# -- byte-level BPE


def _steps(told: Mapping[str, Any]) -> tuple[str, ...]:
    """The ways in which text is cut, one after the other."""
    if (told["normalizer"] or {"type": "NFC"})["type"] != "NFC":
        raise Refused(f"The tokenizer rewrites text before it reads it, which GGUF cannot say; {_INSTEAD}")
    before = told["pre_tokenizer"] or {"type": "none"}
    return tuple(step for part in before.get("pretokenizers", [before]) for step in _step(part))


def _step(part: Mapping[str, Any]) -> Iterable[str]:
    match part:
        case {"type": "ByteLevel", "add_prefix_space": False, "use_regex": regex}:
            return [_GPT2] if regex else []
        case {"type": "Digits", "individual_digits": True}:
            return [_DIGIT]
        case {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}:
            return [str(regex)]
    return [json.dumps(part)]


def _named(steps: tuple[str, ...], whole: bool, vocab: Mapping[str, int]) -> tuple[str, str]:
    """llama.cpp's name of the way in which text is cut, and a note on what it reads otherwise."""
    if (steps, whole) in _NAMES:
        return _NAMES[steps, whole], ""
    if steps != (_OURS,) or whole:
        raise Refused(
            f"The tokenizer cuts text in a way that llama.cpp has no name for ({', '.join(steps)[:80]}); {_INSTEAD}"
        )
    return _coarser(_bytes(token) for token in vocab if set(token) <= _letters().keys())


def _coarser(tokens: Iterable[bytes]) -> tuple[str, str]:
    """GPT-2's way, which keeps numerals together with a space before them, and a note where that makes a difference."""
    numerals = _numerals()
    if not any(_across(token, numerals | {b" "}, numerals) for token in tokens):
        return "gpt-2", ""
    return "gpt-2", "llama.cpp reads some numerals other than 0 to 9 as other tokens than this model was trained on"


def _across(token: bytes, left: frozenset[bytes], right: frozenset[bytes]) -> bool:
    """Whether the bytes could lie across the border of a character of `left` and one of `right`."""
    for cut in range(1, len(token)):
        head, tail = token[:cut], token[cut:]
        ends = head in _tails(left) or any(head[-size:] in left for size in range(1, 5))
        if ends and (tail in _heads(right) or any(tail[:size] in right for size in range(1, 5))):
            return True
    return False


@cache
def _heads(characters: frozenset[bytes]) -> frozenset[bytes]:
    return frozenset(one[:size] for one in characters for size in range(1, len(one) + 1))


@cache
def _tails(characters: frozenset[bytes]) -> frozenset[bytes]:
    return frozenset(one[size:] for one in characters for size in range(len(one)))


@cache
def _numerals() -> frozenset[bytes]:
    """Unicode's numerals (category N), as UTF-8."""
    every = (chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)
    return frozenset(one.encode() for one in every if unicodedata.category(one)[0] == "N")


@cache
def _letters() -> Mapping[str, int]:
    """GPT-2's letter of each byte: printable ones stand for themselves, the others for letters from U+0100 on."""
    own = {byte: chr(byte) for byte in (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))}
    others = (byte for byte in range(256) if byte not in own)
    return {**{own[byte]: byte for byte in own}, **{chr(0x100 + at): byte for at, byte in enumerate(others)}}


def _bytes(token: str) -> bytes:
    return bytes(_letters()[letter] for letter in token)


# -- SentencePiece's BPE, as TinyLlama has it

_SPACED = {
    "type": "Sequence",
    "normalizers": [
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    ],
}


def _check_sentencepiece(told: Mapping[str, Any]) -> None:
    if told["normalizer"] != _SPACED or told["pre_tokenizer"] is not None or told["model"].get("ignore_merges"):
        raise Refused(f"The tokenizer puts spaces where llama.cpp would not; {_INSTEAD}")


def _scores(tokens: Sequence[str], types: Sequence[int], merges: Sequence[tuple[str, ...]]) -> tuple[float, ...]:
    """The score of each token, by which llama.cpp merges: the first rank of a merge that makes it.

    Raises Refused where that is not the order of the merges: where a pair that makes a token is no merge of its own, or
    where the merges that make one token do not follow each other. (In Llama's own vocabulary those of runs of spaces do
    not; such runs are cut alike all the same, from 1 to 119 spaces and within other text.)
    """
    first: dict[str, int] = {}
    last = ""
    for rank, (left, right) in enumerate(merges):
        made = left + right
        if made in first and made != last and len(set(made)) > 1:
            raise Refused(f"llama.cpp would merge this vocabulary's tokens in another order; {_INSTEAD}")
        first.setdefault(made, rank)
        last = made
    known, pairs = {token for token, kind in zip(tokens, types, strict=True) if kind == NORMAL}, set(merges)
    for token in known:
        for cut in range(1, len(token)):
            pair = (token[:cut], token[cut:])
            if known.issuperset(pair) and pair not in pairs:
                raise Refused(f"llama.cpp would make {token!r} of other parts than this tokenizer; {_INSTEAD}")
    return tuple(float(-first.get(token, len(merges))) for token in tokens)
