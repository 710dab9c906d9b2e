"""Memory that runs out while a model is measured or judged: fewer rows at a time, and the same scores."""

from __future__ import annotations

from collections.abc import Callable

import micro
import pytest
import torch
from torch import Tensor

from mrclassic.model.decoder import Decoder
from mrclassic.model.engine import Engine
from mrclassic.training import forced, reading, suites
from mrclassic.training.room import halving
from mrclassic.training.rows import Row, row

POLICY = micro.policy(loud=3.0)
ENTRIES = micro.ENTRIES * 20
ROWS = [row(POLICY.tokenizer, entry.messages, 192) for entry in ENTRIES]


def narrow(monkeypatch: pytest.MonkeyPatch, most: int, error: Exception) -> list[int]:
    """A device on which passes over more than `most` tokens do not fit."""
    sizes: list[int] = []
    forward = Decoder.forward

    def tight(decoder: Decoder, ids: Tensor) -> Tensor:
        sizes.append(ids.numel())
        if ids.numel() > most:
            raise error
        return forward(decoder, ids)

    monkeypatch.setattr(Decoder, "forward", tight)
    return sizes


ERRORS = [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("DefaultCPUAllocator: can't allocate memory")]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("measure", [forced.known, reading.losses])
def test_what_is_read_is_read_in_smaller_parts(
    measure: Callable[[object, list[Row]], list[object]], error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = measure(POLICY, ROWS)
    sizes = narrow(monkeypatch, 1024, error)
    found = measure(POLICY, ROWS)
    assert max(sizes) > 1024
    assert sizes[-1] <= 1024
    if measure is forced.known:
        assert [each.greedy for each in found] == [each.greedy for each in wanted]  # type: ignore[attr-defined]
    else:
        assert found == pytest.approx(wanted, rel=1e-5)


def test_what_is_said_is_said_by_fewer_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = suites.recall(ENTRIES)
    wanted = suites.measure(POLICY, [suite])[suite.name]
    tried: list[int] = []
    generate = Engine.generate

    def tight(engine: Engine, requests: list[object]) -> object:
        tried.append(engine.slots)
        if engine.slots > 32:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return generate(engine, requests)  # type: ignore[arg-type]

    monkeypatch.setattr(Engine, "generate", tight)
    assert suites.measure(POLICY, [suite])[suite.name] == wanted
    assert tried == [256, 128, 64, 32]


def test_it_gives_up_in_the_end_and_at_once_for_other_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def never(size: int) -> None:
        sizes.append(size)
        raise MemoryError

    with pytest.raises(MemoryError):
        halving(64, 10, never)
    assert sizes == [64, 32, 16]
    sizes = narrow(monkeypatch, 0, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        forced.known(POLICY, ROWS)
    assert len(sizes) == 1
