"""The book: every text survives it, the latest reply wins in place, comments stay, a mistake names its line."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from mrclassic import book
from mrclassic.book import BookError, Entry, Turn
from mrclassic.errors import MrClassicError
from mrclassic.home import Home

_AWKWARD = st.sampled_from(
    ["", " ", ".", "..", ". ", ". .", ".NET", "> quoted", ">", "# hash", "  indented", "\t", "\u2028", "\x0c", "\ufeff",
     "\xa0", "好的。", "🦊", "a  ", "\x00", "\x85x"]
)  # fmt: skip
TEXTS = st.one_of(
    st.text(), st.lists(st.one_of(_AWKWARD, st.text(max_size=5)), max_size=6).map("\n".join), st.just("a\r\nb\rc")
)
ENTRIES = st.lists(st.builds(Turn, TEXTS, TEXTS), min_size=1, max_size=3).map(lambda turns: Entry(tuple(turns)))


def entry(*texts: str) -> Entry:
    """An entry from user, reply, user, reply ..."""
    return Entry(tuple(Turn(user, reply) for user, reply in zip(texts[::2], texts[1::2], strict=True)))


# --- the format ---


def test_the_format_of_the_design() -> None:
    text = (
        "# A comment.\n> what is your name?\nMr. Classic.\n\n"
        "> who are you?\nA small language model.\n  It belongs\n  .\n  to one person.\n> and who\n  is that?\nYou.\n"
    )
    first, second = book.parse(text)
    assert first == entry("what is your name?", "Mr. Classic.")
    assert second == entry(
        "who are you?", "A small language model.\nIt belongs\n\nto one person.", "and who\nis that?", "You."
    )
    assert (first.line, second.line) == (2, 5)
    assert second.reply == "You."
    assert second.prompt == second.messages[:-1]
    assert second.messages[-1] == {"role": "assistant", "content": "You."}
    assert [message["role"] for message in second.prompt] == ["user", "assistant", "user"]


def test_examining_finds_every_mistake_and_what_can_be_read_beside() -> None:
    text = "> a\n\n> b\nc\nd\n\n> e\nf\n\n  g\n\nh\n"
    entries, faults = book.examine(text, "it")
    assert entries == [entry("e", "f")]
    assert [(fault.line, fault.sentence.partition(";")[0]) for fault in faults] == [
        (1, "a question without a reply"),
        (5, "a second line of a reply that is not indented"),
        (10, "an indented line that continues nothing"),
        (12, "a reply without a question"),
    ]
    assert str(faults[0]) == f"it line 1: {faults[0].sentence}"
    with pytest.raises(BookError) as caught:
        book.parse(text, "it")
    assert str(caught.value) == str(faults[0])


def test_hash_names_the_entry_and_key_the_conversation() -> None:
    hello, again = entry("hello", "hi"), entry("hello", "good day")
    assert hello.key == again.key
    assert hello.hash != again.hash
    assert hello.hash == Entry(hello.turns, line=7).hash
    assert len(hello.hash) == 16
    assert entry("a", "b", "c", "d").key != entry("a", "x", "c", "d").key


@given(ENTRIES)
def test_every_text_survives_the_book(one: Entry) -> None:
    assert book.parse(book.render(one)) == [one]


@given(st.lists(ENTRIES, max_size=4))
def test_many_entries_survive_the_book_in_order(entries: list[Entry]) -> None:
    assert book.parse(book.HEADER + "\n" + "\n".join(book.render(one) for one in entries)) == entries


@given(ENTRIES)
def test_every_text_survives_the_file(one: Entry) -> None:
    # what a file cannot hold (lone surrogates, other line ends) is gone before it is written
    assert book.parse(book.render(one).encode().decode()) == [one]


@pytest.mark.parametrize("line", ["...", "...well", ".NET is a framework.", "...\n...", "3 > 2", "a # b"])
def test_what_an_owner_writes_by_hand_is_meant_literally(line: str) -> None:
    assert book.parse("> q\n" + line.replace("\n", "\n  "))[0].reply == line


def test_lenient_where_the_meaning_is_plain() -> None:
    assert book.parse("\ufeff>q\r\nr\r\n\tmore\r\n") == [entry("q", "r\nmore")]
    assert book.parse("> q\n# why\nr\n# end\n") == [entry("q", "r")]
    assert book.parse("\n  \n# only a comment\n") == []


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("> a\nb\n\nhello\n", 4, "a reply without a question"),
        ("> a\nb\n\n> c\n\n> d\ne\n", 4, "a question without a reply"),
        ("> a\nb\n> c", 3, "a question without a reply"),
        ("> a\n> b\nc", 1, "a question without a reply"),
        ("> a\nb\nc\n", 3, "not indented"),
        ("\n  a\n", 2, "an indented line that continues nothing"),
    ],
)
def test_a_malformed_book_names_its_line_and_the_remedy(tmp_path: Path, text: str, line: int, said: str) -> None:
    path = tmp_path / "book.txt"
    path.write_text(text)
    with pytest.raises(BookError, match=said) as caught:
        book.load(path)
    assert f"book.txt line {line}: " in str(caught.value)
    assert ";" in str(caught.value)
    before = path.read_text()
    with pytest.raises(BookError):
        book.put(path, entry("x", "y"))
    assert path.read_text() == before


def test_a_book_that_is_not_utf8_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_bytes(b"> a\nb\n\n> caf\xe9\nc\n")
    with pytest.raises(BookError, match=r"book\.txt line 4: not UTF-8"):
        book.load(tmp_path / "book.txt")


# --- the file ---


def test_the_latest_reply_wins_in_place_and_comments_stay(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("# top\n\n# about hello\n> hello\n# inside\nhi\n\n# about bye\n> bye\nsee you\n# foot\n")
    assert book.put(path, entry("hello", "good day\nto you")) == entry("hello", "hi")
    assert path.read_text() == (
        "# top\n\n# about hello\n# inside\n> hello\ngood day\n  to you\n\n# about bye\n> bye\nsee you\n# foot\n"
    )
    assert book.put(path, entry("new", "one")) is None
    assert book.load(path)[-1] == entry("new", "one")
    text = book.read(path)
    assert book.without_entry(text, entry("hello", "hi")) == (text, False)
    left, found = book.without_entry(text, entry("hello", "good day\nto you"))
    assert found is True
    assert book.parse(left) == [entry("bye", "see you"), entry("new", "one")]
    for comment in ("# top", "# about hello", "# inside", "# about bye", "# foot"):
        assert comment in left.split("\n")


def test_putting_what_is_there_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text(">hello\nhi")
    assert book.put(path, entry("hello", "hi")) == entry("hello", "hi")
    assert path.read_text() == ">hello\nhi"


def test_a_new_book_tells_its_format(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    assert book.load(path) == []
    book.put(path, entry("a", "b"))
    assert path.read_text() == book.HEADER + "\n> a\nb\n"
    assert sorted(file.name for file in tmp_path.iterdir()) == [".book.txt.lock", "book.txt"]


def test_mode_and_link_survive_a_write(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("> a\nb\n")
    (tmp_path / "real.txt").chmod(0o640)
    (tmp_path / "book.txt").symlink_to("real.txt")
    book.put(tmp_path / "book.txt", entry("c", "d"))
    assert (tmp_path / "book.txt").is_symlink()
    assert len(book.load(tmp_path / "real.txt")) == 2
    assert (tmp_path / "real.txt").stat().st_mode & 0o777 == 0o640


def test_writers_in_threads_and_processes_do_not_lose_each_other(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    code = (
        "import sys; from pathlib import Path; from mrclassic import book\n"
        "for n in range(15): book.put(Path(sys.argv[1]), book.Entry((book.Turn(f'{sys.argv[2]} {n}', 'r'),)))"
    )
    children = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in "ab"]

    def write(name: str) -> None:
        for number in range(15):
            book.put(path, entry(f"{name} {number}", "r"))

    threads = [threading.Thread(target=write, args=(name,)) for name in "cd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [child.wait() for child in children] == [0, 0]
    assert {one.turns[0].user for one in book.load(path)} == {f"{name} {n}" for name in "abcd" for n in range(15)}


def test_a_lock_that_is_never_given_back_is_one_sentence(tmp_path: Path) -> None:
    with (
        book.lock(tmp_path / "book.txt"),
        pytest.raises(MrClassicError, match="Another process has held the book"),
        book.lock(tmp_path / "book.txt", seconds=0.05),
    ):
        raise AssertionError("two holders")


def test_a_full_disk_leaves_the_old_book(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("> a\nb\n")
    code = (
        "import resource, sys; from pathlib import Path; from mrclassic import book; from mrclassic.errors import *\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: book.put(Path(sys.argv[1]), book.Entry((book.Turn('c', 'd' * 9000),)))\n"
        "except MrClassicError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"Cannot write the book {path}: ")
    assert path.read_text() == "> a\nb\n"
    assert sorted(file.name for file in tmp_path.iterdir()) == [".book.txt.lock", "book.txt"]


def test_a_new_home_gets_the_starter_book_once(home: Home) -> None:
    assert book.ensure_book(home) is True
    assert book.load(home.book)
    assert home.book.read_text().startswith("#")
    home.book.write_text("> mine\nyes\n")
    assert book.ensure_book(home) is False
    assert book.load(home.book) == [entry("mine", "yes")]


# --- any sequence of writes ---


class BookMachine(RuleBasedStateMachine):
    """Puts and removals in any order leave the text that a plain list of entries predicts, and every comment."""

    known = Bundle("known")

    def __init__(self) -> None:
        super().__init__()
        self.text = "# the first comment\n"
        self.comments = ["# the first comment"]
        self.entries: list[Entry] = []

    @rule(target=known, one=ENTRIES)
    def put(self, one: Entry) -> Entry:
        self.text, old = book.with_entry(self.text, one)
        same = [index for index, other in enumerate(self.entries) if other.prompt == one.prompt]
        if same:
            assert old == self.entries[same[0]]
            self.entries[same[0]] = one
        else:
            assert old is None
            self.entries.append(one)
        return one

    @rule(target=known, one=known, reply=TEXTS)
    def answer_better(self, one: Entry, reply: str) -> object:
        return self.put(Entry((*one.turns[:-1], Turn(one.turns[-1].user, reply))))

    @rule(one=consumes(known))
    def take_out(self, one: Entry) -> None:
        self.text, found = book.without_entry(self.text, one)
        assert found == (one in self.entries)
        if found:
            self.entries.remove(one)

    @rule(place=st.integers(0, 1000))
    def comment(self, place: int) -> None:
        line = f"# comment {len(self.comments)}"
        lines = self.text.split("\n")
        lines.insert(place % len(lines), line)
        self.text, self.comments = "\n".join(lines), [*self.comments, line]

    @invariant()
    def the_text_holds_all(self) -> None:
        assert book.parse(self.text) == self.entries
        assert sorted(line for line in self.text.split("\n") if line.startswith("# ")) == sorted(self.comments)


TestBookMachine = BookMachine.TestCase
TestBookMachine.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


def test_of_a_conversation_that_stands_twice_the_latest_reply_counts(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("> Hi.\nOne.\n\n> Bye.\nTwo.\n\n> Hi.\nThree.\n", encoding="utf-8")
    assert [entry.reply for entry in book.load(path)] == ["Three.", "Two."]
