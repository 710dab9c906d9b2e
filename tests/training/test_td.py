"""TD over turns: what is said goes into the update as it was drawn, and what deserves it is learned."""

from __future__ import annotations

from dataclasses import replace

import micro
import pytest
import torch
from methods import DIALOGUES, METHODS, RATED, TALKS, TD, advance

from mrclassic.errors import MrClassicError, Refused, UsageError
from mrclassic.model.engine import Completion
from mrclassic.tasks import select
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import keyed
from mrclassic.training import dialogues, forced, rated, suites, td, value_head
from mrclassic.training import policy_gradient as pg
from mrclassic.training.losses import Loss, Size
from mrclassic.training.rows import Row, collate, joined, row
from mrclassic.training.state import State

ARM = "vowels:1"
POLICY = micro.policy(context=192, loud=3.0)
TOKENIZER = POLICY.tokenizer


def talk(reply: str) -> tuple:
    return ({"role": "user", "content": "Hello."}, {"role": "assistant", "content": reply})


def beginnings(count: int) -> list:
    return [DIALOGUES.sample(ARM, keyed("td", at)) for at in range(count)]


def played(count: int, seed: int = 1) -> list[dialogues.Dialogue]:
    return dialogues.play(POLICY, beginnings(count), DIALOGUES, pg.Sampling(4), seed=seed)


# -- conversations


def test_a_conversation_is_the_same_alone_and_in_company() -> None:
    company = played(5)
    again = dialogues.play(POLICY, beginnings(5), DIALOGUES, pg.Sampling(4), seed=1, slots=2)
    assert [each.messages for each in again] == [each.messages for each in company]
    assert played(1)[0].messages == company[0].messages
    assert [each.messages for each in played(5, seed=2)] != [each.messages for each in company]
    for each in company:
        assert len(each.turns) == 3
        assert each.turns[0].key == "1 -"
        assert each.messages[: len(each.item.messages)] == each.item.messages
        assert [message["content"] for message in each.messages if message["role"] == "assistant"] == [
            turn.text for turn in each.turns
        ]


def test_one_can_go_on_from_the_middle() -> None:
    whole = played(3)
    said = [[each.turns[0].text] for each in whole]
    rest = dialogues.play(POLICY, [each.item for each in whole], DIALOGUES, pg.Sampling(4), seed=9, said=said)
    for one, two in zip(whole, rest, strict=True):
        assert len(two.turns) == 2
        assert (two.turns[0].prompt, two.turns[0].key) == (one.turns[1].prompt, one.turns[1].key)


def test_a_context_that_is_too_small_ends_it() -> None:
    small = micro.policy(context=12)
    (cut,) = dialogues.play(small, beginnings(1), DIALOGUES, pg.Sampling(4), seed=1)
    assert not cut.whole
    assert cut.reward == 0.0
    with pytest.raises(MrClassicError, match="fits into the 12 tokens"):
        td.step(td.start(small, TD, torch.float32), beginnings, DIALOGUES, TD, list)


def test_a_suite_of_dialogues_is_played() -> None:
    suite = suites.skill(DIALOGUES, ARM, 8)
    result = suites.measure(POLICY, [suite])[ARM]
    assert (suite.how, len(result.scores)) == ("played", 8)
    assert set(result.scores) <= {0.0, 1.0}
    assert result.replies[0].count("\n") >= 2


# -- rows


def test_a_row_holds_every_turn_once_and_as_it_was_drawn() -> None:
    for each in played(6):
        rows = dialogues.rows_of(each)
        spoken = [line.ids[begin:end] for line in rows for begin, end in line.learned]
        assert spoken == [turn.completion.tokens for turn in each.turns]
        begun = [line.ids[:begin] for line in rows for begin, _ in line.learned]
        assert begun == [turn.prompt for turn in each.turns]


def test_turns_share_a_row_where_they_go_on_from_each_other() -> None:
    assert joined([((1, 2), (3,)), ((1, 2, 3, 4), (5, 6))]) == [Row((1, 2, 3, 4, 5, 6), 2, ((3, 4),))]
    assert joined([((1, 2), (3,)), ((1, 2, 9, 4), (5, 6))]) == [Row((1, 2, 3), 2), Row((1, 2, 9, 4, 5, 6), 4)]
    long = Row((1, 2, 3, 4, 5, 6), 2, ((3, 4),))
    batch = collate([long, Row((7, 8), 1)], 0, torch.device("cpu"))
    assert (long.targets, batch.next.tolist(), batch.row.tolist()) == (3, [3, 5, 6, 8], [0, 0, 0, 1])


def test_the_gradient_of_a_joined_row_is_that_of_its_turns() -> None:
    said = [message for text in ("Good day.", "I do sums.") for message in talk(text)]
    turns = []
    for at in (1, 3):
        tokens = (*TOKENIZER.encode(said[at]["content"]), TOKENIZER.end_id)
        drawn = Completion(0, tokens, (-2.0,) * len(tokens), "stop")
        turns.append(
            dialogues.Turn(tuple(TOKENIZER.encode_chat(said[:at])), drawn, said[at]["content"], True, 0.0, None)
        )
    whole = dialogues.Dialogue(beginnings(1)[0], tuple(turns), tuple(said), True)
    assert len(dialogues.rows_of(whole)) == 1
    assert dialogues.written(TOKENIZER, said, 192) == dialogues.rows_of(whole)
    state = td.start(POLICY, TD, torch.float32)
    worths = (0.5, -1.0)
    credit = [worth for turn, worth in zip(turns, worths, strict=True) for _ in turn.completion.tokens]
    together = dialogues.credited(whole, credit)
    apart = [pg.rollout(turn.prompt, turn.completion, worth) for turn, worth in zip(turns, worths, strict=True)]
    gradients = []
    for rollouts in (together, apart):
        pg.accumulate(state.trainee, rollouts, Loss(beta=0.0), Size(2, 6, 3), pg.Sampling(4), reference=None)
        gradients.append(state.trainee.policy.decoder.embedding.grad.clone())
        state.trainee.discard()
    assert torch.allclose(*gradients, atol=1e-7)


# -- updates


@pytest.mark.parametrize("form", ["turns", "tokens", "uniform"])
def test_an_update_tells_what_happened(form: str) -> None:
    own = replace(TD, form=form, audit_every=1)
    state = td.start(POLICY, own, torch.float32)
    update = td.step(state, beginnings, DIALOGUES, own, list)
    metrics = update.report.metrics
    assert metrics["mismatch"] < 1e-5, "what is trained is what was drawn"
    assert metrics["dialogues"] == 6
    assert metrics["completions"] == 18
    assert {"reward", "reward_std", "frac_reward_zero_std", "answers/not_found", "audit/apart"} <= set(metrics)
    assert len(update.groups) == 2
    assert "assistant: " in update.report.samples[0].completion


def test_what_cannot_be_is_refused() -> None:
    for wrong in ({"trace": 1.5}, {"form": "words"}, {"group": 1}):
        with pytest.raises(UsageError):
            replace(TD, **wrong)
    arms = Arms([select("arithmetic:1")])
    item = arms.sample("arithmetic:1", keyed("x"))
    with pytest.raises(UsageError, match="no dialogue"):
        arms.environment(item)


# -- the head


def test_the_head_is_believed_only_once_it_predicts() -> None:
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(value_head.WIDTH, generator=generator, dtype=torch.float64)
    for informed in (True, False):
        state = td.start(POLICY, TD, torch.float32)
        for _ in range(12):
            x = torch.randn(64, value_head.WIDTH, generator=generator, dtype=torch.float64)
            x = torch.cat((x, torch.ones(64, 1, dtype=torch.float64)), dim=1)
            y = x[:, :-1] @ weights + 3 if informed else torch.randn(64, generator=generator, dtype=torch.float64)
            told = value_head.learn(state, x, y)
        predicted = value_head.predict(state, x)
        assert told["head/warm"] == float(informed)
        if informed:
            assert predicted is not None
            assert torch.allclose(predicted, y, atol=0.3)
        else:
            assert predicted is None


# -- rated conversations


def test_what_was_rated_well_becomes_likelier_within_bounds() -> None:
    """Two replies to the same line, one always rated well: the odds move, and no further than the bounds let them."""
    good, bad = "Good day.", "Sleep well."
    talks = rated.standardised([rated.Rated(talk(good if at % 2 else bad), at % 2) for at in range(rated.FEWEST)])
    own = replace(RATED, batch=16, learning_rate=2e-3, warmup=1, beta=0.0)
    state = rated.start(POLICY, own, torch.float32)

    def odds(policy: object) -> float:
        chances = [forced.known(policy, [row(TOKENIZER, talk(reply), 192)])[0].chance for reply in (good, bad)]
        return chances[0] / chances[1]

    before = odds(POLICY)
    for _ in range(25):
        report = rated.step(state, talks, own, list)
    assert 1.5 * before < odds(state.trainee.policy)
    assert report.metrics["clip_ratio/region_mean"] > 0.1


def test_too_few_ratings_are_refused() -> None:
    with pytest.raises(Refused, match="takes 32"):
        rated.standardised([rated.Rated(each.messages, each.rating) for each in TALKS[:5]])
    with pytest.raises(Refused, match="all rated alike"):
        rated.standardised([rated.Rated(each.messages, 3.0) for each in TALKS])


def test_the_head_goes_on_with_a_resumed_run(tmp_path) -> None:  # type: ignore[no-untyped-def]
    method = METHODS["td"]
    state = advance(method, method.start(torch.float32), 2)
    state.save(tmp_path)
    again: State = method.start(torch.float32)
    assert again.resume(tmp_path)
    assert set(again.kept) == set(state.kept) == {"head.sums", "head.record"}
    assert all(torch.equal(again.kept[name], state.kept[name]) for name in state.kept)
