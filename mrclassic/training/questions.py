"""Questions as the questioner writes them, and how it is brought to write its first.

A domain that a model was never taught is opened by supervised updates on the generator's questions and worked answers,
with the book replayed, until four of five questions that it writes can be read and it gets a tenth of fresh items
right. One that is open is shown some questions of all levels, none of the answers: a model asks for what it was taught,
and where hardly one question in two hundred is at the edge of what it can do, practice alone will not find it. From
there on nobody shows it anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mrclassic.errors import MrClassicError
from mrclassic.model.engine import Completion, Request
from mrclassic.model.policy import Policy
from mrclassic.model.tokenizer import Tokenizer
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import Domain, Item, Refusal, keyed
from mrclassic.training import grpo
from mrclassic.training import policy_gradient as pg
from mrclassic.training.report import StepReport
from mrclassic.training.room import generate
from mrclassic.training.rows import Row, row
from mrclassic.training.skills import question_room, questioner, understood
from mrclassic.training.state import State

READABLE, RIGHT = 0.8, 0.1  # shares at which a domain is open
PROBES = 64  # questions, and items, that these are measured on
LOOK = 10  # warming updates between two looks
_BATCH = 48  # rows of such an update; half questions, half worked answers
_SHOWN = 16  # samples that room is judged by


@dataclass(frozen=True)
class Written:
    """A question as it was written, and what it was read as."""

    domain: Domain
    prompt: tuple[int, ...]
    completion: Completion
    found: Item | Refusal

    @property
    def readable(self) -> bool:
        """A held-out question is a good one, which only may not be used."""
        return isinstance(self.found, Item) or self.found.kind == "held-out"


def write(policy: Policy, domains: Sequence[Domain], max_new: int, seed: int) -> list[Written]:
    """A question of each of `domains`, in their order; row i draws as row i of `seed`."""
    tokenizer = policy.tokenizer
    prompts = [tuple(tokenizer.encode_chat(questioner(domain))) for domain in domains]
    drawn = pg.sample(policy, prompts, 1, pg.Sampling(max_new), seed=seed)
    return [
        Written(domain, prompt, completion, _read(domain, tokenizer, policy.shape.context, completion))
        for domain, prompt, (completion,) in zip(domains, prompts, drawn, strict=True)
    ]


def _read(domain: Domain, tokenizer: Tokenizer, context: int, completion: Completion) -> Item | Refusal:
    """What was written is read as; a question that leaves no room for its worked answer is none."""
    found = understood(domain, tokenizer, completion)
    if isinstance(found, Refusal):
        return found
    if len(tokenizer.encode_chat(found.messages)) + len(tokenizer.encode(found.trace)) >= context:
        return Refusal("invalid", "it leaves no room for an answer")
    return replace(found, meta={"task": domain.name, **found.meta})


def room(tokenizer: Tokenizer, arms: Arms) -> int:
    """Tokens that a question may take: a quarter more than the longest of some samples of every domain."""
    levels = [arm for domain in arms.domains for arm in arms.of(domain)]
    shown = (arms.sample(level, keyed("room", level, at)) for level in levels for at in range(_SHOWN))
    return question_room(tokenizer, shown)


# -- the first questions


@dataclass(frozen=True)
class Warming:
    """How a domain is opened: `warm` updates at most, and `shown` where it is open; questions of up to `max_new`
    tokens; the rest is for `learn`."""

    warm: int
    shown: int
    max_new: int
    answer_max_new: int
    learning_rate: float = 2e-3  # between that of hatching and that of book training
    warmup: int = 10
    replay_weight: float = 1.0

    @property
    def showing(self) -> Warming:
        """An eighth of the rate where no answers go along: twenty such updates bring a hatched `tiny` to ask at all
        levels, 88 % of it readable, and cost none of its sums. At the full rate they cost a fifth of the easiest."""
        return replace(self, learning_rate=self.learning_rate / 8)


def closed(state: State, arms: Arms, how: Warming) -> tuple[Domain, ...]:
    """The domains to which `warm` is to be applied before play: those that are not open yet, as far as there are
    updates left to open them, then those that were from the start. Looks when a run begins."""
    facts = state.facts
    if "unseen" not in facts:
        facts["unseen"] = [domain.name for domain in arms.domains]
        if how.warm:
            facts["open"] = _look(state, arms, how)
            facts["unseen"] = [name for name, shares in facts["open"].items() if _is_open(shares)]
    if shut := _shut(state, arms, how):
        return shut
    if facts.get("shown", 0) >= how.shown:
        return ()
    return tuple(domain for domain in arms.domains if domain.name in facts["unseen"])


def _shut(state: State, arms: Arms, how: Warming) -> tuple[Domain, ...]:
    """The domains that are to be opened."""
    if state.facts.get("warmed", 0) >= how.warm:
        return ()
    return tuple(domain for domain in arms.domains if not _is_open(state.facts["open"][domain.name]))


def warm(
    state: State, arms: Arms, domains: Sequence[Domain], how: Warming, replay: Callable[[], list[Row]]
) -> StepReport:
    """One supervised update on questions of `domains`, and on worked answers where they are to be opened."""
    begun = time.perf_counter()
    opening = bool(_shut(state, arms, how))
    asked, answered = _rows(state, arms, domains, opening)
    trainee, asker = state.trainee, state.other or state.trainee

    def gradients() -> dict[str, float]:
        losses = [asker.cross_entropy(asked, 0.5)]
        losses += [trainee.cross_entropy(answered, 0.5)] if answered else []  # a talk has no worked answers
        return {"loss": sum(losses) / len(losses)}

    metrics = grpo.learn(state, gradients, replay(), how if opening else how.showing)
    if state.other is not None:
        state.other.update(metrics["learning_rate"])
    state.step += 1
    count = "warmed" if opening else "shown"
    state.facts[count] = state.facts.get(count, 0) + 1
    if opening and (state.facts[count] % LOOK == 0 or state.facts[count] == how.warm):
        state.facts["open"] = _look(state, arms, how)
        metrics |= {f"warming/readable/{name}": readable for name, (readable, _) in state.facts["open"].items()}
        metrics |= {f"warming/right/{name}": right for name, (_, right) in state.facts["open"].items()}
    if not closed(state, arms, how):
        state.facts.pop("norms", None)  # gradients of another kind come now
        if state.reference is not None:
            state.move_reference()
    metrics |= {"completions": 0.0, "tokens": float(sum(len(each.ids) for each in (*asked, *answered)))}
    return StepReport(state.step, metrics, (), time.perf_counter() - begun, metrics["update/skipped"] < 1)


def _rows(state: State, arms: Arms, domains: Sequence[Domain], opening: bool) -> tuple[list[Row], list[Row]]:
    """Questions to write and, for `opening`, worked answers; the domains in turn and their levels at random; of either,
    only those that fit into the context whole."""
    policy = state.trainee.policy
    tokenizer, context = policy.tokenizer, policy.shape.context
    found: tuple[list[Row], list[Row]] = ([], [])
    for place in range(4 * _BATCH):
        domain, answered = domains[place // 2 % len(domains)], place % 2
        rng = keyed(state.seed, "warming", state.step, place)
        item = arms.sample(rng.choice(arms.of(domain)), rng)
        prompt, reply = (item.messages, item.trace) if answered else (questioner(domain), item.question)
        if not reply or (answered and not opening):
            continue
        whole = len(tokenizer.encode_chat(prompt)) + len(tokenizer.encode(reply)) < context
        if whole and len(found[answered]) < _BATCH // 2:
            found[answered].append(row(tokenizer, [*prompt, {"role": "assistant", "content": reply}], context))
    if not found[0]:
        names = ", ".join(domain.name for domain in domains)
        raise MrClassicError(
            f"Questions and answers of {names} do not fit into this model's {context} tokens; name a lower level, or "
            "practise something else."
        )
    return found


def _look(state: State, arms: Arms, how: Warming) -> dict[str, list[float]]:
    """Of each domain the share of its questions that can be read, and of fresh items (never held-out ones) that are
    answered right."""
    found = {}
    for domain in arms.domains:
        seed = keyed("look", domain.name, state.seed, state.step).getrandbits(63)
        written = write((state.other or state.trainee).policy, [domain] * PROBES, how.max_new, seed)
        found[domain.name] = [sum(each.readable for each in written) / PROBES, _right(state, arms, domain, how)]
    return found


def _right(state: State, arms: Arms, domain: Domain, how: Warming) -> float:
    policy, levels = state.trainee.policy, arms.of(domain)
    items = [arms.sample(levels[at % len(levels)], keyed("look", domain.name, state.seed, at)) for at in range(PROBES)]
    if not any(item.answer for item in items):
        return 1.0  # there is nothing to be right about
    prompts = [policy.tokenizer.encode_chat(item.messages) for item in items]
    requests = [
        Request(tuple(prompt[-(policy.shape.context // 2) :]), max_new=how.answer_max_new, temperature=0.0)
        for prompt in prompts
    ]
    replies = [policy.tokenizer.decode(done[0].tokens) for done in generate(policy, requests, PROBES)]
    return sum(judged.right for judged in arms.check_all(items, replies)) / PROBES


def _is_open(shares: Sequence[float]) -> bool:
    readable, right = shares
    return readable >= READABLE and right >= RIGHT
