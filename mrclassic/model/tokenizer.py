"""Text to token ids and back: byte-level BPE by the `tokenizers` library, and the chat template.

One token a digit, so that a sum is read column by column. Role tokens mark who speaks:

    <|user|>Hello.<|end|><|assistant|>Hello! What is on your mind?<|end|>

The end token belongs to the reply: a model that is not trained on it never learns to stop.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend
from tokenizers.pre_tokenizers import ByteLevel

from mrclassic.errors import MrClassicError
from mrclassic.model.template import compiled

Message = Mapping[str, str]

PAD, END, SYSTEM, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"
SPECIAL = (PAD, END, SYSTEM, USER, ASSISTANT)

TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)

# Words with their leading space, single digits, runs of signs; as GPT-2 splits, but digits stand alone.
_SPLIT = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


class Tokenizer:
    """A vocabulary with its chat template.

    `end` is the token that closes a reply, and that training teaches; `ends` are the ids of others that end one, too.
    `eos` is what a template means by eos_token: not always the same.
    """

    def __init__(
        self,
        backend: Backend,
        template: str = TEMPLATE,
        *,
        end: str = END,
        pad: str = PAD,
        begin: str = "",
        eos: str | None = None,
        ends: Iterable[int] = (),
    ) -> None:
        backend.no_truncation()
        backend.no_padding()
        self.backend = backend
        self.template = template
        self.end, self.pad, self.begin, self.eos = end, pad, begin, end if eos is None else eos
        self.end_id, self.pad_id = self._id(end), self._id(pad)
        self.end_ids = frozenset((self.end_id, *ends))
        added = backend.get_added_tokens_decoder()
        self._special = tuple(token.content for token in added.values() if token.special)
        self._render = compiled(template)
        self._cached = lru_cache(maxsize=65536)(self._encode_rendered)

    def _id(self, token: str) -> int:
        found = self.backend.token_to_id(token)
        if found is None:
            raise MrClassicError(f"The tokenizer has no token {token!r}.")
        return int(found)

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> Tokenizer:
        """Learn a byte-level BPE of at most `vocab_size` tokens; all 256 bytes are in it, so any text can be read."""
        backend = Backend(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
                ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=2,
            show_progress=False,
            special_tokens=list(SPECIAL),
            initial_alphabet=sorted(ByteLevel.alphabet()),
        )
        backend.train_from_iterator(texts, trainer)
        return cls(backend)

    @cached_property
    def size(self) -> int:
        """One more than the highest id that the tokenizer can produce; the model's vocabulary may be larger."""
        return max(self.backend.get_vocab().values()) + 1

    def encode(self, text: str) -> list[int]:
        """Ids of plain text: what looks like a role token in it is read as mere letters."""
        backend = self._literal if any(token in text for token in self._special) else self.backend
        ids = list(backend.encode(self._lead + text, add_special_tokens=False).ids)
        lead = self._lead_ids
        return ids[len(lead) :] if ids[: len(lead)] == lead else self._plain(text)

    def _plain(self, text: str) -> list[int]:
        return list(self.backend.encode(text, add_special_tokens=False).ids)

    @cached_property
    def _lead(self) -> str:
        """What stands before text where the vocabulary would otherwise put a space there (SentencePiece's habit): in a
        conversation it follows other text, and has none."""
        lead, both = self._plain("\n"), self._plain("\nx")
        return "\n" if both[: len(lead)] == lead and both[len(lead) :] != self._plain("x") else ""

    @cached_property
    def _lead_ids(self) -> list[int]:
        return self._plain(self._lead)

    @cached_property
    def _literal(self) -> Backend:
        """A twin that reads special tokens as letters. A twin and not a switch: another thread may be encoding."""
        twin = Backend.from_str(self.backend.to_str())
        twin.encode_special_tokens = True
        return twin

    def encode_chat(self, messages: Sequence[Message], generate: bool = True) -> list[int]:
        """Ids of a conversation under the chat template; with `generate`, up to where the reply begins."""
        ids: list[int] = []
        for rendered, literal in self._pieces(messages, generate):
            ids += self.encode(rendered) if literal else self._cached(rendered)
        return ids

    def _encode_rendered(self, text: str) -> tuple[int, ...]:
        return tuple(self.backend.encode(text, add_special_tokens=False).ids)

    def _pieces(self, messages: Sequence[Message], generate: bool) -> Iterable[tuple[str, bool]]:
        """The rendered conversation; where a message holds a role token's letters, that message apart, as literal."""
        if not any(token in message["content"] for message in messages for token in self._special):
            yield self.render(messages, generate), False
            return
        # A person can type "<|end|>"; put private-use marks in its place, render, and cut there.
        marks = [f"\ue000{index}\ue001" for index in range(len(messages))]
        marked = [{**message, "content": mark} for message, mark in zip(messages, marks, strict=True)]
        rest = self.render(marked, generate)
        for message, mark in zip(messages, marks, strict=True):
            before, found, rest = rest.partition(mark)
            if not found:
                raise MrClassicError("The chat template drops a message; this conversation cannot be read with it.")
            yield before, False
            yield message["content"], True
        yield rest, False

    def render(self, messages: Sequence[Message], generate: bool = True) -> str:
        """The conversation as the template writes it; raises MrClassicError where the template refuses it."""
        names = {"bos_token": self.begin, "eos_token": self.eos, "pad_token": self.pad}
        return self._render(
            messages=list(messages), add_generation_prompt=generate, tools=None, documents=None, **names
        )

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens left out."""
        return str(self.backend.decode(list(ids), skip_special_tokens=True))

    def stream(self) -> Incremental:
        """A decoder for ids that come one by one."""
        return Incremental(self)

    def save(self, folder: Path, context: int) -> None:
        """Write `tokenizer.json`, `tokenizer_config.json` and `chat_template.jinja` as transformers reads them."""
        (folder / "tokenizer.json").write_text(self.backend.to_str(pretty=True), encoding="utf-8")
        self.save_settings(folder, context)

    def save_settings(self, folder: Path, context: int) -> None:
        """Write what stands beside `tokenizer.json`."""
        config: dict[str, Any] = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": self.eos,
            "pad_token": self.pad,
            "model_max_length": context,
            "clean_up_tokenization_spaces": False,
            "chat_template": self.template,
        }
        if self.begin:
            config["bos_token"] = self.begin
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        (folder / "chat_template.jinja").write_text(self.template, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Tokenizer:
        """Read what `save` or transformers wrote."""
        path = folder / "tokenizer.json"
        try:
            backend = Backend.from_str(path.read_text(encoding="utf-8"))
            config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise MrClassicError(f"{path}: the tokenizer cannot be read ({error}).") from error
        except Exception as error:
            raise MrClassicError(f"{path}: not a tokenizer file ({error}).") from error
        jinja = folder / "chat_template.jinja"
        template = jinja.read_text(encoding="utf-8") if jinja.exists() else config.get("chat_template")
        eos, pad, begin = (content(config.get(key)) for key in ("eos_token", "pad_token", "bos_token"))
        ends = _ends(folder / "generation_config.json")
        end = backend.id_to_token(ends[0]) if ends else eos
        if not template or not end:
            raise MrClassicError(f"{folder}: the tokenizer has no chat template or no end token.")
        return cls(backend, template, end=end, pad=pad or end, begin=begin or "", eos=eos or "", ends=ends)


def content(token: str | Mapping[str, Any] | None) -> str | None:
    """The text of a special token, which `tokenizer_config.json` gives with or without its properties."""
    return token["content"] if isinstance(token, Mapping) else token


def _ends(path: Path) -> list[int]:
    """The ids that end a reply; the first closes it in the chat template."""
    try:
        found = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id")
    except FileNotFoundError:
        return []
    except (OSError, ValueError, AttributeError) as error:
        raise MrClassicError(f"{path}: it cannot be read ({error}).") from error
    return [] if found is None else [found] if isinstance(found, int) else list(found)


class Incremental:
    """Turns ids that come one by one into text, never splitting a character of several bytes."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._text = ""

    def push(self, token: int) -> str:
        """The text that `token` completes (empty while a character is unfinished)."""
        self._ids.append(token)
        text = self._tokenizer.decode(self._ids)
        if text.endswith("\ufffd"):
            return ""
        fresh = text[len(self._text) :]
        self._text = text
        return fresh

    def flush(self) -> str:
        """What an unfinished character leaves at the end."""
        text = self._tokenizer.decode(self._ids)
        fresh = text[len(self._text) :]
        self._text = text
        return fresh
