"""A taste that is there is found, one that is not is not, and nothing goes by length."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import choosers
import micro
import pytest
import torch

from mrclassic.choices import Choice, choice
from mrclassic.errors import Refused
from mrclassic.evidence import Evidence
from mrclassic.model.manifest import CorruptCheckpoint
from mrclassic.training import reward_model
from mrclassic.training.reward_model import RewardModel, Settings
from mrclassic.training.rows import row
from mrclassic.training.taste import keeping, network
from mrclassic.training.taste.features import Reader

QUICK = Settings("heads", curve=False)
SMALL = network.Settings(
    epochs=9,
    learning_rate=1e-2,
    shape=replace(
        network.SHAPE, vocab_size=300, hidden=32, layers=1, heads=2, kv_heads=1, head_dim=16, ffn=64, context=64
    ),
)


def learned(made: list[Choice], settings: Settings = QUICK) -> tuple[RewardModel, Evidence]:
    return reward_model.train(made, micro.policy(), settings, checkpoint="micro", model_sha256="abc")


@pytest.fixture(scope="module")
def taught() -> tuple[list[Choice], RewardModel, Evidence]:
    made = choosers.choices(240)
    return made, *learned(made, Settings("heads"))


def test_a_taste_is_found_and_allowed(taught: tuple[list[Choice], RewardModel, Evidence]) -> None:
    _, model, found = taught
    assert found.allowed
    assert "may be a reward" in found.words
    assert found.top1 > 0.6 > 0.35
    assert found.low <= found.top1 <= found.high
    assert (found.choices, found.own, found.judged) == (240, 240, 240)
    assert found.chance == pytest.approx(0.2)
    assert abs(found.length) < 0.3
    assert found.calibration < 0.15
    assert found.loss < 0.7 * found.even
    assert [each.share for each in found.curve] == [0.25, 0.5, 0.75, 1.0]
    assert found.curve[-1].top1 == found.top1
    assert (found.checkpoint, found.model_sha256) == ("micro", "abc")
    prompt = [{"role": "user", "content": "What of it?"}]
    rewards = model.rewards([prompt] * 3, ["tea good tea", "bad moon no", "sun it tea"])
    assert rewards[0] > rewards[2] > rewards[1]
    assert all(0 < each < 1 for each in rewards)
    assert model.best(prompt, ["bad moon no", "tea good tea", "sun it so"]) == 1


def test_a_contrary_owner_is_as_good_as_any_and_one_without_taste_is_refused() -> None:
    contrary = learned(choosers.choices(200, lambda text: -choosers.likes_tea(text), noise=0.02))[1]
    assert contrary.allowed
    none = learned(choosers.choices(200, lambda text: 0.0, noise=1.0))[1]
    assert not none.allowed
    assert none.top1 < 0.35
    assert "35% are needed" in none.words
    assert "200 picks" in none.words


def test_too_few_picks_order_replies_and_no_more() -> None:
    found = learned(choosers.choices(60))[1]
    assert found.lacking == ("there are 60 picks among the model's own replies, and 200 are needed",)
    with pytest.raises(Refused, match="20 picks or more"):
        learned(choosers.choices(12))


def test_length_is_taken_off() -> None:
    """An owner who only wants it short: what is learned does not say so, and the sentence tells what would."""
    found = learned(choosers.choices(100, lambda text: -float(len(text)), noise=0.5))[1]
    assert abs(found.length) < 0.3
    assert found.by_length > 0.8
    assert not found.allowed or found.top1 < found.by_length


def test_what_a_person_wrote_does_not_count_as_knowing_their_taste() -> None:
    made = choosers.choices(80, lambda text: 0.0, noise=1.0)
    typed = [
        choice(each.prompt, "Dear me, how very odd that is.", each.replies, "typed", 500 + at)
        for at, each in enumerate(choosers.choices(80, seed=9))
    ]
    found = learned([*made, *(each for each in typed if each)])[1]
    assert (found.choices, found.own, found.judged) == (160, 80, 80)
    assert found.top1 < 0.45


@pytest.mark.parametrize("form", ["heads", "network"])
def test_the_same_choices_and_seed_give_the_same_taste(form: str) -> None:
    made = choosers.choices(40)
    settings = Settings(form, 3, False, replace(SMALL, epochs=1))  # type: ignore[arg-type]
    one, two = learned(made, settings), learned(made, settings)
    assert one[1] == two[1]
    assert torch.equal(one[0].scores(made), two[0].scores(made))
    other = learned(made, replace(settings, seed=4))
    assert not torch.equal(one[0].scores(made), other[0].scores(made))


def test_the_network_learns_it_too_and_is_judged_by_a_part_that_it_never_saw(tmp_path: Path) -> None:
    made = choosers.choices(200)
    model, found = learned(made, Settings("network", 0, False, SMALL))
    assert found.top1 > 0.5
    assert found.judged == sum(each.fold == 0 for each in made)
    assert found.checkpoint is None
    keeping.save(model, found, tmp_path / "net")
    again = keeping.load(tmp_path / "net", None)
    assert torch.equal(again.scores(made[:9]), model.scores(made[:9]))
    assert (again.temperature, again.level) == (model.temperature, model.level)


def test_kept_and_opened_it_says_the_same(taught: tuple[list[Choice], RewardModel, Evidence], tmp_path: Path) -> None:
    made, model, found = taught
    manifest = keeping.save(model, found, tmp_path / "taste")
    assert (manifest.parent, manifest.method) == ("micro", "reward-model")
    assert keeping.evidence(tmp_path / "taste") == found
    again = keeping.load(tmp_path / "taste", micro.policy())
    torch.testing.assert_close(again.scores(made[:9]), model.scores(made[:9]))
    assert not list(tmp_path.rglob("*.pt")) + list(tmp_path.rglob("*.pkl"))
    facts = tmp_path / "taste" / keeping.CORRECTION
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "temperature": 9.0}))
    with pytest.raises(CorruptCheckpoint, match="not as it was written"):
        keeping.load(tmp_path / "taste", micro.policy())


def test_features_are_those_of_the_reply_alone_in_any_company() -> None:
    """The mean of the embeddings can be computed by hand; the rest must not depend on who is read beside it."""
    policy = micro.policy()
    said = [{"role": "user", "content": "Hello."}]
    texts = ["good tea", "rain and sun and moon and rain", "no"]
    found = Reader(policy).replies([(said, text) for text in texts])
    for text, features in zip(texts, found, strict=True):
        alone = Reader(policy).replies([(said, text)])[0]
        torch.testing.assert_close(features, alone, atol=1e-5, rtol=1e-4)
        own = row(policy.tokenizer, [*said, {"role": "assistant", "content": text}], policy.shape.context)
        mean = policy.decoder.embedding[list(own.ids[own.start :])].mean(0)
        torch.testing.assert_close(features[: policy.shape.hidden], mean.detach(), atol=1e-5, rtol=1e-4)
        top = policy.decoder(torch.tensor([own.ids]))[0, -1]
        torch.testing.assert_close(features[-policy.shape.hidden :], top.detach(), atol=1e-5, rtol=1e-4)
