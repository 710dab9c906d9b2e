"""Training rows: a conversation as token ids of which the replies are learned (the final one, or several), batched by
length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mrclassic.model.device import COLUMNS, rounded
from mrclassic.model.tokenizer import Message, Tokenizer


@dataclass(frozen=True)
class Row:
    """Token ids; those from `start` on are the reply (its end token included), the rest is context. Where several
    replies are learned, `heard` are the spans between them, [from, to): what the other says there is context too."""

    ids: tuple[int, ...]
    start: int
    heard: tuple[tuple[int, int], ...] = ()

    @property
    def targets(self) -> int:
        return len(self.ids) - self.start - sum(end - begin for begin, end in self.heard)

    @property
    def learned(self) -> list[tuple[int, int]]:
        """The spans that are learned, [from, to)."""
        edges = [self.start, *(edge for span in self.heard for edge in span), len(self.ids)]
        return list(zip(edges[::2], edges[1::2], strict=True))


def row(tokenizer: Tokenizer, messages: Sequence[Message], context: int) -> Row:
    """The row of a conversation whose last message is the reply to learn, end token included.

    The context is encoded as generation will see it, and the reply after it, so that training and use agree on every
    token. A conversation longer than `context` loses its oldest tokens; a reply longer than that loses its end.
    """
    prompt = tokenizer.encode_chat(messages[:-1], generate=True)
    reply = [*tokenizer.encode(messages[-1]["content"]), tokenizer.end_id][: context - 1]
    prompt = prompt[max(0, len(prompt) + len(reply) - context) :]
    return Row((*prompt, *reply), len(prompt))


def joined(turns: Iterable[tuple[Sequence[int], Sequence[int]]]) -> list[Row]:
    """Rows in which every reply of a conversation is learned once, in order: `turns` are prompts as they were read,
    each with its reply. A turn whose prompt goes on from the last reply, token by token, shares its row; where the
    conversation was read in other tokens than it was written in, another row begins."""
    made: list[Row] = []
    for prompt, reply in turns:
        last = made[-1] if made else None
        if last is not None and len(prompt) > len(last.ids) and tuple(prompt[: len(last.ids)]) == last.ids:
            heard = (*last.heard, (len(last.ids), len(prompt)))
            made[-1] = Row((*prompt, *reply), last.start, heard)
        else:
            made.append(Row((*prompt, *reply), len(prompt)))
    return made


class Batch(NamedTuple):
    """Padded rows. `at` picks, from (B, T) flattened, the positions whose next token (`next`) is learned; it is padded
    too, so that shapes recur (see `device.rounded`): only its first N places count."""

    ids: Tensor  # (B, T) right-padded
    at: Tensor  # (N or more,) into B*T
    next: Tensor  # (N,)
    row: Tensor  # (N,) which row of the batch each target belongs to


def collate(rows: Sequence[Row], pad_id: int, device: torch.device) -> Batch:
    """Pad `rows` to one rectangle."""
    # The last token of a row is only ever a target, so the rectangle may be one shorter than the longest row.
    width = _width(max(len(row.ids) for row in rows))
    ids = torch.full((_height(len(rows)), width), pad_id, dtype=torch.long)
    at: list[int] = []
    following: list[int] = []
    owner: list[int] = []
    for place, each in enumerate(rows):
        ids[place, : len(each.ids) - 1] = torch.tensor(each.ids[:-1], dtype=torch.long)
        for begin, end in each.learned:
            at.extend(range(place * width + begin - 1, place * width + end - 1))
            following.extend(each.ids[begin:end])
        owner.extend([place] * each.targets)
    at.extend([0] * (-len(at) % TARGETS))
    pick = (torch.tensor(column, dtype=torch.long, device=device) for column in (at, following, owner))
    return Batch(ids.to(device), *pick)


TARGETS = 256  # targets are padded to a multiple of this


def _width(length: int) -> int:
    """The width of a rectangle whose longest row has `length` tokens."""
    return -(-(length - 1) // COLUMNS) * COLUMNS


def _height(count: int) -> int:
    """The height of a rectangle of `count` rows. Of few it is a power of two: where memory is short, half of eight must
    be four."""
    return rounded(count) if count > 8 else 1 << (count - 1).bit_length()


def buckets(rows: Iterable[Row], budget: int) -> list[list[int]]:
    """Places of `rows` grouped by length so that each padded rectangle has at most `budget` tokens (or one row).

    Of the ways to cut the rows, longest first, into rectangles without padding rows (but the last), that with the
    fewest padded tokens, where a rectangle more costs as much as a part of `budget`: `1 / _PASS`.
    """
    lengths = [len(each.ids) for each in rows]
    order = sorted(range(len(lengths)), key=lambda at: (-lengths[at], at))
    count = len(order)
    cost, begins = [0] + [-1] * count, [0] * (count + 1)  # -1: no cut leads there
    for begin, place in enumerate(order):
        if cost[begin] < 0:
            continue
        width = _width(lengths[place])  # a group is as wide as its first member
        for size in _sizes(count - begin):
            area = width * _height(size)
            if size > 1 and area > budget:
                break
            found, end = cost[begin] + area + budget // _PASS, begin + size
            if cost[end] < 0 or found < cost[end]:
                cost[end], begins[end] = found, begin
    groups: list[list[int]] = []
    end = count
    while end:
        groups.append(order[begins[end] : end])
        end = begins[end]
    return groups[::-1]


# A pass costs 19 ms and 0.055 ms a token, of `tiny` on a CPU, where the budget is 8192 tokens. What takes a larger one
# at once takes as long for a small one.
_PASS = 32


def _sizes(count: int) -> Iterator[int]:
    """Heights of rectangles of some of `count` rows that need no padding rows, and `count` itself."""
    size = 1
    while size < count:
        yield size
        size = _height(size + 1)
    yield count


def together(groups: Sequence[Sequence[Row]], budget: int) -> list[list[int]]:
    """Places of `groups` of rows that one loss compares, so that each padded rectangle holds whole groups."""
    longest = [max(group, key=lambda each: len(each.ids)) for group in groups]
    return buckets(longest, budget // max(len(group) for group in groups))
