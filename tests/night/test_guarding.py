"""What is guarded beside the book: earned skills, what an imported model could do, text, and the owner's taste."""

from __future__ import annotations

import micro
import pytest
import taught
import torch

from mrclassic.home import Home
from mrclassic.night import guarding
from mrclassic.night.gate import GateVerdict, SuiteVerdict
from mrclassic.night.guarding import ARRIVAL, GUARDS, OTHER_TEXT, OWN_TEXT, PICKS
from mrclassic.night.judging import OLD, Bench
from mrclassic.night.workplace import Workplace
from mrclassic.settings import Settings
from mrclassic.store import NewCandidate, Store, curation
from mrclassic.tasks import arithmetic
from mrclassic.training import reading
from mrclassic.training.suites import Probe, Suite, SuiteResult, measure

SETTINGS = Settings.model_validate({"threads": 1, "practice": {"tasks": "arithmetic:1"}})


def workplace(home: Home, store: Store, said: list[str] | None = None) -> Workplace:
    return Workplace(home, SETTINGS, store, (said if said is not None else []).append)


def bench_of(work: Workplace, practised: bool = True) -> Bench:
    return Bench(work, work.parent(), items=60, rotation=0, practised=practised)


@pytest.fixture
def babe(home: Home) -> Home:
    """A home with a random micro model and a small book."""
    taught.write_book(home)
    taught.settle(home, micro.policy(), "first")
    return home


def test_a_level_that_was_promoted_for_is_guarded_from_then_on(babe: Home) -> None:
    said: list[str] = []
    with Store.open(babe) as store:
        store.checkpoints.set_metrics("first", {GUARDS: ["arithmetic:2", "gone:1"]})
        taught.settle(babe, micro.policy(1), "second", "first")
        work = workplace(babe, store, said)
        bench = bench_of(work)
        assert bench.earned == ("arithmetic:2", "gone:1")
        assert bench.kinds["arithmetic:1"] == "target"
        # However few items the session has: of the level that was promoted for as many as it takes are measured.
        assert bench.kinds["arithmetic:2"] == "guard"
        assert len(bench.before["arithmetic:1"].scores) <= 60
        assert len(bench.before["arithmetic:2"].scores) == 600, "few items can flip where hardly one is right"
        assert any("gone:1 is not guarded any more" in words for words in said)
        # Practised further it is a target, and held.
        store.checkpoints.set_metrics("second", {GUARDS: ["arithmetic:1"]})
        bench = bench_of(work)
        assert bench.kinds["arithmetic:1"] == "target"
        scores = (1.0, 0.0) * 100
        here = {**bench.before, "arithmetic:1": SuiteResult("arithmetic:1", scores, ("",) * 200)}
        bench.before.update(here)
        worse = {**here, "arithmetic:1": SuiteResult("arithmetic:1", (0.0,) * 10 + scores[10:], ("",) * 200)}
        assert _of(bench.judge(worse), "arithmetic:1").lost
        assert not _of(bench.judge(here), "arithmetic:1").lost


def test_what_it_can_do_some_of_is_remembered_beside_sums(babe: Home) -> None:
    with Store.open(babe) as store:
        store.checkpoints.set_metrics("first", {GUARDS: ["strings:1", "strings:2", "gone:1"]})
        bench = bench_of(workplace(babe, store))
        sums = {f"arithmetic:{level}" for level in arithmetic.levels}
        for score, more in ((0.0, set()), (1.0, {"strings:2"})):
            bench.before["strings:1"] = SuiteResult("strings:1", (0.0,), ("",))
            bench.before["strings:2"] = SuiteResult("strings:2", (0.0, score), ("", ""))
            assert set(bench.remembered.names) == sums | more


def test_what_an_imported_model_can_do_when_it_comes_is_guarded(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    taught.write_book(home)
    taught.settle(home, micro.policy(), "guest", method="import")
    measured = Workplace.measure
    asked: list[str] = []

    def able(work: Workplace, policy: object, suites: list[Suite]) -> dict[str, SuiteResult]:
        """It is good at sums below ten, as nobody at this size is."""
        asked.extend(suite.name for suite in suites)
        found = measured(work, policy, suites)  # type: ignore[arg-type]
        for name in {"arithmetic:2", "knights:2"} & set(found):
            count = len(found[name].scores)
            found[name] = SuiteResult(name, (1.0,) * count, found[name].replies)
        return found

    monkeypatch.setattr(Workplace, "measure", able)
    said: list[str] = []
    with Store.open(home) as store:
        work = workplace(home, store, said)
        bench = bench_of(work)
        assert OLD not in bench.before, "the book's recall counts from the first book training on"
        assert bench.kinds["arithmetic:2"] == "guard"
        assert bench.kinds["knights:2"] == "guard"
        metrics = store.checkpoints.get("guest").metrics
        assert metrics[GUARDS] == ["arithmetic:2", "knights:2"]
        assert metrics[ARRIVAL]["arithmetic:1"] == 0.0
        assert len(said) == 1
        # Once only; its children are guarded alike.
        asked.clear()
        taught.settle(home, micro.policy(1), "child", "guest")
        assert bench_of(work).kinds["knights:2"] == "guard"
        assert "triviaqa:1" not in asked
        assert len(said) == 1


def talk(home: Home, store: Store, count: int = 10) -> None:
    """The owner asks, and takes the first of two candidates."""
    for number in range(count):
        conversation = store.conversations.create().id
        asked = store.conversations.add(conversation, None, "user", f"Do you like rain number {number}?").id
        drawn = [
            NewCandidate(
                slot=slot, shown=slot, text=text, tokens=3, logprob=-1.0, finish_reason="stop", seed=1,
                temperature=0.7, top_p=1.0, checkpoint=None,
            )
            for slot, text in ((1, "I like the sound of it."), (2, "Q#xv, zz!"))
        ]  # fmt: skip
        first = store.candidates.add_draw(asked, drawn)[0]
        curation.take(store, home, asked, first.text, "candidate", first.id)


def test_text_is_guarded_where_the_model_can_read(babe: Home) -> None:
    with Store.open(babe) as store:
        talk(babe, store)
        work = workplace(babe, store)
        found = {suite.name: suite for suite in guarding.suites(work)}
        assert set(found) == {OWN_TEXT, OTHER_TEXT, PICKS}
        assert OWN_TEXT not in bench_of(work).before, "one who knows nothing has nothing to lose"
        texts = [probe.expected for probe in found[OWN_TEXT].probes]
        assert len(texts) == 10
        reader = taught.learned(micro.policy(), reading.rows(micro.policy(), texts), 60)
        taught.settle(babe, reader, "reader", "first")
        bench = bench_of(work)
        assert bench.kinds[OWN_TEXT] == "guard"
        assert bench.judge(bench.before).suites
        worse = measure(taught.learned(reader, taught.entry_rows(reader, micro.ENTRIES), 40), bench.suites)
        verdict = bench.judge(worse)
        assert _of(verdict, OWN_TEXT).lost
        assert not _of(bench.judge(bench.before), OWN_TEXT).lost


def _of(verdict: GateVerdict, name: str) -> SuiteVerdict:
    return next(suite for suite in verdict.suites if suite.name == name)


def test_the_owners_picks_are_pairs_that_an_undo_takes_away(babe: Home) -> None:
    with Store.open(babe) as store:
        talk(babe, store)
        found = next(suite for suite in guarding.suites(workplace(babe, store)) if suite.name == PICKS)
        assert len(found.probes) == 10
        assert all(probe.expected == "I like the sound of it." for probe in found.probes)
        assert all(probe.others == ("Q#xv, zz!",) for probe in found.probes)
        knows = taught.scholar()
        assert measure(knows, [found])[PICKS].score > 0.8
        turned = tuple(Probe(probe.prompt, probe.others[0], others=(probe.expected,)) for probe in found.probes)
        assert measure(knows, [Suite(PICKS, turned, how="preferred")])[PICKS].score < 0.2
        for _ in range(4):
            assert curation.undo(store, babe) is not None
        assert not [suite for suite in guarding.suites(workplace(babe, store)) if suite.name == PICKS]


def test_a_text_is_read_as_the_network_reads_it() -> None:
    policy = micro.policy(loud=3.0)
    text = "I like the sound of rain."
    ids = [policy.tokenizer.end_id, *policy.tokenizer.encode(text)]
    with torch.no_grad():
        hidden = policy.decoder(torch.tensor([ids[:-1]]))[0]
        logp = (hidden @ policy.decoder.head_weight[: policy.live].t()).log_softmax(-1)
    expected = -logp[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].mean()
    assert reading.texts(policy, [text, "Another one."])[0] == pytest.approx(float(expected), rel=1e-4)
