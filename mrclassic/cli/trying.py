"""`mrclassic task try`: a reply to one question of a task, with every part of its score."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mrclassic.cli import common
from mrclassic.errors import UsageError

if TYPE_CHECKING:
    from mrclassic.rewards.account import Account
    from mrclassic.rewards.contract import Weighted
    from mrclassic.store import Store
    from mrclassic.tasks.arms import Arms
    from mrclassic.tasks.base import Item, Task

_CASE = ("question", "answer", "reply", "seed")


def try_(
    ctx: typer.Context,
    task: Annotated[str, typer.Argument(metavar="NAME[:LEVEL]", help="Without a level: its first.")],
    reply: Annotated[str | None, typer.Option(help="What to score; - reads it. Left out: the model answers.")] = None,
    question: Annotated[str | None, typer.Option(help="A question of your own, instead of one that is drawn.")] = None,
    answer: Annotated[str | None, typer.Option(help="Its right answer, where the task cannot compute it.")] = None,
    reward: Annotated[list[str] | None, typer.Option(help="NAME[=WEIGHT]; default: as the settings say.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed draws the same question.")] = 0,
    case: Annotated[str | None, typer.Option(help="A JSON file with these instead; - reads it.")] = None,
    json_: common.JsonFlag = False,
) -> None:
    """Ask one question, score one reply: what was read, right or wrong, and each reward with its weight and value.

    Example: mrclassic task try arithmetic:3 --question "What is 7 + 5?" --reply "7+5=12, so 12." --reward format=0.1
    """
    given: dict[str, Any] = {"question": question, "answer": answer, "reply": reply, "seed": seed}
    given |= _case(case) if case is not None else {}
    session = common.session(ctx)
    with session.store() as store:
        arms, rewards = _practice(session, store, task, reward or session.settings.practice.rewards.split(","))
        name = next(iter(arms.names))
        item = _item(arms, name, given)
        said, checkpoint = given["reply"], None
        if said == "-" and case is None:
            said = common.stdin().read()
        if said is None:
            import asyncio

            said, checkpoint = asyncio.run(_asked(ctx, session, item, given["seed"]))
        from mrclassic.rewards.account import account

        found = account(arms, item, said, rewards)
    if json_:
        facts = {"task": name, "question": item.question, "answer": item.answer, "reply": said}
        common.emit({**facts, "checkpoint": checkpoint, **asdict(found)})
        return
    common.out(f"{name}  {item.question}")
    common.out(f"reply: {said}")
    for line in _lines(found, item):
        common.out(line)


def _case(path: str) -> Mapping[str, Any]:
    """The options in a JSON object, so that what is private stands in no list of processes."""
    try:
        text = common.stdin().read() if path == "-" else Path(path).read_text(encoding="utf-8")
        given = json.loads(text)
    except (OSError, ValueError) as error:
        raise UsageError(f"The case in {path} cannot be read: {error}.") from error
    if not isinstance(given, dict) or not given.keys() <= set(_CASE):
        raise UsageError(f"The case in {path} is no JSON object of {', '.join(_CASE)}.")
    kinds = {"seed": int}
    wrong = [name for name, value in given.items() if value is not None and not isinstance(value, kinds.get(name, str))]
    if wrong:
        raise UsageError(f"The case in {path}: {wrong[0]} is {given[wrong[0]]!r}, which it cannot be.")
    return given


def _practice(
    session: common.Session, store: Store, named: str, wanted: Sequence[str]
) -> tuple[Arms, Sequence[Weighted]]:
    """The level, and the rewards as practice would ask them. What is learned from picks needs what computes."""
    from mrclassic import plugins, rewards, tasks
    from mrclassic.rewards.taste import NAME as TASTE
    from mrclassic.tasks.arms import Arms
    from mrclassic.tasks.conversation import NAME as CONVERSATION

    words = [each.strip() for each in wanted if each.strip()]
    if named.partition(":")[0] == CONVERSATION or TASTE in {each.partition("=")[0] for each in words}:
        from mrclassic.night.workplace import Workplace

        work = Workplace(session.home, session.settings, store, common.say)
        arms = work.arms([named])
        return arms, work.rewards(words, arms)
    found, level = tasks.select(named, session.home.tasks, plugins.tasks(session.home, store))
    arms = Arms([(found, level or found.levels[0])])
    return arms, rewards.select(words, arms, plugins.rewards(session.home, store))


def _item(arms: Arms, name: str, given: Mapping[str, Any]) -> Item:
    """The next question of the level, or the owner's own."""
    from mrclassic.tasks.base import Asked, BadRow, Refusal, keyed

    task: Task = next(iter(arms.tasks.values()))
    level = name.removeprefix(f"{task.name}:")
    question, answer = given["question"], given["answer"]
    if question is None:
        return arms.sample(name, keyed("sample", task.name, level, given["seed"]))
    row = {"question": question, "prompt": question, "problem": question, "level": level}
    if answer is not None:
        row["answer"] = answer
    elif isinstance(task, Asked):
        found = task.parse(question)
        if isinstance(found, Refusal):
            like = task.sample(keyed("example", level), level).question
            raise UsageError(
                f"{task.name} cannot read that question ({found.reason}). Ask as it does: {like!r}; or give its answer."
            )
        row["answer"] = found.answer
    else:
        raise UsageError(f"{task.name} cannot compute the answer to a question of your own; give that, too.")
    try:
        return arms.row(task.name, row)
    except BadRow as error:
        raise UsageError(f"{task.name} cannot use that question: {error}.") from error


async def _asked(ctx: typer.Context, session: common.Session, item: Item, seed: int) -> tuple[str, str]:
    """What the model in use says, and which one that is."""
    from mrclassic.cli import asking
    from mrclassic.mind.protocol import sampling

    client = asking.connect(ctx, session)
    try:
        told = await client.complete(item.messages, n=1, seed=seed, **sampling(session.settings.chat))
    finally:
        await client.aclose()
    return told.replies[0].text, told.checkpoint


def _lines(found: Account, item: Item) -> list[str]:
    """The account for people."""
    detail = found.detail or (f"it says {item.answer}" if found.verdict == "right" else "")
    lines = [f"{found.verdict}{': ' if detail else ''}{detail}"]
    for part in found.parts:
        value = "abstains" if part.value is None else f"{part.value:g}"
        counts = "" if part.counted is None else f" x {part.weight:g} = {part.counted:g}"
        lines.append(f"  {part.reward:<16} {value}{counts}{'; ' if part.fault else ''}{part.fault}")
    lines.append("total: nothing is learned from it" if found.total is None else f"total: {found.total:g}")
    return lines
