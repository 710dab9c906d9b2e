"""Which turn deserves the reward? TD(lambda) against uniform credit on the key turn: of ten rooms one decides.

A very small new model is taught the form of the dialogue by the conversations of a player who opens doors at random;
then every arm practises the same beginnings, until nine in ten of its last conversations are won. The best score is 1.
What is compared is how many updates that took. On the level `own` there is nothing to be found out but whose merit the
end was, in each room anew: what the turns have in common (`--level plain`: every lamp is red) uniform credit finds as
well, for there it matters little which of them is paid.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import fields, replace
from random import Random
from typing import Any

from mrclassic.lab.experiment import UNWATCHED, Arm, Finding, Method, Options, Result, of
from mrclassic.lab.ground import Ground
from mrclassic.model.policy import Policy
from mrclassic.model.shapes import Shape
from mrclassic.model.tokenizer import Message
from mrclassic.tasks.base import Item, keyed
from mrclassic.tasks.environments.keyturn import KeyTurn
from mrclassic.training import dialogues, supervised, td
from mrclassic.training.credit import Form
from mrclassic.training.report import StepReport
from mrclassic.training.state import State
from mrclassic.training.suites import turn_room
from mrclassic.training.trainee import Schedule, Trainee

_LEVEL = "keyturn:own"
_SHAPE = Shape(vocab_size=512, hidden=64, layers=2, heads=2, kv_heads=1, head_dim=32, ffn=128, context=224)
_TAUGHT, _TALKS = 300, 8  # updates of the teaching, and conversations in each
_RATE = 5e-3  # of the teaching
MARK = 0.9  # of the best score
_STARTS, _GROUP, _ROOM = 2, 8, 6  # beginnings, conversations from each, tokens of a turn
_WINDOW = 4  # updates whose conversations are the score: 64
_REACHED = "mark/updates"
# The rates were chosen on a seed that is not measured (11): at 5e-4 and more uniform credit loses the form of the
# replies before anything is learned, so it has the rate at which it keeps it.
_FORMS: dict[str, tuple[Form, float, float]] = {
    "turns": ("turns", 0.0, 1e-3),
    "tokens": ("tokens", 0.5, 1e-3),
    "uniform": ("uniform", 0.0, 2e-4),
}
_KNOBS = {each.name for each in fields(td.Settings)}
_HALF = 0.5  # of the updates of uniform credit, at most


def arms(ground: Ground, options: Options) -> list[Arm]:
    """Credit by the turn, by the token, and none: all else alike."""
    level = options.level or _LEVEL
    ground.choose([level if ":" in level else f"keyturn:{level}"], options.items)
    ground.remarks.append(
        f"Begun from fresh weights ({_SHAPE.parameters:,} parameters), taught by a player who opens any door."
    )
    return [_arm(ground, name, options) for name in _FORMS]


def _arm(ground: Ground, name: str, options: Options) -> Arm:
    form, trace, rate = _FORMS[name]

    def begin(policy: Policy, seed: int) -> Method:
        (level,) = ground.levels
        shown = [ground.arms.sample(level, keyed("room", at)) for at in range(8)]
        given: dict[str, Any] = {
            "starts": _STARTS,
            "group": _GROUP,
            "max_new": min(_ROOM, turn_room(policy.tokenizer, shown)),
            "learning_rate": rate,
            "warmup": 5,
            "beta": 0.0,
            "head": False,
            "audit_every": 0,
            **{name: value for name, value in options.practice.items() if name in _KNOBS},
        }
        settings = td.Settings(**given, form=form, trace=trace, seed=seed)
        state = td.start(policy, settings, ground.work.dtype)
        last: deque[float] = deque(maxlen=_WINDOW)
        reached: list[int] = []

        def step(state: State) -> StepReport:
            def draw(count: int) -> list[Item]:
                return [ground.arms.sample(level, keyed(seed, "item", state.step, at)) for at in range(count)]

            report = td.step(state, draw, ground.arms, settings, list).report
            last.append(report.metrics["reward"])
            if not reached and len(last) == _WINDOW and sum(last) >= MARK * _WINDOW:
                reached.append(report.step)
            mark = {_REACHED: float(reached[0])} if reached else {}
            return replace(report, metrics={**report.metrics, **mark})

        return Method(state, step, lambda: bool(reached))

    words = "the same for all turns" if form == "uniform" else f"TD({trace:g}), traces that fade by {form[:-1]}"
    return Arm(name, f"{words}, rate {rate:g}", begin, UNWATCHED)


def prepare(ground: Ground, options: Options, seed: int) -> Policy:
    """New weights, and a tokenizer, that have read dialogues of the player."""
    (level,) = ground.levels

    def talk(*key: object) -> list[Message]:
        return _talk(ground, ground.arms.sample(level, keyed("taught", *key)), keyed("player", *key))

    lines = [message["content"] for at in range(64) for message in talk("read", at)]
    policy = Policy.fresh(_SHAPE, lines, seed, str(ground.work.device))
    state = State(Trainee(policy, ground.work.dtype), seed)
    schedule = Schedule(_RATE, _TAUGHT, 10)
    while state.step < _TAUGHT:
        talks = [talk(seed, state.step, at) for at in range(_TALKS)]
        written = [dialogues.written(policy.tokenizer, each, policy.shape.context) for each in talks]
        supervised.update(state, [row for rows in written for row in rows], schedule)
    return state.trainee.full_policy()


def _talk(ground: Ground, item: Item, rng: Random) -> list[Message]:
    """A conversation of the player, who heeds nothing."""
    environment = ground.arms.environment(item)
    messages: list[Message] = list(item.messages)
    for doors in KeyTurn().doors(item.meta["level"]):
        said = f"{rng.choice(doors).capitalize()}."
        reply = environment.reply(said)
        messages += [{"role": "assistant", "content": said}, {"role": "user", "content": reply.message}]
    return messages


def findings(results: Sequence[Result], ground: Ground) -> list[Finding]:
    """Updates to the mark, side by side."""
    found = []
    for name in ("turns", "tokens"):
        pairs = [(one, two) for one in of(results, "uniform") for two in of(results, name) if one.seed == two.seed]
        if not pairs:
            continue
        told = [_compared(one, two) for one, two in pairs]
        held = None if any(each is None for each, _ in told) else all(each for each, _ in told)
        claim = (
            f"credit by the {name[:-1]} needs at most half of the updates of uniform credit to {MARK:.0%} of the best"
        )
        found.append(Finding(claim, held, "; ".join(words for _, words in told)))
    return found


def _compared(uniform: Result, other: Result) -> tuple[bool | None, str]:
    """None where nothing can be told: neither came to the mark, or uniform credit was cut off too early to say."""
    slow, fast = _mark(uniform), _mark(other)
    words = (
        f"seed {other.seed}: {fast or f'more than {other.trained}'} against {slow or f'more than {uniform.trained}'}"
    )
    if fast is None:
        return (None if slow is None else False), words
    if slow is None and fast > _HALF * uniform.trained:
        return None, words
    return fast <= _HALF * (slow or uniform.trained), words


def _mark(result: Result) -> int | None:
    reached = result.values(_REACHED)
    return round(reached[-1]) if reached else None
