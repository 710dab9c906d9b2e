"""Owners whose taste is known, and transcripts with oddities, in their shortest form."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import choosers
import micro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic.errors import UsageError
from mrclassic.lab import catalogue, hh, owners, taste
from mrclassic.lab.ground import Ground
from mrclassic.stats import wilson

TALK = (
    ("\n\nHuman: Hi?\n\nAssistant: Good tea.", "\n\nHuman: Hi?\n\nAssistant: Bad rain and moon."),
    (
        "\n\nHuman: A\n\nAssistant: B\n\nHuman: C\n\nAssistant: D",
        "\n\nHuman: A\n\nAssistant: B\n\nHuman: C\n\nAssistant: E",
    ),
    ("\n\nHuman: A\n\nAssistant: B", "\n\nHuman: other\n\nAssistant: C"),
    ("\n\nHuman: A\n\nAssistant:", "\n\nHuman: A\n\nAssistant: C"),
    ("\n\nHuman: A\n\nAssistant: C", "\n\nHuman: A\n\nAssistant: C"),
    ("no transcript", "\n\nHuman: A\n\nAssistant: C"),
)


def test_odd_transcripts_are_counted_and_not_crashed_on(tmp_path: Path) -> None:
    rows = [json.dumps({"chosen": chosen, "rejected": rejected}) for chosen, rejected in TALK]
    plain, packed = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    plain.write_text("\n".join([*rows[:3], "{", '{"chosen": 3, "rejected": 4}', "[]"]) + "\n")
    packed.write_bytes(gzip.compress("\n".join(rows[3:]).encode()))
    pairs, odd = hh.read([plain, packed])
    assert (len(pairs), odd) == (2, 7)
    assert pairs[0].replies[pairs[0].winner] == "Good tea."
    assert pairs[1].prompt == (("user", "A"), ("assistant", "B"), ("user", "C"))


@settings(max_examples=25, deadline=None)
@given(text=st.text(max_size=60))
def test_whatever_is_no_transcript_is_a_value_error(text: str) -> None:
    if text.startswith("\n\nHuman:"):
        assert hh.transcript(text)
    else:
        with pytest.raises(ValueError, match="transcript"):
            hh.transcript(text)


def test_pairs_are_judged_beside_length_and_words(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    ground: Any = SimpleNamespace(policy=micro.policy())
    found = hh.findings(choosers.choices(120, size=2), ground)
    assert [each.held for each in found[:2]] == [True, True]
    assert "length alone" in found[1].words
    assert "bag of words" in found[2].words
    home: Any = SimpleNamespace(work=SimpleNamespace(home=SimpleNamespace(tasks=tmp_path)))
    (none,) = hh.tell(home, taste.Options())
    assert none.held is None
    assert str(tmp_path / "hh_rlhf") in none.words


@settings(max_examples=25, deadline=None)
@given(text=st.text(max_size=80))
def test_every_owner_has_a_liking_for_every_text(text: str) -> None:
    for owner in owners.OWNERS:
        assert abs(owner.likes(text)) < 100


def test_owners_pick_what_they_like_and_a_noisy_one_less_surely() -> None:
    rng = random.Random(1)
    shown = [((("user", f"Hm {at}?"),), choosers.replies(rng)) for at in range(200)]
    sure, noisy = (next(each for each in owners.OWNERS if each.name == name) for name in ("whims", "noisy"))

    def best(owner: owners.Owner) -> int:
        return sum(each.replies[each.winner] == max(each.replies, key=owner.likes) for each in owner.pick(shown, 3))

    assert best(replace(sure, noise=1e-3)) == 200
    assert 200 > best(sure) > best(noisy) > 40
    assert sure.pick(shown, 3) == sure.pick(shown, 3) != sure.pick(shown, 4)


def test_what_is_learned_of_owners_is_told_with_what_it_says_of_itself() -> None:
    rng = random.Random(2)
    shown = [((("user", f"Hm {at}?"),), choosers.replies(rng)) for at in range(180)]
    some = [each for each in owners.OWNERS if each.name in ("whims", "brief")]
    rows = taste.study(micro.policy(), shown, (80,), 100, 1, some)
    assert [(row.owner.name, row.picks, row.held_out) for row in rows] == [("whims", 80, 100), ("brief", 80, 100)]
    whims, brief = rows
    assert whims.top1 > 0.35
    assert whims.again > 0.6
    assert abs(brief.found.length) < 0.3 < brief.found.by_length
    found = taste.findings(rows)
    assert found[0].held is None  # of too few picks nothing was claimed
    assert "80 picks: " in found[0].words
    assert (found[1].held, "may not be a reward from any" in found[1].claim) == (True, True), "length is no taste"
    assert (
        taste.findings([replace(brief, said=replace(brief.said, own=300, right=brief.said.judged, length=0.0))])[0].held
        is False
    )
    assert whims.true
    for said in (0.0, 1.0):  # what was said is another thing than what is so, and was measured as well
        right = round(said * whims.said.judged)
        low, high = wilson(right, whims.said.judged)
        assert not replace(whims, said=replace(whims.said, right=right, low=low, high=high)).true
    many = taste.findings([replace(whims, picks=500), replace(brief, picks=500, again=0.3)])
    assert many[0].held is True
    assert len(many) == 5


def test_replies_are_drawn_five_different_ones_to_each_prompt() -> None:
    work: Any = SimpleNamespace(entries=list(micro.ENTRIES))
    shown = taste.drawn(Ground(work, micro.policy(), "micro"), 12, 1)
    assert len(shown) == 12
    assert all(len(set(texts)) == 5 and all(texts) and prompt[-1][0] == "user" for prompt, texts in shown)
    assert {"taste", "hh"} < set(catalogue.EXPERIMENTS)
    with pytest.raises(UsageError, match="did you mean taste"):
        catalogue.get("tast")
