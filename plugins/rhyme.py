"""A reward for answers in rhyme: the share of lines whose last word rhymes with that of a line near by.

    mrclassic train grpo --reward rhyme=0.3

Lines are the answer's lines or, where it has only one, its parts between commas, full stops or " / ". A rhyme may be
up to three lines away (AABB, ABAB, ABBA). Sounds are guessed from English spelling: "light" rhymes with "bite", "day"
with "weigh"; words that are spelled unlike their sound are listed. A last word counts once, so a line said again adds
nothing, and a line of one word is no line: a list is not a poem.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from mrclassic.rewards import reward

REACH = 3  # lines
WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
BREAK = re.compile(r"[.;:!?,]\s|\s[/–—-]\s")

# Common words by a spelling that sounds as they do.
SPOKEN = {
    word: sound
    for sound, words in {
        "oo": "to two do who you through shoe into",
        "oe": "know show low grow below slow flow glow throw blow snow though sew owe bow tomorrow sorrow",
        "oan": "own known grown shown blown thrown",
        "ay": "they weigh grey obey neigh",
        "ee": "he she we me be key quay people ski",
        "igh": "i eye buy reply deny apply supply july goodbye rely",
        "air": "there where their bear wear pear prayer everywhere",
        "eer": "ear here near dear fear hear year clear appear tear sincere",
        "or": "four your pour door floor war sure",
        "ur": "were",
        "un": "one son won none done anyone everyone",
        "uv": "love above dove glove of",
        "um": "come some",
        "oom": "whom tomb womb",
        "ed": "said head bread dead read instead spread thread",
        "en": "again",
        "end": "friend",
        "urd": "word heard",
        "urth": "earth worth",
        "urld": "world",
        "urn": "learn earn",
        "art": "heart",
        "ar": "are",
        "ud": "blood flood",
        "uff": "enough rough tough",
        "off": "cough",
        "out": "doubt",
        "url": "pearl",
        "urch": "search",
        "ize": "eyes",
        "ooze": "shoes",
        "awter": "water",
        "oshun": "ocean",
        "uhd": "good could would should wood stood hood understood",
        "uhk": "book look took cook hook",
        "ot": "what",
        "uz": "was does because",
        "av": "have",
        "iv": "live give",
        "orm": "warm",
        "even": "heaven",
        "ether": "weather feather leather",
        "uther": "brother mother other another",
        "unny": "money honey",
        "ait": "great straight",
        "aik": "break steak",
        "bayby": "baby",
        "minnit": "minute",
    }.items()
    for word in words.split()
}

# From spelling to sound. Capitals: A as in day, E see, I my, O go, U too, Y any, W saw, J boy, Q cow, R her.
RULES = [
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"'", ""),
        (r"qu?", "kw"),
        (r"^(?:k|g)(?=n)|^w(?=r)", ""),
        (r"[ts]ion", "shun"),
        (r"cian", "shun"),
        (r"eigh", "A"),
        (r"igh", "I"),
        (r"[ao]ugh(?=t)", "W"),
        (r"ough", "O"),
        (r"augh", "W"),
        (r"tch", "ch"),
        (r"dge$", "j"),
        (r"ck", "k"),
        (r"ph", "f"),
        (r"mb$", "m"),
        (r"mn$", "m"),
        (r"a(?:i|y)r(?:e$)?|are$", "Ar"),
        (r"e(?:e|a)r|ere$|ier$", "Er"),
        (r"ore$|oar|oor|our$", "or"),
        (r"ire$", "Ir"),
        (r"ure$", "Ur"),
        (r"(?:er|ir|ur)(?![aeiouy])", "R"),
        (r"ar(?![aeiouy])", "ar"),
        (r"all$|al(?=[kt])", "Wl"),
        (r"i(?=nd$|ld$|nds$|lds$)", "I"),
        (r"o(?=l[dlt])", "O"),
        (r"(?<![aeiou])a(?=[bcdfgklmnpstvz]e[sd]?$)", "A"),
        (r"a(?=the$|ste$)", "A"),
        (r"(?<![aeiou])e(?=[bcdfgklmnpstvz]e[sd]?$)", "E"),
        (r"(?<![aeiou])[iy](?=[bcdfgklmnpstvz]e[sd]?$|the$)", "I"),
        (r"o(?=[bcdfgklmnpstvz]e[sd]?$|the$)", "O"),
        (r"(?<![aeiou])u(?=[bcdfgklmnpstvz]e[sd]?$)", "U"),
        (r"(?<=[td])ed$", "id"),
        (r"(?:(?<=[cfkpsx])|(?<=[cs]h))ed$", "t"),
        (r"ai|ay|ei|ey", "A"),
        (r"ee|ea", "E"),
        (r"^([^aeiouy]*)ie(s|d)?$", r"\1I\2"),
        (r"ie", "E"),
        (r"oa|oe", "O"),
        (r"oo|ew|ue|ui", "U"),
        (r"au|aw", "W"),
        (r"oi|oy", "J"),
        (r"ou|ow", "Q"),
        (r"^([^aeiouy]*)y$", r"\1I"),
        (r"y$", "Y"),
        (r"o$", "O"),
        (r"c(?=[eiy])", "s"),
        (r"g(?=e$)", "j"),
        (r"(?<=[^aeiouyAEIOUWJQR])le(s?)$", r"el\1"),
        (r"(?<=[a-zA-Z])e$", ""),
        (r"^(.*[aeiouyAEIOUYWJQR].*)e(?=[sd]$)", r"\1"),
        (r"c(?!h)", "k"),
        (r"x", "ks"),
        (r"z", "s"),
        (r"([b-df-hj-np-tv-z])\1", r"\1"),
    )
]
VOWEL = re.compile(r"[aeiouyAEIOUYWJQR]r?")
# Endings without stress: the rhyme begins a syllable earlier, so that "tower" goes with "flower" and not with "over".
WEAK = re.compile(r"(?:R|Y|ing|el|en|on|id|shun|et|it|es|ful|nes|ment|ij|us)s?$")


@reward(weight=0.3, range=(0, 1))
def rhyme(completions: Sequence[Any], **columns: Any) -> list[float]:
    """0 for prose, 1 where every line rhymes."""
    return [_score(each if isinstance(each, str) else each[0]["content"]) for each in completions]


def _score(text: str) -> float:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) == 1:
        lines = [part for part in BREAK.split(text) if part.strip()]
    spoken = [WORD.findall(line.lower().replace("’", "'")) for line in lines]
    ends = [words[-1] if len(words) > 1 else "" for words in spoken]
    seen: set[str] = set()
    rhymed = 0
    for at, end in enumerate(ends):
        if end and end not in seen:
            seen.add(end)
            rhymed += any(rhymes(end, other) for other in ends[max(0, at - REACH) : at + REACH + 1])
    return rhymed / len(ends) if ends else 0.0


def rhymes(one: str, other: str) -> bool:
    """Whether two words in small letters rhyme; the same word, or one that sounds the same, does not."""
    if not one or not other:
        return False
    (sound, ending), (its_sound, its_ending) = _sound(one), _sound(other)
    return ending == its_ending != "" and sound != its_sound


@lru_cache(maxsize=4096)
def _sound(word: str) -> tuple[str, str]:
    """A word as it sounds, roughly, and that from its last stressed vowel on."""
    sound = SPOKEN.get(word, word[-24:])
    for pattern, said in RULES:
        sound = pattern.sub(said, sound)
    vowels = [vowel.start() for vowel in VOWEL.finditer(sound)]
    if not vowels:
        return sound, ""
    first = vowels[-2] if len(vowels) > 1 and WEAK.search(sound) else vowels[-1]
    # SPOKEN gives endings only: the word itself tells two words apart.
    return (word if word in SPOKEN else sound), sound[first:]
