"""An update laid out for the device: windows of like lengths side by side, in rectangles padded as little as pays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from mrclassic.model.device import COLUMNS
from mrclassic.training.corpus.packed import Packed
from mrclassic.training.rows import TARGETS, Batch

Places = NDArray[np.int64]


def split(lengths: NDArray[np.int32], budget: int, overhead: int) -> list[Places]:
    """Places of `lengths` in groups, each a rectangle of at most `budget` tokens (or one row).

    Of all ways to cut the windows, sorted by length, that with the fewest padded tokens, where a rectangle more costs
    as much as `overhead` tokens. Rows are as wide as the longest, in whole columns.
    """
    order = np.argsort(-lengths, kind="stable")
    widths = -(-(lengths[order].astype(np.int64) - 1) // COLUMNS) * COLUMNS
    count = len(order)
    cost = np.zeros(count + 1)
    begins = np.zeros(count + 1, np.int64)
    for end in range(1, count + 1):
        # A rectangle of the windows from each earlier place up to `end`, as wide as the first of them.
        first = np.arange(max(0, end - max(1, budget // int(widths[end - 1]))), end)
        area = widths[first] * (end - first)
        each = np.where((area <= budget) | (first == end - 1), cost[first] + area + overhead, np.inf)
        best = int(each.argmin())
        cost[end], begins[end] = each[best], first[best]
    groups: list[Places] = []
    end = count
    while end:
        groups.append(order[begins[end] : end])
        end = int(begins[end])
    return groups


def batches(
    corpus: Packed, windows: Places, pad_id: int, device: torch.device, budget: int, overhead: int
) -> Iterator[Batch]:
    """The rectangles of `windows`, in which everything but the first id of each is learned."""
    for group in split(corpus.lengths[windows], budget, overhead):
        yield _rectangle([corpus.ids(int(window)) for window in windows[group]], pad_id, device)


def _rectangle(rows: list[NDArray[np.uint16]], pad_id: int, device: torch.device) -> Batch:
    read = np.array([len(row) - 1 for row in rows])
    width = -(-int(read.max()) // COLUMNS) * COLUMNS
    ids = np.full((len(rows), width), pad_id, np.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row) - 1] = row[:-1]
    at = np.flatnonzero(np.arange(width) < read[:, None])
    following = np.concatenate([row[1:] for row in rows]).astype(np.int64)
    columns = (np.pad(at, (0, -len(at) % TARGETS)), following, np.repeat(np.arange(len(rows)), read))
    return Batch(torch.from_numpy(ids).to(device), *(torch.from_numpy(column).to(device) for column in columns))
