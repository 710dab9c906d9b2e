"""Questions about a passage: asked for by name, or a sentence with a blank; each with the one answer that is right.

Half of them are held out, by a hash of the fact that they ask for: all questions about one fact stand on one side, and
adding or dropping documents moves none to the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from mrclassic.tasks.documents.facts import Fact, base, keyed, named, opened, read, statements
from mrclassic.tasks.documents.passages import ROW, Pair, Passage
from mrclassic.tasks.documents.sentences import groups, words
from mrclassic.tasks.trivia import normal

BLANK = "____"
LEAD = "Fill in the blank: "
Kind = Literal["question", "blank"]
By = Literal["owner", "teacher", "template"]

_BLANKS = 3  # of one fact: of the telling and of two other ways to state it
_PLACES = frozenset(words("in at on under near behind above below beside between inside opposite around along"))
# After these words such a place is a place: "interested in music" is none.
_PLACED = frozenset(
    ("", *words("born located situated built found founded kept held buried made stored hidden parked written raised"))
)
_STANDING = frozenset(words("lives stands lies works sleeps sits hangs stays grows begins ends starts waits"))
_TIME = re.compile(
    r"(?:the year )?\d{4}|.*\b(?:January|February|March|April|May|June|July|August|September|October|November|December|"
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|spring|summer|autumn|winter|o['’]clock|\d{1,2}:\d\d)\b.*"
)
_CAPITAL = r"[^\W\d_a-z][\w'’-]*"
_NAME = re.compile(
    rf"(?<=[^.!?…:\s][\s])(?:(?:Mr|Mrs|Ms|Dr|Prof|St)\. )?{_CAPITAL}(?:\s(?:of |the |van |von |de )?{_CAPITAL})*"
)
_NUMBER = re.compile(r"(?<![\w.,:/-])\d[\d.,:/-]*(?<![.,:/-])(?![\w])")


@dataclass(frozen=True)
class Question:
    """`fact` names what is asked for: questions of one fact are held out together. `reference` is the sentence in which
    the answer stands, where there is one."""

    question: str
    answer: str
    kind: Kind
    by: By
    fact: str
    reference: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def held_out(self) -> bool:
        """Whether training must never see it."""
        return blake2b(self.fact.encode("utf-8", "surrogatepass"), digest_size=8).digest()[0] % 2 == 1


def written(pair: Pair, by: By, passage: Passage) -> Question:
    """A question that the owner or a teacher wrote."""
    kind: Kind = "blank" if "__" in pair.question else "question"
    return Question(pair.question, pair.answer, kind, by, _fact(pair.question, pair.answer, passage), "", pair.aliases)


def _fact(question: str, answer: str, passage: Passage) -> str:
    """The same for all questions with one answer about a sentence, whoever asks; else the question itself."""
    wanted = f" {normal(answer)} "
    sentence = next((told for told in map(normal, passage.told) if wanted in f" {told} "), None)
    return normal(question) if sentence is None else f"{sentence}\n{wanted.strip()}"


def made(passage: Passage, lower: Set[str] = frozenset()) -> Iterator[Question]:
    """Questions by rule, from the sentences that are plain enough."""
    if passage.verbatim:
        return
    for group in groups(passage.told):
        for place, sentence in enumerate(group):
            fact = read(sentence, lower)
            before = " ".join([*group[:place], ""]) if place else ""
            if ROW in sentence:
                continue
            if fact is None:
                yield from _gaps(sentence, before, passage)
            else:
                yield from _about(fact, passage)


def _about(fact: Fact, passage: Passage) -> Iterator[Question]:
    # "Length: 9 m" says nothing without the heading that it stands under.
    before = f"{passage.title}: " if fact.form == "keyed" and passage.title else ""
    answer, key = fact.value, _fact(fact.sentence, fact.value, passage)
    led = (f"{fact.preposition} {answer}",) if fact.preposition else ()
    for asked in asks(fact):
        yield Question(before + asked, answer, "question", "template", key, fact.sentence, led)
    ways = [way for way in statements(fact) if way.count(answer) == 1]
    for way in ways[:_BLANKS]:
        yield Question(LEAD + before + _gap(way, answer), answer, "blank", "template", key, way)


def asks(fact: Fact) -> Iterator[str]:
    """Ways to ask for the value."""
    subject, verb, word, preposition = fact.subject, fact.verb, fact.word, fact.preposition
    if fact.form == "keyed":
        if keyed(fact) != subject:
            yield f"What {verb} {keyed(fact)}?"
        yield f"{opened(subject)}?"
        return
    tail = f" {word}" if word else ""
    does = fact.form == "does"
    helper, tail = ("does", f" {base(verb)}") if does else (verb, tail)
    if not preposition:
        yield f"What {helper} {subject}{tail}?"
        return
    timed = preposition in ("in", "on", "at", "from", "to", "after") and _TIME.fullmatch(fact.value)
    placed = preposition in _PLACES and (verb in _STANDING if does else word in _PLACED)
    if timed and preposition in ("in", "on", "at"):
        yield f"When {helper} {subject}{tail}?"
    elif placed:
        yield f"Where {helper} {subject}{tail}?"
    if preposition == "from" and named(fact.value) and not timed:
        yield f"Where {helper} {subject}{tail} from?"
        return
    who = "Who" if preposition == "by" and named(fact.value) and not timed else "What"
    yield f"{who} {helper} {subject}{tail} {preposition}?"


def _gaps(sentence: str, before: str, passage: Passage) -> Iterator[Question]:
    """Blanks for a name and a number of a sentence that no rule reads."""
    for pattern in (_NAME, _NUMBER):
        found = pattern.search(sentence)
        if found is None:
            continue
        answer = found[0].strip()
        if sentence.count(answer) == 1 and answer not in before and len(words(sentence)) >= 4:
            asked, key = LEAD + before + _gap(sentence, answer), _fact(sentence, answer, passage)
            yield Question(asked, answer, "blank", "template", key, sentence)


def _gap(text: str, answer: str) -> str:
    return text.replace(answer, BLANK)


def sound(questions: Iterable[Question]) -> list[Question]:
    """Each question once. One that several answers are given to is nobody's, unless its writer gave one; one made by
    rule that holds its own answer is none."""
    found: dict[str, list[Question]] = {}
    for question in questions:
        asked = f" {normal(question.question.replace(BLANK, ' gap '))} "
        if question.by != "template" or f" {normal(question.answer)} " not in asked:
            found.setdefault(asked, []).append(question)
    kept = []
    for alike in found.values():
        by_hand = [each for each in alike if each.by != "template"] or alike
        if len({normal(each.answer) for each in by_hand}) == 1:
            kept.append(by_hand[0])
    return kept
