"""The experiments' mechanics, in their shortest form, on a model with random weights: nothing is learned here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import babies
import pytest
from homes import mrclassic

from mrclassic.curricula.staged import Staged
from mrclassic.errors import UsageError
from mrclassic.home import Home
from mrclassic.lab import (
    catalogue,
    collapse,
    credit,
    curricula,
    distill,
    drift,
    growing,
    healthy,
    knights,
    learning,
    mixing,
    stages,
    stories,
)
from mrclassic.lab import selfplay as playing
from mrclassic.lab.experiment import Method, Options, Result
from mrclassic.lab.ground import Ground
from mrclassic.lab.methods import imitate, practise
from mrclassic.lab.note import Note, to_json, to_markdown, write
from mrclassic.lab.run import carry_out
from mrclassic.night.workplace import Workplace
from mrclassic.settings import Settings
from mrclassic.store import Store
from mrclassic.tasks import arithmetic
from mrclassic.training.sentinel import Verdict
from mrclassic.training.state import State
from mrclassic.training.suites import RECALL, SuiteResult
from mrclassic.training.trainee import Trainee

SHORT = Options(
    steps=1, items=6, level="1", practice={"prompts": 2, "group": 2, "max_new": 8, "redraws": 0, "warmup": 1}
)


@pytest.fixture
def ground(home: Home) -> Iterator[Ground]:
    babies.hatch(home)
    with Store.open(home) as store:
        work = Workplace(
            home, Settings.model_validate({"threads": 1, "practice": {"replay": 4}}), store, lambda text: None
        )
        parent = work.parent()
        yield Ground(work, parent.policy, parent.row.id)


@pytest.mark.parametrize(
    "experiment",
    [
        learning,
        healthy,
        drift,
        collapse,
        knights,
        stories,
        growing,
        curricula,
        mixing,
        playing,
        credit,
        distill,
        stages,
    ],
)
def test_every_experiment_runs_and_leaves_a_note(
    experiment: ModuleType, ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credit, "_TAUGHT", 2)
    if experiment is knights:
        assert "knights" in _names(ground)
    monkeypatch.setattr(stages, "_EVERY", 1)
    monkeypatch.setattr(stages, "GROUPS", 2)
    options = replace(SHORT, level={knights: "2", stages: "3", credit: "plain"}.get(experiment, SHORT.level))
    arms: list[Any] = []
    seen: list[int] = []
    results, findings = carry_out(
        experiment,  # type: ignore[arg-type]
        ground,
        options,
        planned=arms.extend,
        done=lambda so_far, found: seen.append(len(so_far)),
    )
    assert [result.arm for result in results] == [arm.name for arm in arms]
    assert seen == list(range(1, len(arms) + 1))
    assert all(result.trained == 1 for result in results)
    assert {RECALL, *ground.levels} == set(results[0].before)
    assert findings
    entry = catalogue.get(experiment.__name__.rpartition(".")[2])
    assert entry.load() is experiment
    note = Note(entry.name, entry.about, "2026-11-21T04:30:00+00:00", options, arms, results, findings, True)
    page = write(note, ground, tmp_path / "lab")
    assert page.name == f"{entry.name}-20261121043000.md"
    facts = json.loads(page.with_suffix(".json").read_text())
    assert facts["complete"]
    assert [result["arm"] for result in facts["results"]] == [arm.name for arm in arms]
    assert all("gain_low" in suite for result in facts["results"] for suite in result["suites"].values())
    assert page.read_text().startswith(f"# {entry.name}: ")
    # The home is as it was: no run, no other checkpoint.
    assert ground.work.store.runs.list() == []
    assert [row.id for row in ground.work.store.checkpoints.list()] == ["baby-1"]


def _names(ground: Ground) -> tuple[str, ...]:
    from mrclassic import tasks

    return tuple(tasks.names(ground.work.home.tasks))


def test_the_arms_of_a_seed_are_functions_of_it(ground: Ground) -> None:
    ground.choose(["arithmetic:1"], 4)

    def after(method: Method) -> list[float]:
        return [method.step(method.state).metrics["completions/mean_length"] for _ in range(2)]

    def begun(seed: int) -> Method:
        return practise(ground, ["chance"], ground.policy, seed, options=SHORT.practice)

    assert after(begun(1)) == after(begun(1))
    one, two = begun(1), begun(2)
    assert [one.state.seed, two.state.seed] == [1, 2]
    losses = [imitate(ground, ground.policy, 3, batch=6) for _ in range(2)]
    assert losses[0].step(losses[0].state).metrics["loss"] == losses[1].step(losses[1].state).metrics["loss"]


def test_the_clock_ends_an_arm_where_no_steps_are_given(ground: Ground) -> None:
    options = replace(SHORT, steps=None, minutes=0.01)
    results, _ = carry_out(healthy, ground, options)  # type: ignore[arg-type]
    assert results[0].ended == "done"
    assert results[0].trained >= 1
    assert results[0].seconds < 20


def test_a_level_that_is_mastered_is_not_chosen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"1": 1.0, "2": 0.98, "3": 0.28, "4": 0.06, "5": 0.0}
    measured = {f"arithmetic:{level}": SuiteResult(level, (share,), ("",)) for level, share in known.items()}
    monkeypatch.setattr(ground, "measure", lambda policy, suites: measured)
    assert ground.edge(None, 0.7, 4) == "arithmetic:3"


def test_the_level_is_chosen_by_what_the_model_can_do(ground: Ground) -> None:
    chosen = ground.edge(None, 0.33, 4)
    assert chosen in {f"arithmetic:{level}" for level in arithmetic.levels}
    assert ground.levels == (chosen,)
    assert chosen in ground.remarks[0]
    assert ground.edge("3", 0.33, 4) == "arithmetic:3"
    with pytest.raises(UsageError, match="level"):
        ground.edge("9", 0.33, 4)


@pytest.mark.parametrize("since", [0, 14, 15, 60, 500])
@pytest.mark.parametrize("level", arithmetic.levels)
def test_a_drifted_answer_is_longer_and_the_parser_finds_nothing_in_it(level: str, since: int) -> None:
    for item in arithmetic.held_out(level, 50):
        assert arithmetic.check(item, item.trace).verdict == "right"
        said = drift.drifted(item.trace, since)
        assert not arithmetic.check(item, said).found
        assert len(said) > len(item.trace)
        assert said.startswith(item.trace.rpartition(" ")[0])
    assert drift.drifted("7+5=12, so 12.", 15) == "7+5=12, so one two. I hope that helps. Do ask me another."


@pytest.mark.parametrize("place", [0, 1])
def test_both_ways_of_answering_are_right(ground: Ground, place: int) -> None:
    state = practise(ground, ["chance"], ground.policy, 1, options=SHORT.practice).state if ground.levels else None
    for item in arithmetic.held_out("2", 20):
        said = collapse.both_ways(item, state, place)  # type: ignore[arg-type]
        assert arithmetic.check(item, said).verdict == "right"
        assert (said == item.trace) == bool(place)


def result(arm: str, *, seed: int = 1, trained: int = 60, verdict: Verdict | None = None, **change: Any) -> Result:
    """A made-up result: 100 items, 20 right before and 60 after."""
    before = {"arithmetic:3": scores("arithmetic:3", 20), RECALL: scores(RECALL, 100)}
    after = {"arithmetic:3": scores("arithmetic:3", 60), RECALL: scores(RECALL, 100)}
    made = Result(arm, seed, "done", trained, trained, 1.0, verdict, None, before, after, [(1, {}), (60, {})])
    return replace(made, **change)


def scores(name: str, right: int) -> SuiteResult:
    return SuiteResult(name, (1.0,) * right + (0.0,) * (100 - right), ("",) * 100)


def held(findings: list[Any]) -> list[bool | None]:
    return [finding.held for finding in findings]


def test_the_findings_say_what_held_and_what_did_not(ground: Ground) -> None:
    ground.choose(["arithmetic:3"], 4)
    same = {"after": result("random").before}
    poor = {"after": {"arithmetic:3": scores("arithmetic:3", 30), RECALL: scores(RECALL, 90)}}
    parser = Verdict("pause", "parser", "Completions grew: the parser no longer finds the answer in 41% of them.")
    good = [
        result("grpo"),
        result("supervised", **poor),
        result("random", **same),
        result("collapse", ended="rolled back", verdict=Verdict("roll back", "forgetting", "The book is going.")),
    ]
    assert held(learning.findings(good, ground)) == [True, True, True, True, True]
    bad = [result("grpo", **poor), result("supervised"), result("random"), result("collapse")]
    assert held(learning.findings(bad, ground)) == [False, False, False, False, False]
    mastered = Verdict("pause", "zero_std", "In 90% of the groups all answers scored alike: it has mastered this.")
    assert held(healthy.findings([result("practice"), result("practice", verdict=mastered)], ground)) == [True, True]
    assert held(healthy.findings([result("practice", verdict=parser)], ground)) == [False, True]
    drifts = [result("drifting", trained=drift.BEGINS + 25, verdict=parser), result("steady")]
    assert held(drift.findings(drifts, ground)) == [True, True]
    late = [result("drifting", trained=drift.BEGINS + 61, verdict=parser), result("steady", verdict=parser)]
    assert held(drift.findings(late, ground)) == [False, False]
    assert held(drift.findings([result("drifting")], ground)) == [False]
    shrunk = [(1, {"completions/mean_length": 30.0}), (60, {"completions/mean_length": 8.0})]
    pair = [result("format", curve=shrunk, **same), result("all_or_nothing")]
    assert held(collapse.findings(pair, ground)) == [True, True]
    apart = [result("untouched", **same), result("as it is", **poor), result("grown")]
    assert held(growing.findings(apart, ground)) == [True, True]
    assert held(growing.findings([result("untouched", **poor), *apart[1:2]], ground)) == [False]
    arms = [result("traces", **poor), result("rewards", **same), result("both")]
    assert held(distill.findings(arms, ground)) == [True, True]
    assert held(distill.findings([*arms[:2], result("both", **poor)], ground)) == [False, True]
    rewards = [result("all_or_nothing"), result("format", **same), result("chance")]
    assert held(knights.findings(rewards, ground)) == [True, True, False]


def test_questions_of_its_own_are_held_against_the_generator_and_against_paying_for_failure(ground: Ground) -> None:
    same, beyond = {"after": result("fixed").before}, (31, Verdict("pause", "beyond", "They are beyond it."))
    curve = [(1, {"questions/success": 0.9}), (60, {"questions/success": 0.5, "completions/so_far": 9e3})]
    good = [result(name, curve=curve, **same) for name in ("fixed", "zero_sum")]
    good += [result(name, curve=curve) for name in ("own", "mixed")]
    good[1] = replace(good[1], would=beyond)
    assert held(playing.findings(good, ground)) == [True] * 9
    bad = [result(name, curve=curve, **({} if name == "fixed" else same)) for name in ("fixed", "zero_sum", "mixed")]
    bad.append(result("own", curve=curve, would=beyond, **same))
    found = playing.findings(bad, ground)
    assert held(found) == [False] * 6 + [False, True, False]
    assert found[-3].words == "success 0.90 to 0.50; at update 31 the sentinel would have said: They are beyond it."


def test_answers_to_the_mark_are_told_side_by_side(ground: Ground) -> None:
    def arm(name: str, so_far: float, mark: float | None = None, seed: int = 1) -> Result:
        curve = [(60, {"completions/so_far": so_far} | ({} if mark is None else {"mark/completions": mark}))]
        return result(name, seed=seed, curve=curve)

    def told(*results: Result) -> tuple[bool | None, str]:
        (finding,) = curricula.findings(results, ground)
        return finding.held, finding.words

    assert told(arm("uniform", 9e3, 9e3), arm("bandit", 5e3, 5e3)) == (True, "seed 1: 5,000 against 9,000 (56%)")
    assert told(arm("uniform", 9e3, 8e3), arm("bandit", 5e3, 5e3))[0] is False
    assert told(arm("uniform", 9e3), arm("bandit", 5e3, 5e3)) == (True, "seed 1: 5,000 against more than 9,000 (56%)")
    assert told(arm("uniform", 8e3), arm("bandit", 5e3, 5e3))[0] is None
    assert told(arm("uniform", 9e3, 9e3), arm("bandit", 6e3))[0] is False
    assert told(arm("uniform", 9e3), arm("bandit", 9e3))[0] is None
    good = arm("uniform", 9e3, 9e3), arm("bandit", 5e3, 5e3)
    assert told(*good, arm("uniform", 8e3, 8e3, 2), arm("bandit", 5e3, 5e3, 2))[0] is False
    assert curricula.findings([good[0]], ground) == []
    below, above = curricula.MARK - 0.05, curricula.MARK + 0.05
    assert curricula.crossed([(0.0, 0.45), (1000.0, below), (2000.0, above)]) == pytest.approx(1500.0)
    assert curricula.crossed([(0.0, above)]) == 0.0


def test_updates_to_the_mark_are_told_side_by_side(ground: Ground) -> None:
    def arm(name: str, trained: int, mark: float | None = None) -> Result:
        curve = [(trained, {} if mark is None else {"mark/updates": mark})]
        return result(name, trained=trained, curve=curve)

    def told(*results: Result) -> tuple[bool | None, str]:
        (finding,) = credit.findings(results, ground)
        return finding.held, finding.words

    assert told(arm("uniform", 200, 200), arm("turns", 90, 90)) == (True, "seed 1: 90 against 200")
    assert told(arm("uniform", 150, 150), arm("turns", 90, 90))[0] is False
    assert told(arm("uniform", 200), arm("turns", 90, 90)) == (True, "seed 1: 90 against more than 200")
    assert told(arm("uniform", 150), arm("turns", 90, 90))[0] is None
    assert told(arm("uniform", 200, 200), arm("turns", 300))[0] is False
    assert told(arm("uniform", 200), arm("turns", 200))[0] is None
    assert credit.findings([arm("uniform", 200, 200)], ground) == []


def test_stages_are_told_side_by_side(ground: Ground) -> None:
    ground.choose(["knights:2", "knights:3"], 4)

    def arm(name: str, two: int, three: int) -> Result:
        after = {"knights:2": scores("knights:2", two), "knights:3": scores("knights:3", three)}
        curve = [(30, {"tokens": 1000.0}), (60, {"tokens": 1100.0})]
        return result(name, after={**after, RECALL: scores(RECALL, 0)}, curve=curve)

    better = stages.findings([arm("staged", 90, 31), arm("uniform", 60, 30)], ground)
    assert held(better) == [True, True, False]
    assert better[0].words.startswith("seed 1: +15.5 points (")
    assert better[0].words.endswith("after 63,000 against 63,000 tokens")
    assert held(stages.findings([arm("staged", 60, 30), arm("uniform", 90, 40)], ground)) == [False, False, False]
    assert stages.findings([arm("staged", 60, 30)], ground) == []
    with pytest.raises(UsageError, match="3 to 8"):
        stages.arms(ground, replace(SHORT, level="2"))


def test_a_look_tells_the_curriculum_of_puzzles_that_are_not_measured(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "_ANSWERED", 1)
    ground.choose(["knights:2", "knights:3"], 4)
    chooser = Staged(ground.levels)
    policy = stages.prepare(ground, SHORT, 1)
    state = State(Trainee(policy, ground.work.dtype), 1)
    assert stages.look(ground, state, chooser) == {"knights:2": 0.0}
    assert chooser.report() == {"knights:2": 1.0, "knights:3": 0.0}
    drawn = stages.drawn(ground, state, "knights:2")
    assert drawn == stages.drawn(ground, state, "knights:2")
    assert not {item.question for item in drawn} & {item.question for item in ground.arms.held_out("knights:2", 50)}


def test_losses_are_compared_after_as_many_updates(ground: Ground) -> None:
    def arm(name: str, *losses: float) -> Result:
        return result(name, curve=[(10 * at, {"held_out/mean": loss}) for at, loss in enumerate(losses, 1)])

    steered = arm("learning_progress", 3.0, 2.0)
    findings = mixing.findings([steered, arm("proportional", 3.0, 2.5, 1.0), arm("evenly", 3.0, 1.9)], ground)
    assert held(findings) == [True, False]
    assert findings[0].words == "seed 1: 2.000 against 2.500 nats"
    assert held(mixing.findings([steered], ground)) == [None]


def test_a_note_of_an_experiment_that_was_interrupted_says_so(ground: Ground) -> None:
    ground.choose(["arithmetic:3"], 4)
    odd = result("drifting", verdict=Verdict("pause", "parser", "It | drifted."), curve=[(1, {"reward": float("nan")})])
    note = Note("drift", "about", "2026-11-21T04:30:00+00:00", SHORT, [], [odd], [], False)
    assert "did not come to its end" in to_markdown(note, ground)
    facts = to_json(note, ground)
    assert not facts["complete"]
    json.dumps(facts, allow_nan=False)


def test_unknown_experiments_are_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean learning"):
        catalogue.get("lerning")
    with pytest.raises(UsageError, match="drift"):
        catalogue.get("zzz")


@pytest.mark.slow
def test_the_command_line_lists_and_runs(home: Home) -> None:
    babies.hatch(home)
    home.settings_file.write_text("[practice]\nprompts = 2\ngroup = 2\nreplay = 4\n")
    code, listed, _ = mrclassic(home.root, "lab", "list", "--json")
    assert code == 0
    assert [each["name"] for each in listed] == list(catalogue.EXPERIMENTS)
    words = ("lab", "run", "healthy", "--steps", "1", "--seeds", "1", "--level", "1", "--items", "4", "--json")
    code, facts, narration = mrclassic(home.root, *words)
    assert code == 0, narration
    assert facts["complete"]
    page = Path(facts["note"])
    assert page.parent == home.root / "lab"
    assert page.exists()
    assert mrclassic(home.root, "lab", "run", "helthy")[0] == 2
    assert mrclassic(home.root, "lab", "run", "healthy", "--steps", "1", "--minutes", "1")[0] == 2
