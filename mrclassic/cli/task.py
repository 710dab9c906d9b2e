"""`mrclassic task list|sample|check`: what can be practised, and holding a verifier against cases of one's own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mrclassic.cli import common

if TYPE_CHECKING:
    from mrclassic.tasks.base import Item, Task, Verdict

app = typer.Typer(
    name="task",
    help="What can be practised: list it, draw items, check a verifier against your own cases.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("list")
def list_(json_: common.JsonFlag = False) -> None:
    """List the tasks and their levels, easiest first, each with an example and the size of its held-out split.

    Example: mrclassic task list
    """
    from mrclassic.tasks import TASKS
    from mrclassic.tasks.base import keyed

    facts: list[dict[str, Any]] = []
    for name, task in TASKS.items():
        levels = [
            {
                "level": level,
                "held_out": len(task.held_out(level)),
                "example": task.sample(keyed("example", level), level).question,
            }
            for level in task.levels
        ]
        facts.append({"name": name, "levels": levels})
    if json_:
        common.emit(facts)
        return
    for fact in facts:
        for each in fact["levels"]:
            common.out(f"{fact['name']}:{each['level']:<4} {each['held_out']:>6,} held out   {each['example']}")


@app.command()
def sample(
    task: Annotated[str, typer.Argument(metavar="NAME[:LEVEL]", help="Without a level: all of them in turn.")],
    number: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 5,
    seed: Annotated[int, typer.Option(help="The same seed draws the same items.")] = 0,
    held_out: Annotated[bool, typer.Option("--held-out", help="From the split that training never sees.")] = False,
    json_: common.JsonFlag = False,
) -> None:
    """Draw items: the question, and the worked reply that training shows.

    Example: mrclassic task sample arithmetic:3 -n 5
    """
    from mrclassic.tasks import select

    found, level = select(task)
    drawn = list(_draw(found, (level,) if level else found.levels, number, seed, held_out))
    if json_:
        common.emit(
            [
                {
                    "level": level,
                    "question": item.question,
                    "answer": item.answer,
                    "trace": item.trace,
                    "messages": item.messages,
                    "meta": item.meta,
                }
                for level, item in drawn
            ]
        )
        return
    for level, item in drawn:
        common.out(f"{found.name}:{level}  {item.question}  ->  {item.trace or item.answer}")


@app.command()
def check(
    task: Annotated[str, typer.Argument(metavar="NAME", help="The task whose verifier judges.")],
    file: Annotated[str, typer.Option(help="JSON lines; - reads standard input.")],
    json_: common.JsonFlag = False,
) -> None:
    """Judge completions: one JSON object a line, with "question" (or "prompt"), "completion", and the gold "answer".

    Without "answer" the task computes it, where it can. A row of the result is the number of its line.

    Example: mrclassic task check arithmetic --file cases.jsonl --json
    """
    from mrclassic.tasks import select

    found, _ = select(task)
    judged = []
    for number, row in list(_rows(file)):  # a broken line is told before anything is printed
        verdict, detail = _judge(found, row)
        judged.append({"row": number, "verdict": verdict, "detail": detail})
        if not json_:
            common.out(f"{number:>5}  {verdict:<8} {' '.join(detail.split())}".rstrip())
    if json_:
        common.emit(judged)
    counts = Counter(str(row["verdict"]) for row in judged)
    common.say(", ".join(f"{counts[verdict]} {verdict}" for verdict in ("right", "wrong", "error", "skipped")) + ".")


def _draw(task: Task, levels: tuple[str, ...], number: int, seed: int, held_out: bool) -> Iterator[tuple[str, Item]]:
    """`number` items, the levels in turn; fewer where a held-out split has no more."""
    from mrclassic.tasks.base import keyed

    sources = {level: keyed("sample", task.name, level, seed) for level in levels}
    places = [levels[place % len(levels)] for place in range(number)]
    if not held_out:
        for level in places:
            yield level, task.sample(sources[level], level)
        return
    left = {level: list(task.held_out(level)) for level in levels}
    for level, items in left.items():
        sources[level].shuffle(items)
    for level in places:
        if left[level]:
            yield level, left[level].pop()


def _rows(file: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects of a JSON lines file with the numbers of their lines, from 1; empty lines are passed over."""
    from mrclassic.errors import UsageError

    name = "standard input" if file == "-" else file
    try:
        data = common.stdin().buffer.read() if file == "-" else Path(file).read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"There is no file {file}; --file - reads standard input.") from error
    except OSError as error:
        raise UsageError(f"Cannot read {name}: {error.strerror or error}; name a file of JSON lines.") from error
    # Only "\n" ends a line of JSON lines: str.splitlines would also cut at separators that JSON leaves as they are.
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            # JSON's own errors count lines within the line.
            why = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            raise UsageError(f"{name} line {number}: this is not JSON ({why}); mend the line.") from error
        if not isinstance(row, dict):
            raise UsageError(
                f'{name} line {number}: write an object such as {{"question": "...", "completion": "..."}}.'
            )
        yield number, row


def _judge(task: Task, row: Mapping[str, Any]) -> tuple[Verdict, str]:
    """The verdict on one row, and what there is to say about it."""
    completion = _text(row.get("completion"))
    if completion is None:
        return "skipped", 'it has no "completion"'
    question = _text(row.get("question", row.get("prompt")))
    answer = row.get("answer")
    if answer is not None and not isinstance(answer, str | int | float):
        return "skipped", 'its "answer" is neither text nor a number'
    item = _item(task, question, None if answer is None else str(answer))
    if isinstance(item, str):
        return "skipped", item
    verdict = task.check(item, completion)
    return verdict, "" if verdict == "right" else f"the answer is {item.answer}"


def _item(task: Task, question: str | None, answer: str | None) -> Item | str:
    """The item that a row asks about, or why there is none. An answer in the row goes before the task's own."""
    from mrclassic.tasks.base import Item, Refusal

    if answer is not None:
        return Item(({"role": "user", "content": question or ""},), answer.strip())
    if question is None:
        return 'it has neither "question" nor "answer"'
    parsed = task.parse(question)
    if not isinstance(parsed, Refusal):
        return parsed
    # `parse` keeps held-out questions from being practised; here they may be judged.
    held_out = (item for level in task.levels for item in task.held_out(level)) if parsed.kind == "held-out" else ()
    same = next((item for item in held_out if item.question == question.strip()), None)
    return same or f'it has no "answer", and the task has none: {parsed.reason}'


def _text(value: object) -> str | None:
    """Text, or the last message of a conversation."""
    if isinstance(value, list) and value and isinstance(value[-1], dict):
        value = value[-1].get("content")
    return value if isinstance(value, str) else None
