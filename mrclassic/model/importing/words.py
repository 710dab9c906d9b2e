"""How a model from elsewhere reads and writes text: its tokenizer, its chat template, and what ends its replies.

`tokenizer.json` is parsed by a library that can panic (an error no Python code is meant to catch), and a chat template
is a program; so `examiner` runs in a process of its own that may be killed, and only what it found good is used.
Free of torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend

from mrclassic.errors import MrClassicError
from mrclassic.model.tokenizer import END, TEMPLATE, Tokenizer, content

LARGEST = 100 * 2**20  # bytes of a tokenizer.json: Gemma's 256,000 tokens take a third of it
_PROBES = (
    "",
    " ",
    "Hello, world!",
    "naïve café 你好 🙂👩‍👩‍👧",
    "1234567890 + 7.5",
    "\n\n\t  x\n",
    "\x00\ufffd",
    "a" * 5000,
)
_QUESTION, _ANSWER = "Tell-me-something-7319", "Something-else-9173"
_TALKS = (
    [{"role": "user", "content": _QUESTION}],
    [
        {"role": "user", "content": "One-more-4821"},
        {"role": "assistant", "content": _ANSWER},
        {"role": "user", "content": _QUESTION},
    ],
)


@dataclass(frozen=True)
class Words:
    """What an examination found. `own_template`: the model brought it; else it is ours. `ends`: the ids that end a
    reply, the one that closes it in the template first."""

    template: str
    own_template: bool
    eos: str
    begin: str
    pad: str
    end: str
    ends: tuple[int, ...]

    def tokenizer(self, folder: Path) -> Tokenizer:
        """The tokenizer of `folder`, which was examined."""
        backend = Backend.from_file(str(folder / "tokenizer.json"))
        return Tokenizer(
            backend, self.template, end=self.end, pad=self.pad, begin=self.begin, eos=self.eos, ends=self.ends
        )


def examiner() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The function of the examining process; it is asked twice, so that a fault can be laid to the right file.

    `{"folder", "vocabulary"}` parses and tries the tokenizer; then `{"config", "template", "ids"}` settles the special
    tokens and tries the template, and answers with the fields of `Words`. What is wrong comes as `{"refused": words}`.
    """
    backends: list[Backend] = []

    def examine(request: dict[str, Any]) -> dict[str, Any]:
        try:
            if "folder" in request:
                backends.append(_parsed(Path(request["folder"]), request["vocabulary"]))
                return {}
            return asdict(_settled(backends[-1], request["config"], request["template"], request["ids"]))
        except MrClassicError as error:
            return {"refused": str(error)}

    return examine


def _parsed(folder: Path, vocabulary: int) -> Backend:
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise MrClassicError(
            f"{folder}: there is no tokenizer.json here; only tokenizers in that form (transformers calls them fast) "
            "are read."
        )
    if path.stat().st_size > LARGEST:
        raise MrClassicError(f"{path}: it is longer than {LARGEST >> 20} MiB, more than any tokenizer needs.")
    try:
        backend = Backend.from_file(str(path))
        backend.no_truncation()
        backend.no_padding()
        used = max(backend.get_vocab().values(), default=-1) + 1
        for probe in _PROBES:
            for special in (False, True):
                backend.decode(backend.encode(probe, add_special_tokens=special).ids)
    except Exception as error:
        raise MrClassicError(f"{path}: this tokenizer cannot be used ({error}).") from error
    if not 0 < used <= vocabulary:
        raise MrClassicError(f"{path}: its ids reach to {used:,}, the network's vocabulary only to {vocabulary:,}.")
    return backend


def _settled(backend: Backend, config: Mapping[str, Any], template: str | None, ids: list[int]) -> Words:
    eos, begin, pad = (_token(backend, config, key) for key in ("eos_token", "bos_token", "pad_token"))
    named = [token for token in (backend.id_to_token(each) for each in ids) if token is not None]
    own = template or _ours(eos or next(iter(named), ""), begin)
    eos = eos or next(iter(named), "")
    given = Tokenizer(backend, own, end=eos or _any(backend), pad=pad or eos or _any(backend), begin=begin, eos=eos)
    closing = ""
    for talk in _TALKS:
        for generate in (True, False):
            text = given.render(talk, generate)
            lost = next((message["content"] for message in talk if message["content"] not in text), None)
            if lost is not None:
                raise MrClassicError("The model's chat template leaves out what is said; no conversation can be held.")
            if len(talk) > 1:
                closing = _closing(backend, text)
    end = closing or eos
    if not end:
        raise MrClassicError("Nothing says what ends a reply: neither eos_token nor the chat template names a token.")
    numbers = (backend.token_to_id(token) for token in (end, eos, *named) if token)
    ends = dict.fromkeys(number for number in numbers if number is not None)
    return Words(own, bool(template), eos, begin, pad or end, end, tuple(ends))


def _token(backend: Backend, config: Mapping[str, Any], key: str) -> str:
    """A special token, if the vocabulary has it."""
    found = content(config.get(key))
    return found if isinstance(found, str) and backend.token_to_id(found) is not None else ""


def _any(backend: Backend) -> str:
    """Some token, while nothing is known of the right one."""
    return str(backend.id_to_token(0))


def _ours(eos: str, begin: str) -> str:
    """Our template for a model that has none, closed by its own end token; where that is missing, by its letters."""
    return ("{{ bos_token }}" if begin else "") + TEMPLATE.replace(f"'{END}'", "eos_token" if eos else f"'{END}'")


def _closing(backend: Backend, text: str) -> str:
    """The token that follows a reply in a rendered conversation: this is what the model was taught to stop with."""
    after = text.partition(_ANSWER)[2].lstrip()
    tokens = (token.content for token in backend.get_added_tokens_decoder().values())
    return max((token for token in tokens if token and after.startswith(token)), key=len, default="")


def chat_template(config: Mapping[str, Any], jinja: str | None) -> str | None:
    """The chat template of a folder: that of `chat_template.jinja`, or of `tokenizer_config.json`, one or several."""
    found = jinja or config.get("chat_template")
    if isinstance(found, list):
        found = dict(_templates(found)).get("default")
    if found is not None and not isinstance(found, str):
        raise MrClassicError("tokenizer_config.json: the chat template is no text.")
    return found or None


def _templates(several: list[Any]) -> Iterator[tuple[str, str]]:
    for each in several:
        if isinstance(each, Mapping) and isinstance(each.get("name"), str):
            yield each["name"], each.get("template", "")
