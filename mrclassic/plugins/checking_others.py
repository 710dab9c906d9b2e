"""`plugin check` for tasks and curricula: the promises of their contracts, asked through the process that runs them."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from typing import Literal

from mrclassic.curricula.contract import Draw, Outcome
from mrclassic.plugins.find import Plugin
from mrclassic.plugins.remote import PluginFault
from mrclassic.plugins.remote_curriculum import RemoteCurriculum
from mrclassic.plugins.remote_task import RemoteTask
from mrclassic.tasks.base import BadRow

Found = Iterator[tuple[Literal["error", "warning"], str]]

_ARMS = ("made-up:1", "made-up:2", "made-up:3")
_DRAWN = 40
_HELD_OUT = 200
_HOSTILE = ("", " ", "ANSWER:", "9" * 5000, "(" * 2000, "\x00\u202e", "\\boxed{" * 500, "None", "nan")


def curriculum(plugin: Plugin) -> Found:
    """Its draws, its shares, its memory, an empty history, and whether a resumed run would go on the same way."""
    unknown = RemoteCurriculum(plugin, _ARMS)
    # Enough for one that opens its arms step by step to have them open.
    it, other = (RemoteCurriculum(plugin, _ARMS, dict.fromkeys(_ARMS, 0.8)) for _ in range(2))
    try:
        unknown.observe([])
        if found := list(_shares(unknown, "before it has seen anything")):
            yield from found
            return
        if unknown.faults:  # one that hangs would be waited for again at every question
            yield "error", unknown.faults[0]
            return
        for step in range(3):
            other.load_state_dict(it.state_dict())
            drawn, again = (each.propose(8, random.Random(step)) for each in (it, other))
            if it.faults or other.faults:
                break
            if drawn != again:
                yield "error", "From the same state and random source it draws other arms, so no run could be resumed."
                return
            for place, draw in enumerate(drawn):
                it.accept(Outcome(draw, place / 7, step, 0.3))
            it.observe([Outcome(draw, place / 7, step, 0.3) for place, draw in enumerate(drawn)])
            it.observe([])
            if found := list(_shares(it, "after a few groups")):
                yield from found
                return
        if not it.faults:
            yield from _goes_on(it, other)
            it.observe([Outcome(Draw(_ARMS[0], 1 / 3), math.nan, 3, 0.0)])
            yield from _shares(it, "after a group that nobody could judge (NaN)")
        for fault in dict.fromkeys([*it.faults, *other.faults]):
            yield "error", fault
    finally:
        for each in (unknown, it, other):
            each.close()


def _shares(it: RemoteCurriculum, when: str) -> Found:
    """They are a distribution, and draws say the probability that they had."""
    shares = it.report()
    drawn = it.propose(8, random.Random(0))
    if it.faults:
        return
    total = sum(shares.values())
    if not math.isclose(total, 1, abs_tol=1e-3):
        yield "error", f"The shares that it reports add up to {total:g}, not to 1 ({when})."
        return
    for draw in drawn:
        if not math.isclose(draw.probability, shares[draw.arm], abs_tol=1e-3):
            said = f"{draw.probability:g}, and a share of {shares[draw.arm]:g}"
            yield "warning", f"It drew {draw.arm} {when} with a probability of {said}; they should be the same."
            return


def _goes_on(it: RemoteCurriculum, other: RemoteCurriculum) -> Found:
    """Whether `other`, which has seen nothing, is as `it` once it has its state."""
    if not it.state_dict() and not it.faults:
        yield "warning", "Its state is empty: a run that is resumed begins with nothing learnt."
    other.load_state_dict(json.loads(json.dumps(it.state_dict())))
    drawn, again = (each.propose(8, random.Random(9)) for each in (it, other))
    if it.faults or other.faults:
        return
    if other.state_dict() != it.state_dict():
        yield "error", "Its state is another one once it has been saved and loaded, so no run could be resumed."
    elif drawn != again or it.report() != other.report():
        yield "error", "From its saved state it draws other arms than it would have, so no run could be resumed."


def task(plugin: Plugin) -> Found:
    """Its split, its verifier, and whether the same seed draws the same items."""
    it = RemoteTask(plugin)
    try:
        if not it.about:
            yield "warning", "It does not say what it is `about`."
        if len(set(it.levels)) < len(it.levels):
            yield "error", f"Its levels are not all different: {', '.join(it.levels)}."
        for level in it.levels:
            yield from _level(it, level)
        try:
            it.row({})
            yield "warning", "It makes an item of a row that has nothing in it; raise BadRow."
        except BadRow:
            pass
        except PluginFault as fault:
            yield "error", f"A row with nothing in it must raise BadRow: {fault}"
    finally:
        it.close()


def _level(it: RemoteTask, level: str) -> Found:
    drawn = [it.sample(random.Random(seed), level) for seed in range(_DRAWN)]
    if drawn[:5] != [it.sample(random.Random(seed), level) for seed in range(5)]:
        yield "error", f"At level {level} the same random source draws other items, so no run could be repeated."
    held_out = it.held_out(level, _HELD_OUT)
    if not held_out:
        yield "error", f"Level {level} holds nothing out, so nobody could tell whether practice helps."
    if it.held_out(level, 3) != held_out[:3]:
        yield "error", f"At level {level} the held-out items have no fixed order."
    both = {each.question for each in drawn} & {each.question for each in held_out}
    if both:
        yield "error", f"At level {level} training draws what is held out: {min(both)!r:.80}."
    for item in drawn[:10]:
        reply = item.trace or item.answer
        judged = it.check(item, reply)
        if judged.verdict == "error":
            yield "error", f"Its verifier could not judge its own answer: {judged.detail}"
            return
        if judged.verdict != "right":
            severity: Literal["error", "warning"] = "error" if item.trace else "warning"
            yield severity, f"At level {level} its own answer to {item.question!r:.80} is judged {judged.verdict}."
            break
    for text in _HOSTILE:
        judged = it.check(drawn[0], text)
        if judged.verdict == "error":
            yield "error", f"Its verifier could not judge {text!r:.40}: {judged.detail}"
            break
        if judged.verdict == "right" and not text.strip():
            yield "error", f"At level {level} an empty completion is judged right."
            break
