"""`train reward-model` and `train dpo` as an owner types them, and what they say where there is too little."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import choosers
import nights
from homes import mrclassic

from mrclassic.cli import asking
from mrclassic.home import Home
from mrclassic.settings import load
from mrclassic.store import Store, tasting


def test_few_picks_are_learned_from_told_and_not_let_into_training(tmp_path: Path) -> None:
    home = nights.hatch(tmp_path / "home")
    choosers.pick_all(home, choosers.choices(30))
    with Store.open(home) as store:
        store.votes.add("Tea?", "c1", "c2", "tea good", "so it is", "first", blind=True)
    code, facts, narration = mrclassic(home.root, "train", "reward-model", "--seed", "3", "--json")
    assert code == 0, narration
    assert (facts["form"], facts["own"], facts["allowed"], facts["seed"]) == ("heads", 30, False, 3)
    assert (facts["choices"], min(facts["seen"])) == (31, -1), "a vote is learned from beside the picks"
    assert 0 <= facts["low"] <= facts["top1"] <= facts["high"] <= 1
    assert facts["curve"][-1] == {"share": 1.0, "choices": 25, "top1": facts["top1"]}
    assert (home.taste / facts["taste"] / "mrclassic.json").is_file()
    assert mrclassic(home.root, "train", "dpo", "--loss", "hinge")[0] == 2
    assert mrclassic(home.root, "ask", "Hello.", "--best-of", "3", "-n", "2")[0] == 2


def test_the_best_of_several_is_shown_alone_and_says_nothing_of_the_others(home: Home) -> None:
    texts = ["one", "two", "three"]

    class Client:
        async def complete(self, messages: Any, **asked: Any) -> Any:
            assert asked["n"] == 5
            replies = [
                SimpleNamespace(
                    index=at, text=text, tokens=1, logprob=-1.0, finish_reason="stop", seed=1, temperature=0.7,
                    top_p=1.0, duplicate=False,
                )
                for at, text in enumerate(texts)
            ]  # fmt: skip
            return SimpleNamespace(replies=replies, checkpoint="c", notice=None)

    with Store.open(home) as store:
        prompt = asking.post(store, "Hm?", None)
        found = asyncio.run(
            asking.draw(Client(), store, prompt, load(home, {}).chat, None, lambda said, shown: shown.index("two"))  # type: ignore[arg-type]
        )
        assert [(each.text, each.shown, each.slot) for each in found.candidates] == [("two", 1, 1)]
        session: Any = SimpleNamespace(home=home)
        asking.take(session, store, prompt, pick=1, own=None)
        assert tasting.choices(store) == []
