"""The pass over the files: every document once, those set aside by hash and never trained, all of it readable again."""

from __future__ import annotations

import json
from pathlib import Path

import corpora
import micro
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.errors import MrClassicError
from mrclassic.model.tokenizer import Tokenizer
from mrclassic.training.corpus import files, packing, vocabulary
from mrclassic.training.corpus.packed import Packed

CONTEXT = micro.SHAPE.context


def texts(corpus: Packed, source: int, held_out: bool = False) -> list[str]:
    """What the windows of a source say, role tokens and all."""
    backend = corpora.TOKENIZER.backend
    return [
        backend.decode(list(map(int, corpus.ids(int(window)))), skip_special_tokens=False)
        for window in corpus.windows(source, held_out)
    ]


def test_a_short_talk_is_one_window_as_the_template_writes_it(tmp_path: Path) -> None:
    rows = [
        {"turns": ["hello", "good day"]},
        {"messages": [{"role": "system", "content": "like"}, {"role": "user", "content": "say <|end|> twice"}]},
        {"text": "good night <|user|>"},
    ]
    corpus = corpora.pack(tmp_path / "packed", corpora.write(tmp_path / "a.jsonl", rows), held_out=0)
    assert texts(corpus, 0) == [
        "<|user|>hello<|end|><|assistant|>good day<|end|>",
        "<|system|>like<|end|><|user|>say <|end|> twice<|end|>",
        "good night <|user|><|end|>",
    ]
    # What looks like a role token in somebody's words is letters, and does not end what they say.
    tokenizer = corpora.TOKENIZER
    ends = [int((corpus.ids(window) == tokenizer.end_id).sum()) for window in range(3)]
    assert ends == [2, 2, 1]
    assert tokenizer.backend.token_to_id("<|user|>") not in corpus.ids(2)


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=9),
    context=st.integers(8, 64),
    as_text=st.booleans(),
)
def test_long_documents_are_cut_and_nothing_is_lost(
    lengths: list[int], context: int, as_text: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    turns = [" ".join(["hello"] * length) for length in lengths]
    row = {"text": "\n".join(turns)} if as_text else {"turns": turns}
    corpus = corpora.pack(folder / "packed", corpora.write(folder / "a.jsonl", [row]), held_out=0, context=context)
    windows = [list(map(int, corpus.ids(int(at)))) for at in corpus.windows(0)]
    assert all(2 <= len(window) <= context + 1 for window in windows)
    # A piece that goes on from the one before begins with its last id; one that begins anew opens with who speaks.
    roles = {corpora.TOKENIZER.backend.token_to_id(f"<|{role}|>") for role in ("user", "assistant")}
    joined = list(windows[0])
    for window in windows[1:]:
        goes_on = window[0] == joined[-1]  # who speaks is never said twice in a row
        assert goes_on or window[0] in roles
        joined += window[1:] if goes_on else window
    messages = [{"role": ("user", "assistant")[at % 2], "content": words} for at, words in enumerate(turns)]
    tokenizer = corpora.TOKENIZER
    whole = [*tokenizer.encode(row["text"]), tokenizer.end_id] if as_text else tokenizer.encode_chat(messages, False)
    assert joined == whole
    assert corpus.parts[0].tokens == sum(len(window) - 1 for window in windows)


def test_duplicates_are_dropped_across_sources_and_copies_are_set_aside_together(tmp_path: Path) -> None:
    rows = corpora.talks(400)
    one = corpora.write(tmp_path / "one.jsonl", [*rows[:300], rows[7]])
    two = corpora.write(tmp_path / "two.jsonl.gz", rows[200:])
    corpus = corpora.pack(tmp_path / "packed", one, two, held_out=0.2)
    first, second = corpus.parts
    assert (first.duplicates, second.duplicates) == (1, 100)
    assert first.documents + first.held_out == 300
    assert second.documents + second.held_out == 100
    assert 30 <= first.held_out <= 90
    trained = {text for source in (0, 1) for text in texts(corpus, source)}
    aside = {text for source in (0, 1) for text in texts(corpus, source, held_out=True)}
    assert len(trained) + len(aside) == 400
    assert not trained & aside
    # The order of the files changes neither which documents are set aside nor what they say.
    other = corpora.pack(tmp_path / "other", two, one, held_out=0.2)
    assert aside == {text for source in (0, 1) for text in texts(other, source, held_out=True)}


def test_broken_rows_are_skipped_told_and_counted(tmp_path: Path) -> None:
    rows = [*corpora.talks(20), *["{broken"] * 8, *corpora.talks(5, seed=1)]
    said: list[str] = []
    path = corpora.write(tmp_path / "a.jsonl", rows)
    corpus = packing.pack(files.sources([path]), tmp_path / "packed", corpora.TOKENIZER, CONTEXT, 0.0, said.append)
    (part,) = corpus.parts
    assert (part.documents, part.broken) == (25, 8)
    assert said[0].startswith(f"{path} line 21: it is not JSON")
    assert said[-1] == "a: 8 rows were skipped in all."
    assert len(said) == 6
    assert len(part.troubles) == 5


@pytest.mark.parametrize("rows", [[], ['{"broken'], [{"words": 1}]])
def test_a_corpus_of_nothing_is_refused_and_leaves_nothing(rows: list, tmp_path: Path) -> None:
    path = corpora.write(tmp_path / "a.jsonl", rows)
    with pytest.raises(MrClassicError, match="nothing to train on in a"):
        corpora.pack(tmp_path / "out" / "packed", path)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_template_that_refuses_a_talk_costs_that_talk(tmp_path: Path) -> None:
    template = "{% if messages[0]['role'] != 'user' %}{{ raise_exception('begin with the user') }}{% endif %}"
    template += "{% for message in messages %}{{ message['content'] + '<|end|>' }}{% endfor %}"
    tokenizer = Tokenizer(corpora.TOKENIZER.backend, template)
    rows = [{"turns": ["hello", "day"]}, {"messages": [{"role": "assistant", "content": "rain"}]}]
    said: list[str] = []
    source = files.sources([corpora.write(tmp_path / "a.jsonl", rows)])
    (part,) = packing.pack(source, tmp_path / "packed", tokenizer, CONTEXT, 0.0, said.append).parts
    assert (part.documents, part.broken) == (1, 1)
    assert "line 2: The model's chat template cannot write this conversation (begin with the user)" in said[0]


def test_text_begins_as_the_tokenizer_begins(tmp_path: Path) -> None:
    """Models that were made with a token before every document expect it; then the first word is learned too."""
    tokenizer = Tokenizer(corpora.TOKENIZER.backend, begin="<|system|>")
    source = files.sources([corpora.write(tmp_path / "a.jsonl", [{"text": "good night"}])])
    corpus = packing.pack(source, tmp_path / "packed", tokenizer, CONTEXT, 0.0, lambda words: None)
    first = tokenizer.backend.token_to_id("<|system|>")
    assert corpus.ids(0).tolist() == [first, *tokenizer.encode("good night"), tokenizer.end_id]


def test_what_was_written_is_opened_again(tmp_path: Path) -> None:
    path = corpora.write(tmp_path / "a.jsonl", corpora.talks(50))
    made = corpora.pack(tmp_path / "packed", path)
    again = Packed(tmp_path / "packed")
    assert again.parts == made.parts
    assert isinstance(again.tokens, np.memmap)
    assert again.tokens.dtype == np.uint16
    assert again.tokenizer.encode("hello rain") == corpora.TOKENIZER.encode("hello rain")
    assert made.parts[0].openings
    assert all(opening[-1]["role"] == "user" for opening in made.parts[0].openings)
    assert json.loads((tmp_path / "packed" / "corpus.json").read_text())["context"] == CONTEXT


def test_the_vocabulary_is_of_what_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded, even, the same every time, and without a word of what is set aside."""
    rows = corpora.talks(300)
    sources = files.sources([corpora.write(tmp_path / "a.jsonl", rows)])
    monkeypatch.setattr(vocabulary, "SAMPLE", 2000)
    aside = packing.threshold(0.3)
    taken: list[str] = []
    monkeypatch.setattr(Tokenizer, "train", classmethod(lambda cls, texts, size: taken.extend(texts)))
    vocabulary.learn(sources, 300, aside, ["more"])
    assert taken[0] == "more"
    assert 2000 <= sum(map(len, taken[1:])) < 2400
    held = {line for found in files.read(sources[0]) if found.what.key < aside for line in found.what.said}
    assert not held & set(taken)
    places = [at for at, row in enumerate(rows) if row["turns"][0] in taken]
    assert min(places) < 60
    assert max(places) > 240
    once = list(taken)
    taken.clear()
    vocabulary.learn(sources, 300, aside, ["more"])
    assert taken == once
