"""The model card: what a model is, where it came from, what it practised and how well it does, as a README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mrclassic.model.shapes import Shape

Format = Literal["hf", "gguf", "ollama"]


@dataclass(frozen=True)
class Ancestor:
    """A checkpoint in the lineage: how it was made, and what became of it."""

    id: str
    created: str
    method: str
    status: str


@dataclass(frozen=True)
class Night:
    """A night that made one of the ancestors, and how it was judged."""

    started: str
    verdict: str
    checkpoint: str


@dataclass(frozen=True)
class Card:
    """The facts of a checkpoint. `lineage` begins with the checkpoint itself; `origin` is where an imported model came
    from; `book` counts the entries that it was trained on."""

    id: str
    created: str
    parameters: int
    model_sha256: str
    lineage: Sequence[Ancestor]
    nights: Sequence[Night] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    book: int = 0
    origin: str = ""

    @property
    def name(self) -> str:
        """What the model is called in other programs."""
        return f"Mr. Classic {self.id}"


_FAMILIES = {"llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3"}

_OPEN: Mapping[Format, str] = {
    "hf": (
        "```python\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        'model, tokenizer = (part.from_pretrained(".") for part in (AutoModelForCausalLM, AutoTokenizer))\n'
        "```"
    ),
    "gguf": "```\nllama-cli -m model.gguf\n```",
    "ollama": "```\nollama create mr-classic -f Modelfile\nollama run mr-classic\n```",
}
_LIBRARIES: Mapping[Format, str] = {"hf": "transformers", "gguf": "llama.cpp", "ollama": "llama.cpp"}


def readme(card: Card, shape: Shape, *, form: Format, dtype: str, note: str = "") -> str:
    """The card as Markdown, with the head that the hub reads; the licence is the owner's. `note` says what differs."""
    return (
        "\n\n".join(
            part
            for part in (
                _head(form),
                f"# {card.name}",
                "A small language model that belongs to one person, raised with Mr. Classic: by day its owner picks "
                "the best of its replies, by night it practises what a machine can check.",
                _facts(card, shape, dtype),
                f"## Opening it\n\n{_OPEN[form]}",
                note and f"What differs: {note}.",
                _section("Lineage", ("Checkpoint", "Made by", "On", "Status"), _ancestors(card)),
                _section(
                    "Nights",
                    ("Night", "Judged", "Made"),
                    [(_day(one.started), one.verdict, one.checkpoint) for one in card.nights],
                ),
                _section("Scores", ("Suite", "Score"), [(name, f"{score:.3f}") for name, score in card.scores.items()]),
                "## Licence\n\nThe owner's to name, here and in the first lines of this file"
                + (f"; that of {card.origin} holds for what came from there." if card.origin else "."),
            )
            if part
        )
        + "\n"
    )


def _head(form: Format) -> str:
    return (
        "---\n"
        "# license: (name yours here)\n"
        f"library_name: {_LIBRARIES[form]}\n"
        "pipeline_tag: text-generation\n"
        "tags:\n"
        "- mr-classic\n"
        "---"
    )


def _facts(card: Card, shape: Shape, dtype: str) -> str:
    lines = [
        f"- {card.parameters:,} parameters: {_FAMILIES[shape.family]}, {shape.layers} layers of {shape.hidden}, "
        f"{shape.heads} heads over {shape.kv_heads}, stored as {dtype}",
        f"- reads {shape.context:,} tokens of a vocabulary of {shape.vocab_size:,}",
        f"- made on {_day(card.created)}; sha256 of its weights in its home: `{card.model_sha256}`",
    ]
    if card.origin:
        lines.append(f"- began as {card.origin}")
    if card.book:
        lines.append(f"- was trained on {card.book:,} entries of its owner's book")
    return "\n".join(lines)


def _ancestors(card: Card) -> list[tuple[str, ...]]:
    return [(one.id, one.method or "-", _day(one.created), one.status) for one in card.lineage]


def _section(title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [names, ["---"] * len(names), *rows]
    return f"## {title}\n\n" + "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _day(moment: str) -> str:
    return moment[:10]
