"""Facts read out of simple sentences: who or what (the subject), how it is linked, and what is said of it (the value).

    The key of the shed | is | under | the blue pot.        Anna | works | as | a baker.        Wifi password: gull42

Only sentences of a few plain forms are read; any other is left as it is, because a fact misread would be learned wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Literal

from mrclassic.tasks.documents.sentences import leans, words

Form = Literal["is", "does", "keyed"]

_PREPOSITION = "|".join(
    words(
        "in at on by from of under near with for to as after behind above below beside between inside into about "
        "against around through over across along opposite without"
    )
)
_OPENERS = frozenset(
    words("a an the my our your his her their its this that these those one some no every each all any")
)
_IS = re.compile(r"(?P<subject>.+?) (?P<verb>is|was|are|were) (?P<rest>.+)")
_CALLED = re.compile(r"(?P<word>called|named|nicknamed) (?P<value>.+)")
_REST = re.compile(rf"(?:(?P<word>[a-z]+) )?(?P<preposition>{_PREPOSITION}) (?P<value>.+)")
_DOES = re.compile(rf"(?P<subject>.+?) (?P<verb>[a-z]{{2,}}s) (?:(?P<preposition>{_PREPOSITION}) )?(?P<value>.+)")
_KEYED = re.compile(r"(?P<key>[^\W\d_][^:.!?,;]{0,40}): (?P<value>\S.*)")
_NOT_SIMPLE = re.compile(
    r"[;:()\"“”]|\b(?:that|which|who|whom|whose|because|but|if|when|while|than|not|never|no|n't|or|although|until|"
    r"there|what|where|why|how|is|was|are|were|has|have|had|will|would|can|could|may|might|must|should|do|does|did)\b"
    r"|n['’]t\b",
    re.IGNORECASE,
)
_SECOND = re.compile(r"\s(?:in|on|at|since|until|during|for)\s")  # "Kiel in 1954": two values, and two facts
_MOST = 10  # words of a subject or value; what is longer is no answer that could be compared
_NO_VERBS = frozenset(words("is was has does its his hers ours yours theirs this us as less always perhaps sometimes"))
_PEOPLE = frozenset(words("i you we he she it they one"))


@dataclass(frozen=True)
class Fact:
    """`subject` as it stands inside a sentence; `word` a participle or adjective after the verb (`born`, `afraid`);
    `preposition` in front of the value, if any. Of the form "keyed" the subject is the key."""

    sentence: str
    form: Form
    subject: str
    verb: str
    value: str
    word: str = ""
    preposition: str = ""


def read(sentence: str, lower: Set[str] = frozenset()) -> Fact | None:
    """The fact that a sentence states, if it is of a form that can be read. `lower` are words known to be no names,
    because the document has them in small letters too."""
    if sentence[-1:] != "." or leans(sentence) or len(words(sentence)) > 2 * _MOST + 4:
        return None
    bare = sentence[:-1]
    return _keyed(sentence, bare, lower) or _is(sentence, bare, lower) or _does(sentence, bare, lower)


def _keyed(sentence: str, bare: str, lower: Set[str]) -> Fact | None:
    found = _KEYED.fullmatch(bare)
    if found is None or len(words(found["key"])) > 5 or len(found["value"].split()) > _MOST:
        return None
    key = found["key"].strip()
    if " " in key and key.split(" ", 1)[1].islower():
        key = _inside(key, frozenset({key.split()[0].lower()}))  # "Wifi password", but not "Anna Holm"
    key = _inside(key, lower)
    verb = "are" if key.endswith("s") and not key.endswith("ss") else "is"
    return Fact(sentence, "keyed", key, verb, found["value"].strip())


def _is(sentence: str, bare: str, lower: Set[str]) -> Fact | None:
    found = _IS.fullmatch(bare)
    if found is None or not _a_subject(found["subject"]):
        return None
    rest, word, preposition = found["rest"], "", ""
    if called := _CALLED.fullmatch(rest):
        rest, word = called["value"], called["word"]
    elif (linked := _REST.fullmatch(rest)) and _is_one(linked["word"] or ""):
        rest, word, preposition = linked["value"], linked["word"] or "", linked["preposition"]
    if not _a_value(rest):
        return None
    return Fact(sentence, "is", _inside(found["subject"], lower), found["verb"], rest, word, preposition)


def _is_one(word: str) -> bool:
    """Whether it can stand between verb and preposition, as "born" and "afraid" do."""
    return word not in _OPENERS and _NOT_SIMPLE.fullmatch(word) is None


def _does(sentence: str, bare: str, lower: Set[str]) -> Fact | None:
    found = _DOES.fullmatch(bare)
    if found is None or found["verb"] in _NO_VERBS or found["verb"].endswith("ss"):
        return None
    subject, value = found["subject"], found["value"]
    parts = subject.split()
    described = parts[0].lower() in _OPENERS and 2 <= len(parts) <= 5
    definite = value.split()[0].lower() in _OPENERS or value[:1].isupper() or value[:1].isdigit()
    if (
        not (named(subject) or described)
        or parts[-1].lower() in _OPENERS
        or not _a_subject(subject)
        or not _a_value(value)
    ):
        return None
    if not definite and not found["preposition"]:
        return None  # "The class rules say ...": the word in s was no verb
    return Fact(sentence, "does", _inside(subject, lower), found["verb"], value, "", found["preposition"] or "")


def _a_subject(text: str) -> bool:
    parts = words(text)
    return (
        0 < len(parts) <= _MOST
        and "," not in text
        and parts[0].lower() not in _PEOPLE
        and _NOT_SIMPLE.search(text) is None
    )


def _a_value(text: str) -> bool:
    simple = _NOT_SIMPLE.search(text) is None and _SECOND.search(text) is None and ("," not in text or named(text))
    return simple and 0 < len(text.split()) <= _MOST and bool(words(text))


def _inside(subject: str, lower: Set[str]) -> str:
    """The subject as it stands inside a sentence: "The key" becomes "the key", a name stays."""
    first, space, rest = subject.partition(" ")
    small = first.lower()
    if first == first.capitalize() and (small in _OPENERS or small in lower):
        return f"{small}{space}{rest}"
    return subject


def opened(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def named(text: str) -> bool:
    """Whether it is a name, a number or a quotation: something definite, whatever stands around it."""
    parts = [part for part in words(text) if part.lower() not in ("of", "the", "de", "van", "von")]
    return bool(parts) and all(part[0].isupper() or part[0].isdigit() for part in parts)


def keyed(fact: Fact) -> str:
    """The key with its article, unless it is a name or has one."""
    subject = fact.subject
    return subject if named(subject) or subject.split()[0].lower() in _OPENERS else f"the {subject}"


def base(verb: str) -> str:
    """The verb after "does": "plays" becomes "play"."""
    irregular = {"has": "have", "does": "do", "goes": "go", "lies": "lie", "dies": "die", "ties": "tie"}
    if verb in irregular:
        return irregular[verb]
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    if verb.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return verb[:-2]
    return verb[:-1]


def statements(fact: Fact) -> Iterator[str]:
    """The fact in other words: each says the same, and no more."""
    yield fact.sentence
    past = "was" if fact.verb in ("was", "were") else "is"
    if fact.form == "keyed":
        key = keyed(fact)
        if key != fact.subject:
            yield f"{opened(key)} {fact.verb} {fact.value}."
        yield f"As for {key}: {fact.value}."
        return
    if fact.preposition:
        led = f"{fact.preposition} {fact.value}"
        yield f"It {past} {led} that {fact.subject} {' '.join(filter(None, (fact.verb, fact.word)))}."
        if fact.word or fact.form == "does":
            yield f"{opened(led)}, {fact.subject} {' '.join(filter(None, (fact.verb, fact.word)))}."
        else:
            yield f"{opened(led)} {fact.verb} {fact.subject}."
    elif fact.form == "does":
        yield f"What {fact.subject} {fact.verb} is {fact.value}."
        yield f"It is {fact.value} that {fact.subject} {fact.verb}."
    elif fact.word:
        yield f"{opened(fact.value)} {past} what {fact.subject} {fact.verb} {fact.word}."
    elif _definite(fact.subject) and named(fact.value):
        yield f"{opened(fact.value)} {fact.verb} {fact.subject}."
    else:
        yield f"What {fact.subject} {fact.verb}: {fact.value}."


def _definite(subject: str) -> bool:
    return subject.split()[0].lower() in ("the", "my", "our", "your", "his", "her", "their") or "'s " in subject
