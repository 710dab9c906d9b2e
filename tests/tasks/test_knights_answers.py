"""Reading answers: rewritten golds are right, mutated ones wrong, a thousand and more of each; nothing takes long."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from knights import PAIRS

from mrclassic.tasks import knights
from mrclassic.tasks.base import Item
from mrclassic.tasks.knights import item
from mrclassic.tasks.knights.claims import Puzzle, Words
from mrclassic.tasks.knights.generate import draw
from mrclassic.tasks.knights.text import article, plural, write

TASK = knights.task(None)
Pairs = Sequence[tuple[str, bool]]


def puzzles(seed: int, count: int) -> list[tuple[Item, Pairs, Words]]:
    """Items under all pairs of words, with who is what in a mixed order."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        words = PAIRS[number % len(PAIRS)]
        drawn = draw(rng, 2 + number % 7)
        puzzle = Puzzle(drawn.names, drawn.claims, words)
        made = item(puzzle, write(puzzle, rng))
        pairs = list(zip(made.meta["names"], made.meta["solution"], strict=True))
        rng.shuffle(pairs)
        found.append((made, pairs, words))
    return found


def listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def grouped(pairs: Pairs, words: Words, form: str, kinds: Callable[[str], str] = plural) -> str:
    groups = {
        word: [name for name, is_ in pairs if is_ == kind]
        for kind, word in ((True, words.knight), (False, words.knave))
    }
    return form.join(
        f"{listed(who)} {'are' if len(who) > 1 else 'is'} {kinds(word) if len(who) > 1 else article(word)}"
        for word, who in groups.items()
        if who
    )


def each(form: str, between: str) -> Callable[[Pairs, Words], str]:
    """Every person in a clause: `{n}` its place, `{name}`, `{a}` with the article, `{word}`, `{other}`."""

    def written(pairs: Pairs, words: Words) -> str:
        kinds = {True: words.knight, False: words.knave}
        return between.join(
            form.format(
                n=place,
                name=name,
                a=article(kinds[is_]),
                word=kinds[is_],
                other=article(kinds[not is_]),
                upper=name.upper(),
            )
            for place, (name, is_) in enumerate(pairs, start=1)
        )

    return written


REWRITES: list[Callable[[Pairs, Words], str]] = [
    each("({n}) {name} is {a}", " "),
    each("({n}) {name} is {a}", "\n"),
    each("{n}. {name} is {a}.", "\n"),
    each("{n}) {name}: {word}", "\n"),
    each("- **{name}** is {a}", "\n"),
    each("{name} is {a}", ", "),
    each("{name} is {a}", " and "),
    each("{name} is {a}.", " "),
    each("{name} is not {other}", "; "),
    each("{name} isn't {other}", ", "),
    each("{upper} IS {a}", ", "),
    each("{name} = {word}", ", "),
    each("{name}: {word}", "; "),
    each("{name} \u2192 {word}", "\n"),
    each("{name} ({word})", ", "),
    each("| {name} | {word} |", "\n"),
    each("{name} must be {a}", ", whereas "),
    each("{name}'s {a}", ", "),
    each("{name} is the {word}", ", "),
    lambda pairs, words: each('"{name}": "{word}"', ", ")(pairs, words).join("{}"),
    lambda pairs, words: grouped(pairs, words, "; "),
    lambda pairs, words: grouped(pairs, words, ", and "),
    lambda pairs, words: grouped(pairs, words, ". ", lambda word: f"all {plural(word)}"),
    lambda pairs, words: (
        f"{plural(words.knight).capitalize()}: {', '.join(name for name, is_ in pairs if is_)}\n"
        f"{plural(words.knave).capitalize()}: {', '.join(name for name, is_ in pairs if not is_)}"
    ),
]
FRAMES = (
    "{}",
    "{}.",
    "ANSWER: {}",
    "answer: {}.",
    "So **the answer is**: {}",
    "CONCLUSION:\n{}",
    "<think>Maybe all are fools?</think>\n<answer>{}</answer>",
    "Let us see. If one of them lies, who does?\n\n{}",
    "\\boxed{{{}}}",
    "ANSWER: I do not know yet.\nANSWER: {}\n",
)


@pytest.mark.parametrize("rewrite", range(len(REWRITES)))
def test_rewritten_golds_are_right(rewrite: int) -> None:
    """24 ways of telling, each of 70 puzzles: 1,680."""
    rng = random.Random(rewrite)
    for made, pairs, words in puzzles(rewrite, 70):
        text = rng.choice(FRAMES).format(REWRITES[rewrite](pairs, words))
        assert TASK.check(made, text).verdict == "right", text


def flipped(pairs: Pairs, person: int) -> Pairs:
    return [(name, is_ != (place == person)) for place, (name, is_) in enumerate(pairs)]


@pytest.mark.parametrize("rewrite", range(len(REWRITES)))
def test_mutated_golds_are_wrong(rewrite: int) -> None:
    """The same ways of telling it wrongly, six times each: turned round, left out, misnamed, said to be both."""
    rng = random.Random(rewrite)
    for made, pairs, words in puzzles(rewrite, 70):
        person, frame, tell = rng.randrange(len(pairs)), rng.choice(FRAMES), REWRITES[rewrite]
        without = [pair for place, pair in enumerate(pairs) if place != person]
        stranger = [("Nobody's" if place == person else name, is_) for place, (name, is_) in enumerate(pairs)]
        for changed in (
            flipped(pairs, person),
            [(name, not is_) for name, is_ in pairs],
            without,
            stranger,
            [*pairs, flipped(pairs, person)[person]],
            [flipped(pairs, person)[person], *pairs],
        ):
            text = frame.format(tell(changed, words))
            assert TASK.check(made, text).verdict == "wrong", text


BOTH = TASK.row(
    {
        "names": ["Zoe", "Ben"],
        "statements": "(('lying', 1), ('and', ('lying', 0), ('lying', 1)))",
        "solution": [True, False],
    }
)


@pytest.mark.parametrize(
    "reply",
    [
        "Zoe is a knight and a knave, Ben is a knave.",
        "Zoe is a knight or a knave. Ben is a knave.",
        "Zoe is a knight/knave, Ben is a knave.",
        "Zoe is a knight. Ben is a knave or Ben is a knight.",
        "Either Zoe is a knight and Ben is a knave, or both are knaves.",
        "If Zoe is a knight, Ben is a knave.",
        "Is Zoe a knight? Zoe is a knight, Ben is a knave?",
        "It is not true that Zoe is a knight and Ben is a knave.",
        "Perhaps Zoe is a knight and Ben is a knave.",
        "Zoe is a knight, Ben is a knave: false.",
        "Neither Zoe is a knight nor Ben is a knave.",
        "Zoe is a knighthood, Ben is a knave.",
        "Zoe is a non-knight, Ben is a knave.",
        "Zoe Smith is a knight, Ben is a knave.",
        "Zoe's brother is a knight, Ben is a knave.",
        "Zoe is a knight.",
        "Everyone is a knight.",
        "Both are knaves.",
        "Everyone but Ben is a knave.",
        "Zoe is a hero, Ben is a villain.",
        "Zoe says Ben is a knave. Ben says Zoe is a knight.",
        "(1) Zoe is a knave (2) Ben is a knave (1) Zoe is a knight",
        "ANSWER: Zoe is a knight, Ben is a knave. ANSWER: Zoe is a knave, Ben is a knave.",
        "Zoe is a knight, Ben is a knave. ANSWER: Zoe is a knight.",
        "Zoe is a knight, Ben is a knave. ANSWER:",
        "ANSWER: knight, knave",
        "ANSWER: (1) knight (2) knave",
        "Zoe is a knight, Ben is a knave. Zoe is a knave, Ben is a knave.",
        "Zo\u0435 is a knight, Ben is a knave.",  # a Cyrillic e
        "Zoe\u200b is a knight, Ben is a knave.",
        "Zoe knight, Ben knave: Zoe says yes, clash.",
        "Zoe knight, Ben knave",  # a trace that broke off
    ],
)
def test_what_only_looks_like_the_answer_is_wrong(reply: str) -> None:
    assert TASK.check(BOTH, reply).verdict == "wrong"


@pytest.mark.parametrize(
    "reply",
    [
        "Zoe is a knight and Ben a knave.",
        "The knight is Zoe and the knave is Ben.",
        "Suppose Zoe is a knave. Then Ben tells the truth: a contradiction. So Zoe is a knight, and Ben is a knave.",
        "ANSWER: Zoe is a knave. Hm, no.\nANSWER: Zoe is a knight, Ben is a knave.",
        "Zoe is a knight, and Ben is a knave. If it were otherwise, Zoe would be lying.",
        "Zoe is a knight because Ben said so: that makes Ben a knave. Zoe is a knight, Ben is a knave.",
        "ANSWER: Zoe is a knight, Ben is a knave because of what that knave says",
        "(1) Zoe is a knight\n(2) Ben is a knave\nThis is the only solution.",
    ],
)
def test_other_wordings_of_the_answer(reply: str) -> None:
    assert TASK.check(BOTH, reply).verdict == "right"


def test_all_alike() -> None:
    made = TASK.row({"question": "?", "answer": "Zoe is a knave, Ben is a knave"})
    for reply in ("Both are knaves.", "Everyone is a knave", "Zoe and Ben are both knaves", "All of them are knaves."):
        assert TASK.check(made, reply).verdict == "right"
    assert TASK.check(made, "All are knights.").verdict == "wrong"


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("", False),
        ("I do not know.", False),
        ("ANSWER: 42", False),
        ("knight knave knight", False),
        ("Zoe is a knight.", True),
        ("Zoe is a knave, Ben is a knave.", True),
    ],
)
def test_whether_an_answer_was_found(reply: str, found: bool) -> None:
    judged = TASK.check(BOTH, reply)
    assert (judged.verdict, judged.found) == ("wrong", found)
    assert judged.detail


WORDS = (*"(1)\n:;|.,-?", "Zoe", "Ben", "is", "a", "not", "knight", "knaves", "all", "and", "or", "ANSWER:")


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=200) | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_any_text_is_judged(text: str) -> None:
    assert TASK.check(BOTH, text).verdict in ("right", "wrong")


LONG = (
    *(
        "Zoe ",
        "Zoe and ",
        "Zoe is ",
        "is ",
        "\n",
        "(1) Zoe\n",
        "(1)   ",
        "ANSWER: ",
        "knight: Zoe, ",
        "not ",
        ". ",
        "|",
    ),
    *("1.\n", "answer  ", "\\boxed {", "all : ", "because ", "Zoe not ", "\\text "),
)


@pytest.mark.parametrize("text", LONG)
def test_long_text_is_judged_at_once(text: str) -> None:
    begun = time.process_time()
    assert TASK.check(BOTH, text * 100_000).verdict == "wrong"
    assert TASK.check(BOTH, text * 100_000 + "x").verdict == "wrong"
    assert time.process_time() - begun < 1
