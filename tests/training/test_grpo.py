"""GRPO: what an answer is worth, what an update does with it, and that it learns what is rewarded and nothing else."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import micro
import pytest
import torch

from mrclassic.errors import UsageError
from mrclassic.rewards.contract import Weighted
from mrclassic.tasks import arithmetic
from mrclassic.tasks.base import Item, keyed
from mrclassic.training import grpo, losses, rollouts
from mrclassic.training import policy_gradient as pg
from mrclassic.training.advantages import spread
from mrclassic.training.journal import Journal
from mrclassic.training.rows import row
from mrclassic.training.state import State

SETTINGS = grpo.Settings(prompts=4, group=6, max_new=10, learning_rate=5e-3, warmup=1, seed=1)


def texts_of(completions: list) -> list[str]:
    return [completion[0]["content"] for completion in completions]


def share_of_letters(completions: list, **columns: object) -> list[float]:
    """Easy to learn: half of the alphabet pays."""
    return [sum("a" <= one <= "m" for one in text) / max(1, len(text)) for text in texts_of(completions)]


def by_chance(completions: list, **columns: object) -> list[float]:
    """The control: a number that has nothing to do with what is said, but the same each time."""
    return [blake2b(text.encode(), digest_size=1).digest()[0] / 255 for text in texts_of(completions)]


def items(state: State, count: int, shift: int = 0) -> list[Item]:
    return [arithmetic.sample(keyed("grpo", state.step, shift, at), "1") for at in range(count)]


def step(state: State, reward: object, own: grpo.Settings = SETTINGS, replay: object = list) -> grpo.Update:
    calls: list[int] = []

    def draw(count: int) -> list[Item]:
        calls.append(count)
        return items(state, count, len(calls))

    return grpo.step(state, draw, [Weighted("reward", reward)], own, replay)  # type: ignore[arg-type]


def start(dtype: torch.dtype = torch.float32, own: grpo.Settings = SETTINGS, loud: float = 4.0) -> State:
    return grpo.start(micro.policy(loud=loud), own, dtype)


def weights(state: State) -> str:
    return micro.digest(state.trainee.full_policy())


# -- an update


def test_on_policy_the_ratio_is_one_and_nothing_is_clipped() -> None:
    state = start()
    for _ in range(3):
        metrics = step(state, share_of_letters).report.metrics
        assert metrics["mismatch"] < 1e-5
        assert metrics["clip_ratio/low_mean"] == metrics["clip_ratio/high_mean"] == 0.0


def test_in_bfloat16_sampling_and_scoring_agree_nearly() -> None:
    assert step(start(torch.bfloat16), share_of_letters).report.metrics["mismatch"] < 0.05


def test_the_reference_is_where_it_began() -> None:
    state = start()
    distances = [step(state, share_of_letters).report.metrics["kl"] for _ in range(4)]
    assert distances[0] == pytest.approx(0.0, abs=1e-9)
    assert distances[1] > 1e-5
    assert distances[3] > distances[1]
    assert state.reference is not None
    assert micro.digest(state.reference) == micro.digest(micro.policy(loud=4.0))


@pytest.mark.parametrize(
    "reward",
    [
        lambda completions, **columns: [0.1] * len(completions),
        lambda completions, **columns: [None] * len(completions),
        lambda completions, **columns: [math.nan] * len(completions),
        lambda completions, **columns: [1.0],
        lambda completions, **columns: 1 / 0,
    ],
    ids=["constant", "abstains", "nan", "wrong length", "raises"],
)
def test_where_nothing_is_to_be_learnt_nothing_moves(reward: object) -> None:
    state = start()
    before = weights(state)
    update = step(state, reward)
    assert weights(state) == before
    assert update.report.applied
    assert state.step == 1
    assert update.report.metrics["frac_reward_zero_std"] == 1.0
    assert update.report.metrics["grad_norm"] == 0.0


def test_who_could_not_judge_gives_no_success() -> None:
    update = step(start(), lambda completions, **columns: [None] * len(completions))
    assert all(math.isnan(group.success) for group in update.groups)
    update = step(start(), lambda completions, **columns: [None, 1.0, 0.0] * (len(completions) // 3))
    assert all(group.success == 0.5 for group in update.groups)


def test_groups_without_spread_are_drawn_again_and_those_with_it_are_learnt_from() -> None:
    """One question in two is rewarded by its answers, the other always alike."""
    sizes: list[int] = []

    def half(completions: list, answer: list[str], **columns: object) -> list[float]:
        values = by_chance(completions)
        return [value if int(gold) % 2 else 0.3 for value, gold in zip(values, answer, strict=True)]

    own = replace(SETTINGS, prompts=6, redraws=2)
    state = start(own=own)

    def draw(count: int) -> list[Item]:
        sizes.append(count)
        return items(state, count, len(sizes))

    update = grpo.step(state, draw, [Weighted("half", half)], own, list)
    assert sizes[0] == 6
    assert 1 < len(sizes) <= 3
    assert sum(sizes) == len(update.groups)
    assert all(later <= earlier for earlier, later in itertools.pairwise(sizes))
    assert update.report.metrics["groups/redrawn"] == sum(sizes[1:])
    assert update.report.metrics["completions"] == sum(sizes) * own.group
    useful = sum(spread(group.rewards) > 1e-6 for group in update.groups)
    assert update.report.metrics["frac_reward_zero_std"] == pytest.approx(1 - useful / 6)


def test_a_gradient_that_is_not_finite_is_discarded() -> None:
    state = start()
    step(state, share_of_letters)
    before = weights(state)
    rows = row(state.trainee.policy.tokenizer, micro.ENTRIES[0].messages, 96)
    bad = pg.Rollout(rows, (math.nan,) * rows.targets, (1.0,) * rows.targets)
    size = losses.Size(1, rows.targets, 10)

    def gradients() -> dict[str, float]:
        return pg.accumulate(
            state.trainee, [bad], SETTINGS.objective, size, SETTINGS.sampling, reference=state.reference
        )

    assert math.isnan(grpo.learn(state, gradients, [], SETTINGS)["grad_norm"])
    assert weights(state) == before
    assert step(state, share_of_letters).report.applied
    assert weights(state) != before


def test_broken_weights_do_not_end_in_broken_masters() -> None:
    state = start()
    before = weights(state)
    with torch.no_grad():
        state.trainee.policy.decoder.norm.fill_(float("nan"))
    replay = [row(state.trainee.policy.tokenizer, micro.ENTRIES[0].messages, 96)]
    assert not step(state, by_chance, replay=lambda: replay).report.applied
    assert weights(state) == before


def test_replayed_rows_go_along_even_where_no_answer_is_worth_anything() -> None:
    state = start()
    tokenizer = state.trainee.policy.tokenizer
    replay = [row(tokenizer, entry.messages, 96) for entry in micro.ENTRIES]
    losses = [
        step(state, lambda completions, **columns: [0.0] * len(completions), replay=lambda: replay).report.metrics[
            "replay/loss"
        ]
        for _ in range(15)
    ]
    assert losses[-1] < 0.7 * losses[0]


# -- what is trained, and what it is divided by


def test_the_end_token_is_part_of_what_is_learnt() -> None:
    """A sampled end token that is masked out of the update never becomes more likely."""
    policy = micro.policy()
    completions = pg.sample(policy, [policy.tokenizer.encode("Hi")], 200, pg.Sampling(40), seed=2)[0]
    stopped = next(completion for completion in completions if completion.finish_reason == "stop")
    made = pg.rollout([7, 8], stopped, 1.0)
    assert made.row.ids[-1] == policy.tokenizer.end_id
    assert len(made.logprobs) == made.row.targets == len(stopped.tokens)


def test_stopping_is_learnt_when_it_pays() -> None:
    own = replace(SETTINGS, prompts=4, group=16, max_new=24, learning_rate=2e-2)
    state = start(own=own, loud=1.0)

    def short(completions: list, **columns: object) -> list[float]:
        return [-float(len(text)) for text in texts_of(completions)]

    lengths = [step(state, short, own).report.metrics["completions/mean_length"] for _ in range(15)]
    assert lengths[0] > 18
    assert lengths[-1] < 0.5 * lengths[0]


# -- learning


def rewards_over(reward: object, seed: int, updates: int = 20) -> list[float]:
    own = replace(SETTINGS, group=12, seed=seed, learning_rate=1e-2)
    state = start(own=own, loud=1.0)
    return [
        sum(share_of_letters([[{"content": sample.completion}]])[0] for sample in update.report.samples)
        / len(update.report.samples)
        if reward is by_chance
        else update.report.metrics["reward"]
        for update in (step(state, reward, own) for _ in range(updates))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_rewarded_is_learnt_and_a_reward_by_chance_teaches_nothing(seed: int) -> None:
    learnt = rewards_over(share_of_letters, seed)
    begun, now = sum(learnt[:3]) / 3, sum(learnt[-3:]) / 3
    assert now > begun + 0.3
    control = rewards_over(by_chance, seed)
    begun, now = sum(control[:3]) / 3, sum(control[-3:]) / 3
    assert now < begun + 0.15


def test_the_same_seed_gives_the_same_run_and_another_does_not() -> None:
    def run(seed: int) -> str:
        own = replace(SETTINGS, seed=seed)
        state = start(own=own)
        for _ in range(2):
            step(state, share_of_letters, own)
        return weights(state)

    assert run(1) == run(1) != run(2)


def test_the_report_has_the_fields_names() -> None:
    report = step(start(loud=1.0), share_of_letters, replace(SETTINGS, max_new=40, group=16)).report
    wanted = {
        "loss", "kl", "kl_median", "entropy", "clip_ratio/low_mean", "clip_ratio/high_mean", "clip_ratio/region_mean",
        "grad_norm", "learning_rate", "reward", "reward_std", "frac_reward_zero_std", "completions/mean_length",
        "completions/min_length", "completions/max_length", "completions/clipped_ratio", "tokens",
        "completions/mean_terminated_length", "rewards/reward/mean", "rewards/reward/std", "mismatch", "mismatch_max",
        "microbatch/halved",
    }  # fmt: skip
    assert wanted <= set(report.metrics)
    assert all(math.isfinite(value) for value in report.metrics.values())
    assert 0 < report.metrics["entropy"] < math.log(320)
    assert report.metrics["completions/min_length"] < report.metrics["completions/mean_length"] < 40
    assert report.metrics["completions/max_length"] == 40
    assert len(report.samples) == SETTINGS.prompts  # one answer of each group, with what each reward gave it
    for sample in report.samples:
        assert sample.detail["rewards"] == {"reward": sample.reward}
        assert sample.detail["finish_reason"] in ("stop", "length")


# -- options


@pytest.mark.parametrize(
    "own",
    [
        {"loss": "dapo"},
        {"loss": "grpo", "advantage": "standardised"},
        {"loss": "gspo", "clip_low": 3e-4, "clip_high": 4e-4, "epochs": 2},
        {"kl": "k1", "beta": 0.05},
        {"kl": "none"},
        {"epochs": 3, "top_p": 0.9, "temperature": 0.8},
        {"top_k": 40, "reference_every": 3},
    ],
    ids=lambda own: ",".join(f"{name}={value}" for name, value in own.items()),
)
def test_every_kind_learns_what_is_rewarded(own: dict[str, object]) -> None:
    made = replace(SETTINGS, group=12, max_new=12, learning_rate=1e-2, redraws=0, **own)
    state = start(own=made, loud=1.0)
    found = [step(state, share_of_letters, made).report for _ in range(14)]
    assert all(report.applied for report in found)
    rewards = [report.metrics["reward"] for report in found]
    assert sum(rewards[-3:]) > sum(rewards[:3]) + 0.3
    assert found[0].metrics["mismatch"] < 1e-5 or made.epochs > 1


@pytest.mark.parametrize(
    "own",
    [{"group": 1}, {"group": 65}, {"top_p": 0.0}, {"temperature": 0.0}, {"epochs": 0}, {"beta": -1.0}],
)
def test_settings_that_mean_nothing_are_refused_in_a_sentence(own: dict[str, float]) -> None:
    (name,) = own
    with pytest.raises(UsageError, match=f"{name} is .*; it goes from"):
        replace(SETTINGS, **own)


def test_several_passes_keep_the_log_probabilities_of_the_draw() -> None:
    own = replace(SETTINGS, epochs=3, learning_rate=2e-2)
    state = start(own=own)
    metrics = step(state, share_of_letters, own).report.metrics
    assert state.step == 1
    assert metrics["mismatch"] > 1e-2  # the later passes are off policy
    assert metrics["clip_ratio/region_mean"] > 0
    assert metrics["clip_ratio/region_mean"] == pytest.approx(
        metrics["clip_ratio/low_mean"] + metrics["clip_ratio/high_mean"]
    )


@pytest.mark.parametrize("own", [{"top_p": 0.7}, {"top_k": 5}, {"top_p": 0.8, "top_k": 20, "temperature": 0.7}])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_was_cut_at_sampling_is_cut_at_scoring(own: dict[str, float], dtype: torch.dtype) -> None:
    """trl#6789: scored over the whole vocabulary, every ratio begins below one."""
    made = replace(SETTINGS, **own)
    metrics = step(start(dtype, own=made), share_of_letters, made).report.metrics
    assert metrics["mismatch"] < (1e-5 if dtype == torch.float32 else 0.05)
    assert metrics["kl"] == pytest.approx(0.0, abs=1e-9)  # the reference is renormalised over the same tokens


def test_the_reference_can_follow() -> None:
    own = replace(SETTINGS, reference_every=2)
    state = start(own=own)
    distances = [step(state, share_of_letters, own).report.metrics["kl"] for _ in range(3)]
    assert distances[1] > 1e-5
    assert distances[2] == pytest.approx(0.0, abs=1e-9)
    assert state.reference is not None
    assert micro.digest(state.reference) != micro.digest(micro.policy(loud=4.0))


def test_without_a_divergence_there_is_no_reference() -> None:
    for own in (replace(SETTINGS, beta=0.0), replace(SETTINGS, kl="none")):
        state = start(own=own)
        assert state.reference is None
        assert "kl" not in step(state, share_of_letters, own).report.metrics


def test_cut_off_answers_carry_no_loss_and_are_not_divided_by() -> None:
    """trl#6369, and an end token drawn as the very last one allowed is an end."""
    policy = micro.policy()
    prompt = policy.tokenizer.encode("Hi")
    found = pg.sample(policy, [prompt], 300, pg.Sampling(40), seed=2)[0]
    stopped = [completion for completion in found if completion.finish_reason == "stop"]
    limit = max(len(completion.tokens) for completion in stopped)
    again = pg.sample(policy, [prompt], 300, pg.Sampling(limit), seed=2)[0]
    last = [
        completion
        for completion in again
        if len(completion.tokens) == limit and completion.tokens[-1] == policy.tokenizer.end_id
    ]
    assert last
    assert all(completion.finish_reason == "stop" for completion in last)
    ended = [completion for completion in again if completion.finish_reason == "stop"]
    rewards: list[float | None] = [float(at % 2) for at in range(300)]
    group = rollouts.Group(items(start(), 1)[0], prompt, again, [""] * 300, rewards, {}, [True] * 300)
    size = rollouts.size_of([group], limit, mask_truncated=True)
    assert (size.completions, size.tokens) == (len(ended), sum(len(each.tokens) for each in ended))
    trained = rollouts.rollouts_of([group], mask_truncated=True)
    assert [each.logprobs for each in trained] == [each.logprobs for each in ended]
    assert rollouts.size_of([group], limit).completions == len(rollouts.rollouts_of([group])) == 300


def test_where_all_are_cut_off_and_masked_nothing_moves() -> None:
    own = replace(SETTINGS, mask_truncated=True, max_new=1)
    state = start(own=own)
    before = weights(state)
    update = step(state, by_chance, own)
    assert update.report.applied
    if update.report.metrics["completions/clipped_ratio"] == 1.0:
        assert weights(state) == before


def test_rewards_that_differ_by_little_are_differences() -> None:
    """OpenRLHF#1270: a filter made for right and wrong passes over continuous rewards."""
    update = step(start(), lambda completions, **columns: [0.9 + 1e-4 * value for value in by_chance(completions)])
    assert update.report.metrics["frac_reward_zero_std"] == 0.0
    assert update.report.metrics["grad_norm"] > 0


def test_rewards_are_told_what_they_may_ask_about() -> None:
    told: dict[str, object] = {}

    def curious(prompts: list, completions: list, **columns: object) -> list[float]:
        told.update(columns)
        return by_chance(completions)

    state = start()
    step(state, curious, replace(SETTINGS, redraws=0))
    count = SETTINGS.completions
    for name in ("item", "answer", "completion_ids"):
        assert len(told[name]) == count  # type: ignore[arg-type]
    assert told["max_new"] == SETTINGS.max_new
    assert all(isinstance(ids, list) and 1 <= len(ids) <= SETTINGS.max_new for ids in told["completion_ids"])  # type: ignore[attr-defined]


# -- what cannot be computed again


class Fickle:
    """A judge that never says the same twice, and is out of order now and then."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, completions: list, **columns: object) -> list[float]:
        self.asked += 1
        if self.asked % 4 == 0:
            raise TimeoutError("the server did not answer")
        return [keyed(self.asked, at).random() for at in range(len(completions))]


def test_a_run_goes_on_by_what_its_judge_said_then(tmp_path: Path) -> None:
    whole = start()
    whole.journal = Journal(tmp_path / "journal.jsonl")
    judge = Fickle()
    for _ in range(3):
        step(whole, judge)
    whole.save(tmp_path)
    for _ in range(3):
        step(whole, judge)
    resumed = start()
    resumed.journal = Journal(tmp_path / "journal.jsonl")
    assert resumed.resume(tmp_path)
    assert resumed.step == 3
    other = Fickle()
    for _ in range(3):
        step(resumed, other)
    assert other.asked == 0
    assert weights(resumed) == weights(whole)
    assert resumed.facts == whole.facts
    assert resumed.facts["strikes"]
    step(resumed, other)
    assert other.asked > 0


def test_a_moved_reference_is_saved_and_rolled_back(tmp_path: Path) -> None:
    own = replace(SETTINGS, reference_every=2)
    whole = start(own=own)
    begun = whole.snapshot()
    for _ in range(3):
        step(whole, share_of_letters, own)
    whole.save(tmp_path)
    resumed = start(own=own)
    assert resumed.resume(tmp_path)
    assert whole.reference is not None
    assert resumed.reference is not None
    assert micro.digest(resumed.reference) == micro.digest(whole.reference)
    for state in (whole, resumed):
        step(state, share_of_letters, own)
    assert weights(resumed) == weights(whole)
    whole.roll_back(begun)
    assert micro.digest(whole.reference) == micro.digest(micro.policy(loud=4.0))
