"""Where traces for distillation come from: a teacher's server, a file, or a checkpoint of one's own. Whatever the
source says, an answer is kept only if the task's verifier calls it right, its question is not of the held-out split,
and both fit the model that is to learn.

What a server answered is written down at once, by the teacher's name: the same question is not paid for twice, however
a run ended.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from mrclassic import failpoints, heartbeat
from mrclassic.errors import MrClassicError, Unwritable, UsageError
from mrclassic.mind.teacher import Answer, Teacher
from mrclassic.model.engine import Request
from mrclassic.model.policy import WARMTH, Policy
from mrclassic.tasks import rows
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import BadRow, Item, keyed
from mrclassic.training.distill import Trace
from mrclassic.training.journal import digest
from mrclassic.training.room import generate
from mrclassic.training.rows import row
from mrclassic.training.suites import room

GIVE_UP = 5  # failures in a row after which a server is not asked any more
_CHARACTERS = 3  # a token, where a server does not count them: rather too dear than too cheap
_PART = 256  # questions that a checkpoint of one's own is asked at a time

Passed = Callable[[int, int], None]


@dataclass(frozen=True)
class Terms:
    """What may be asked of a server: `at_once` questions at a time, replies of `max_tokens`; `prices` are of a million
    tokens read and written, and all that the run asked may cost `ceiling` (None: no bound). `words` stand before each
    question as a system line."""

    at_once: int = 8
    max_tokens: int = 1024
    temperature: float = 0.7
    prices: tuple[float, float] = (0.0, 0.0)
    ceiling: float | None = None
    words: str = ""

    def __post_init__(self) -> None:
        if self.ceiling is not None and not any(self.prices):
            raise UsageError("A ceiling needs prices to count by: --price READ,WRITTEN of a million tokens.")

    def cost(self, read: int, written: int) -> float:
        """Of one reply."""
        return (self.prices[0] * read + self.prices[1] * written) / 1e6


@dataclass(frozen=True)
class Said:
    """Questions with what a source answered; `failed` got no answer, `cost` is what it came to, and `cut` says why it
    ended early, if it did."""

    pairs: tuple[tuple[Item, str], ...]
    failed: int = 0
    cost: float = 0.0
    cut: str = ""


@dataclass(frozen=True)
class Gathered:
    """What was kept, and what became of the rest."""

    traces: tuple[Trace, ...]
    asked: int
    wrong: int
    held_out: int
    too_long: int
    failed: int
    cost: float
    cut: str


def questions(arms: Arms, count: int, seed: int) -> list[Item]:
    """`count` different training items, the arms in turn (fewer where there are no more)."""
    found: dict[str, Item] = {}
    for at in range(4 * count):
        item = arms.sample(arms.names[at % len(arms.names)], keyed("distil", seed, at))
        found.setdefault(item.question, item)
        if len(found) == count:
            break
    return list(found.values())


# --- sources ---


class Ledger:
    """What a teacher answered, in a file of JSON lines; half a line at its end is what a kill left."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Answer] = {}
        for line in path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else ():
            try:
                each = json.loads(line)
                self._known[str(each["question"])] = Answer(str(each["text"]), each["read"], each["written"])
            except (ValueError, LookupError, TypeError):
                continue

    def get(self, question: str) -> Answer | None:
        """What was answered before."""
        return self._known.get(question)

    def note(self, question: str, answer: Answer) -> None:
        """Write it down; raises Unwritable."""
        line = {"question": question, "text": answer.text, "read": answer.read, "written": answer.written}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"\n{json.dumps(line)}")  # the break first: a crash may have left half a line
        except OSError as error:
            why = error.strerror or str(error)
            raise Unwritable(f"{self._path} cannot be written ({why}); mend that and go on with the run.") from error
        failpoints.reached("teacher.noted")
        self._known[question] = answer


def from_teacher(
    teacher: Teacher, items: Sequence[Item], terms: Terms, folder: Path, passed: Passed = lambda total, done: None
) -> Said:
    """Ask for all of `items`. The ceiling is never passed: what a question may cost at most is set aside before it is
    asked. One that fails is passed over; after `GIVE_UP` in a row it raises what the last one raised."""
    ledger = Ledger(folder / f"{digest(teacher.name, teacher.url, terms.words, terms.temperature)}.jsonl")
    asking = _Asking(teacher, ledger, terms)
    for done, item in enumerate(items):
        heartbeat.beat("asking the teacher")
        passed(len(items), done)
        if not asking.put(item):
            break
    asking.finish()
    passed(len(items), len(items))
    pairs = tuple((item, text) for item, text in zip(items, map(asking.reply, items), strict=True) if text is not None)
    return Said(pairs, asking.failed, asking.spent, asking.cut)


class _Asking:
    """Questions on their way to a teacher."""

    def __init__(self, teacher: Teacher, ledger: Ledger, terms: Terms) -> None:
        self._teacher, self._ledger, self._terms = teacher, ledger, terms
        self._open: dict[Future[Answer], tuple[str, int, float]] = {}
        self._in_a_row = 0
        self._replies: dict[str, str] = {}
        self.failed, self.spent, self.cut = 0, 0.0, ""

    def put(self, item: Item) -> bool:
        """Ask for one more, as soon as there is room; False where the ceiling leaves none."""
        messages = self._messages(item)
        length = sum(len(message["content"]) for message in messages)
        question = digest(*messages, self._terms.max_tokens)
        if (known := self._ledger.get(question)) is not None:
            self._take(question, known, length)
            return True
        most = self._terms.cost(length, self._terms.max_tokens)  # hardly a token is shorter than a character
        while self._open and (len(self._open) >= self._terms.at_once or not self._affordable(most)):
            self._settle()
        if not self._affordable(most):
            self.cut = f"the ceiling of {self._terms.ceiling:g} leaves no room for another question"
            return False
        future: Future[Answer] = Future()
        # Not a pool: the interpreter waits for those at its end, and a server may take minutes.
        Thread(target=self._ask, args=(future, messages), daemon=True).start()
        self._open[future] = (question, length, most)
        return True

    def finish(self) -> None:
        """Wait for what is on its way."""
        while self._open:
            self._settle()

    def reply(self, item: Item) -> str | None:
        """What was answered to it."""
        return self._replies.get(digest(*self._messages(item), self._terms.max_tokens))

    def _ask(self, future: Future[Answer], messages: list[dict[str, str]]) -> None:
        try:
            future.set_result(self._teacher.answer(messages, self._terms.temperature, self._terms.max_tokens))
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is asked for
            future.set_exception(error)

    def _messages(self, item: Item) -> list[dict[str, str]]:
        words = [{"role": "system", "content": self._terms.words}] if self._terms.words else []
        return [*words, *({"role": each["role"], "content": each["content"]} for each in item.messages)]

    def _affordable(self, most: float) -> bool:
        aside = sum(cost for *_, cost in self._open.values())
        return self._terms.ceiling is None or self.spent + aside + most <= self._terms.ceiling

    def _settle(self) -> None:
        done, _ = wait(self._open, return_when=FIRST_COMPLETED)
        for future in done:
            question, length, _ = self._open.pop(future)
            try:
                answer = future.result()
            except MrClassicError:
                self.failed += 1
                self._in_a_row += 1
                if self._in_a_row >= GIVE_UP:
                    for each in wait(self._open).done:  # what comes nevertheless is paid for
                        if each.exception() is None:
                            self._ledger.note(self._open[each][0], each.result())
                    raise
                continue
            self._in_a_row = 0
            self._ledger.note(question, answer)
            self._take(question, answer, length)

    def _take(self, question: str, answer: Answer, length: int) -> None:
        read = length // _CHARACTERS if answer.read is None else answer.read
        written = len(answer.text) // _CHARACTERS if answer.written is None else answer.written
        self.spent += self._terms.cost(read, written)
        self._replies[question] = answer.text


def from_file(path: Path, arms: Arms) -> Said:
    """Rows with the fields of the task's dataset and a `completion`, or conversations (`messages`) that end in one.
    Raises UsageError for one that cannot be read."""
    pairs = []
    for line, data in rows.read(path):
        try:
            pairs.append(_traced(data, arms))
        except BadRow as bad:
            raise UsageError(f"{path} line {line}: {bad}.") from bad
    return Said(tuple(pairs))


def _traced(data: rows.Row, arms: Arms) -> tuple[Item, str]:
    messages, completion = data.get("messages"), data.get("completion")
    if isinstance(messages, list) and len(messages) > 1 and all(isinstance(each, dict) for each in messages):
        data = {**data, "question": messages[-2].get("content")}
        completion = messages[-1].get("content") if messages[-1].get("role") == "assistant" else None
    if not isinstance(completion, str):
        raise BadRow('it has no "completion", and no "messages" that end in one')
    if len(arms.tasks) > 1 and data.get("task") not in arms.tasks:
        raise BadRow(f'its "task" is none of {", ".join(arms.tasks)}')
    return arms.row(str(data.get("task")), data), completion


def from_policy(policy: Policy, items: Sequence[Item], seed: int, passed: Passed = lambda total, done: None) -> Said:
    """What `policy` answers at the warmth of replies: a function of the items and the seed."""
    pairs: list[tuple[Item, str]] = []
    limit = room(policy.tokenizer, items)
    for at in range(0, len(items), _PART):
        part = items[at : at + _PART]
        requests = [
            Request(
                tuple(policy.tokenizer.encode_chat(item.messages)), max_new=limit, temperature=WARMTH, seed=seed,
                first_row=at + place,
            )
            for place, item in enumerate(part)
        ]  # fmt: skip
        ended = [each[0] for each in generate(policy, requests)]
        pairs += [
            (item, policy.tokenizer.decode(each.tokens))
            for item, each in zip(part, ended, strict=True)
            if each.finish_reason == "stop"
        ]
        passed(len(items), min(len(items), at + _PART))
    return Said(tuple(pairs), len(items) - len(pairs))


# --- what is kept ---


def verified(said: Said, arms: Arms, pupil: Policy) -> Gathered:
    """The right answers among what was said."""
    reserved = {item.question for name in arms.names for item in arms.held_out(name)}
    open_ = [(item, text.strip()) for item, text in said.pairs if item.question not in reserved]
    judged = arms.check_all([item for item, _ in open_], [text for _, text in open_])
    right = [Trace(item.messages, text) for (item, text), each in zip(open_, judged, strict=True) if each.right]
    kept = tuple(_fitting(right, pupil))
    return Gathered(
        kept,
        asked=len(said.pairs) + said.failed,
        wrong=len(open_) - len(right),
        held_out=len(said.pairs) - len(open_),
        too_long=len(right) - len(kept),
        failed=said.failed,
        cost=said.cost,
        cut=said.cut,
    )


def _fitting(traces: Sequence[Trace], pupil: Policy) -> Iterator[Trace]:
    """Those that the pupil can read whole."""
    for trace in traces:
        whole = [*trace.messages, {"role": "assistant", "content": trace.reply}]
        if len(row(pupil.tokenizer, whole, 2**30).ids) <= pupil.shape.context:
            yield trace
