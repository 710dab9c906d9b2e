"""Files of others in, files for others out; and what went out comes in again as it was."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from homes import mrclassic
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from published import DATA, needs

from mrclassic import book
from mrclassic.errors import MrClassicError, Refused, UsageError
from mrclassic.exchange import forms
from mrclassic.exchange.forms import Talk
from mrclassic.exchange.giving_out import NAMES, give_out
from mrclassic.exchange.taking_in import TakenIn, grouped, take_in
from mrclassic.home import Home
from mrclassic.store import Candidate, NewCandidate, Preference, Store, curation
from mrclassic.tasks.base import BadRow

REAL = DATA / "hh_rlhf"


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    with Store.open(home) as opened:
        yield opened


def user(words: str) -> dict[str, str]:
    return {"role": "user", "content": words}


def reply(words: str) -> dict[str, str]:
    return {"role": "assistant", "content": words}


def drawn(store: Store, prompt: int) -> list[Candidate]:
    """Three candidates, shown in the opposite order."""
    return store.candidates.add_draw(
        prompt,
        [
            NewCandidate(
                slot=slot,
                shown=3 - slot,
                text=text,
                tokens=1,
                logprob=-1.0,
                finish_reason="stop",
                seed=0,
                temperature=0.7,
                top_p=1.0,
                checkpoint="c1",
            )
            for slot, text in enumerate(("yes", "no", "=perhaps"))
        ],
    )


def picked(store: Store, home: Home) -> int:
    """A conversation: a pick of three, then words of the owner's own over three, and a rating. Its id."""
    conversation = store.conversations.create("Tea", "Be brief.").id
    for question, own in (("tea?", ""), ("milk?", "no, thank you")):
        leaf = store.conversations.leaf(conversation)
        asked = store.conversations.add(conversation, leaf.id if leaf else None, "user", question)
        second = drawn(store, asked.id)[1].id
        kind, chosen = ("typed", None) if own else ("candidate", second)
        curation.take(store, home, asked.id, own or "no", kind, chosen)
    store.ratings.add(conversation, 4)
    return conversation


def lines(path: Path) -> list[dict[str, Any]]:
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    return [json.loads(line) for line in text.split("\n") if line]


def test_what_is_written(home: Home, store: Store, tmp_path: Path) -> None:
    picked(store, home)
    first = [{"role": "system", "content": "Be brief."}, user("tea?")]
    said = [*first, reply("no"), user("milk?"), reply("no, thank you")]
    file, rows = give_out(store, home, tmp_path, "trl")
    assert (file.name, rows, file.stat().st_mode & 0o077) == ("preferences.jsonl", 5, 0)
    written = lines(file)
    assert written[:2] == [
        {"prompt": first, "chosen": [reply("no")], "rejected": [reply(lost)]} for lost in ("=perhaps", "yes")
    ]
    assert {row["chosen"][0]["content"] for row in written[2:]} == {"no, thank you"}
    file, rows = give_out(store, home, tmp_path / "replies.jsonl.gz", "conversations")
    assert lines(file)[0] == {"prompt": first, "completion": [reply("no")]}
    assert rows == 2
    assert lines(give_out(store, home, tmp_path, "messages")[0]) == [{"messages": said}]
    (row,) = lines(give_out(store, home, tmp_path, "sharegpt")[0])
    assert row["conversations"][:2] == [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "tea?"}]
    assert (row["title"], row["rating"]) == ("Tea", 4.0)


def test_a_table_for_argilla_has_every_queue(home: Home, store: Store, tmp_path: Path) -> None:
    conversation = picked(store, home)
    curation.undo(store, home, conversation)
    asked = store.conversations.add(store.conversations.create("x").id, None, "user", 'a "quoted",\nlong one').id
    drawn(store, asked)
    curation.skip(store, asked)
    file, rows = give_out(store, home, tmp_path, "argilla")
    with file.open(newline="") as text:
        table = list(csv.DictReader(text))
    assert len(table) == rows == 3
    assert {row["prompt"]: (row["status"], row["choice"], row["answer"]) for row in table} == {
        "tea?": ("submitted", "response_2", "no"),
        "milk?": ("pending", "", ""),
        'a "quoted",\nlong one': ("discarded", "", ""),
    }
    assert [table[0][f"response_{place}"] for place in (1, 2, 3)] == ["=perhaps", "no", "yes"]


def test_what_an_annotator_chose_in_the_table_comes_in(home: Home, store: Store, tmp_path: Path) -> None:
    picked(store, home)
    asked = store.conversations.add(store.conversations.create("x").id, None, "user", "sugar?").id
    drawn(store, asked)
    file, _ = give_out(store, home, tmp_path, "argilla")
    with file.open(newline="") as text:
        table = list(csv.DictReader(text))
    (pending,) = (row for row in table if row["prompt"] == "sugar?")
    pending |= {"status": "submitted", "choice": "response_3"}
    with file.open("w", newline="") as text:
        writer = csv.DictWriter(text, table[0])
        writer.writeheader()
        writer.writerows(table)
    other = Home(tmp_path / "other").ensure()
    with Store.open(other) as fresh:
        found = take_in(fresh, other, [file])
        assert (found.preferences, found.odd) == (3, 0)
        assert take_in(fresh, other, [file], "argilla").known == 3
        got = {each.messages[-1]["content"]: each for each in fresh.preferences.all()}
    own = {each.messages[-1]["content"]: each for each in store.preferences.all()}
    for question, standing in own.items():
        assert (got[question].messages, got[question].chosen) == (standing.messages, standing.chosen)
        assert set(got[question].rejected) == set(standing.rejected)
    assert got["sugar?"].chosen == "yes"
    assert set(got["sugar?"].rejected) == {"=perhaps", "no"}


def test_odd_tables_are_told(home: Home, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "odd.csv"
    head = "status,context,prompt,response_1,response_2,choice,answer\n"
    good = 'submitted,,tea?,"yes,\nplease",no,response_1,\n'
    bad = (
        "discarded,,tea?,yes,no,,\n"
        "submitted,,tea?,yes,no,response_9,\n"
        "submitted,,tea?,yes,,,yes\n"
        "submitted,well,tea?,yes,no,,yes\n"
        "submitted,,,yes,no,,yes\n"
        "submitted,tea?\n"
    )
    file.write_text(head + good + bad)
    found = take_in(store, home, [file])
    assert (found.preferences, found.odd) == (1, 6)
    reasons = ("(discarded)", "chosen", "beside", "role", "no question", "fewer")
    for line, (fault, why) in enumerate(zip(found.faults, reasons, strict=True), 4):
        assert f"line {line}: " in fault
        assert why in fault
    file.write_text('prompt\n"open')
    with pytest.raises(UsageError, match="no table"):
        take_in(store, home, [file])
    with pytest.raises(UsageError, match="Cannot read"):
        take_in(store, home, [tmp_path / "none.csv"])


def test_a_file_that_cannot_be_written_stays_as_it_was(home: Home, store: Store, tmp_path: Path) -> None:
    picked(store, home)
    with pytest.raises(MrClassicError, match="Cannot write"):
        give_out(store, home, tmp_path / "none" / "x.jsonl", "trl")
    target = tmp_path / "x.jsonl"
    target.write_text("before")
    store.close()
    with pytest.raises(RuntimeError):
        give_out(store, home, target, "trl", force=True)
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["x.jsonl"]
    assert target.read_text() == "before"


def test_nothing_is_written_over_unasked(home: Home, store: Store, tmp_path: Path) -> None:
    picked(store, home)
    target = tmp_path / "letter.txt"
    target.write_text("before")
    code, _, narration = mrclassic(home.root, "data", "export", str(target))
    assert (code, target.read_text()) == (3, "before")
    assert narration == f"mrclassic: {target} is there already; name another file, or write over it with --force.\n"
    assert mrclassic(home.root, "data", "export", str(target), "--force")[0] == 0
    assert len(lines(target)) == 5


@pytest.mark.parametrize(
    "name", ["mrclassic.db", "mrclassic.db-wal", "book.txt", "mrclassic.toml", "prompts.txt", "nights/new.jsonl", "."]
)
def test_what_the_home_lives_on_is_never_written_over(home: Home, store: Store, name: str) -> None:
    picked(store, home)
    before = {each: each.read_bytes() for each in home.root.rglob("*") if each.is_file()}
    with pytest.raises(Refused, match="belongs to your home folder"):
        give_out(store, home, home.root / name, "trl", force=True)
    assert {each: each.read_bytes() for each in home.root.rglob("*") if each.is_file()} == before


def test_a_book_behind_a_link_is_kept_and_exports_are_free(home: Home, store: Store, tmp_path: Path) -> None:
    picked(store, home)
    own = home.book.rename(tmp_path / "my-book.txt")
    home.book.symlink_to(own)
    home.exports.mkdir()
    (home.exports / "link").symlink_to(home.database)
    for target in (own, home.exports / "link"):
        with pytest.raises(Refused, match="belongs to your home folder"):
            give_out(store, home, target, "trl", force=True)
    assert give_out(store, home, home.exports, "trl") == (home.exports / NAMES["trl"], 5)


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1).filter(str.strip)


@st.composite
def talks(draw: st.DrawFn) -> Talk:
    said = [{"role": "system", "content": draw(WORDS)}] if draw(st.booleans()) else []
    for words in draw(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=3)):
        said += [user(words[0]), reply(words[1])]
    rating = draw(st.none() | st.integers(1, 5))
    return Talk(messages=tuple(said), title=draw(WORDS), rating=rating)


@st.composite
def preferences(draw: st.DrawFn) -> Preference:
    candidates = draw(st.lists(WORDS, min_size=2, max_size=5, unique_by=str.strip))
    said = draw(talks()).messages[:-1]
    winner = draw(st.integers(0, len(candidates) - 1))
    return Preference(messages=said, candidates=tuple(candidates), winner=winner, kind="imported", date="")


@given(st.lists(preferences(), max_size=4), st.lists(talks(), max_size=4))
@settings(max_examples=60, deadline=None)
def test_a_row_that_went_out_comes_in_as_it_was(given_: list[Preference], said: list[Talk]) -> None:
    def through(rows: list[dict[str, Any]]) -> list[Preference | Talk]:
        return list(grouped(forms.read(json.loads(json.dumps(row, ensure_ascii=False))) for row in rows))

    once = [each for n, each in enumerate(given_) if n == 0 or each.messages != given_[n - 1].messages]
    back = through([row for each in once for row in forms.pairs(each)])
    assert [each.digest for each in back] == [each.digest for each in once]
    assert through([forms.sharegpt(each) for each in said]) == said
    plain = [Talk(messages=each.messages) for each in said]
    assert through([forms.openai(each) for each in said]) == plain
    assert through([forms.completion(each) for each in said]) == plain


@given(preferences())
@settings(max_examples=60, deadline=None)
def test_a_record_of_the_table_comes_in_as_it_was(given_: Preference) -> None:
    shown = {f"response_{place}": text for place, text in enumerate(given_.candidates, 1)}
    row = {"context": forms.told(given_.messages[:-1]), "prompt": given_.messages[-1]["content"], **shown}
    found = forms.read({**row, "answer": given_.chosen})
    assert isinstance(found, Preference)
    assert (found.messages, found.chosen) == (given_.messages, given_.chosen)
    assert set(found.rejected) == set(given_.rejected)


@given(st.lists(talks(), min_size=1, max_size=8, unique_by=lambda each: each.digest))
@settings(max_examples=3, deadline=None, phases=[Phase.generate])
def test_conversations_go_from_store_to_store(tmp_path_factory: pytest.TempPathFactory, said: list[Talk]) -> None:
    folder = tmp_path_factory.mktemp("two")
    one, two = (Home(folder / name).ensure() for name in ("one", "two"))
    file = folder / "talks.json"
    file.write_text(json.dumps([forms.sharegpt(each) for each in said]), encoding="utf-8")
    with Store.open(one) as first, Store.open(two) as second:
        assert take_in(first, one, [file]).conversations == len(said)
        out, rows = give_out(first, one, folder / "again.jsonl.gz", "sharegpt")
        assert rows == len(said)
        assert take_in(second, two, [out]).conversations == len(said)
        assert take_in(second, two, [file]) == TakenIn(known=len(said))
        again, _ = give_out(second, two, folder / "twice.jsonl.gz", "sharegpt")
    assert lines(out) == lines(again) == [forms.sharegpt(each) for each in said]


@pytest.mark.parametrize(
    ("row", "answers"),
    [
        ({"prompt": "q", "chosen": "a", "rejected": "b"}, ("a", "b")),
        ({"prompt": [user("q")], "chosen": reply("a"), "rejected": [reply("b")]}, ("a", "b")),
        ({"chosen": [user("q"), reply("a")], "rejected": [user("q"), reply("b")]}, ("a", "b")),
        ({"prompt": "q", "chosen": [user("q"), reply("a")], "rejected": [user("q"), reply("b")]}, ("a", "b")),
        (
            {
                "conversations": [{"from": "human", "value": "q"}],
                "chosen": {"from": "gpt", "value": "a"},
                "rejected": {"from": "gpt", "value": "b"},
            },
            ("a", "b"),
        ),
        ({"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"}, ("a", "b")),
        (
            {"chosen": "\n\nHuman: q\n\nAssistant: a\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"},
            ("a\na", "b"),
        ),
    ],
)
def test_pairs_in_all_their_shapes(row: dict[str, Any], answers: tuple[str, str]) -> None:
    found = forms.read(row)
    assert isinstance(found, Preference)
    assert (found.messages, found.candidates, found.winner) == ((user("q"),), answers, 0)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({}, "none of the fields"),
        ({"chosen": "a"}, "rejected is neither words"),
        ({"chosen": "a", "rejected": "b"}, "no question"),
        ({"prompt": "q", "chosen": "a ", "rejected": "a"}, "the same"),
        ({"prompt": "q", "chosen": "a", "rejected": " "}, "rejected answer is empty"),
        ({"prompt": "q", "chosen": [user("a")], "rejected": "b"}, "not one reply each"),
        ({"chosen": [user("q"), reply("a")], "rejected": [user("p"), reply("b")]}, "part before the last message"),
        ({"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "b"}, "does not begin"),
        ({"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: p\n\nAssistant: b"}, "part before"),
        ({"chosen": "\n\nHuman: q", "rejected": "\n\nHuman: q\n\nAssistant: b"}, "ends with a question"),
        ({"chosen": "\n\nHuman: q\n\nAssistant:", "rejected": "\n\nHuman: q\n\nAssistant: b"}, "is empty"),
        ({"prompt": "q", "completion": "a", "label": True}, "lone answer"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "no question"),
        ({"messages": [{"role": "judge", "content": "x"}]}, "by 'judge'"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "content in it is not a string"),
        ({"messages": [{"role": "user", "content": []}]}, "content in it is not a string"),
        ({"messages": [reply("x")]}, "no question"),
        ({"messages": [user("q"), reply("a")], "rating": 9}, "rating"),
        ({"conversations": "x", "messages": None}, None),
    ],
)
def test_odd_rows_are_told(row: dict[str, Any], why: str | None) -> None:
    if why is None:
        assert isinstance(forms.read(row), Talk)
        return
    with pytest.raises(BadRow, match=why):
        forms.read(row)


def test_text_parts_are_read_and_tools_left_out() -> None:
    parts = [{"type": "text", "text": "What is"}, {"type": "text", "text": "the time?"}]
    calls = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    tool = {"role": "tool", "tool_call_id": "1", "content": "12:00"}
    assert forms.read({"messages": [{"role": "user", "content": parts}, calls, tool, reply("Noon.")]}) == Talk(
        messages=(user("What is\nthe time?"), reply("Noon."))
    )
    turns = [("human", "Time?"), ("function_call", "{}"), ("observation", "12:00"), ("gpt", "Noon.")]
    row = {"conversations": [{"from": who, "value": words} for who, words in turns]}
    assert forms.read(row) == Talk(messages=(user("Time?"), reply("Noon.")))


def test_rows_on_one_line_are_told_apart(home: Home, store: Store, tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([{}, {"messages": [user("q"), reply("a")]}, {"messages": 7}]))
    told = [fault.removeprefix(f"{rows} ").split(":")[0] for fault in take_in(store, home, [rows]).faults]
    assert told == ["line 1, row 1", "line 1, row 3"]


def test_an_import_is_whole_or_nothing(home: Home, store: Store, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text('{"prompt": "q", "chosen": "a", "rejected": "b"}\n{oops\n\n[]\n')
    bad.write_text("{}\n")
    with pytest.raises(UsageError, match=r"There is no row in .*bad\.jsonl that can be used: .* line 1: it has none"):
        take_in(store, home, [good, bad])
    assert list(store.preferences.all()) == []
    with pytest.raises(UsageError, match="There is no file"):
        take_in(store, home, [good, tmp_path / "none"])
    assert list(store.preferences.all()) == []


def test_into_the_book_only_when_asked_for(home: Home, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        "\n".join(
            json.dumps(row)
            for row in (
                {"prompt": "tea?", "chosen": "yes", "rejected": "no"},
                {"messages": [user("milk?"), reply("no"), user("sugar?"), reply("one")], "rating": 2},
                {"prompt": "tea?", "chosen": "", "rejected": "no"},
            )
        )
    )
    book.put(home.book, book.Entry((book.Turn("tea?", "never"),)))
    code, facts, narration = mrclassic(home.root, "data", "import", str(rows), "--json")
    assert code == 0, narration
    assert (facts["preferences"], facts["conversations"], facts["odd"], facts["booked"]) == (1, 1, 1, 0)
    assert "rows.jsonl line 3: its chosen answer is empty." in narration
    assert [entry.reply for entry in book.load(home.book)] == ["never"]
    code, said, _ = mrclassic(home.root, "data", "import", str(rows), "--book")
    assert code == 0
    assert said.splitlines() == [
        "0 preferences and 0 conversations are new, 2 were there already; 1 rows were left out.",
        "3 entries of the book are new.",
    ]
    assert [(len(entry.turns), entry.reply) for entry in book.load(home.book)] == [(1, "yes"), (1, "no"), (2, "one")]
    with Store.open(home) as store:
        assert store.conversations.spoken() == [], "what came from a file is not the owner's own words"
        assert [each.rating for each in store.preferences.rated()] == [2.0]
    code, facts, _ = mrclassic(home.root, "data", "export", str(tmp_path), "--as", "trl", "--json")
    assert (code, facts["rows"], Path(facts["file"]).name) == (0, 1, NAMES["trl"])
    assert mrclassic(home.root, "rate", "5")[0] == 2, "nothing was said here yet"
    assert mrclassic(home.root, "rate", "5", "--conversation", "1")[1] == "Rated ★★★★★: milk?\n"
    assert mrclassic(home.root, "rate", "0", "--conversation", "1", "--json")[1]["score"] == 0.0


def test_what_was_taken_in_is_not_the_last_conversation(home: Home, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"messages": [user("milk?"), reply("no")]}))
    assert mrclassic(home.root, "data", "import", str(rows))[0] == 0
    for words, said in (
        (("rate", "5"), "There is no conversation of your own to rate yet; --conversation ID names another."),
        (("ask", "And?", "--continue"), "There is no conversation to go on with yet; ask without --continue."),
    ):
        assert mrclassic(home.root, *words) == (2, "", f"mrclassic: {said}\n")
    with Store.open(home) as store:
        picked(store, home)
        (theirs,) = store.conversations.list(from_files=True)
    rows.write_text(json.dumps({"messages": [user("sugar?"), reply("two")]}))
    assert mrclassic(home.root, "data", "import", str(rows))[0] == 0
    assert mrclassic(home.root, "rate", "5")[1] == "Rated ★★★★★: Tea\n"
    assert mrclassic(home.root, "rate", "4", "--conversation", str(theirs.id))[1] == "Rated ★★★★☆: milk?\n"


@needs("hh_rlhf")
def test_the_published_rows_of_hh_rlhf(home: Home, store: Store) -> None:
    found = take_in(store, home, sorted(REAL.glob("*.jsonl.gz")))
    assert (found.odd, len(found.faults)) == (10, 10)
    assert found.preferences + found.known + found.odd == 4366
    assert all(each.messages[-1]["role"] == "user" for each in store.preferences.imported())
