"""Which of two replies did people prefer? The heads on Anthropic's HH-RLHF, beside what a few lines can do.

Beside them stand two logistic regressions (scikit-learn): on the length alone, and on which words a reply has. All are
fitted five times without a fifth of the prompts and told by that fifth. The pairs (`*.jsonl` or `*.jsonl.gz` with
`chosen` and `rejected` transcripts) are read from the home's `tasks/hh_rlhf`. `--steps N` takes N pairs of them.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mrclassic.choices import FOLDS, Choice, choice
from mrclassic.lab.experiment import Finding, Options, points
from mrclassic.lab.ground import Ground
from mrclassic.stats import paired_proportions, wilson
from mrclassic.training.taste import heads, logit
from mrclassic.training.taste.features import Reader

FOLDER = "hh_rlhf"
_HUMAN, _ASSISTANT = "\n\nHuman:", "\n\nAssistant:"
_COMMON = 2  # a word that fewer replies have is left out

Learn = Callable[[Sequence[Choice]], Callable[[Sequence[Choice]], list[int]]]


def tell(ground: Ground, options: Options) -> list[Finding]:
    """Learn from the pairs of this home, and compare."""
    folder = ground.work.home.tasks / FOLDER
    pairs, odd = read(sorted(folder.glob("*.jsonl*")) if folder.is_dir() else [])
    if not pairs:
        return [Finding("pairs to learn from", None, f"There are none; put HH-RLHF's files into {folder}.")]
    pairs = sorted(pairs, key=lambda each: each.digest)[: options.steps]
    ground.remarks.append(f"{len(pairs):,} pairs; {odd} rows were left out: no two replies to one conversation.")
    return findings(pairs, ground)


def read(paths: Sequence[Path]) -> tuple[list[Choice], int]:
    """The pairs of the files, and how many rows are none."""
    pairs, odd = [], 0
    for path in paths:
        for line in _lines(path):
            try:
                row = json.loads(line)
                one, two = transcript(row["chosen"]), transcript(row["rejected"])
            except (ValueError, KeyError, TypeError, AttributeError):
                odd += 1
                continue
            alike = one[:-1] == two[:-1] and one[:-1] and one[-1][0] == two[-1][0] == "assistant"
            made = choice(one[:-1], one[-1][1], [two[-1][1]]) if alike and one[-1][1] and two[-1][1] else None
            if made is None:
                odd += 1
            else:
                pairs.append(made)
    return pairs, odd


def _lines(path: Path) -> Iterator[str]:
    opening: Any = gzip.open if path.suffix == ".gz" else open
    with opening(path, "rt", encoding="utf-8") as file:
        yield from file


def transcript(text: str) -> list[tuple[str, str]]:
    """The turns of a transcript; raises ValueError where it is none."""
    if not text.startswith(_HUMAN):
        raise ValueError("a transcript begins with Human:")
    turns = []
    for part in text.split(_HUMAN)[1:]:
        asked, *replies = part.split(_ASSISTANT)
        turns += [("user", asked.strip()), *(("assistant", reply.strip()) for reply in replies)]
    return turns


def findings(pairs: Sequence[Choice], ground: Ground) -> list[Finding]:
    """The heads' share of held-out pairs, and the others' on the same."""
    reader = Reader(ground.policy)
    mine = judged(pairs, lambda some: _first(heads.learn(reader, some, 0)))
    low, high = wilson(sum(mine), len(mine))
    words = f"{sum(mine) / len(mine):.1%} of {len(mine):,} ({low:.1%} to {high:.1%})"
    found = [Finding("the heads do better than a coin on pairs that were held out", low > 0.5, words)]
    try:
        others = {"length alone": judged(pairs, by_length), "bag of words": judged(pairs, by_words)}
    except ImportError:
        return [*found, Finding("beside logistic regressions", None, "scikit-learn is not installed.")]
    for name, theirs in others.items():
        gained = sum(a and not b for a, b in zip(mine, theirs, strict=True))
        lost = sum(b and not a for a, b in zip(mine, theirs, strict=True))
        apart = paired_proportions(gained, lost, len(mine))
        low, high = wilson(sum(theirs), len(theirs))
        words = f"{name}: {sum(theirs) / len(theirs):.1%} ({low:.1%} to {high:.1%}); the heads "
        words += points((gained - lost) / len(mine), apart)
        if name == "length alone":
            found.append(Finding("above length alone, with confidence", apart.low > 0, words))
        else:
            found.append(Finding("not below a bag of words", apart.high >= 0, words))
    return found


def judged(pairs: Sequence[Choice], learn: Learn) -> list[bool]:
    """Whether what was learned without a pair's fifth names its winner, pair by pair."""
    found: dict[int, bool] = {}
    for fold in range(FOLDS):
        learned = [each for each in pairs if each.fold != fold]
        places = [at for at, each in enumerate(pairs) if each.fold == fold]
        if learned and places:
            named = learn(learned)([pairs[at] for at in places])
            found |= {at: pairs[at].winner == name for at, name in zip(places, named, strict=True)}
    return [found[at] for at in sorted(found)]


def _first(model: heads.Heads) -> Callable[[Sequence[Choice]], list[int]]:
    def named(some: Sequence[Choice]) -> list[int]:
        scores = logit.spread(model.members(some).mean(0), logit.layout(some))
        return [int(place) for place in scores.argmax(-1)]

    return named


def by_length(learned: Sequence[Choice]) -> Callable[[Sequence[Choice]], list[int]]:
    """Logistic regression on the difference of the logarithms of the lengths."""
    from sklearn.linear_model import LogisticRegression

    def apart(some: Sequence[Choice]) -> list[list[float]]:
        return [[math.log1p(len(each.replies[1])) - math.log1p(len(each.replies[0]))] for each in some]

    model = LogisticRegression().fit(apart(learned), [each.winner for each in learned])
    return lambda some: [int(place) for place in model.predict(apart(some))]


def by_words(learned: Sequence[Choice]) -> Callable[[Sequence[Choice]], list[int]]:
    """Logistic regression on which words the one has and the other has not."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    words = CountVectorizer(min_df=_COMMON, binary=True).fit([text for each in learned for text in each.replies])

    def apart(some: Sequence[Choice]) -> Any:
        return words.transform([each.replies[1] for each in some]) - words.transform([e.replies[0] for e in some])

    model = LogisticRegression(C=0.1, max_iter=1000).fit(apart(learned), [each.winner for each in learned])
    return lambda some: [int(place) for place in model.predict(apart(some))]
