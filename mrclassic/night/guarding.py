"""What must not be lost beside the book: skills that a night was promoted for, what an imported model could do when it
came, text that no training has as a target, and the owner's taste.

Of the owner's conversations all replies are taught: an owner would notice if one were held back. What is held out are
the owner's own lines, which no training here ever has as a target, and which of two replies the owner preferred.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from mrclassic import book, plugins, shipped, tasks
from mrclassic.errors import MrClassicError, UsageError
from mrclassic.model.manifest import CorruptCheckpoint, manifest
from mrclassic.model.tokenizer import Message
from mrclassic.night.workplace import Parent, Workplace
from mrclassic.stats import wilson
from mrclassic.store import curation
from mrclassic.tasks.arms import Arms
from mrclassic.training.suites import Probe, Suite, skill, summary

OWN_TEXT, OTHER_TEXT, PICKS = "owner_text", "held_out_text", "owner_picks"
GUARDS, ARRIVAL = "guards", "arrival"  # among a checkpoint's metrics: names of suites; scores of an imported model
_MOST, _FEWEST = 200, 8  # texts, or picks
_SAMPLES = ("gsm8k", "triviaqa", "math")
_GENERAL = ("arithmetic", "knights:2", *_SAMPLES)  # what an imported model is asked when it comes
_GLANCE = 60  # items of each of those
_GOOD = 0.2  # with 95% confidence it can do more than this: then there is something to lose


def arms(work: Workplace, names: Iterable[str]) -> dict[str, Arms]:
    """The levels of these names; one that is not there any more is left out, aloud."""
    found = {}
    for name in names:
        try:
            found[name] = work.arms([name])
        except UsageError as error:
            work.say(f"{name} is not guarded any more: {error}")
    return found


def earned(work: Workplace, parent: Parent) -> tuple[str, ...]:
    """The levels that the model or one of its ancestors was promoted for, or that it could do when it was imported."""
    _arrive(work, parent)
    rows = reversed(work.store.checkpoints.lineage(parent.row.id))
    return tuple(dict.fromkeys(str(name) for row in rows for name in row.metrics.get(GUARDS, ())))


def _arrive(work: Workplace, parent: Parent) -> None:
    """See what an imported model could do when it came, once: kept with its checkpoint."""
    first = work.store.checkpoints.lineage(parent.row.id)[-1]
    try:
        if ARRIVAL in first.metrics or manifest(work.home.checkpoints / first.path).method != "import":
            return
        policy = parent.policy if first.id == parent.row.id else work.parent(first.id).policy
        arms = work.arms(_GENERAL)
        work.say("Looking once at what the imported model can do already, so that it is not lost.")
        found = work.measure(policy, [skill(arms, name, _GLANCE) for name in arms.names])
    except CorruptCheckpoint:
        return
    except MrClassicError as error:
        work.say(f"What the imported model could do when it came is not known: {error}")
        return
    good = [name for name, result in found.items() if wilson(int(sum(result.scores)), len(result.scores)).low > _GOOD]
    work.store.checkpoints.set_metrics(first.id, {**first.metrics, ARRIVAL: summary(found), GUARDS: good})


def suites(work: Workplace) -> list[Suite]:
    """Text by the owner and by others, and the owner's picks; only where there are enough to tell anything."""
    every = [
        Suite(OWN_TEXT, _texts(_spoken(work)), how="read"),
        Suite(OTHER_TEXT, _texts(_shipped(work)), how="read"),
        Suite(PICKS, _picks(work), how="preferred"),
    ]
    return [suite for suite in every if len(suite.probes) >= _FEWEST]


def _texts(texts: Iterable[str]) -> tuple[Probe, ...]:
    kept = sorted({text for text in texts if text.strip()}, key=_order)[:_MOST]
    return tuple(Probe((), text) for text in kept)


def _order(text: str) -> bytes:
    """An order that has nothing to do with what is said or when, and in which little moves as more is said."""
    return blake2b(text.encode(), digest_size=8).digest()


def _spoken(work: Workplace) -> list[str]:
    """What the owner wrote, a text a conversation."""
    said: dict[int, list[str]] = {}
    for conversation, text in work.store.conversations.spoken():
        said.setdefault(conversation, []).append(text)
    return ["\n".join(lines) for lines in said.values()]


def _shipped(work: Workplace) -> list[str]:
    """Questions that travel with the program and are held out of all training."""
    phrasings = [entry.turns[-1].user for entry in book.load(shipped.folder("data") / "held_out.txt")]
    more = plugins.tasks(work.home, work.store)
    questions = []
    for name in _SAMPLES:
        task, _ = tasks.select(name, work.home.tasks, more)
        questions += [item.question for level in task.levels for item in task.held_out(level, _MOST)]
    return [*phrasings, *questions]


def _picks(work: Workplace) -> tuple[Probe, ...]:
    """Of each message that the owner picked or wrote a reply to: that reply, and those that it was preferred to."""
    probes = []
    for pick in work.store.picks.replies(5 * _MOST):
        drawn = work.store.candidates.for_prompt(pick.prompt)
        others = tuple(dict.fromkeys(each.text for each in drawn if each.text.strip() != pick.text.strip()))
        if others:
            entry = curation.entry_for(work.store, pick.prompt, pick.text)
            prompt: tuple[Message, ...] = tuple(entry.prompt)
            probes.append(Probe(prompt, entry.reply, others=others))
    return tuple(sorted(probes, key=lambda probe: _order(probe.expected + probe.prompt[-1]["content"]))[:_MOST])
