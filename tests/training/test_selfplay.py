"""Self-play: what a written question is worth, which are used, and that both roles learn from it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache

import micro
import pytest
import torch

from mrclassic.errors import UsageError
from mrclassic.model.policy import Policy
from mrclassic.rewards.contract import Weighted
from mrclassic.tasks import arithmetic, strings
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import Item, Refusal, keyed
from mrclassic.training import grpo, questions, selfplay, supervised
from mrclassic.training.rows import row
from mrclassic.training.skills import QUESTIONER
from mrclassic.training.state import State
from mrclassic.training.trainee import Schedule, Trainee

SETTINGS = selfplay.Settings(questions=8, fixed=2, group=4, max_new=8, learning_rate=0.0, warmup=1, seed=3)
FREE, HELD = (
    next((a, b) for a in range(10, 99) for b in range(10, 99) if arithmetic.is_held_out(a, b) is held)
    for held in (False, True)
)


def question(a: int, b: int, sign: str = "+") -> str:
    return f"What is {a} {sign} {b}?"


@cache
def writer(*questions: str) -> Policy:
    """A model that has learnt to write exactly these questions, each as often as the others."""
    state = State(Trainee(micro.policy(), torch.float32), 0)
    tokenizer = state.trainee.policy.tokenizer
    rows = [row(tokenizer, [*QUESTIONER, {"role": "assistant", "content": one}], 96) for one in questions]
    for _ in range(150):
        supervised.update(state, rows, Schedule(1e-2, 150, 2))
    return state.trainee.full_policy()


def start(policy: Policy, own: selfplay.Settings = SETTINGS) -> State:
    return grpo.start(policy, grpo.Settings(seed=own.seed), torch.float32)


def pays(*pattern: float | None):  # type: ignore[no-untyped-def]
    """Answers to a question are scored by this pattern, in turn."""

    def reward(completions: list, **columns: object) -> list[float | None]:
        return [pattern[at % len(pattern)] for at in range(len(completions))]

    return [Weighted("pattern", reward)]


def play(state: State, rewards: list, own: selfplay.Settings = SETTINGS) -> selfplay.Update:
    items = [arithmetic.sample(keyed("fixed", state.step, at), "1") for at in range(own.fixed)]
    return selfplay.step(state, [arithmetic] * own.questions, items, rewards, own, list)


HALF = pays(1.0, 0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("pattern", "p", "worth"),
    [
        ((1.0, 0.0, 1.0, 0.0), 0.5, 4 / 3),
        ((1.0, 1.0, 1.0, 1.0), 0.9, 0.0),
        ((0.0, 0.0, 0.0, 0.0), 0.1, 0.0),
        ((1.0, 0.0, 0.0, 0.0), 0.3, 1.0),
    ],
)
def test_a_question_is_worth_most_at_one_half_and_its_repetitions_nothing(
    pattern: tuple, p: float, worth: float
) -> None:
    state = start(writer(question(*FREE)))
    update = play(state, pays(*pattern))
    assert update.questions == ((question(*FREE), pytest.approx(p)),)
    metrics = update.report.metrics
    assert metrics["questions/reward"] == pytest.approx(worth / SETTINGS.questions)
    assert metrics["questions/valid"] == 1.0
    assert metrics["questions/unique"] == pytest.approx(1 / SETTINGS.questions)
    assert metrics["questions/success"] == pytest.approx(p)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_over_all_groups_that_may_come_a_question_is_worth_4p_1_minus_p(p: float) -> None:
    """Where a question is out of reach or mastered nothing is paid, however small the group."""
    item, n = arithmetic.item(*FREE, "+"), 4
    written = questions.Written(arithmetic, (), None, item)
    mean = 0.0
    for right in range(n + 1):
        state = start(micro.policy())
        answered = {item.question: [1.0] * right + [0.0] * (n - right)}
        (worth,) = selfplay._worths(state, [written], answered, "edge")
        assert worth is not None
        mean += math.comb(n, right) * p**right * (1 - p) ** (n - right) * worth
    assert mean == pytest.approx(4 * p * (1 - p))


def test_what_was_asked_before_is_worth_less_each_time() -> None:
    item, worths = arithmetic.item(*FREE, "+"), []
    written, answered = [questions.Written(arithmetic, (), None, item)], {item.question: [1.0, 0.0]}
    state = start(micro.policy())
    for _ in range(3):
        worths += selfplay._worths(state, written, answered, "edge")
        state.facts["skeletons"] = []
    assert worths == pytest.approx([2.0, 1.0, 2 / 3])
    assert selfplay._worths(state, written, answered, "zero_sum") == [0.5], "nothing but what is answered wrong counts"


def test_what_is_worth_a_little_more_pulls_as_much_as_an_answer_does() -> None:
    state, rows = start(micro.policy()), [questions.Written(arithmetic, (), None, arithmetic.item(*FREE, "+"))] * 8
    pull = selfplay._advantages(state, rows, [0.8, *[0.0] * 6, None])
    assert sum(each**2 for each in pull[:7]) / 7 == pytest.approx(0.3**2)
    assert pull[0] > 0.6
    assert pull[7] == 0.0
    tiny = selfplay._advantages(start(micro.policy()), rows, [0.008, *[0.0] * 7])
    assert max(tiny) < 0.05, "what hardly differs is not blown up"


def test_what_was_asked_lately_in_the_same_form_is_worth_less() -> None:
    state = start(writer(question(*FREE)))
    assert play(state, HALF).report.metrics["questions/reward"] > 0
    assert play(state, HALF).report.metrics["questions/reward"] == 0.0
    assert state.facts["skeletons"] == ["What is DD + DD?"] * 2


@pytest.mark.parametrize(
    ("written", "worth", "valid"),
    [
        (question(12, 34, "-"), -0.5, 0.0),  # negative
        ("What is 03 + 4?", -0.5, 0.0),
        ("Who are you?", -1.0, 0.0),
        ("What is 1 + 1? What is 1 + 1? What is 1", -1.0, 0.0),
        (question(*HELD), 0.0, 1.0),  # abstains: nothing is known, and nothing is learnt
    ],
)
def test_what_cannot_be_used(written: str, worth: float, valid: float) -> None:
    state = start(writer(written), replace(SETTINGS, learning_rate=1e-2))
    update = play(state, HALF)
    assert update.questions == ()
    assert update.report.metrics["questions/reward"] == pytest.approx(worth)
    assert update.report.metrics["questions/valid"] == valid
    assert len(update.fixed) == SETTINGS.fixed
    assert state.facts["skeletons"] == []


def test_a_held_out_question_is_neither_answered_nor_trained_on() -> None:
    policy = writer(question(*HELD))
    state = start(policy)
    items: list = []
    own = replace(SETTINGS, fixed=0, learning_rate=1e-2)
    update = selfplay.step(state, [arithmetic] * own.questions, items, HALF, own, list)
    assert update.report.samples == ()
    assert micro.digest(state.trainee.full_policy()) == micro.digest(policy)


def test_a_question_that_nobody_could_judge_is_worth_neither_more_nor_less() -> None:
    policy = writer(question(*FREE))
    state = start(policy)
    update = play(state, pays(None))
    assert update.questions == ()
    assert update.report.metrics["questions/reward"] == 0.0  # of its repetitions
    assert all(math.isnan(group.success) for group in update.fixed)


def test_the_fixed_questions_are_answered_beside_its_own() -> None:
    free = [(a, b) for a in range(60, 70) for b in range(1, 9) if not arithmetic.is_held_out(a, b)]
    two = (question(*FREE), question(*free[0]))
    update = play(start(writer(*two)), HALF)
    assert {asked for asked, _ in update.questions} == set(two)
    assert len(update.fixed) == 2
    assert update.report.metrics["completions"] == 8 + (2 + 2) * 4


def test_more_are_written_than_are_answered() -> None:
    free = [(a, b) for a in range(60, 70) for b in range(1, 9) if not arithmetic.is_held_out(a, b)]
    state = start(writer(*(question(*each) for each in free[:6])))
    own = replace(SETTINGS, questions=3, fixed=0)
    update = selfplay.step(state, [arithmetic] * 24, [], HALF, own, list)
    assert len({asked for asked, _ in update.questions}) == 3
    assert update.report.metrics["completions"] == 24 + 3 * 4
    assert update.report.metrics["questions/unique"] > 3 / 24, "all that could be used count"


def test_the_questioner_learns_to_write_what_can_be_read() -> None:
    """Of two things that it writes equally often, one is a question: after some updates it writes that alone."""
    own = replace(SETTINGS, questions=24, learning_rate=2e-3)
    state = start(writer(question(*FREE), "Who are you?"), own)
    valid = [play(state, pays(0.5), own).report.metrics["questions/valid"] for _ in range(12)]
    assert 0.2 < valid[0] < 0.8
    assert sum(valid[-3:]) / 3 > 0.9


def test_both_roles_learn_in_one_update_and_the_run_is_a_function_of_its_seed() -> None:
    def run(seed: int) -> tuple[str, str]:
        own = replace(SETTINGS, seed=seed, learning_rate=1e-2, questions=6)
        state = start(micro.policy(), own)
        for _ in range(3):
            assert play(state, HALF, own).report.applied
        return micro.digest(state.trainee.full_policy()), json.dumps(state.facts)

    assert run(1) == run(1)
    assert run(1)[0] != run(2)[0]
    assert run(1)[0] != micro.digest(micro.policy())


def test_the_baseline_follows_the_questioners_reward() -> None:
    state = start(writer("Who are you?"))
    play(state, HALF)
    assert state.facts["baselines"] == {"arithmetic": -1.0}
    state.facts["baselines"]["arithmetic"] = 1.0
    play(state, HALF)
    assert state.facts["baselines"]["arithmetic"] == pytest.approx(0.95 - 0.05)


def test_the_history_does_not_grow_without_end() -> None:
    state = start(writer(question(*FREE)))
    state.facts["skeletons"] = ["What is D - D?"] * selfplay.HISTORY
    update = play(state, HALF)
    assert len(state.facts["skeletons"]) == selfplay.HISTORY
    assert state.facts["skeletons"][-1] == "What is DD + DD?"
    assert update.report.metrics["questions/reward"] == pytest.approx(4 / 3 / SETTINGS.questions)


@pytest.mark.parametrize(("pattern", "worth"), [((0.0,) * 4, 0.9), ((1.0,) * 4, 0.1), ((1.0, 0.0, 1.0, 0.0), 0.5)])
def test_in_the_zero_sum_form_a_question_is_worth_what_is_answered_wrong(pattern: tuple, worth: float) -> None:
    own = replace(SETTINGS, form="zero_sum")
    state = start(writer(question(*FREE)))
    for _ in range(2):  # and having been asked before takes nothing off
        update = play(state, pays(*pattern), own)
        assert update.report.metrics["questions/reward"] == pytest.approx(worth / SETTINGS.questions)


def test_each_domain_has_a_baseline_and_numbers_of_its_own() -> None:
    state = start(writer(question(*FREE)))
    own = replace(SETTINGS, questions=4, fixed=0, question_max_new=16)
    metrics = selfplay.step(state, [arithmetic, strings, arithmetic, strings], [], HALF, own, list).report.metrics
    assert set(state.facts["baselines"]) == {"arithmetic", "strings"}
    assert metrics["questions:arithmetic/valid"] == 1.0
    assert metrics["questions:strings/valid"] == 0.0  # it was asked for one, and wrote what it knows, or nothing
    assert metrics["questions/valid"] == 0.5


def test_a_question_that_leaves_no_room_for_its_answer_is_refused() -> None:
    policy = writer(question(*FREE))
    (written,) = questions.write(policy, [arithmetic], 24, 1)
    assert isinstance(written.found, Item)
    asked = len(policy.tokenizer.encode_chat(written.found.messages))
    found = questions._read(arithmetic, policy.tokenizer, asked + 4, written.completion)
    assert isinstance(found, Refusal)
    assert found.kind == "invalid"


@pytest.mark.parametrize(("share", "fixed"), [(0.0, 0), (0.4, 16), (0.5, 24)])
def test_the_share_of_fixed_items_is_of_what_is_answered(share: float, fixed: int) -> None:
    assert selfplay.Settings(questions=24).mixed(share).fixed == fixed
    with pytest.raises(UsageError, match=r"0\.9"):
        selfplay.Settings().mixed(0.95)
    with pytest.raises(UsageError, match="networks"):
        selfplay.Settings(networks=3)


def test_the_second_network_asks_and_the_first_alone_answers() -> None:
    """Each learns its own role: where answers are worth nothing, the answerer stays as it was."""
    own = replace(SETTINGS, networks=2, learning_rate=1e-2, fixed=0, beta=0.0)
    policy = writer(question(*FREE), "Who are you?")
    arms = Arms([(arithmetic, "1")])
    state = selfplay.start(policy, grpo.Settings(seed=3, beta=0.0), replace(own, warm=0), arms, torch.float32)
    play(state, pays(0.5), own)
    assert micro.digest(state.trainee.full_policy()) == micro.digest(policy)
    assert state.other is not None
    assert micro.digest(state.other.full_policy()) != micro.digest(policy)


def test_a_domain_that_it_cannot_ask_about_is_opened_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Untaught, it writes nothing that can be read; some updates later it writes what it was shown, and the book, the
    reference and the memory of gradients are those of the model that begins to play."""
    monkeypatch.setattr(questions, "RIGHT", 0.0)  # of the answers a micro model learns little
    arms = Arms([(arithmetic, "1")])
    own = replace(SETTINGS, warm=300, question_max_new=16)
    state = selfplay.start(micro.policy(), grpo.Settings(seed=3), own, arms, torch.float32)
    how = replace(own.warming, learning_rate=1e-2)
    assert state.facts["open"]["arithmetic"][0] == 0.0
    assert state.facts["reference"] == 0
    while waiting := questions.closed(state, arms, how):
        report = questions.warm(state, arms, waiting, how, list)
        assert "questions/valid" not in report.metrics
    assert state.facts["open"]["arithmetic"][0] >= questions.READABLE
    assert state.step == state.facts["warmed"] == state.facts["reference"] < 300
    assert "norms" not in state.facts
    assert state.reference is not None
    assert micro.digest(state.reference) == micro.digest(state.trainee.policy)
    assert play(state, HALF, own).report.metrics["questions/valid"] > 0.5


def test_an_open_domain_is_shown_questions_and_no_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for what it knows alone; shown others it asks for those too, and the reference is what it is then."""
    policy = writer(question(*FREE))
    monkeypatch.setattr(questions, "_look", lambda state, arms, how: {"arithmetic": [0.9, 0.5]})
    arms = Arms([(arithmetic, "1")])
    own = replace(SETTINGS, warm=300, shown=12)
    state = selfplay.start(policy, grpo.Settings(seed=3), own, arms, torch.float32)
    how = replace(own.warming, learning_rate=4e-2)
    learned: list = []
    first = 0.0
    cross_entropy = state.trainee.cross_entropy
    monkeypatch.setattr(
        state.trainee, "cross_entropy", lambda rows, weight: learned.extend(rows) or cross_entropy(rows, weight)
    )
    while waiting := questions.closed(state, arms, how):
        report = questions.warm(state, arms, waiting, how, list)
        first = first or report.metrics["loss"]
        assert report.metrics["learning_rate"] <= how.learning_rate / 8
    assert state.step == state.facts["shown"] == state.facts["reference"] == 12
    asking = policy.tokenizer.encode_chat(QUESTIONER)
    assert {tuple(each.ids[: len(asking)]) for each in learned} == {tuple(asking)}
    assert report.metrics["loss"] < first / 2
    assert state.reference is not None
    assert micro.digest(state.reference) == micro.digest(state.trainee.policy)


def test_what_there_is_to_do_before_play() -> None:
    arms = Arms([(arithmetic, "1")])
    own = replace(SETTINGS, warm=300, shown=2)
    state = start(writer(question(*FREE)))
    state.facts |= {"open": {"arithmetic": [0.9, 0.5]}, "unseen": ["arithmetic"]}
    assert questions.closed(state, arms, own.warming) == (arithmetic,)  # to be shown
    state.facts["shown"] = 2
    assert questions.closed(state, arms, own.warming) == ()
    state.facts["open"] = {"arithmetic": [0.9, 0.0]}
    assert questions.closed(state, arms, own.warming) == (arithmetic,)  # to be opened
    assert questions.closed(state, arms, replace(own, warm=0).warming) == ()
    state.facts["unseen"] = []
    assert questions.closed(state, arms, replace(own, warm=0, shown=9).warming) == ()


def test_a_form_that_takes_over_a_batch_is_worth_less_at_once() -> None:
    free = [(a, b) for a in range(60, 70) for b in range(11, 19) if not arithmetic.is_held_out(a, b)]
    many, few = [question(*pair) for pair in free[:3]], question(2, 1)
    own = replace(SETTINGS, questions=16, fixed=0)
    state = start(writer(*many, few), own)
    update = play(state, HALF, own)
    assert {asked for asked, _ in update.questions} == {*many, few}
    # Of the three others two are of the form of `many` for each of those, and none is of that of `few`.
    worth = 4 / 3 * (3 * (1 - 2 / 3) + 1) / own.questions
    assert update.report.metrics["questions/reward"] == pytest.approx(worth)
