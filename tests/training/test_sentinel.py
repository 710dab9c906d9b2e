"""The sentinel: every rule objects to what it is for, in words with numbers, cause and samples."""

from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from traces import Change, Shape, objection, samples

from mrclassic.training.report import Sample, StepReport
from mrclassic.training.sentinel import (
    REINFORCED,
    SELF_PLAYED,
    SUPERVISED,
    WINDOW,
    Look,
    Sentinel,
    Verdict,
    too_large,
)

ACTIONS = ("continue", "warn", "pause", "roll back", "stop")


def setting(**values: float) -> Change:
    renamed = {name.replace("__", "/"): value for name, value in values.items()}
    return lambda since, metrics: metrics.update(renamed)


def discarded(since: int, metrics: dict[str, float]) -> bool:
    metrics["grad_norm"] = math.nan
    return since not in (0, 12, 30)


def spikes(since: int, metrics: dict[str, float]) -> bool:
    if since in (0, 9, 20):
        metrics["grad_norm"] = 40.0
    return since not in (0, 9, 20)  # skipped by the method


def jumps(since: int, metrics: dict[str, float]) -> None:
    metrics["kl"] = 4.0 if since in (3, 9) else 0.01


def odd_tokens(since: int, metrics: dict[str, float]) -> None:
    metrics |= {"kl": 4.0 if since % 4 == 3 else 0.01, "kl_median": 1e-6}


def fades(since: int, metrics: dict[str, float]) -> None:
    metrics |= {"entropy": 0.08, "reward": 0.2}


@pytest.mark.parametrize(
    ("change", "action", "rule", "within"),
    [
        (discarded, "roll back", "nan", 31),
        (spikes, "roll back", "gradient", 21),
        (setting(frac_reward_zero_std=0.95, reward=0.99), "pause", "zero_std", WINDOW),
        (setting(frac_reward_zero_std=0.95, reward=0.01), None, None, WINDOW),
        (setting(completions__clipped_ratio=0.3), "pause", "truncated", WINDOW),
        (setting(completions__clipped_ratio=0.9), None, "truncated", WINDOW),
        (setting(completions__mean_length=70, reward=0.2), "pause", "length", WINDOW),
        (fades, "pause", "entropy", 2 * WINDOW),
        (setting(kl=0.9), "roll back", "kl", WINDOW // 2),
        (setting(kl=0.2, reward=0.1), None, None, WINDOW),
        (jumps, "roll back", "kl", 10),
        (setting(reward=0.1), "roll back", "reward", 2 * WINDOW),
        (setting(answers__not_found=0.5), "pause", "parser", WINDOW),
        (setting(rewards__abstained=0.03), "pause", "unjudged", WINDOW),
        (setting(rewards__abstained=0.9), None, "unjudged", WINDOW),
    ],
)
def test_each_rule_fires_on_what_it_is_for(change: Change, action: str | None, rule: str | None, within: int) -> None:
    found = objection(change)
    assert found is not None
    step, verdict = found
    assert 60 <= step < 60 + within
    assert rule is None or verdict.rule == rule
    assert verdict.action in ("pause", "roll back")
    assert action is None or verdict.action == action
    assert verdict.message.endswith(".")
    assert len(verdict.message) > 20
    assert any(letter.isdigit() for letter in verdict.message)


def test_babble_is_noticed_before_the_reward_has_halved() -> None:
    found = objection(setting(entropy=2.0, reward=0.4), shape=Shape(reward=(0.5, 0.6)))
    assert found is not None
    assert (found[1].rule, found[0] < 60 + WINDOW) == ("entropy", True)


def test_the_gravest_verdict_counts() -> None:
    """An abrupt freeze is a tenth at once: where a pause and a roll back both hold, it is rolled back."""
    both = objection(setting(reward=0.05, entropy=0.001, completions__clipped_ratio=0.99), begin=20)
    assert both is not None
    seen = []
    for action in ("warn", "roll back", "pause", "continue"):
        seen.append(lambda history, action=action: Verdict(action, action))  # type: ignore[misc]
    assert Sentinel(seen).judge(StepReport(1, {})).action == "roll back"
    assert [Verdict(action).gravity for action in ACTIONS] == [0, 1, 2, 3, 4]  # type: ignore[arg-type]


def story(since: int, metrics: dict[str, float]) -> None:
    """The night that was lost: style leaves the parser, answers grow, reward goes from 0.7 to 0.15."""
    away = min(1.0, since / 120)
    metrics |= {
        "answers/not_found": 0.03 + 0.7 * away,
        "reward": 0.7 - 0.55 * away,
        "completions/mean_length": 30 * (1 + 1.6 * away),
        "frac_reward_zero_std": 0.3 + 0.6 * away,
    }


def test_the_drift_that_cost_a_night_is_stopped_within_sixty_updates_and_the_parser_is_named() -> None:
    for seed in range(10):
        found = objection(story, shape=Shape(reward=(0.6, 0.72)), seed=seed)
        assert found is not None
        step, verdict = found
        assert step < 60 + 60
        assert verdict.rule == "parser"
        assert "the parser no longer finds the answer in" in verdict.message
        assert "see samples" in verdict.message


def test_without_the_parsers_share_the_drift_is_still_noticed() -> None:
    def blind(since: int, metrics: dict[str, float]) -> None:
        story(since, metrics)
        del metrics["answers/not_found"]

    found = objection(blind, shape=Shape(reward=(0.6, 0.72)))
    assert found is not None
    assert found[0] < 60 + 130


def test_the_words_name_numbers_cause_and_samples() -> None:
    sentinel = Sentinel(REINFORCED)
    shown = tuple(
        Sample("q", "so 4. I hope that helps!" if at in (11, 14) else "so 4.", 0.0 if at in (11, 14) else 1.0)
        for at in range(16)
    )
    base = {"reward": 0.61, "completions/mean_length": 30.0, "answers/not_found": 0.02}
    for step in range(1, 41):
        assert sentinel.judge(StepReport(step, base, shown)).action == "continue"
    bad = {"reward": 0.2, "completions/mean_length": 69.0, "answers/not_found": 0.41}
    verdicts = [sentinel.judge(StepReport(step, bad, shown)) for step in range(41, 61)]
    assert next(verdict for verdict in verdicts if verdict.action != "continue").rule == "parser"
    last = verdicts[-1]  # asked on although it had paused: what was damage to come is damage done
    assert last.action == "roll back"
    assert last.message == (
        "Completions grew 2.3 times while reward fell from 0.61 to 0.20: the parser no longer finds the answer in 41% "
        "of them (2% at first); see samples 1, 12, 15 of update 60."
    )


def test_without_a_change_of_length_the_words_say_whose_answers() -> None:
    sentinel = Sentinel(REINFORCED)
    verdicts = [
        sentinel.judge(StepReport(step, {"reward": 0.5, "answers/not_found": 0.0 if step < 30 else 0.3}))
        for step in range(1, 50)
    ]
    told = next(verdict.message for verdict in verdicts if verdict.rule == "parser")
    assert told.startswith("Reward stayed at 0.50: the parser no longer finds the answer in 1")
    assert "% of the completions (0% at first)" in told


def test_samples_that_the_parser_did_not_find_come_first() -> None:
    missed = (3, 8, 9)
    missed = (3, 8, 9)
    marked = tuple(Sample("q", "a" * (100 - at), 0.0, {"found": at not in missed}) for at in range(16))
    sentinel = Sentinel(REINFORCED)
    for step in range(1, 30):
        sentinel.judge(StepReport(step, {"answers/not_found": 0.0, "reward": 0.5}, marked))
    verdicts = [sentinel.judge(StepReport(30 + at, {"answers/not_found": 0.9}, marked)) for at in range(10)]
    assert "see samples 4, 9, 10 of update" in next(v.message for v in verdicts if v.rule == "parser")


def test_a_second_pause_for_the_parser_is_a_roll_back_even_after_a_resume() -> None:
    sentinel = Sentinel(REINFORCED)
    rng = random.Random(0)

    def run(sentinel: Sentinel, begin: int, missing: float) -> Verdict:
        for step in range(begin, begin + 60):
            verdict = sentinel.judge(StepReport(step, Shape().at(0, rng) | {"answers/not_found": missing}))
            if verdict.action != "continue":
                return verdict
        return verdict

    assert run(sentinel, 1, 0.03).action == "continue"
    good = sentinel.memory()
    assert run(sentinel, 61, 0.6).action == "pause"
    sentinel.recall(good)
    resumed = Sentinel(REINFORCED)
    resumed.recall(json.loads(json.dumps(sentinel.memory())))
    assert run(resumed, 61, 0.03).action == "continue"
    again = run(resumed, 121, 0.6)
    assert (again.action, again.rule) == ("roll back", "parser")


def test_memory_is_plain_and_a_resumed_sentinel_says_the_same() -> None:
    rng = random.Random(5)
    one, two = Sentinel(REINFORCED), Sentinel(REINFORCED)
    for step in range(1, 200):
        metrics = Shape().at(step, rng)
        if step > 120:
            story(step - 120, metrics)
        report = StepReport(step, metrics)
        look = Shape().look(step, rng) if step % 25 == 0 else None
        fresh = Sentinel(REINFORCED)
        fresh.recall(json.loads(json.dumps(two.memory())))
        two = fresh
        assert one.judge(report, look) == two.judge(report, look)
        assert one.healthy() == two.healthy()
    assert len(one.history) == len(two.history) == 199
    legacy = Sentinel(REINFORCED)
    legacy.recall([{"step": 1, "metrics": {}, "applied": True, "best": 0.1}])  # of an older program: it begins anew
    assert len(legacy.history) == 0


def test_one_odd_update_stops_nothing() -> None:
    odd = setting(
        frac_reward_zero_std=1.0,
        completions__clipped_ratio=1.0,
        completions__mean_length=200,
        answers__not_found=1.0,
        entropy=9,
        kl=3,
        reward=0,
        grad_norm=1e6,
    )
    assert objection(lambda since, metrics: odd(since, metrics) if since == 0 else None) is None


def test_odd_tokens_that_carry_the_mean_distance_stop_nothing() -> None:
    assert objection(odd_tokens) is None
    found = objection(lambda since, metrics: metrics.update({"kl": 0.9, "kl_median": 1e-6}))
    assert found is not None
    assert found[1].rule == "kl"


def test_two_discarded_updates_stop_nothing_and_old_ones_are_forgotten() -> None:
    assert objection(lambda since, metrics: since not in (0, 20)) is None
    assert objection(lambda since, metrics: since not in (0, 60, 120, 180)) is None


@pytest.mark.parametrize(
    ("metric", "value", "rule"),
    [
        ("completions/clipped_ratio", 0.97, "truncated"),
        ("frac_reward_zero_std", 1.0, "zero_std"),
        ("answers/not_found", 0.8, "parser"),
        ("rewards/abstained", 1.0, "unjudged"),
    ],
)
def test_the_first_update_is_looked_at_at_once(metric: str, value: float, rule: str) -> None:
    verdict = Sentinel(REINFORCED).judge(StepReport(1, {"reward": 0.3, metric: value}, samples()))
    assert (verdict.action, verdict.rule) == ("warn", rule)
    assert "of update 1" in verdict.message


def test_a_first_update_with_two_faults_says_both() -> None:
    verdict = Sentinel(REINFORCED).judge(StepReport(1, {"completions/clipped_ratio": 1.0, "frac_reward_zero_std": 1.0}))
    assert "length limit" in verdict.message
    assert "equal" in verdict.message


def test_a_verifier_that_never_worked_stops_the_run_and_one_that_breaks_rolls_it_back() -> None:
    broken = objection(setting(rewards__abstained=1.0), begin=0, warnings=False)
    assert broken is not None
    assert (broken[0], broken[1].action) == (4, "stop")
    poor = objection(setting(rewards__abstained=0.2), begin=0, warnings=False)
    assert poor is not None
    assert poor[1].action == "stop"
    actions = []
    sentinel, rng = Sentinel(REINFORCED), random.Random(0)
    for step in range(120):
        bad = {"rewards/abstained": 0.5} if step >= 60 else {}
        actions.append(sentinel.judge(StepReport(step + 1, Shape().at(step, rng) | bad)).action)
    assert "roll back" in actions
    assert "stop" not in actions


def looked(held_out: list[int], book: list[int], rising: bool = True) -> list[Verdict]:
    """The verdicts at looks of 100 items each, every 25 updates, while the train reward rises."""
    sentinel, rng = Sentinel(REINFORCED), random.Random(2)
    verdicts = []
    sentinel.history.look(Look((held_out[0], 100), (book[0], 100)), 0)
    for step in range(1, 25 * len(held_out)):
        at, due = divmod(step, 25)
        metrics = Shape(updates=200).at(step if rising else 0, rng)
        look = None if due else Look((held_out[at], 100), (book[at], 100))
        verdict = sentinel.judge(StepReport(step, metrics), look)
        if look is not None:
            verdicts.append(verdict)
    return verdicts


def test_reward_that_rises_while_held_out_items_fall_is_stopped() -> None:
    book = [100] * 8
    fine = [20, 40, 50, 55, 60, 62, 63, 64]
    assert {verdict.action for verdict in looked(fine, book)} == {"continue"}
    fallen = looked([40, 55, 60, 60, 48, 46, 30, 25], book)
    assert {verdict.rule for verdict in fallen if verdict.rule} == {"held_out"}
    assert [verdict.action for verdict in fallen if verdict.rule][:2] == ["pause", "roll back"]
    first = next(verdict for verdict in fallen if verdict.rule)
    assert "held-out items fell from 60% of 200" in first.message
    flat = looked([40, 55, 60, 60, 48, 46, 30, 25], book, rising=False)
    assert "held_out" not in {verdict.rule for verdict in flat}


def test_a_book_that_is_forgotten_is_noticed() -> None:
    learns = [20, 40, 50, 55, 60]
    assert {verdict.action for verdict in looked(learns, [100, 98, 97, 98, 99])} == {"continue"}
    slow = looked(learns, [100, 97, 93, 92, 91])
    assert [verdict.action for verdict in slow] == ["continue", "continue", "pause", "pause"]
    assert "it knew 100% of 100 at first and 92% of 100 at update 75" in slow[2].message
    assert looked(learns, [100, 60, 20, 2, 2])[0].action == "roll back"
    assert {verdict.action for verdict in looked(learns, [0, 0, 0, 0, 0])} == {"continue"}


def test_a_gradient_is_too_large_only_against_enough_others() -> None:
    usual = [0.5, 0.7, 0.6] * 10
    assert too_large(7.0, usual)
    assert not too_large(5.9, usual)
    assert not too_large(1e9, usual[: WINDOW - 1])
    assert not too_large(0.9, [1e-6] * 50)
    assert too_large(8.0, [1e9] * 100 + usual + [math.nan] * 3)
    assert not too_large(math.nan, usual)


def supervised(losses: list[float]) -> Verdict:
    sentinel = Sentinel(SUPERVISED)
    verdicts = [sentinel.judge(StepReport(at + 1, {"loss": loss})) for at, loss in enumerate(losses)]
    return next((verdict for verdict in verdicts if verdict.action != "continue"), verdicts[-1])


def test_a_supervised_loss_that_explodes_is_rolled_back_and_one_that_falls_is_not() -> None:
    falling = [6 * 0.98**at for at in range(200)]
    assert supervised(falling).action == "continue"
    assert supervised([0.3 * 0.99**at for at in range(60)] + [5.0] * WINDOW).rule == "loss"
    assert supervised([0.3] * 60 + [9.0] + [0.3] * 60).action == "continue"


def test_a_state_is_good_only_after_an_applied_update_near_the_best_reward() -> None:
    sentinel = Sentinel(REINFORCED)
    assert not sentinel.healthy()
    sentinel.judge(StepReport(1, {"reward": 0.5}))
    assert sentinel.healthy()
    sentinel.judge(StepReport(2, {"reward": 0.5}, applied=False))
    assert not sentinel.healthy()
    for step in range(60):
        sentinel.judge(StepReport(3 + step, {"reward": 0.5}))
    assert sentinel.healthy()
    for step in range(WINDOW):
        sentinel.judge(StepReport(63 + step, {"reward": 0.4}))
    assert not sentinel.healthy()


@pytest.mark.parametrize(("key", "rule"), [("questions/valid", "questions"), ("questions/unique", "repetition")])
def test_self_play_that_leaves_the_game_is_noticed(key: str, rule: str) -> None:
    sentinel = Sentinel(SELF_PLAYED)
    verdicts = [sentinel.judge(StepReport(at + 1, {"reward": 0.5, key: 0.3})) for at in range(WINDOW)]
    assert verdicts[-1].rule == rule


@pytest.mark.parametrize(
    ("first", "last", "alike", "rule"),
    [
        (0.2, 0.9, 0.95, "one_form"),
        (0.05, 0.35, 0.95, "one_form"),
        (0.2, 0.9, 0.7, ""),  # the form that is at the edge
        (0.6, 0.6, 0.95, ""),  # a level that has but few forms
        (0.2, 0.4, 0.95, ""),
    ],
)
def test_a_form_that_takes_over_is_told_by_its_rise(first: float, last: float, alike: float, rule: str) -> None:
    sentinel = Sentinel(SELF_PLAYED)
    shares = [first] * WINDOW + [last] * WINDOW
    known = {"reward": 0.5, "frac_reward_zero_std": alike}
    verdicts = [
        sentinel.judge(StepReport(at + 1, {**known, "questions/largest_skeleton": share}))
        for at, share in enumerate(shares)
    ]
    assert verdicts[-1].rule == rule
    assert not any(verdict.rule for verdict in verdicts[:WINDOW])


@pytest.mark.parametrize(
    ("first", "last", "rule"),
    [
        (0.8, 0.06, "beyond"),
        (0.35, 0.06, "beyond"),
        (0.8, 0.4, ""),  # at the edge
        (0.1, 0.06, ""),  # a domain that was opened lately
    ],
)
@pytest.mark.parametrize("shown", [0, WINDOW])  # updates before play, which know nothing of it
def test_questions_that_are_only_ever_failed_are_noticed(first: float, last: float, rule: str, shown: int) -> None:
    sentinel = Sentinel(SELF_PLAYED)
    for at in range(shown):
        sentinel.judge(StepReport(at + 1, {"loss": 1.0}))
    for at in range(WINDOW):
        sentinel.judge(StepReport(at + 1, {"reward": 0.5, "questions/success": first}))
    for at in range(WINDOW):
        verdict = sentinel.judge(StepReport(WINDOW + at + 1, {"reward": 0.5, "questions/success": last}))
    assert verdict.rule == rule


def test_the_lowest_share_of_unreadable_answers_is_remembered_where_the_mix_moves() -> None:
    """Also where it was none."""
    sentinel = Sentinel(SELF_PLAYED)
    for at, (share, missing) in enumerate([(1.0, 0.0)] * WINDOW + [(0.0, 0.3)] * WINDOW):
        metrics = {"reward": 0.5, "share/a": share, "share/b": 1 - share, "answers/not_found": missing}
        verdict = sentinel.judge(StepReport(at + 1, metrics))
    assert verdict.rule == "parser"


def test_the_questioner_has_time_to_find_the_edge() -> None:
    sentinel = Sentinel(SELF_PLAYED)
    said = [
        sentinel.judge(StepReport(at + 1, {"reward": 0.9, "frac_reward_zero_std": 0.99})).rule
        for at in range(3 * WINDOW)
    ]
    assert said == [*[""] * (3 * WINDOW - 1), "zero_std"]


@settings(max_examples=60, deadline=None)
@given(
    history=st.lists(
        st.dictionaries(
            st.sampled_from(
                [
                    *("reward", "loss", "kl", "kl_median", "entropy", "frac_reward_zero_std", "grad_norm"),
                    *(
                        "completions/mean_length",
                        "completions/clipped_ratio",
                        "answers/not_found",
                        "share/a",
                        "questions/success",
                        "share/b",
                    ),
                ]
            ),
            st.floats() | st.floats(0, 1),
        ),
        max_size=70,
    )
)
def test_whatever_the_numbers_there_is_a_verdict(history: list[dict[str, float]]) -> None:
    sentinel = Sentinel((*REINFORCED, *SUPERVISED, *SELF_PLAYED))
    for at, metrics in enumerate(history):
        look = Look((at % 3, 3), (0, 0)) if at % 5 == 0 else None
        verdict = sentinel.judge(StepReport(at + 1, metrics), look)
        assert verdict.action in ACTIONS
        assert (verdict.action == "continue") == (verdict.rule == "")
        sentinel.healthy()
        json.dumps(sentinel.memory())


def test_gradients_that_fall_at_the_beginning_are_no_spikes_afterwards() -> None:
    """Judged against what came after them, the first gradients of a lesson ended it at update 53."""
    sentinel = Sentinel(SUPERVISED)
    for step in range(1, 121):
        norm = 380.0 * 0.8**step + 3.0
        verdict = sentinel.judge(StepReport(step, {"loss": 3.0 - step / 100, "grad_norm": norm}))
        assert verdict.action == "continue", verdict
