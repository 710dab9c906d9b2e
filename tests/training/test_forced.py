"""Reading a reply shows what writing it would have: the greedy reply, and how likely a draw is."""

from __future__ import annotations

import math

import micro
import pupils
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.model.engine import Engine, Request
from mrclassic.tasks.arms import Arms
from mrclassic.training import forced, suites
from mrclassic.training.rows import Row
from mrclassic.training.suites import recall

POLICY = micro.policy(loud=3.0)
PROMPTS = [tuple(POLICY.tokenizer.encode_chat([{"role": "user", "content": f"{word}?"}])) for word in "abcdefghij"]


def test_the_greedy_reply_is_known_and_any_other_is_not() -> None:
    said = Engine(POLICY).generate([Request(prompt, max_new=9, temperature=0.0) for prompt in PROMPTS])
    rows = [Row((*prompt, *each[0].tokens), len(prompt)) for prompt, each in zip(PROMPTS, said, strict=True)]
    assert all(each.greedy for each in forced.known(POLICY, rows))
    for at in range(3):
        other = [Row((*row.ids[: row.start + at], 5, *row.ids[row.start + at + 1 :]), row.start) for row in rows]
        changed = [new.ids != old.ids for new, old in zip(other, rows, strict=True)]
        assert any(changed)
        assert [not each.greedy for each in forced.known(POLICY, other)] == changed


@pytest.mark.parametrize("temperature", [0.7, 1.3])
def test_the_chance_is_that_of_the_draw(temperature: float) -> None:
    drawn = Engine(POLICY).generate([Request(prompt, 3, 6, temperature, seed=4) for prompt in PROMPTS])
    pairs = [(prompt, one) for prompt, every in zip(PROMPTS, drawn, strict=True) for one in every]
    rows = [Row((*prompt, *one.tokens), len(prompt)) for prompt, one in pairs]
    for each, (_, one) in zip(forced.known(POLICY, rows, temperature), pairs, strict=True):
        assert math.log(each.chance) == pytest.approx(sum(one.logprobs), abs=1e-3)


def test_the_same_scores_and_replies_as_by_generating() -> None:
    policy = pupils.scholar()
    wanted = [recall(pupils.OLD), recall(pupils.NEW, "new")]
    read, said = forced.measure(policy, wanted), suites.measure(policy, wanted)
    assert read == said
    assert read["book_recall"].score == 1.0
    assert read["new"].score == 0.0
    assert all(read["new"].replies)


def test_an_item_counts_where_its_worked_answer_is_given() -> None:
    from mrclassic.tasks import arithmetic

    suite = suites.skill(Arms([(arithmetic, "1")]), "arithmetic:1", 8)
    found = forced.measure(POLICY, [suite])[suite.name]
    assert found.scores == (0.0,) * 8


@given(order=st.permutations(range(len(PROMPTS))))
@settings(max_examples=10, deadline=None)
def test_no_row_depends_on_its_company(order: list[int]) -> None:
    rows = [Row((*prompt, 7, 8, 9), len(prompt)) for prompt in PROMPTS]
    alone = [forced.known(POLICY, [row])[0] for row in rows]
    for place, each in zip(order, forced.known(POLICY, [rows[place] for place in order]), strict=True):
        assert each.greedy == alone[place].greedy
        assert each.chance == pytest.approx(alone[place].chance, rel=1e-3)
