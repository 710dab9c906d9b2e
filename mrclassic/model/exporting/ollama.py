"""A Modelfile, from which `ollama create` takes a GGUF file, the chat template, and how replies are drawn.

Ollama writes templates in Go's language, not in Jinja. Most chat templates only put words round each message; those
words are found by rendering a few conversations and looking at what stands between the messages, written down in Go's
form, and held against the template on other conversations. A template that does more than that is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mrclassic.errors import MrClassicError, Refused
from mrclassic.model.tokenizer import Message, Tokenizer

_SYSTEM, _USER, _ASSISTANT = "system", "user", "assistant"
_LONGEST = 8192  # tokens of context that Ollama sets memory aside for, where a model has more


@dataclass(frozen=True)
class Form:
    """The words round the messages: `before` and `after` those of each role, `opening` a conversation that has no
    system message, `prompt` where the reply begins."""

    opening: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    prompt: str

    def render(self, messages: Sequence[Message]) -> str:
        """The conversation up to where the reply begins, as Ollama writes it."""
        told = "" if any(message["role"] == _SYSTEM for message in messages) else self.opening
        for message in messages:
            told += self.before[message["role"]] + message["content"] + self.after[message["role"]]
        return told + self.prompt

    def go(self) -> str:
        """The form as a Go template; a last message that is the assistant's is left open, to be gone on with."""
        of = {role: (_go(self.before[role]), _go(self.after[role])) for role in self.before}
        opening = f"{{{{ if not .System }}}}{_go(self.opening)}{{{{ end }}}}" if self.opening else ""
        branches = "".join(
            f'{{{{ {word} eq .Role "{role}" }}}}{before}{{{{ .Content }}}}{after}'
            for word, role, before, after in (
                ("if", _SYSTEM, *of[_SYSTEM]),
                ("else if", _USER, *of[_USER]),
                (
                    "else if",
                    _ASSISTANT,
                    of[_ASSISTANT][0],
                    f"{{{{ if not $last }}}}{of[_ASSISTANT][1]}{{{{ end }}}}",
                ),
            )
        )
        return (
            f"{opening}{{{{ range $i, $_ := .Messages }}}}{{{{ $last := eq (len (slice $.Messages $i)) 1 }}}}"
            f"{branches}{{{{ end }}}}"
            f'{{{{ if and $last (ne .Role "{_ASSISTANT}") }}}}{_go(self.prompt)}{{{{ end }}}}{{{{ end }}}}'
        )


def modelfile(
    tokenizer: Tokenizer,
    *,
    weights: str,
    context: int,
    stops: Sequence[str],
    sampling: Mapping[str, float],
    adds_begin: bool,
) -> str:
    """The Modelfile beside the GGUF file `weights`. `sampling`: temperature, top_p, top_k (0: all).

    With `adds_begin` llama.cpp puts the begin token first by itself, so that the template leaves it out.
    """
    told = form(tokenizer).go() if not adds_begin else _without(form(tokenizer), tokenizer.begin).go()
    lines = [f"FROM ./{weights}", f'TEMPLATE """{told}"""']
    lines += [f'PARAMETER stop "{stop}"' for stop in stops]
    lines += [f"PARAMETER num_ctx {min(context, _LONGEST)}"]
    lines += [f"PARAMETER {name} {value:g}" for name, value in sampling.items()]
    return "\n".join(lines) + "\n"


def form(tokenizer: Tokenizer) -> Form:
    """The words that the chat template puts round messages; raises Refused where it does more than that."""
    try:
        found = _found(tokenizer)
    except (MrClassicError, ValueError):
        found = None
    if found is None or any(found.render(talk) != tokenizer.render(talk) for talk in _PROOFS):
        raise Refused(
            "The chat template does more than put words round each message, which a Modelfile cannot say; "
            "export with --format gguf, whose readers take the template as it is."
        )
    return found


def _talk(roles: str, *words: str) -> list[Message]:
    names = {"s": _SYSTEM, "u": _USER, "a": _ASSISTANT}
    texts = words or tuple(f"\ue000{at}\ue001" for at in range(len(roles)))
    return [{"role": names[role], "content": text} for role, text in zip(roles, texts, strict=True)]


_PROOFS = (
    _talk("u", "Hello."),
    _talk("su", "Be brief.", "What is 47 + 85?"),
    _talk("uau", "one", "two\n\nthree", "four"),
    _talk("suauau", "Be kind.", "a", "b", "c", "d", "e"),
)


def _found(tokenizer: Tokenizer) -> Form | None:
    """The form that fits the shortest conversations; None where the pieces do not go together."""
    (opens, user_after) = _between(tokenizer, "u")
    (_, joined, turned, _) = _between(tokenizer, "uau")
    # Before a reply that nothing follows, some templates put more (Qwen3: what it thought).
    assistant_after = _between(tokenizer, "ua")[-1]
    (system_before, system_joined, _) = _between(tokenizer, "su")
    user_before = turned.removeprefix(assistant_after)
    told = tokenizer.render(_talk("u"))
    alone = tokenizer.render(_talk("u"), generate=False)
    fits = (
        joined.startswith(user_after)
        and turned.startswith(assistant_after)
        and opens.endswith(user_before)
        and system_joined.endswith(user_before)
        and told.startswith(alone)
    )
    if not fits:
        return None
    return Form(
        opening=opens.removesuffix(user_before),
        before={
            _SYSTEM: system_before,
            _USER: user_before,
            _ASSISTANT: joined.removeprefix(user_after),
        },
        after={_SYSTEM: system_joined.removesuffix(user_before), _USER: user_after, _ASSISTANT: assistant_after},
        prompt=told.removeprefix(alone),
    )


def _between(tokenizer: Tokenizer, roles: str) -> list[str]:
    """What stands before, between and after the messages; raises ValueError where they are not all there in order."""
    talk = _talk(roles)
    told = tokenizer.render(talk, generate=False)
    places = [told.index(message["content"]) for message in talk]
    ends = [place + len(message["content"]) for place, message in zip(places, talk, strict=True)]
    cuts = [0, *(cut for pair in zip(places, ends, strict=True) for cut in pair), len(told)]
    if cuts != sorted(cuts):
        raise ValueError("the messages are not in order")
    return [told[start:end] for start, end in list(pairwise(cuts))[::2]]


def _without(told: Form, begin: str) -> Form:
    before = {**told.before, _SYSTEM: told.before[_SYSTEM].removeprefix(begin)}
    if told.opening:
        return Form(told.opening.removeprefix(begin), before, told.after, told.prompt)
    return Form("", before, told.after, told.prompt)


def _go(text: str) -> str:
    """`text` as Go's templates spell it, with nothing in it that ends the Modelfile's quotes."""
    return text.replace("{{", '{{ "{{" }}').replace('"""', '{{ "\\"\\"\\"" }}')
