"""A reward for words that a reader of a given age can follow: 1 within a year of it, 0 at six years' distance.

    mrclassic train grpo --task stories --reward correct --reward reading_age=0.3

The age is the dataset's column `reading_age`, or 9. It is measured by Flesch and Kincaid's grade plus five years:
0.39 x words a sentence + 11.8 x syllables a word - 15.59 + 5, with syllables counted by rule, which is right for nine
English words in ten. A formula of averages says nothing about three words: below eight words it abstains.
"""

import re
from collections.abc import Sequence
from typing import Any

from mrclassic.rewards import reward

AGE = 9.0
NEAR, FAR = 1.0, 6.0  # years from the wanted age: full marks up to the first, none from the second
FEWEST = 8  # words

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
SENTENCE_END = re.compile(r"[.!?…]+(?=[\s\"'”’)]|$)|\n\s*\n")
VOWELS = re.compile(r"[aeiouyàâäæèéêëîïôöœùûü]+")
# An e that is not heard: at the end of a word or in front of an ending, unless a consonant and l stand before it.
SILENT = re.compile(
    r"(?<![^aeiouy]l)(?:e$|(?<![scgxzh])es$|(?<![tde])ed$"
    r"|(?<=[^aeiou])e(?=(?:ly|ments?|ful|fully|less|ness|teen|things?|times|work|where|one|body|how)$))"
)
# Vowels that stand together and are heard apart; and what is heard without a vowel being written.
APART = re.compile(
    r"(?<![cst])i(?=a)|(?<!ll)(?<![cstgxn])i(?=o)|i(?=et)|(?:(?<=sc)|(?<![ct]))i(?=en[ct])|i(?=um)"
    r"|cre(?=at(?!u))|id?e(?=a$)|ar?e(?=a$)|the(?=at)|re(?=al(?!m))|[dhtr]e(?=o)|use(?=u)|o(?=e[mt])|ne(?=o)"
    r"|(?<![qgb])u(?=i[nd])|(?<![qg])u(?=a[lrt]|e[lnt]|ou)|[aeiouy](?=ing)|(?<=[aeiou])y(?=[aeiou])|[st]h?m$|[ds]n['’]t$"
)
ODD = {"every": 2, "everything": 3, "everyone": 3, "evening": 2, "business": 2, "recipe": 3, "element": 3, "eyes": 1}


@reward(weight=0.3, range=(0, 1))
def reading_age(
    completions: Sequence[Any], reading_age: Sequence[float | None] | None = None, **columns: Any
) -> list[float | None]:
    """`reading_age`: the years wanted for each completion, where the dataset says."""
    texts = [each if isinstance(each, str) else each[0]["content"] for each in completions]
    wanted = reading_age or [None] * len(texts)
    return [_score(text, AGE if age is None else float(age)) for text, age in zip(texts, wanted, strict=True)]


def _score(text: str, wanted: float) -> float | None:
    found = age_of(text)
    return None if found is None else min(1.0, max(0.0, (FAR - abs(found - wanted)) / (FAR - NEAR)))


def age_of(text: str) -> float | None:
    """The age, in years, at which a text is easy to read; None for one too short to tell."""
    words = WORD.findall(text.lower())
    if len(words) < FEWEST:
        return None
    sentences = sum(WORD.search(part) is not None for part in SENTENCE_END.split(text))
    grade = 0.39 * len(words) / sentences + 11.8 * sum(map(syllables, words)) / len(words) - 15.59
    return grade + 5


def syllables(word: str) -> int:
    """Syllables of an English word in small letters, by rule."""
    if word in ODD:
        return ODD[word]
    heard = SILENT.sub("", word)
    return max(1, len(VOWELS.findall(heard)) + len(APART.findall(heard)))
