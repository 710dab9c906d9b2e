"""`mrclassic task list|sample|add|check|try`: what can be practised, and a verifier held against one's own cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mrclassic.cli import common
from mrclassic.cli.trying import try_

if TYPE_CHECKING:
    from mrclassic.tasks.base import Item, Judgement, Task

_EXAMPLE = 72  # characters of a question on one line

app = typer.Typer(
    name="task",
    help="What can be practised: list it, draw items, add your own, check a verifier, see what a reply is worth.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("try")(try_)


@app.command("list")
def list_(ctx: typer.Context, json_: common.JsonFlag = False) -> None:
    """List the tasks and their levels, easiest first: how many items to practise on and held out, and an example.

    With reasoning-gym installed (pip install 'mrclassic[gym]') also its tasks, as gym:NAME.

    Example: mrclassic task list
    """
    from mrclassic import plugins
    from mrclassic.tasks.listing import facts

    session = common.session(ctx)
    with session.store() as store:
        found = facts(session.home.tasks, plugins.tasks(session.home, store))
    if json_:
        common.emit(found)
        return
    for task in found:
        common.out(f"{task['name']}: {task['about'] or 'no words of its own'} ({task['source']})")
        for each in task["levels"]:
            train = "" if each["train"] is None else f"{each['train']:>7,} to practise"
            held_out = "" if each["held_out"] is None else f"{each['held_out']:>6,} held out"
            name = f"{task['name']}:{each['level']}"
            common.out(f"  {name:<16}{train:>19} {held_out:<15}   {_line(each['example'])}")
        if task["faults"]:
            common.out(
                f"  Rows that cannot be used: {task['faults']:,}; mrclassic task add {task['name']} FILE... names them"
            )
        if task["broken"]:
            common.out(f"  {task['broken']}")


@app.command()
def sample(
    ctx: typer.Context,
    task: Annotated[str, typer.Argument(metavar="NAME[:LEVEL]", help="Without a level: all of them in turn.")],
    number: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 5,
    seed: Annotated[int, typer.Option(help="The same seed draws the same items.")] = 0,
    held_out: Annotated[bool, typer.Option("--held-out", help="From the split that training never sees.")] = False,
    json_: common.JsonFlag = False,
) -> None:
    """Draw items: the question, and the worked reply that training shows.

    Example: mrclassic task sample arithmetic:3 -n 5
    """
    found, level = _select(ctx, task)
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
        words = f"{found.name}:{level}  {item.question}  ->  {item.trace or item.answer}"
        common.out(words.replace("\n", "\n    "))


@app.command()
def add(
    ctx: typer.Context,
    task: Annotated[str, typer.Argument(metavar="NAME", help="A task of the list, or a new name for your own rows.")],
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE...", help="JSON lines, or a JSON array.")] = None,
    fetch: Annotated[bool, typer.Option("--fetch", help="The published dataset, from the Hugging Face hub.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Replace what is there; pass over rows with faults.")] = False,
    json_: common.JsonFlag = False,
) -> None:
    """Give a task its dataset: every row is checked, then the files are copied into the home.

    A built-in name wants the rows of that dataset, any other name rows with "prompt" and "answer" (and perhaps "level",
    "split", "reward"). Files called test*, or rows with "split": "test", are held out; else an eighth of each level is.

    Example: mrclassic task add riddles riddles.jsonl
    """
    from mrclassic.errors import UsageError
    from mrclassic.tasks.adding import add as add_files

    if fetch == bool(files):
        raise UsageError("Name the files to add, or ask for the published ones with --fetch; one of the two.")
    added = add_files(task, files or [], common.session(ctx).home.tasks, common.say, sure=yes)
    if json_:
        each = [{"level": level, "train": train, "held_out": held} for level, (train, held) in added.levels.items()]
        common.emit({"task": task, "folder": added.folder, "rows": added.rows, "levels": each, "faults": added.faults})
        return
    held_out = sum(held for _, held in added.levels.values())
    levels = "1 level" if len(added.levels) == 1 else f"{len(added.levels)} levels"
    common.out(f"{task}: {added.rows:,} rows in {levels}, {held_out:,} of them held out.")


@app.command()
def check(
    ctx: typer.Context,
    task: Annotated[str, typer.Argument(metavar="NAME", help="The task whose verifier judges.")],
    file: Annotated[str, typer.Option(help="JSON lines; - reads standard input.")],
    json_: common.JsonFlag = False,
) -> None:
    """Judge completions: one JSON object a line, with the fields of the task's dataset and a "completion".

    An "answer" with its "completion" will do for tasks that need no more. Results carry the numbers of their lines.

    Example: mrclassic task check arithmetic --file cases.jsonl --json
    """
    found, _ = _select(ctx, task)
    judged = [
        {"row": number, "verdict": judgement.verdict, "detail": judgement.detail}
        for number, judgement in _judge(found, list(_rows(file)))  # a broken line is told before anything is judged
    ]
    if json_:
        common.emit(judged)
    else:
        for row in judged:
            common.out(f"{row['row']:>5}  {row['verdict']:<8} {' '.join(str(row['detail']).split())}".rstrip())
    counts = Counter(str(row["verdict"]) for row in judged)
    common.say(", ".join(f"{counts[verdict]} {verdict}" for verdict in ("right", "wrong", "error", "skipped")) + ".")


def _select(ctx: typer.Context, words: str) -> tuple[Task, str | None]:
    """The task and level of `NAME[:LEVEL]`; for a name that only a plugin may have, the trusted ones are looked at.
    Looking does not make a home."""
    from mrclassic import plugins
    from mrclassic.home import Home
    from mrclassic.store import Store
    from mrclassic.tasks import names, select

    root: common.Root = ctx.ensure_object(common.Root)
    home = Home.locate(root.home)
    if words.partition(":")[0] in names(home.tasks) or not home.database.exists():
        return select(words, home.tasks)
    with Store.open(home) as store:
        return select(words, home.tasks, plugins.tasks(home, store))


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
    """The objects of a file, or of standard input, with the numbers of their lines."""
    from mrclassic.errors import UsageError
    from mrclassic.tasks import rows

    if file == "-":
        return rows.parse(common.stdin().buffer, "standard input")
    if not Path(file).exists():
        raise UsageError(f"There is no file {file}; --file - reads standard input.")
    return rows.read(Path(file))


def _judge(task: Task, rows: list[tuple[int, Mapping[str, Any]]]) -> Iterator[tuple[int, Judgement]]:
    """The judgements of all rows in their order; those that cannot be judged are skipped, and say why."""
    from mrclassic.tasks.base import BadRow, Judgement, check_all

    asked: dict[int, tuple[Item, str]] = {}
    skipped: dict[int, Judgement] = {}
    for place, (_, row) in enumerate(rows):
        completion = _text(row.get("completion"))
        try:
            if completion is None:
                raise BadRow('it has no "completion"')
            asked[place] = (task.row({key: _last(key, value) for key, value in row.items()}), completion)
        except BadRow as bad:
            skipped[place] = Judgement("skipped", str(bad))
    judged = check_all(task, [item for item, _ in asked.values()], [completion for _, completion in asked.values()])
    verdicts = skipped | dict(zip(asked, judged, strict=True))
    for place, (number, _) in enumerate(rows):
        yield number, verdicts[place]


def _last(key: str, value: object) -> object:
    """Of a prompt that is a conversation, the last message."""
    return value if key != "prompt" else _text(value) or value


def _text(value: object) -> str | None:
    """Text, or the last message of a conversation."""
    if isinstance(value, list) and value and isinstance(value[-1], dict):
        value = value[-1].get("content")
    return value if isinstance(value, str) else None


def _line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _EXAMPLE else f"{text[: _EXAMPLE - 3]}..."
