"""Steps recorded once on a CUDA device and replayed: one launch in place of hundreds.

A small model's step is a few hundred kernels of microseconds each, and starting them from Python takes longer than they
run. A recording is of fixed shapes and fixed addresses; it is made for each key (how many slots, how they are drawn) at
first use, and forgotten when the memory that it points into moves.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor

_WARM_UP = 2  # libraries choose their kernels and make their workspaces in the first runs


class Graphs:
    """The recordings of one device; they share a pool of memory, because only one runs at a time."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._recorded: dict[Hashable, torch.cuda.CUDAGraph] = {}

    def forget(self) -> None:
        """Drop all recordings."""
        self._recorded.clear()

    def run(self, key: Hashable, work: Callable[[], None], moved: Sequence[Tensor]) -> None:
        """Do `work` once, by its recording. `moved` are the tensors that it reads and then changes: making a recording
        leaves them as they were."""
        if key not in self._recorded:
            self._recorded[key] = self._record(work, moved)
        self._recorded[key].replay()

    def _record(self, work: Callable[[], None], moved: Sequence[Tensor]) -> torch.cuda.CUDAGraph:
        before = [tensor.clone() for tensor in moved]
        beside = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        beside.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(beside):
            for _ in range(_WARM_UP):
                work()
        torch.cuda.current_stream(self.device).wait_stream(beside)
        for tensor, kept in zip(moved, before, strict=True):
            tensor.copy_(kept)
        graph = torch.cuda.CUDAGraph()
        pool = next(iter(self._recorded.values())).pool() if self._recorded else None
        with torch.cuda.graph(graph, pool=pool):
            work()
        return graph
