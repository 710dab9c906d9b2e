"""Knights and Knaves: 2 to 8 people, some of whom always tell the truth while the others always lie; who is what?

Every puzzle has exactly one solution, shown by trying all cases. The generator needs no files; of the published ones
(or the owner's own) a folder may hold some: https://github.com/AlphaPav/mem-kk-logic.

The held-out split takes logical shapes: what is said, up to the names of the people and other ways of saying the same.
A quarter of all shapes, chosen by hash, is never drawn, whatever the names and the wording; nor, of three people or
more, a shape that a published test file holds. Two people say little: there are 42 shapes in all, and so training meets
most of what can be met, while the 11 held-out ones tell whether it was learned or only remembered. (88 of the 100
published test puzzles of two people have the shape of a published training puzzle. They are held out as puzzles.)
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from mrclassic.tasks.base import RIGHT, BadRow, Item, Judgement, Refusal, ask, keyed, no_answer
from mrclassic.tasks.dataset import Dataset, Level, files, text_of
from mrclassic.tasks.knights.answers import reply, said
from mrclassic.tasks.knights.claims import FEWEST, MOST, Claim, Puzzle, Words, is_held_out, read, shape
from mrclassic.tasks.knights.generate import draw
from mrclassic.tasks.knights.reading import NAME
from mrclassic.tasks.knights.reading import read as read_question
from mrclassic.tasks.knights.solve import solutions
from mrclassic.tasks.knights.text import article, write
from mrclassic.tasks.knights.trace import trace

_HELD_OUT_ITEMS = 1_000  # of each level
_STATED = re.compile(r"([^\W\d_]+(?:['-][^\W\d_]+)*) is an? [^\W\d_]+")


class Knights(Dataset):
    """The task; levels are numbers of people."""

    name = "knights"
    about = "who tells the truth and who lies, 2 to 8 people"
    asking = "Write a puzzle of knights and knaves."
    slot = re.compile(r"ANSWER:(?:\s*\(\d\) \S+ is an? \w+)+\.?\Z")  # where the answer stands, for rewards of form
    levels = tuple(str(people) for people in range(FEWEST, MOST + 1))

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The published files that the owner has; there may be none."""
        return files(self.folder)

    @property
    def faults(self) -> tuple[str, ...]:
        """The rows that cannot be used, a sentence with file and line each."""
        return self.loaded.faults if self.files else ()

    def sample(self, rng: random.Random, level: str) -> Item:
        """A training item: where the owner has training files, one of theirs half of the time."""
        published = self._published[level].train
        if published and rng.random() < 0.5:
            return rng.choice(published)
        while True:
            puzzle = draw(rng, int(level))
            if not self._is_held_out(puzzle.claims):
                return item(puzzle, write(puzzle, rng))

    def held_out(self, level: str, limit: int | None = None) -> Sequence[Item]:
        """Generated puzzles of held-out shapes, then the published test puzzles; the first `limit` of them."""
        generated = _generated(level, _HELD_OUT_ITEMS if limit is None else min(limit, _HELD_OUT_ITEMS))
        return (*generated, *self._published[level].held_out)[:limit]

    def size(self, level: str) -> tuple[int | None, int]:
        """As many as are made, and the published ones."""
        return None, _HELD_OUT_ITEMS + len(self._rows.get(level, Level()).held_out)

    def check(self, item: Item, completion: str) -> Judgement:
        """Right if the answer block says of everybody what they are, once or in agreement with itself."""
        if "solution" not in item.meta:
            item = self.row({"question": item.question, "answer": item.answer})
        names, words, solution = item.meta["names"], Words(*item.meta["words"]), item.meta["solution"]
        stated = said(completion, names, words)
        if not stated:
            return no_answer("it does not say who is what")
        for person, (name, knight) in enumerate(zip(names, solution, strict=True)):
            told = stated.get(person, set())
            if len(told) != 1:
                return Judgement("wrong", f"it says {'both' if told else 'nothing'} of {name}")
            if told != {knight}:
                return Judgement("wrong", f"{name} is {article(words.knight if knight else words.knave)}")
        return RIGHT

    def row(self, data: Mapping[str, Any]) -> Item:
        """A published row, a question in our wording, or a question with the answer in the form of replies."""
        question = text_of(data, "quiz", "question", "prompt", default="")
        answer = text_of(data, "answer", "solution_text_format", "solution_text", default="")
        if "statements" in data:
            puzzle = _published_puzzle(data)
        else:
            try:
                puzzle = read_question(question)
            except ValueError as error:
                if not answer:
                    raise BadRow(f'it has neither "statements" nor "answer", and its question: {error}') from error
                return _as_answered(question, answer, _words(data))
        solution = _only(puzzle)
        given = data.get("solution", list(solution))
        if given != list(solution):
            raise BadRow(f'its "solution" is not that of its statements, which is {list(solution)}')
        if answer and said(answer, puzzle.names, puzzle.words) != {
            one: {knight} for one, knight in enumerate(solution)
        }:
            raise BadRow(f'its "answer" is not the solution, which is {reply(puzzle, solution)}')
        return item(puzzle, question or write(puzzle, keyed(*puzzle.names)))

    def parse(self, question: str) -> Item | Refusal:
        """Read a puzzle strictly; refuses one without exactly one solution, and held-out shapes."""
        try:
            puzzle = read_question(question)
        except ValueError as error:
            return Refusal("unparsable", str(error))
        try:
            found = item(puzzle, question)
        except BadRow as error:
            return Refusal("invalid", str(error))
        if self._is_held_out(puzzle.claims) or self.key(found) in self._test_questions:
            return Refusal("held-out", "it, or its shape, belongs to the held-out split")
        return found

    def skeleton(self, question: str) -> str:
        """The question with its names blotted out: how alike two questions are."""
        return re.sub(r"\b[A-Z][\w'-]*", "X", question)

    def _is_held_out(self, claims: Sequence[Claim]) -> bool:
        return is_held_out(claims) or (bool(self._test_shapes) and shape(claims) in self._test_shapes)

    @cached_property
    def _test_shapes(self) -> frozenset[str]:
        """The shapes of the test rows of three people or more."""
        levels = [each for level, each in self._rows.items() if level != self.levels[0]]
        return frozenset(shape(_claims(each)) for level in levels for each in level.held_out if _claims(each))

    @cached_property
    def _test_questions(self) -> frozenset[str]:
        return frozenset(self.key(each) for level in self._rows.values() for each in level.held_out)

    @cached_property
    def _published(self) -> Mapping[str, Level]:
        """The rows of the files by level; to train on only those whose shape may be drawn."""
        found: dict[str, Level] = {}
        for level in self.levels:
            rows = self._rows.get(level, Level())
            train = [each for each in rows.train if not _claims(each) or not self._is_held_out(_claims(each))]
            found[level] = Level(train, rows.held_out)
        return found

    @cached_property
    def _rows(self) -> Mapping[str, Level]:
        return self.loaded.levels if self.files else {}


def item(puzzle: Puzzle, question: str) -> Item:
    """The question with its solution, worked out; raises BadRow where there are several, or none."""
    solution = _only(puzzle)
    return ask(
        question,
        reply(puzzle, solution),
        trace(puzzle),
        task=Knights.name,
        level=str(len(puzzle.names)),
        names=list(puzzle.names),
        words=[puzzle.words.knight, puzzle.words.knave],
        solution=list(solution),
        statements=str(puzzle.claims),
    )


def _only(puzzle: Puzzle) -> tuple[bool, ...]:
    found = solutions(puzzle.claims)
    if len(found) != 1:
        raise BadRow(f"the puzzle has {len(found) or 'no'} solution{'s' * bool(found)}")
    return found[0]


def _published_puzzle(data: Mapping[str, Any]) -> Puzzle:
    try:
        names = _names(data.get("names"))
        return Puzzle(names, read(data["statements"], len(names)), _words(data))
    except ValueError as error:
        raise BadRow(str(error)) from error


def _names(names: object) -> tuple[str, ...]:
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) and NAME.fullmatch(name) for name in names):
        raise BadRow('its "names" are not a list of names of one word')
    if not FEWEST <= len({name.casefold() for name in names}) == len(names) <= MOST:
        raise BadRow(f'its "names" are not {FEWEST} to {MOST} different ones')
    return tuple(names)


def _words(data: Mapping[str, Any]) -> Words:
    """What the two kinds are called."""
    given = data.get("knight_knave", {})
    pair = (given.get("knight", "knight"), given.get("knave", "knave")) if isinstance(given, Mapping) else ()
    if len(set(pair)) < 2 or not all(isinstance(word, str) and NAME.fullmatch(word) for word in pair):
        raise BadRow('its "knight_knave" does not give two words')
    return Words(*pair)


def _as_answered(question: str, answer: str, words: Words) -> Item:
    """A question in anybody's words: its answer says who there is."""
    names = _names(list(dict.fromkeys(_STATED.findall(answer))))
    stated = said(answer, names, words)
    if len(stated) < len(names) or any(len(told) > 1 for told in stated.values()):
        raise BadRow(f'its "answer" does not say who is {article(words.knight)} and who is {article(words.knave)}')
    solution = [stated[person].copy().pop() for person in range(len(names))]
    return ask(
        question,
        reply(Puzzle(names, (), words), solution),
        level=str(len(names)),
        names=list(names),
        words=[words.knight, words.knave],
        solution=solution,
    )


def _claims(item: Item) -> tuple[Claim, ...]:
    """What is said in it; nothing where only its answer is known."""
    return read(item.meta["statements"], len(item.meta["names"])) if "statements" in item.meta else ()


def _generated(level: str, limit: int) -> Sequence[Item]:
    """The first `limit` held-out items of the generator, which has a fixed order."""
    made, more = _stream(level)
    made.extend(islice(more, max(0, limit - len(made))))
    return made[:limit]


@lru_cache(maxsize=MOST)
def _stream(level: str) -> tuple[list[Item], Iterator[Item]]:
    """What was made so far, and the rest."""

    def more() -> Iterator[Item]:
        rng, seen = keyed("knights held-out", level), set[str]()
        while True:
            puzzle = draw(rng, int(level))
            if is_held_out(puzzle.claims) and (question := write(puzzle, rng)) not in seen:
                seen.add(question)
                yield item(puzzle, question)

    return [], more()


def task(folder: Path | None) -> Knights:
    """The task, with the published files in `folder` if there are any."""
    return Knights(folder)
