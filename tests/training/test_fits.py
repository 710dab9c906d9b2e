"""What makes a training fit a device: adapters, layers computed again, a thrifty optimizer; and the table that says so
before anything is loaded."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import asdict, replace
from pathlib import Path

import methods as runs
import micro
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.curricula.bandit import Bandit
from mrclassic.errors import MrClassicError, UsageError
from mrclassic.model.adapters import TARGETS, Lora, attach
from mrclassic.model.decoder import Decoder
from mrclassic.model.shapes import SHAPES, Shape
from mrclassic.training import book, fits, grpo
from mrclassic.training.fits import Fit, Load, Place
from mrclassic.training.report import StepReport
from mrclassic.training.rows import row
from mrclassic.training.state import State
from mrclassic.training.trainee import Trainee

LORA = Fit(Lora(4, alpha=8.0))
HAS_TORCHAO = importlib.util.find_spec("torchao") is not None
needs_torchao = pytest.mark.skipif(not HAS_TORCHAO, reason="torchao is not installed")
FITS = [
    pytest.param(LORA, id="lora"),
    pytest.param(Fit(Lora(2, ("q", "v"))), id="lora of two"),
    pytest.param(Fit(recompute=True), id="recompute"),
    pytest.param(replace(LORA, recompute=True), id="lora, recompute"),
    pytest.param(Fit(optimizer_state="factored"), id="factored"),
    pytest.param(Fit(optimizer_state="8bit"), id="8bit", marks=needs_torchao),
]
ROWS = [row(micro.policy().tokenizer, entry.messages, 96) for entry in micro.ENTRIES]


def started(method: str, fit: Fit, dtype: torch.dtype = torch.float32) -> State:
    if method == "book":
        return book.start(micro.policy(), runs.BOOK, dtype, None, fit)
    own = runs.GRPO if method == "grpo" else grpo.Settings(seed=5)
    return grpo.start(micro.policy(), own, dtype, fit)


# -- training


@pytest.mark.parametrize(
    ("method", "fit"),
    [
        *(pytest.param("book", *each.values, id=f"book, {each.id}", marks=each.marks) for each in FITS),
        pytest.param("grpo", replace(LORA, recompute=True), id="grpo"),
        pytest.param("selfplay", LORA, id="selfplay"),
    ],
)
def test_saved_and_resumed_is_as_uninterrupted(method: str, fit: Fit, tmp_path: Path) -> None:
    how = runs.METHODS[method]
    whole = runs.advance(how, started(method, fit), 4)
    first = runs.advance(how, started(method, fit), 2)
    first.save(tmp_path)
    kept = first.snapshot()
    second = started(method, fit)
    assert second.resume(tmp_path)
    assert runs.same(first, second)
    assert runs.same(whole, runs.advance(how, second, 4))
    runs.advance(how, first, 3)
    first.roll_back(kept)
    assert runs.same(whole, runs.advance(how, first, 4))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("fit", FITS)
def test_the_book_is_learnt(fit: Fit, dtype: torch.dtype) -> None:
    trainee = Trainee(micro.policy(loud=3.0), dtype, fit)
    losses = []
    for _ in range(40):
        losses.append(trainee.cross_entropy(ROWS))
        trainee.update(1e-2)
    assert losses[-1] < 0.85 * losses[0]


def test_with_adapters_only_they_learn_and_only_they_are_kept() -> None:
    source = micro.policy(loud=3.0)
    before = micro.digest(source)
    trainee = Trainee(source, torch.float32, LORA)
    assert all(".adapters." in name for name in trainee.tensors())
    trainee.cross_entropy(ROWS)
    trainee.update(1e-2)
    assert micro.digest(source) == micro.digest(trainee.reference(moving=False)) == before
    assert micro.digest(trainee.full_policy()) != before
    assert sum(master.numel() for master in trainee.masters) == Lora(4).parameters(source.shape)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_merged_model_is_the_one_that_was_trained(dtype: torch.dtype) -> None:
    """It is merged into the weights as they were read, not as they were rounded for computing."""
    source = micro.policy(loud=3.0)
    trainee = Trainee(source, dtype, LORA)
    for _ in range(5):
        trainee.cross_entropy(ROWS)
        trainee.update(1e-2)
    merged = trainee.full_policy()
    ids = torch.tensor([each.ids[:20] for each in ROWS if len(each.ids) >= 20])
    ours, theirs = trainee.policy.decoder(ids).float().detach(), merged.decoder(ids).detach()
    error = float((ours - theirs).abs().max()) / float(theirs.abs().max())
    assert error < (1e-5 if dtype == torch.float32 else 0.05)
    assert all(weight.requires_grad for weight in merged.decoder.parameters())
    untouched = Trainee(source, dtype, LORA).full_policy()
    assert micro.digest(untouched) == micro.digest(source)


def test_the_reference_is_the_same_weights_with_the_adapters_off() -> None:
    state = started("grpo", LORA)
    assert state.reference is not None
    pointers = {weight.data_ptr() for weight in state.trainee.policy.decoder.parameters() if not weight.requires_grad}
    assert {weight.data_ptr() for weight in state.reference.decoder.parameters()} == pointers
    report = runs.METHODS["grpo"].step(state)
    assert report.metrics["kl"] == pytest.approx(0.0, abs=1e-6)
    runs.METHODS["grpo"].step(state)
    assert runs.METHODS["grpo"].step(state).metrics["kl"] > 0
    assert micro.digest(state.reference) == micro.digest(micro.policy())


def test_a_reference_that_moves_takes_adapters_along(tmp_path: Path) -> None:
    own = replace(runs.GRPO, reference_every=2)

    def step(state: State) -> StepReport:
        chooser = Bandit(["1", "2"])
        update = grpo.step(
            state, lambda n: runs.items(state, chooser, n), runs.REWARDS, own, lambda: runs.replay(state)
        )
        return update.report

    how = replace(runs.METHODS["grpo"], step=step)
    whole = runs.advance(how, grpo.start(micro.policy(), own, torch.float32, LORA), 3)
    whole.save(tmp_path)
    assert not any(".embedding" in name for name in whole.tensors())
    again = grpo.start(micro.policy(), own, torch.float32, LORA)
    assert again.resume(tmp_path)
    assert whole.reference is not None
    assert again.reference is not None
    named = dict(again.reference.decoder.named_parameters())
    for name, weight in whole.reference.decoder.named_parameters():
        assert torch.equal(weight, named[name])
    assert any(bool(weight.any()) for name, weight in named.items() if name.endswith(".b"))
    assert runs.same(runs.advance(how, whole, 5), runs.advance(how, again, 5))


def test_computing_layers_again_changes_no_bit() -> None:
    whole = runs.advance(runs.METHODS["book"], started("book", fits.WHOLE), 3)
    again = runs.advance(runs.METHODS["book"], started("book", Fit(recompute=True)), 3)
    assert runs.same(whole, again)


@pytest.mark.parametrize(
    ("state", "share"),
    [pytest.param("8bit", 0.3, marks=needs_torchao), pytest.param("factored", 0.05)],
)
def test_a_thrifty_optimizer_keeps_less(state: fits.OptimizerState, share: float) -> None:
    def kept(fit: Fit) -> int:
        trainee = Trainee(micro.policy(hidden=64, ffn=256, head_dim=16), torch.float32, fit)
        trainee.cross_entropy(ROWS)
        trainee.update(1e-3)
        tensors = trainee.tensors().items()
        return sum(tensor.numel() * tensor.itemsize for name, tensor in tensors if not name.startswith("master."))

    assert kept(Fit(optimizer_state=state)) < share * kept(fits.WHOLE)


@needs_torchao
def test_eight_bit_moments_go_on_from_those_of_adamw() -> None:
    old = runs.advance(runs.METHODS["book"], started("book", fits.WHOLE), 3)
    warm = book.start(micro.policy(), runs.BOOK, torch.float32, old.trainee.tensors(), Fit(optimizer_state="8bit"))
    names = {name.split(".")[0] for name in warm.trainee.tensors()}
    assert {"exp_avg_codes", "exp_avg_scale", "exp_avg_sq_codes", "step"} <= names
    # And not the other way: what AdamW keeps is finer.
    cold = book.start(micro.policy(), runs.BOOK, torch.float32, warm.trainee.tensors())
    assert not any(name.startswith("exp_avg.embedding") for name in cold.trainee.tensors())


def test_what_does_not_go_together_is_told() -> None:
    with pytest.raises(UsageError, match="leave out --optimizer-state factored"):
        Trainee(micro.policy(), torch.float32, replace(LORA, optimizer_state="factored"))
    with pytest.raises(UsageError, match="muon has no such form"):
        Trainee(micro.policy(), torch.float32, Fit(optimizer_state="8bit"), optimizer="muon")


@pytest.mark.parametrize("fit", [fits.WHOLE, *(each.values[0] for each in FITS)])
def test_a_fit_comes_back_from_the_facts_of_its_run(fit: Fit) -> None:
    assert Fit.of(json.loads(json.dumps(asdict(fit)))) == fit  # type: ignore[arg-type]


# -- the table

QWEN = Shape(  # of Qwen2.5-0.5B
    vocab_size=151_936, hidden=896, layers=24, heads=14, kv_heads=2, head_dim=64, ffn=4864, context=32_768,
    rope_theta=1e6, norm_eps=1e-6, family="qwen2", qkv_bias=True,
)  # fmt: skip
JOB = Load(rows=8, width=320, learned=256, drawn=8, reference=True)
BF16 = Place("cpu", 2, 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("lora", [None, Lora(4), Lora(3, ("q", "v"))])
@pytest.mark.parametrize("family", [{}, {"qkv_bias": True}, {"qk_norm": True}])
@pytest.mark.parametrize("recompute", [False, True])
def test_activations_are_what_autograd_keeps(
    dtype: torch.dtype, lora: Lora | None, family: dict[str, bool], recompute: bool
) -> None:
    """The arithmetic may count more (what adapters of a few projections leave out), never less."""
    shape = Shape(64, hidden=112, layers=3, heads=7, kv_heads=1, head_dim=16, ffn=300, context=128, **family)
    decoder = Decoder(shape)
    decoder.initialise(torch.Generator().manual_seed(0))
    table = decoder.rotary_table
    decoder.to(dtype).rotary_table = table
    if lora is not None:
        attach(decoder, lora)
    decoder.recompute = recompute
    own = {weight.untyped_storage().data_ptr() for weight in (*decoder.parameters(), table)}
    held: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            held[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        decoder(torch.zeros(4, 64, dtype=torch.long))
    found = sum(tensor.untyped_storage().nbytes() for tensor in held.values()) / (4 * 64)
    said = fits._kept(shape, Fit(lora, recompute), 64, Place("cpu", dtype.itemsize))
    working = (4 * shape.hidden + 3 * shape.ffn) * dtype.itemsize
    assert found <= said
    if not recompute:
        assert said - working - shape.heads * 64 * dtype.itemsize <= found * (
            1.7 if lora and len(lora.targets) < 7 else 1.15
        )
    else:
        assert said < 0.75 * fits._kept(shape, Fit(lora), 64, Place("cpu", dtype.itemsize))


def test_the_numbers_that_are_known_by_counting() -> None:
    found = {need.what: need.bytes for need in fits.needs(SHAPES["classic"], fits.WHOLE, JOB, BF16)}
    count = SHAPES["classic"].parameters
    assert found["parameters"] == found["reference"] == 2 * count
    assert found["the checkpoint as read"] == 4 * count
    assert found["float32 masters"] == 4 * count
    assert found["optimizer"] == 8 * count
    lora = Fit(Lora(16))
    found = {need.what: need.bytes for need in fits.needs(QWEN, lora, JOB, BF16)}
    assert QWEN.parameters == 494_032_768
    assert "reference" not in found
    assert found["float32 masters"] == 4 * 8_798_208  # what peft's LoRA of rank 16 has on that model
    assert found["log-probabilities"] < 150 * 2**20
    same = {need.what for need in fits.needs(QWEN, lora, JOB, Place("cpu", 2, 2))}
    assert "the checkpoint as read" not in same


@settings(max_examples=100, deadline=None)
@given(
    rows=st.integers(1, 300),
    width=st.integers(2, 500),
    rank=st.integers(1, 64),
    targets=st.sets(st.sampled_from(TARGETS), min_size=1),
    compute=st.sampled_from((2, 4)),
    device=st.sampled_from(("cpu", "cuda")),
    name=st.sampled_from(sorted(SHAPES)),
)
def test_thrift_never_needs_more(
    rows: int, width: int, rank: int, targets: set[str], compute: int, device: str, name: str
) -> None:
    load, place = Load(rows, width, width // 2, rows, reference=True), Place(device, compute, 4)

    def peak(fit: Fit) -> int:
        # With the same microbatch: a larger one may be chosen where there is room.
        return fits.peak(fits.needs(SHAPES[name], fit, load, place))

    lora = Fit(Lora(rank, tuple(sorted(targets))))
    needed = {need.what: need.bytes for need in fits.needs(SHAPES[name], lora, load, place)}
    whole = {need.what: need.bytes for need in fits.needs(SHAPES[name], fits.WHOLE, load, place)}
    if rank <= 16:
        assert sum(needed.get(what, 0) for what in ("optimizer", "reference", "float32 masters")) < sum(
            whole[what] for what in ("optimizer", "reference", "float32 masters")
        )
    assert peak(Fit(recompute=True)) > 0
    larger = fits.needs(SHAPES[name], lora, replace(load, rows=rows + 1), place)
    assert fits.peak(larger) >= peak(lora)


def test_a_device_too_small_is_told_with_what_would_fit() -> None:
    with pytest.raises(MrClassicError, match=r"needs about \d+\.\d GiB and cpu has 12\.0 GiB free; with --lora 16 it"):
        fits.table(QWEN, fits.WHOLE, JOB, BF16, 12 * 2**30, "cpu").check()
    with pytest.raises(MrClassicError, match="take fewer or shorter rows"):
        fits.table(QWEN, fits.WHOLE, JOB, BF16, 2**30, "cpu").check()
    found = fits.table(QWEN, Fit(Lora(16)), JOB, BF16, 12 * 2**30, "cpu")
    assert found.fits
    assert any("at most at once" in line for line in found.lines())
    assert fits.table(QWEN, fits.WHOLE, JOB, BF16, None, "cpu").fits


def test_own_shapes_keep_their_microbatches_and_large_ones_get_smaller_ones() -> None:
    for shape in SHAPES.values():
        for compute in (2, 4):
            assert fits.token_budget(shape, fits.WHOLE, Place("cpu", compute)) == 8192
    small = fits.token_budget(QWEN, Fit(Lora(16)), BF16)
    assert 256 <= small < 8192
    assert fits.token_budget(QWEN, Fit(Lora(16), recompute=True), BF16) > small
    assert fits.token_budget(SHAPES["classic"], fits.WHOLE, Place("cuda", 2), 140 * 2**30) == 65536
    assert fits.token_budget(QWEN, Fit(Lora(16)), Place("cuda", 2), 12 * 2**30) < 8192


def test_free_memory_is_read() -> None:
    free = fits.free_memory(torch.device("cpu"))
    assert free is None or 2**20 < free < 2**50
    assert fits.total_memory(torch.device("cpu")) is None
