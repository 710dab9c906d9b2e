"""A tokenizer learned from a sample of a corpus that is bounded, even, and the same every time."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import chain, count

from mrclassic.model.tokenizer import Tokenizer
from mrclassic.training.corpus.documents import BadDocument, Document
from mrclassic.training.corpus.files import Source, read

SAMPLE = 2**24  # characters; what the merges of sixteen thousand tokens are after this many changes little


def learn(sources: Sequence[Source], size: int, held_out: int, more: Sequence[str] = ()) -> Tokenizer:
    """A vocabulary of at most `size` tokens from a sample of what is trained, and from `more`.

    The sample is of the documents with the smallest hashes, those of a source of weight 2 counting half: drawn evenly
    from the whole corpus, in one pass, in bounded memory. Hashes below `held_out` are those that are set aside.
    """
    kept: list[tuple[float, int, Document]] = []
    characters, order = 0, count()
    for source in sources:
        for found in read(source):
            if isinstance(found.what, BadDocument) or found.what.key < held_out:
                continue
            rank = -found.what.key / source.weight
            if characters >= SAMPLE and rank <= kept[0][0]:
                continue
            heapq.heappush(kept, (rank, next(order), found.what))
            characters += _length(found.what)
            while characters - _length(kept[0][2]) >= SAMPLE:
                characters -= _length(heapq.heappop(kept)[2])
    ordered = sorted(kept, key=lambda each: each[:2], reverse=True)
    return Tokenizer.train(chain(more, chain.from_iterable(each.said for _, _, each in ordered)), size)


def _length(document: Document) -> int:
    return sum(map(len, document.said))
