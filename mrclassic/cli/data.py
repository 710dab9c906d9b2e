"""`mrclassic data add|list|drop`: the owner's notes, made into something that the model can be asked about; `data
import|export`: conversations and picks in the forms of others; and `data mend`, for a database that was damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mrclassic.cli import common

_SHOWN = 10  # faults of a file

app = typer.Typer(
    name="data",
    help="What the model learns from: your notes (mrclassic train documents), conversations and picks.",
    no_args_is_help=True,
)


@app.command()
def add(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Text, Markdown or JSON lines.")],
    teacher: Annotated[
        str | None,
        typer.Option(metavar="URL", help="An OpenAI-compatible server that writes retellings and questions."),
    ] = None,
    model: Annotated[str | None, typer.Option("--teacher-model", help="The model that is asked there.")] = None,
    key: Annotated[
        str | None,
        typer.Option("--teacher-key", metavar="VARIABLE", help="Environment variable with the server's key."),
    ] = None,
    versions: Annotated[
        int | None, typer.Option(min=1, max=50, help="Tellings of each passage, its own included (default: 5).")
    ] = None,
    json: common.JsonFlag = False,
) -> None:
    """Take up notes: cut into passages, retold in other words, and asked about. Half of the questions are held out.

    Lines of "Q: ..." and "A: ..." are questions of your own. JSON rows have a "text", or a "question" and its "answer",
    or both. The same file again replaces what it was. Without a teacher, rules do it all, and nothing leaves the
    machine.

    Example: mrclassic data add notes.md diary.txt
    """
    from mrclassic.errors import UsageError

    if (teacher is None) != (model is None) or (key is not None and teacher is None):
        raise UsageError("A teacher needs its address and its model: --teacher URL --teacher-model NAME.")
    session = common.session(ctx)
    from contextlib import ExitStack

    from mrclassic.cli.progress import Bar
    from mrclassic.mind.teacher import KEY, Teacher
    from mrclassic.night.documents import add as take_up
    from mrclassic.tasks.documents.retellings import VERSIONS

    with ExitStack() as open_:
        teaching = None
        passed = lambda total, done: None  # noqa: E731
        if teacher is not None and model is not None:
            teaching = open_.enter_context(Teacher(teacher, model, key or KEY))
            passed = open_.enter_context(Bar("passages")).planned
        found = take_up(
            session.home, files, versions=versions or VERSIONS, teacher=teaching, say=common.say, passed=passed
        )
    for each in found:
        for fault in each.faults[:_SHOWN]:
            common.say(fault)
        if len(each.faults) > _SHOWN:
            common.say(f"... and {len(each.faults) - _SHOWN:,} more.")
    if json:
        common.emit([{**each.document.facts, "new": each.new, "faults": each.faults} for each in found])
        return
    for each in found:
        facts = each.document.facts
        common.out(_line(facts) if each.new else f"{facts['id']}: there already, and the same.")
    common.say("`mrclassic train documents` learns what they say.")


@app.command("list")
def list_(ctx: typer.Context, json: common.JsonFlag = False) -> None:
    """List the documents: passages, retellings, and questions.

    Example: mrclassic data list
    """
    from mrclassic.tasks.documents import shelf

    found = [shelf.load(path).facts for path in shelf.paths(common.session(ctx).home.documents)]
    if json:
        common.emit(found)
        return
    for facts in found:
        common.out(_line(facts))
    if not found:
        common.say("There are no documents yet; `mrclassic data add FILE` takes your notes.")


@app.command()
def drop(
    ctx: typer.Context,
    documents: Annotated[list[str], typer.Argument(metavar="ID...", help="As `data list` names them.")],
    json: common.JsonFlag = False,
) -> None:
    """Take documents out of the home. What a model has learned of them stays in its weights.

    Example: mrclassic data drop notes-3f2a9c1e
    """
    from mrclassic.tasks.documents import shelf

    home = common.session(ctx).home
    found = dict.fromkeys(shelf.find(name, home.documents) for name in documents)
    for path in found:
        path.unlink(missing_ok=True)
    gone = [path.name.removesuffix(shelf.ENDING) for path in found]
    if json:
        common.emit(gone)
        return
    for name in gone:
        common.out(f"{name} is dropped.")


@app.command("import")
def import_(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="JSON lines, an array, or CSV; .gz too.")],
    form: Annotated[
        Literal["auto", "trl", "conversations", "sharegpt", "messages", "hh", "argilla"],
        typer.Option("--as", help="What the rows are; auto: each as it looks."),
    ] = "auto",
    into_book: Annotated[
        bool, typer.Option("--book", help="Also write the replies, of pairs the chosen one, into the book.")
    ] = False,
    json: common.JsonFlag = False,
) -> None:
    """Take in conversations (OpenAI messages, ShareGPT, TRL) and preferences (TRL, HH-RLHF, Argilla's CSV).

    Preferences are kept apart from your own picks; taste may learn from them, the book does not hold them unless you
    say --book. Rows that make no sense are told with their line and left out. The same rows again change nothing.

    Example: mrclassic data import preferences.jsonl --as trl
    """
    from mrclassic.exchange.taking_in import take_in

    here = common.session(ctx)
    with here.store() as store:
        found = take_in(store, here.home, files, form, into_book=into_book)
    for fault in found.faults[:_SHOWN]:
        common.say(fault)
    if found.odd > _SHOWN:
        common.say(f"... and {found.odd - _SHOWN:,} more.")
    if json:
        common.emit(found)
        return
    common.out(
        f"{found.preferences:,} preferences and {found.conversations:,} conversations are new, {found.known:,} were "
        f"there already; {found.odd:,} rows were left out."
    )
    if into_book:
        common.out(f"{found.booked:,} entries of the book are new.")


@app.command()
def export(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="A file (.gz: compressed), or a folder for it.")],
    form: Annotated[
        Literal["trl", "conversations", "sharegpt", "messages", "argilla"],
        typer.Option("--as", help="The form; see below."),
    ] = "trl",
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there already.")] = False,
    json: common.JsonFlag = False,
) -> None:
    """Write your picks or conversations into a file that others can read.

    trl: each pick as pairs of prompt, chosen and rejected, imported preferences too. conversations: each question with
    the reply that you picked, as TRL's prompt and completion. sharegpt, messages: whole conversations. argilla: a table
    (CSV) of all questions with everything that was shown.

    Example: mrclassic data export picks.jsonl.gz --as trl
    """
    from mrclassic.exchange.giving_out import give_out

    here = common.session(ctx)
    with here.store() as store:
        file, rows = give_out(store, here.home, path, form, force=force)
    if json:
        common.emit({"file": file, "as": form, "rows": rows})
        return
    common.out(f"{file}: {rows:,} rows.")


@app.command()
def forget(
    ctx: typer.Context,
    conversation: Annotated[int | None, typer.Option(min=1, metavar="ID", help="A conversation, all of it.")] = None,
    pick: Annotated[
        int | None, typer.Option(min=1, metavar="ID", help="The question of a pick, and all that was said after it.")
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Whatever holds these words (- reads them), and what followed.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Go back to the checkpoint before, and learn the rest of the book anew.")
    ] = False,
    json: common.JsonFlag = False,
) -> None:
    """Delete for good: from the conversations, the picks, the book, the samples and pages of nights, every file of the
    database. Says which checkpoints were trained on it.

    Example: mrclassic data forget --text "my sister Anna"
    """
    from mrclassic.cli.forgetting import forget as delete

    delete(ctx, {"conversation": conversation, "pick": pick, "text": text}, yes=yes, retrain=retrain, json=json)


@app.command()
def mend(ctx: typer.Context, json: common.JsonFlag = False) -> None:
    """Restore a damaged database: all of it that can be read, and the rest from its last copy. The damaged file is kept
    aside.

    Example: mrclassic data mend
    """
    from mrclassic.cli.mending import mend as restore

    home = common.session(ctx).home
    found = restore(home)
    if json:
        common.emit(found)
    elif found is None:
        common.out(f"Nothing is wrong with {home.database}.")
    else:
        common.out(found.sentence)


def _line(facts: dict[str, object]) -> str:
    return (
        f"{facts['id']}: {facts['passages']:,} passages, {facts['retellings']:,} retellings, {facts['questions']:,} "
        f"questions ({facts['held_out']:,} held out), by {facts['made']}, from {facts['source']}"
    )
