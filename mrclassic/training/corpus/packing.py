"""The pass over the files: every document once, as token ids, on the disk.

Documents do not share a window. Several in one row of the context's length would need attention that stops at each
border, with positions that begin anew, and that comes to the same numbers as the documents side by side, for the price
of products that are masked away; so an update lays windows of like lengths side by side (see `rectangles`). A document
longer than the context is cut, a conversation where somebody begins to speak if it can be.

In a conversation both speakers are learned, their end tokens too: a corpus teaches the language, and half of it would
be thrown away. Who is who, the book says.
"""

from __future__ import annotations

import shutil
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mrclassic.errors import MrClassicError
from mrclassic.model.tokenizer import Message, Tokenizer
from mrclassic.training.corpus.documents import BadDocument, Document
from mrclassic.training.corpus.files import Found, Source, read
from mrclassic.training.corpus.packed import FACTS, TABLE, TOKENS, Packed, Part, facts
from mrclassic.training.corpus.seen import Seen

_TOGETHER = 512  # documents encoded in one call, which uses all cores
_SHOWN = 5  # troubles of a source that are told one by one; the rest are counted
_OPENINGS = 4
_SAY_SECONDS = 30.0

Say = Callable[[str], None]


def threshold(share: float) -> int:
    """Documents whose hash is below this are set aside: about `share` of them, and every copy of one with it."""
    return int(share * 2**64)


def pack(
    sources: Sequence[Source], folder: Path, tokenizer: Tokenizer, context: int, held_out: float, say: Say
) -> Packed:
    """Write the ids of all `sources` into `folder`, whole or not at all. Exact duplicates, of whichever source, are
    dropped; rows that cannot be used are counted, and the first few told to `say`."""
    work = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        with (work / TOKENS).open("wb") as file:
            packing = _Packing(file, tokenizer, context, threshold(held_out), say)
            parts = [packing.take(number, source) for number, source in enumerate(sources)]
        if not any(part.tokens for part in parts):
            why = next((trouble for part in parts for trouble in part.troubles), "no document is left to learn")
            raise MrClassicError(f"There is nothing to train on in {', '.join(part.name for part in parts)}: {why}.")
        np.savez(work / TABLE, **packing.table())
        tokenizer.save(work, context)
        (work / FACTS).write_text(facts(parts, context, packing.format), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        work.rename(folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return Packed(folder)


class _Packing:
    """One pass over all sources."""

    def __init__(self, file: BinaryIO, tokenizer: Tokenizer, context: int, threshold: int, say: Say) -> None:
        self.file, self.tokenizer, self.context, self.threshold, self.say = file, tokenizer, context, threshold, say
        self.format = "uint16" if tokenizer.size <= 2**16 else "uint32"
        self.seen = Seen()
        self.lengths, self.source, self.held_out = array("i"), array("h"), array("b")
        self._said = time.monotonic()

    def take(self, number: int, source: Source) -> Part:
        """Write down the documents of `source`."""
        count = {"documents": 0, "tokens": 0, "held_out": 0, "held_out_tokens": 0, "duplicates": 0, "broken": 0}
        troubles: list[str] = []
        openings: list[tuple[Message, ...] | str] = []

        def fresh() -> Iterator[tuple[Found, Document]]:
            for found in read(source):
                if isinstance(found.what, BadDocument):
                    trouble(found, str(found.what))
                elif self.seen.add(found.what.key):
                    yield found, found.what
                else:
                    count["duplicates"] += 1

        def trouble(found: Found, why: str) -> None:
            count["broken"] += 1
            words = f"{found.file} line {found.line}: {why}"
            if len(troubles) < _SHOWN:
                troubles.append(words)
                self.say(f"{words}; it is skipped.")

        documents = fresh()
        while together := list(islice(documents, _TOGETHER)):
            encoded = _encoded(self.tokenizer, [document for _, document in together], self.context)
            for (found, document), windows in zip(together, encoded, strict=True):
                if isinstance(windows, MrClassicError):
                    trouble(found, str(windows).rstrip("."))
                    continue
                aside = document.key < self.threshold
                count["held_out" if aside else "documents"] += 1
                for ids in windows:
                    np.array(ids, self.format).tofile(self.file)
                    self.lengths.append(len(ids))
                    self.source.append(number)
                    self.held_out.append(aside)
                    count["held_out_tokens" if aside else "tokens"] += len(ids) - 1
                if aside and len(openings) < _OPENINGS:
                    openings.append(_opening(document))
            if time.monotonic() - self._said >= _SAY_SECONDS:
                self._said = time.monotonic()
                self.say(f"{source.name}: {count['documents']:,} documents, {count['tokens']:,} tokens so far.")
        if count["broken"] > len(troubles):
            self.say(f"{source.name}: {count['broken']:,} rows were skipped in all.")
        return Part(source.name, source.weight, **count, troubles=tuple(troubles), openings=tuple(openings))

    def table(self) -> dict[str, Any]:
        """The windows as columns."""
        lengths = np.array(self.lengths, np.int32)
        starts = np.cumsum(lengths, dtype=np.int64) - lengths
        source, held_out = np.array(self.source, np.int16), np.array(self.held_out, np.bool_)
        return {"starts": starts, "lengths": lengths, "source": source, "held_out": held_out}


def _opening(document: Document) -> tuple[Message, ...] | str:
    """What the model is shown to see how it goes on: the first thing somebody says, or the first dozen words."""
    for at, message in enumerate(document.messages):
        if message["role"] == "user":
            return document.messages[: at + 1]
    return " ".join(document.said[0].split()[:12])


Windows = list[Sequence[int]]


def _encoded(tokenizer: Tokenizer, documents: Sequence[Document], context: int) -> list[Windows | MrClassicError]:
    """The windows of each document, or why the tokenizer cannot write it."""
    special = [added.content for added in tokenizer.backend.get_added_tokens_decoder().values()]
    plain: dict[int, str] = {}
    found: list[Windows | MrClassicError] = []
    for place, document in enumerate(documents):
        found.append([])
        if any(token in words for words in document.said for token in special):
            continue  # words that look like a role token: read one by one, as mere letters
        try:
            plain[place] = tokenizer.render(document.messages, False) if document.messages else document.text
        except MrClassicError as error:
            found[place] = error
    ids: dict[int, Sequence[int]] = dict(
        zip(
            plain,
            (each.ids for each in tokenizer.backend.encode_batch_fast(list(plain.values()), add_special_tokens=False)),
            strict=True,
        )
    )
    for place, document in enumerate(documents):
        if not isinstance(found[place], MrClassicError):
            try:
                found[place] = _windows(tokenizer, document, ids.get(place), context)
            except MrClassicError as error:
                found[place] = error
    return found


def _windows(tokenizer: Tokenizer, document: Document, ids: Sequence[int] | None, context: int) -> Windows:
    """`document`, whose ids may be known already, in windows of at most `context` ids to read."""
    if not document.messages:
        begin = tokenizer.backend.token_to_id(tokenizer.begin) if tokenizer.begin else None
        words = tokenizer.encode(document.text) if ids is None else ids
        return _cut([*([] if begin is None else [begin]), *words, tokenizer.end_id], context)
    if ids is None:
        ids = tokenizer.encode_chat(document.messages, generate=False)
    if len(ids) > context + 1:
        middle = len(document.messages) / 2
        starts = (at for at, message in enumerate(document.messages) if at > 0 and message["role"] == "user")
        half = min(starts, key=lambda at: abs(at - middle), default=0)
        if half:
            parts = (document.messages[:half], document.messages[half:])
            return [ids for part in parts for ids in _windows(tokenizer, Document(messages=part), None, context)]
    return _cut(ids, context)


def _cut(ids: Sequence[int], context: int) -> Windows:
    """Pieces that overlap by one id, so that each but the first is learned once."""
    return [ids[at : at + context + 1] for at in range(0, len(ids) - 1, context)]
