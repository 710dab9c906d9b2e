"""Between parent and child: what is mixed, what is chosen, and what is judged, on micro models that really learned."""

from __future__ import annotations

from collections.abc import Callable

import micro
import pytest
import taught
import torch
from hypothesis import given
from hypothesis import strategies as st

from mrclassic.book import Entry, Turn
from mrclassic.home import Home
from mrclassic.model import checkpoint
from mrclassic.night import blending
from mrclassic.night.gate import GateVerdict, SuiteScores, judge
from mrclassic.night.judging import OLD, Bench
from mrclassic.night.report import NightReport, to_markdown
from mrclassic.night.run import Night, Wishes
from mrclassic.night.stages import Training
from mrclassic.night.workplace import Workplace
from mrclassic.settings import Settings
from mrclassic.store import Store

SETTINGS = Settings.model_validate({"threads": 1, "practice": {"tasks": "arithmetic:1"}})


def verdict(gained: int, lost_of_book: int) -> GateVerdict:
    """Of 400 items of a skill so many gained, of 400 entries so many lost."""
    before, right = (0.0,) * 400, (1.0,) * 400
    return judge(
        [
            SuiteScores("skill", "target", before, (1.0,) * gained + (0.0,) * (400 - gained)),
            SuiteScores("book", "guard", right, (0.0,) * lost_of_book + (1.0,) * (400 - lost_of_book)),
        ]
    )


def test_the_child_is_taken_where_it_loses_nothing() -> None:
    share, verdicts = blending.choose(lambda share: verdict(30, 0))
    assert (share, list(verdicts)) == (1.0, [1.0])


def test_the_first_on_the_way_back_that_loses_nothing_is_taken() -> None:
    lost = {1.0: 60, 0.7: 30, 0.5: 0, 0.3: 0}
    share, verdicts = blending.choose(lambda share: verdict(int(60 * share), lost[share]))
    assert (share, list(verdicts)) == (0.5, [1.0, 0.7, 0.5])


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=4, max_size=4))
def test_whatever_is_tried_the_choice_loses_no_more_than_the_others(numbers: list[tuple[int, int]]) -> None:
    tried: dict[float, GateVerdict] = {}

    def try_out(share: float) -> GateVerdict:
        tried[share] = verdict(*numbers[blending.SHARES.index(share)])
        return tried[share]

    share, verdicts = blending.choose(try_out)
    assert verdicts == tried
    losses = {each: sum(-suite.gain for suite in found.suites if suite.lost) for each, found in tried.items()}
    assert losses[share] == min(losses.values())
    if losses[share]:  # the way was gone to its end
        assert set(tried) == set(blending.SHARES)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_mixture_is_that_of_its_weights(dtype: torch.dtype) -> None:
    parent, child = micro.policy(0), micro.policy(1)
    mixed = blending.blend(parent, child, 0.3, dtype)
    assert mixed.dtype == dtype
    for weight, old, new in zip(
        mixed.decoder.parameters(), parent.decoder.parameters(), child.decoder.parameters(), strict=True
    ):
        torch.testing.assert_close(weight.float(), old + 0.3 * (new - old), atol=1e-3, rtol=1e-2)
    assert micro.digest(blending.blend(parent, child, 1.0)) == micro.digest(child)


def bench_of(home: Home, store: Store) -> Bench:
    work = Workplace(home, SETTINGS, store, lambda words: None)
    return Bench(work, work.parent(), items=60, rotation=0, practised=True, choosing=True)


@pytest.fixture
def scholar(home: Home) -> Home:
    taught.write_book(home)
    taught.settle(home, taught.scholar(), "scholar")
    return home


def test_the_items_that_choose_never_judge_and_the_book_is_whole(scholar: Home) -> None:
    with Store.open(scholar) as store:
        bench = bench_of(scholar, store)
        assert bench.judging_seconds > 0
    judging = {suite.name: {f"{probe.prompt}{probe.expected}" for probe in suite.probes} for suite in bench.suites}
    choosing = {suite.name: {f"{probe.prompt}{probe.expected}" for probe in suite.probes} for suite in bench.choosing}
    assert judging[OLD] == choosing[OLD]
    assert len(judging[OLD]) == len(micro.ENTRIES)
    level = "arithmetic:1"
    assert judging[level]
    assert choosing[level]
    assert not judging[level] & choosing[level]
    assert bench.before[OLD].score == 1.0


def test_a_checkpoint_that_gained_arithmetic_and_lost_hello_is_refused_and_the_report_names_the_lines(
    scholar: Home,
) -> None:
    with Store.open(scholar) as store:
        bench = bench_of(scholar, store)
        parent = bench.parent.policy
        items = [probe.item for suite in (*bench.suites, *bench.choosing) for probe in suite.probes if probe.item]
        other = [Entry((Turn(entry.turns[0].user, "No."),)) for entry in micro.ENTRIES[:1]]
        rows = [*taught.item_rows(parent, items), *taught.entry_rows(parent, other)]
        found = blending.judged(bench, taught.learned(parent, rows, 150))
    by_name = {suite.name: suite for suite in found.verdict.suites}
    assert by_name["arithmetic:1"].passed, "it did gain"
    first = found.verdict.trials[0]
    assert first.share == 1.0
    assert "Hello." in first.forgotten
    assert any(OLD in words for words in first.refused)
    if found.share < 1.0:
        assert found.verdict.share == found.share
    assert not found.verdict.promoted
    assert OLD in found.verdict.reasons[-1]
    forgotten, _ = bench.changes(found.after)
    page = to_markdown(
        NightReport(
            1, "2026-11-21T04:30:00+00:00", "2026-11-21T05:30:00+00:00", 60, "cpu", "scholar", "scholar",
            gate=found.verdict, forgotten=forgotten,
        )
    )  # fmt: skip
    assert "the model in use stays" in page
    for change in forgotten:
        assert change.question in page


def test_a_way_back_that_keeps_the_book_is_promoted(scholar: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child forgot a line; somewhere on the way back it still knows it and has gained all the same."""
    with Store.open(scholar) as store:
        bench = bench_of(scholar, store)
        parent = bench.parent.policy
        items = [probe.item for suite in (*bench.suites, *bench.choosing) for probe in suite.probes if probe.item]
        rows = [*taught.item_rows(parent, items), *taught.entry_rows(parent, micro.ENTRIES)]
        good = taught.learned(parent, rows, 150)
        seen: list[float] = []
        blend: Callable[..., object] = blending.blend

        def counted(*given: object) -> object:
            seen.append(float(given[2]))  # type: ignore[arg-type]
            return blend(*given)

        monkeypatch.setattr(blending, "blend", counted)
        found = blending.judged(bench, good)
        assert found.verdict.promoted, found.verdict.reasons
        assert (found.share, seen) == (1.0, []), "nothing is mixed where the child is as it should be"
        assert bench.guards(found.verdict) == {"guards": ["arithmetic:1"]}
        # As far again as it went is too far; halfway there is where it was good.
        found = blending.judged(bench, blend(parent, good, 2.0))  # type: ignore[arg-type]
    assert found.verdict.trials[0].forgotten
    assert found.share in (0.7, 0.5)
    assert found.verdict.promoted, found.verdict.reasons
    assert micro.digest(found.policy) == micro.digest(blend(parent, blend(parent, good, 2.0), found.share))  # type: ignore[arg-type]


def test_what_a_night_keeps_is_what_was_judged(scholar: Home) -> None:
    with Store.open(scholar) as store:
        work = Workplace(scholar, SETTINGS, store, lambda words: None)
        night = Night(work, Wishes(minutes=0.1))
        parent = night.parent.policy
        suites = (*night.bench.suites, *night.bench.choosing)
        items = [probe.item for suite in suites for probe in suite.probes if probe.item]
        rows = [*taught.item_rows(parent, items), *taught.entry_rows(parent, micro.ENTRIES)]
        far = blending.blend(parent, taught.learned(parent, rows, 150), 2.0)
        row = store.nights.start({})
        training = Training(far, store.runs.start("grpo", {}, "scholar", row), 1)
        trained = work.keep(far, "night", parent=night.parent.row, run=training.run, step=1, known=(), metrics={})
        kept, verdict, after = night._judge(row, training, trained)
        again, same, _ = night._judge(row, training, trained)  # as after a kill in the middle of it
    assert verdict.promoted, verdict.reasons
    assert 0 < verdict.share < 1
    assert kept.id != trained.id
    assert (again.id, same.share) == (kept.id, verdict.share)
    mixed = blending.blend(parent, far, verdict.share)
    assert micro.digest(checkpoint.load(scholar.checkpoints / kept.path, "cpu")) == micro.digest(mixed)
    assert after[OLD].score == 1.0


def test_what_was_learned_is_carried_over_to_another_model() -> None:
    parent, child, other = (micro.policy(loud=loud) for loud in (1.0, 2.0, 3.0))
    assert micro.digest(blending.carried(parent, parent, other)) == micro.digest(other)
    assert micro.digest(blending.carried(parent, child, parent)) == micro.digest(child)
    summed = blending.carried(parent, child, other)
    weights = (each.decoder.parameters() for each in (summed, other, child, parent))
    for found, base, new, old in zip(*weights, strict=True):
        torch.testing.assert_close(found - base, new - old, rtol=1e-4, atol=1e-6)
