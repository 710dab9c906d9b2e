"""A database that is damaged: what can be had is restored, the rest comes from its copy, the bad file is kept aside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from homes import mrclassic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mrclassic.cli.mending import mend
from mrclassic.home import Home
from mrclassic.store import DamagedStoreError, NewCandidate, Store, StoreError, forgetting, mending

PAGE = 4096


def fill(home: Home, conversations: int = 12, exchanges: int = 10) -> None:
    """A history of some hundred pages: messages, candidates, picks, runs with steps."""
    with Store.open(home) as store, store.transaction():
        for number in range(conversations):
            talk = store.conversations.create(f"talk {number}")
            leaf = None
            for turn in range(exchanges):
                prompt = store.conversations.add(talk.id, leaf, "user", f"question {number} {turn} " + "ab " * 60)
                drawn = store.candidates.add_draw(prompt.id, [candidate(f"reply {number} {turn} " + "cd " * 60)])
                leaf = store.conversations.add(talk.id, prompt.id, "assistant", drawn[0].text).id
        run = store.runs.start("book", {})
        for step in range(200):
            store.runs.step(run, step, {"loss": step / 7})


def candidate(text: str) -> NewCandidate:
    return NewCandidate(
        slot=0,
        shown=1,
        text=text,
        tokens=3,
        logprob=-1.0,
        finish_reason="stop",
        seed=0,
        temperature=0.7,
        top_p=1.0,
        checkpoint="c1",
    )


def contents(home: Home) -> dict[str, list[tuple[object, ...]]]:
    with Store.open(home) as store:
        assert store.damage() == []
        return {
            name: [tuple(row) for row in store._db.rows(f"SELECT * FROM {name}")]
            for name in ("conversations", "messages", "candidates", "steps")
        }


def smear(path: Path, first: int, pages: int) -> None:
    with path.open("r+b") as file:
        file.seek(first * PAGE)
        file.write(b"\xa5" * PAGE * pages)


@pytest.fixture
def full(home: Home) -> Home:
    fill(home)
    return home


def test_a_whole_database_is_left_alone(full: Home) -> None:
    before = contents(full)
    assert mend(full) is None
    assert mend(Home(full.root / "empty").ensure()) is None
    assert contents(full) == before


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.integers(1, 100), pages=st.integers(1, 6))
def test_wherever_pages_are_damaged_the_other_rows_are_restored(
    first: int, pages: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = Home(tmp_path_factory.mktemp("damaged") / "home").ensure()
    fill(home, 6, 6)
    before = contents(home)
    first = min(first, home.database.stat().st_size // PAGE - pages)
    smear(home.database, first, pages)
    bad = home.database.read_bytes()
    restored = mend(home)
    if restored is None:  # a page that nothing used
        assert contents(home) == before
        return
    assert restored.aside.read_bytes() == bad
    now = contents(home)
    for name, rows in now.items():
        known = {row[0] for row in before[name]}
        assert {row[0] for row in rows} <= known, "nothing is made up"
    # A page holds some twenty rows at the most; where a table's inner page is hit, more is out of reach.
    texts = {row[4] for row in before["messages"]}
    assert {row[4] for row in now["messages"]} <= texts
    assert mend(home) is None


def test_with_a_copy_nothing_older_than_it_is_lost(full: Home) -> None:
    with Store.open(full) as store:
        store.copy()
    before = contents(full)
    with Store.open(full) as store:
        late = store.conversations.create("after the copy").id
    full.database.write_bytes(b"this is no database" * 500)
    restored = mend(full)
    assert restored is not None
    assert restored.from_copy == sum(restored.rows.values()) > 0
    now = contents(full)
    assert now == before
    assert str(restored.aside) in restored.sentence
    with Store.open(full) as store:
        assert store.conversations.create("next").id == late  # of this row nothing was left at all


@pytest.mark.parametrize(
    ("first", "pages", "needed"), [(0, 1, False), (22, 2, False), (60, 3, True)], ids=["head", "schema", "rows"]
)
def test_what_is_damaged_comes_from_the_copy_and_what_is_new_from_the_damaged_one(
    full: Home, first: int, pages: int, needed: bool
) -> None:
    """Of a lost head or schema the copy lends its own, and every row is read with that."""
    with Store.open(full) as store:
        store.copy()
    fill(full, 2, 2)
    before = contents(full)
    smear(full.database, first, pages)
    restored = mend(full)
    assert restored is not None
    assert (restored.from_copy > 0) == needed
    assert contents(full) == before


def test_a_damaged_database_is_not_copied_over_the_copy(full: Home) -> None:
    with Store.open(full) as store:
        store.copy()
        good = mending.copy_of(full.database).read_bytes()
    smear(full.database, 60, 3)
    with Store.open(full) as store, pytest.raises(DamagedStoreError, match="`mrclassic data mend`"):
        store.copy()
    assert mending.copy_of(full.database).read_bytes() == good
    assert not list(full.root.glob(".*copying*"))


def test_a_copy_that_cannot_be_written_is_no_damage(full: Home) -> None:
    """A disk that failed as the copy was looked through once passed for a damaged database, or for a defect of ours."""
    with Store.open(full) as store:
        store.copy()
        good = mending.copy_of(full.database).read_bytes()
        full.database.with_name(f".{full.database.name}.copying-shm").mkdir()  # where SQLite wants to write
        with pytest.raises(StoreError, match="cannot be written") as refusal:
            store.copy()
    assert not isinstance(refusal.value, DamagedStoreError)
    assert mending.copy_of(full.database).read_bytes() == good


def test_a_database_that_became_empty_is_not_begun_anew(full: Home) -> None:
    with Store.open(full) as store:
        store.copy()
    before = contents(full)
    full.database.write_bytes(b"")
    with pytest.raises(DamagedStoreError, match="it is empty, and was not"):
        Store.open(full)
    assert mend(full) is not None
    assert contents(full) == before


def test_a_second_damaged_file_does_not_replace_the_first(full: Home) -> None:
    asides = set()
    for _ in range(2):
        full.database.write_bytes(b"no database" * 500)
        restored = mend(full)
        assert restored is not None
        asides.add(restored.aside)
    assert len(asides) == 2
    assert all(aside.exists() for aside in asides)
    assert not list(full.root.glob(".*mending*")) + list(full.root.glob(".*reading*")) + list(full.root.glob("*-wal"))


def test_while_another_process_has_it_open_nothing_is_touched(full: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from mrclassic.home import Home; from mrclassic.store import Store\n"
        "store = Store.open(Home(Path(sys.argv[1]))); store.conversations.list(); print('open', flush=True)\n"
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(full.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        smear(full.database, 0, 2)
        bad = full.database.read_bytes()
        with pytest.raises(StoreError, match="open in another program"):
            mend(full)
        assert full.database.read_bytes() == bad
        assert not list(full.root.glob("*.bad*"))
        other.communicate("")


def test_forgetting_a_conversation_takes_the_copy_along(full: Home) -> None:
    with Store.open(full) as store:
        store.copy()
        assert mending.copy_of(full.database).stat().st_mode & 0o077 == 0
        last = store.conversations.list()[0].id
        forgetting.forget(store, full, forgetting.find(store, full, "conversation", str(last)))
    assert not mending.copy_of(full.database).exists()


def test_the_shell_mends_what_cannot_be_opened_and_says_so(home: Home) -> None:
    import babies

    babies.hatch(home, "baby-1")
    babies.hatch(home, "baby-2", parent="baby-1")
    home.database.write_bytes(b"this is no database" * 500)
    code, rows, narration = mrclassic(home.root, "model", "list", "--json")
    assert code == 0, narration
    assert {row["id"] for row in rows} == {"baby-1", "baby-2"}
    assert "The database was damaged." in narration
    assert "baby-1 is now" in narration  # another grew from it
    assert (home.root / "mrclassic.db.bad").read_bytes().startswith(b"this is no database")
    code, said, narration = mrclassic(home.root, "data", "mend")
    assert (code, said) == (0, f"Nothing is wrong with {home.database}.\n"), narration
